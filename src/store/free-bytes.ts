/** How much room a file system has left. */
import { statfsSync } from 'node:fs';

/** Bytes that a program without privileges may still write to the file system of `path`. */
export function freeBytesOf(path: string): number {
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize;
}
