/** Reads a small text file that an operator names, with errors that say in plain words what is wrong with it. */
import { closeSync, constants, fstatSync, openSync, readFileSync } from 'node:fs';
import { GatewayError } from '../core/errors.ts';

export interface TextFile {
  readonly text: string;
  /** Permission bits, as `stat` gives them. */
  readonly mode: number;
}

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'permission denied',
  ENOTDIR: 'a part of its path is not a folder',
  ELOOP: 'its symbolic links go in a circle',
  ENAMETOOLONG: 'its name is too long',
  ENXIO: 'it is not a regular file',
};

/** Throws `config_invalid`, without the file's name. A byte-order mark is dropped. */
export function readTextFile(file: string, maxBytes: number): TextFile {
  const { bytes, mode } = readBytes(file, maxBytes);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), mode };
  } catch (cause) {
    throw new GatewayError('config_invalid', 'it is not UTF-8 text', { cause });
  }
}

/** What the error itself says. Its causes repeat it in the system's words, which are for a log. */
export function ownMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function readBytes(file: string, maxBytes: number): { readonly bytes: Uint8Array; readonly mode: number } {
  let fd: number | undefined;
  try {
    fd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO without a writer would block for ever
    const stat = fstatSync(fd);
    if (!stat.isFile()) throw new GatewayError('config_invalid', 'it is not a regular file');
    const bytes = stat.size > maxBytes ? undefined : readFileSync(fd);
    if (!bytes || bytes.length > maxBytes) throw new GatewayError('config_invalid', `it is larger than ${maxBytes / 1024} KiB`);
    return { bytes, mode: stat.mode };
  } catch (cause) {
    if (cause instanceof GatewayError) throw cause;
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unknown error';
    throw new GatewayError('config_invalid', REASONS[code] ?? `it cannot be read (${code})`, { cause });
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
