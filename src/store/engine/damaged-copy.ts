/** Keeps damaged files for whoever wants to look into them, beside the place where they were: few of them, and not too large. */
import { copyFileSync, linkSync, lstatSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** In one folder. The youngest always stays. */
const MAX_COPIES = 8;
const MAX_BYTES = 256 << 20;
const NAME = /\.damaged-(\d+)$/;

/** True for the name of such a copy. */
export function isDamagedCopy(fileName: string): boolean {
  return NAME.test(fileName);
}

/** How a file is kept: under a second name, with a content of its own where it goes on being written to, or under the new name alone. */
export type Keeping = 'link' | 'copy' | 'move';

/** Keeps a file as `<path>.damaged-<n>`; older copies go when there are too many. Returns the name. Throws what the file system throws. */
export function keepDamaged(path: string, keeping: Keeping = 'link'): string {
  const folder = dirname(path);
  const copies = readdirSync(folder)
    .filter(isDamagedCopy)
    .sort((a, b) => numberIn(a) - numberIn(b));
  const copy = `${path}.damaged-${numberIn(copies.at(-1) ?? '') + 1}`;
  KEEP[keeping](path, copy);
  let count = 1;
  let bytes = lstatSync(copy).size;
  for (const older of copies.reverse()) {
    bytes += lstatSync(join(folder, older)).size;
    if (++count > MAX_COPIES || bytes > MAX_BYTES) rmSync(join(folder, older), { recursive: true, force: true });
  }
  return basename(copy);
}

const KEEP: Readonly<Record<Keeping, (path: string, copy: string) => void>> = { link: linkOrCopy, copy: copyFileSync, move: renameSync };

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
