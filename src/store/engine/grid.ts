/** The time grid of the store: windows of a quarter of an hour, days, and the numbers that stand for them. All UTC. */

/** Every local midnight of every IANA zone since 2000 lies on this grid, so any local day is made of whole windows. */
export const WINDOW_MS = 900_000;
export const DAY_MS = 86_400_000;
export const WINDOWS_PER_DAY = DAY_MS / WINDOW_MS;
/** Blocks of a day file: long enough to compress, short enough to skip. */
export const DAY_BLOCK_MS = 4 * 3_600_000;
export const BLOCKS_PER_DAY = DAY_MS / DAY_BLOCK_MS;
export const ROLLUP_MS = 300_000;

/** Number of the window that holds a time; may be negative. */
export function windowOf(timeMs: number): number {
  return Math.floor(timeMs / WINDOW_MS);
}

/** Number of the UTC day that holds a time; may be negative. */
export function dayOf(timeMs: number): number {
  return Math.floor(timeMs / DAY_MS);
}

export function dayOfWindow(window: number): number {
  return Math.floor(window / WINDOWS_PER_DAY);
}
