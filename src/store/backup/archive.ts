/**
 * A backup as one tar archive: a page about it first, then the files, and a manifest with their checksums at the end, because they are
 * known only when everything has been read. Nothing in an archive is believed: not its names, not its sizes.
 */
import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { GatewayError } from '../../core/errors.ts';
import { toIso, type UnixMs } from '../../core/time.ts';
import { BLOCK_BYTES, ByteStream, parseTarHeader, TAR_END, tarHeader, tarPadding } from './tar.ts';

/** Raised when an older twinbox could not restore what a newer one has written. */
export const BACKUP_FORMAT = 1;

const ABOUT = 'twinbox-backup.json';
const MANIFEST = 'manifest.json';
const PIECE_BYTES = 256 << 10;
/** Of the page and the manifest: a hundred thousand files are some 15 MB. */
const MAX_JSON_BYTES = 64 << 20;
/** The only names that a backup has. */
const NAMES = /^(records\.db|telemetry\/store\.db|telemetry\/day\/-?\d{1,9}-\d{1,9}\.db|telemetry\/wal-\d{8}\.log)$/;
/** Certificates and keys: folders of plain names, none of which begins with a dot. */
const CERTIFICATE_NAME = /^opcua(\/[A-Za-z0-9_[\]() -][A-Za-z0-9_.[\]() -]{0,80}){1,5}$/;

/** What a backup says about itself. */
export interface About {
  readonly format: number;
  /** Of the twinbox that made it. */
  readonly version: string;
  /** RFC 3339. */
  readonly created: string;
}

export interface ArchivedFile {
  readonly name: string;
  readonly size: number;
  /** Hexadecimal. */
  readonly sha256: string;
}

export interface Manifest extends About {
  readonly files: readonly ArchivedFile[];
}

/** A file that goes into a backup. */
export interface SourceFile {
  readonly name: string;
  readonly path: string;
}

/** True for a name that may stand in a backup. */
export function isBackupName(name: string): boolean {
  return NAMES.test(name) || CERTIFICATE_NAME.test(name);
}

/** The bytes of an archive. The files must not change meanwhile. Throws what the file system does. */
export async function* writeArchive(
  files: readonly SourceFile[],
  { version, nowMs }: { readonly version: string; readonly nowMs: UnixMs },
): AsyncGenerator<Uint8Array, void, undefined> {
  const about: About = { format: BACKUP_FORMAT, version, created: toIso(nowMs) };
  const archived: ArchivedFile[] = [];
  yield* jsonEntry(ABOUT, about, nowMs);
  for (const { name, path } of files) {
    if (!isBackupName(name)) throw new Error(`${name} has no place in a backup`);
    const file = await open(path, 'r');
    try {
      const { size } = await file.stat();
      const hash = createHash('sha256');
      yield tarHeader({ name, size }, nowMs);
      for (let at = 0; at < size; ) {
        const piece = Buffer.allocUnsafe(Math.min(PIECE_BYTES, size - at));
        const { bytesRead } = await file.read(piece, 0, piece.length, at);
        if (bytesRead === 0) throw new GatewayError('store_failed', `${path} became shorter while it was read`);
        const read = piece.subarray(0, bytesRead);
        hash.update(read);
        at += bytesRead;
        yield read;
      }
      yield tarPadding(size);
      archived.push({ name, size, sha256: hash.digest('hex') });
    } finally {
      await file.close();
    }
  }
  const manifest: Manifest = { ...about, files: archived };
  yield* jsonEntry(MANIFEST, manifest, nowMs);
  yield TAR_END;
}

function* jsonEntry(name: string, value: unknown, nowMs: UnixMs): Generator<Uint8Array, void, undefined> {
  const content = Buffer.from(`${JSON.stringify(value, null, 1)}\n`);
  yield tarHeader({ name, size: content.length }, nowMs);
  yield content;
  yield tarPadding(content.length);
}

/** Takes a file's content piece by piece; `end` closes it, whole or not. */
export interface FileSink {
  write(piece: Uint8Array): Promise<void>;
  end(): Promise<void>;
}

/**
 * Reads a whole archive, hands its files to `sinkFor`, and holds them against the manifest. Throws `backup_invalid` when it is damaged,
 * incomplete, of a newer format, or has a name that no backup has; what went to the sinks must not be used then.
 */
export async function readArchive(source: AsyncIterable<Uint8Array>, sinkFor: (name: string) => Promise<FileSink>): Promise<Manifest> {
  const stream = new ByteStream(source);
  try {
    const first = await header(stream);
    if (first?.name !== ABOUT) throw new GatewayError('backup_invalid', 'this is no backup of twinbox');
    requireFormat((await json(stream, first.size)) as Partial<About>);
    const found = new Map<string, ArchivedFile>();
    for (;;) {
      const entry = await header(stream);
      if (!entry) throw new GatewayError('backup_invalid', 'the archive has no manifest');
      if (entry.name === MANIFEST) {
        const manifest = (await json(stream, entry.size)) as Manifest;
        requireSame(manifest, found);
        if (await header(stream)) throw new GatewayError('backup_invalid', 'there is more behind the manifest');
        return manifest;
      }
      if (!isBackupName(entry.name) || found.has(entry.name)) {
        throw new GatewayError('backup_invalid', `${JSON.stringify(entry.name)} has no place in a backup`);
      }
      found.set(entry.name, await copy(stream, entry, await sinkFor(entry.name)));
    }
  } finally {
    await stream.close();
  }
}

async function copy(stream: ByteStream, { name, size }: { name: string; size: number }, sink: FileSink): Promise<ArchivedFile> {
  const hash = createHash('sha256');
  try {
    for await (const piece of stream.pieces(size)) {
      hash.update(piece);
      await sink.write(piece);
    }
  } finally {
    await sink.end();
  }
  await stream.take(tarPadding(size).length);
  return { name, size, sha256: hash.digest('hex') };
}

async function header(stream: ByteStream) {
  return parseTarHeader(await stream.take(BLOCK_BYTES));
}

async function json(stream: ByteStream, size: number): Promise<object> {
  if (size > MAX_JSON_BYTES) throw new GatewayError('backup_invalid', 'the archive describes itself at too great a length');
  const content = await stream.take(size);
  await stream.take(tarPadding(size).length);
  try {
    const value: unknown = JSON.parse(content.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value;
  } catch (error) {
    throw new GatewayError('backup_invalid', 'the archive does not describe itself', { cause: error });
  }
  throw new GatewayError('backup_invalid', 'the archive does not describe itself');
}

function requireFormat({ format, version }: Partial<About>): void {
  if (format === BACKUP_FORMAT) return;
  const newer = typeof format === 'number' && format > BACKUP_FORMAT;
  const why = newer
    ? `format ${format} of twinbox ${version} is newer than ${BACKUP_FORMAT}, which this one knows`
    : 'its format is unknown';
  throw new GatewayError('backup_invalid', `the backup cannot be read: ${why}`);
}

function requireSame({ files }: Partial<Manifest>, found: ReadonlyMap<string, ArchivedFile>): void {
  const listed = Array.isArray(files) ? files : [];
  for (const { name, size, sha256 } of listed) {
    const file = found.get(name);
    if (file?.size !== size || file?.sha256 !== sha256) throw new GatewayError('backup_invalid', `${name} is damaged or missing`);
  }
  if (listed.length !== found.size) throw new GatewayError('backup_invalid', 'the archive holds files that its manifest does not know');
}
