/** Keeps damaged files for whoever wants to look into them, beside the place where they were: few of them, and not too large. */
import { copyFileSync, linkSync, readdirSync, rmSync, statSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** In one folder. The youngest always stays. */
const MAX_COPIES = 8;
const MAX_BYTES = 256 << 20;
const NAME = /\.damaged-(\d+)$/;

/** True for the name of such a copy. */
export function isDamagedCopy(fileName: string): boolean {
  return NAME.test(fileName);
}

/**
 * Gives a file the second name `<path>.damaged-<n>`, with a content of its own if it goes on being written to (`isAlive`); older copies go
 * when there are too many. Returns the name. Throws what the file system throws.
 */
export function keepDamaged(path: string, isAlive = false): string {
  const folder = dirname(path);
  const copies = readdirSync(folder)
    .filter(isDamagedCopy)
    .sort((a, b) => numberIn(a) - numberIn(b));
  const copy = `${path}.damaged-${numberIn(copies.at(-1) ?? '') + 1}`;
  if (isAlive) copyFileSync(path, copy);
  else linkOrCopy(path, copy);
  let count = 1;
  let bytes = statSync(copy).size;
  for (const older of copies.reverse()) {
    bytes += statSync(join(folder, older)).size;
    if (++count > MAX_COPIES || bytes > MAX_BYTES) rmSync(join(folder, older), { recursive: true, force: true });
  }
  return basename(copy);
}

/** Goes up with each copy in a folder. */
function numberIn(fileName: string): number {
  return Number(NAME.exec(fileName)?.[1] ?? 0);
}

function linkOrCopy(path: string, copy: string): void {
  try {
    linkSync(path, copy);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    copyFileSync(path, copy); // not every file system has links
  }
}
