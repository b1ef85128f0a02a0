/** Backups as archives: what is written is read, and nothing that was damaged, cut or made by others passes. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import { BACKUP_FORMAT, type Manifest, readArchive, writeArchive } from '../../../src/store/backup/archive.ts';
import { TAR_END, tarHeader, tarPadding } from '../../../src/store/backup/tar.ts';
import { useTempDirs } from '../temp-dir.ts';

const newDir = useTempDirs();
const NOW = Date.UTC(2026, 0, 6, 10) as UnixMs;
const CONTENT = new Map([
  ['records.db', Buffer.from('records')],
  ['telemetry/store.db', Buffer.alloc(3_000, 7)],
  ['telemetry/day/20458-1.db', Buffer.alloc(512, 8)],
  ['telemetry/day/-3-12.db', Buffer.alloc(0)],
  ['telemetry/wal-00000001.log', Buffer.alloc(70_000, 9)],
  ['opcua/own/private/private_key.pem', Buffer.from('key')],
]);

async function made(): Promise<Buffer> {
  const dir = newDir();
  const files = [...CONTENT].map(([name, content]) => {
    const path = join(dir, name);
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, content);
    return { name, path };
  });
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeArchive(files, { version: '1.2.3', nowMs: NOW })) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function read(bytes: Uint8Array): Promise<{ readonly manifest: Manifest; readonly files: Map<string, Buffer> }> {
  const files = new Map<string, Buffer>();
  async function* source() {
    for (let at = 0; at < bytes.length; at += 10_000) yield bytes.subarray(at, at + 10_000);
  }
  const manifest = await readArchive(source(), async (name) => {
    files.set(name, Buffer.alloc(0));
    return {
      write: async (piece) => void files.set(name, Buffer.concat([files.get(name) as Buffer, piece])),
      end: async () => {},
    };
  });
  return { manifest, files };
}

function isWhole(files: ReadonlyMap<string, Buffer>): boolean {
  return files.size === CONTENT.size && [...CONTENT].every(([name, content]) => files.get(name)?.equals(content));
}

/** An archive of these files, each by its name, with a page in front and a manifest behind that fits them unless another is given. */
function forged(names: readonly string[], { format = BACKUP_FORMAT as number, manifest = true, more = false } = {}): Buffer {
  const entry = (name: string, content: string) => [
    tarHeader({ name, size: content.length }, 0),
    Buffer.from(content),
    tarPadding(content.length),
  ];
  const sha256 = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
  const files = names.map((name) => ({ name, size: 0, sha256 }));
  const about = { format, version: '9.0.0', created: '2026-01-06T10:00:00Z' };
  return Buffer.concat([
    ...entry('twinbox-backup.json', JSON.stringify(about)),
    ...names.flatMap((name) => entry(name, '')),
    ...(manifest ? entry('manifest.json', JSON.stringify({ ...about, files })) : []),
    ...(more ? entry('records.db', '') : []),
    TAR_END,
  ]);
}

describe('a backup', () => {
  it('is read as it was written, by us and by tar', async () => {
    const bytes = await made();
    const { manifest, files } = await read(bytes);
    expect(isWhole(files)).toBe(true);
    expect(manifest).toMatchObject({ format: 1, version: '1.2.3', created: '2026-01-06T10:00:00Z' });
    const dir = newDir();
    writeFileSync(join(dir, 'backup.tar'), bytes);
    execFileSync('tar', ['-xf', 'backup.tar'], { cwd: dir });
    for (const { name, sha256 } of manifest.files) {
      expect(execFileSync('sha256sum', [name], { cwd: dir, encoding: 'utf8' })).toContain(sha256);
    }
    expect(JSON.parse(readFileSync(join(dir, 'manifest.json'), 'utf8'))).toEqual(manifest);
  });

  it('never passes with another content than it had, whichever byte changes', async () => {
    const bytes = await made();
    const places = fc.oneof(
      fc.nat(12_000),
      fc.nat(bytes.length - 1),
      fc.nat(4_000).map((back) => bytes.length - 1 - back),
    );
    await fc.assert(
      fc.asyncProperty(places, fc.integer({ min: 1, max: 255 }), async (at, change) => {
        const changed = Buffer.from(bytes);
        changed.writeUInt8((changed[at] as number) ^ change, at);
        const outcome = await read(changed).catch((error: unknown) => error);
        if (outcome instanceof Error) expect(outcome).toMatchObject({ code: 'backup_invalid' });
        else expect(isWhole((outcome as Awaited<ReturnType<typeof read>>).files)).toBe(true); // between the files, or in the words about it
      }),
      { numRuns: 300 },
    );
  });

  it('never passes when it was cut', async () => {
    const bytes = await made();
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - TAR_END.length), async (length) => {
        await expect(read(bytes.subarray(0, length))).rejects.toMatchObject({ code: 'backup_invalid' });
      }),
      { numRuns: 100 },
    );
  });

  it.each([
    '../records.db',
    '/etc/passwd',
    'telemetry/../../x',
    'telemetry/day/../1-1.db',
    'opcua/../admin.token',
    'opcua/.hidden',
    'opcua//x',
    'opcua/',
    'lock.db',
    'admin.token',
    'telemetry/day/1-1.db/x',
    'records.db\n',
  ])('has no file %j', async (name) => {
    await expect(read(forged([name]))).rejects.toMatchObject({ code: 'backup_invalid' });
  });

  it('holds each file once, a manifest of all of them, and nothing behind it', async () => {
    expect((await read(forged(['records.db']))).manifest.files.length).toBe(1);
    await expect(read(forged(['records.db', 'records.db']))).rejects.toThrow(/no place/);
    await expect(read(forged(['records.db'], { manifest: false }))).rejects.toThrow(/no manifest/);
    await expect(read(forged([], { more: true }))).rejects.toThrow(/more behind/);
  });

  it('of a newer format is refused by its first page, with what would read it', async () => {
    await expect(read(forged(['records.db'], { format: 2 }))).rejects.toThrow(/format 2 of twinbox 9\.0\.0 is newer/);
    await expect(read(forged(['records.db'], { format: 0 }))).rejects.toThrow(/unknown/);
  });

  it('is nothing that somebody else has packed, nor has it links', async () => {
    const dir = newDir();
    symlinkSync('/etc/passwd', join(dir, 'records.db'));
    execFileSync('tar', ['-cf', 'other.tar', 'records.db'], { cwd: dir });
    const other = readFileSync(join(dir, 'other.tar'));
    await expect(read(other)).rejects.toMatchObject({ code: 'backup_invalid' });
    const spliced = Buffer.concat([forged([]).subarray(0, 1_024), other]);
    await expect(read(spliced)).rejects.toThrow(/no plain file/);
    await expect(read(Buffer.alloc(0))).rejects.toMatchObject({ code: 'backup_invalid' });
  });
});
