/** Reads a certificate or key that a configuration names; whoever names a device or a pipe in its place gets an error, not a daemon that hangs. */
import { constants, open } from 'node:fs/promises';

/** A chain of certificates is some 10 KB. */
const MAX_BYTES = 1024 * 1024;

/** Rejects with what the system says, or why the file is not taken. */
export async function readSmallFile(path: string): Promise<Buffer> {
  const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK); // a FIFO without a writer would block for ever
  try {
    if (!(await file.stat()).isFile()) throw new Error('it is not a regular file');
    const bytes = Buffer.alloc(MAX_BYTES + 1); // what the size says counts for nothing under /proc
    const { bytesRead } = await file.read(bytes, 0, bytes.length, 0);
    if (bytesRead > MAX_BYTES) throw new Error(`it is larger than ${MAX_BYTES / 1024} KiB`);
    return bytes.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
