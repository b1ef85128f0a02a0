/** How many series there may be, by the memory of the machine: they are held in memory and never go. */

/**
 * A series with one reading takes 1.2 KB of the main thread and 2.1 KB of the store's (200,000 of them: 241 and 422 MB), so that all
 * together take a third of the memory. 512 MiB give 50,000 series.
 */
const SERIES_PER_GIB = 100_000;
const GIB = 2 ** 30;
/** Enough for ten plants, whatever the machine. */
const MAX_SERIES = 1_000_000;
/** A tenant that invents tags leaves room to the others. */
const TENANT_SHARE = 3 / 4;

export interface SeriesLimits {
  readonly box: number;
  readonly tenant: number;
}

export function seriesLimits(memoryBytes: number): SeriesLimits {
  const box = Math.min(MAX_SERIES, Math.floor((memoryBytes / GIB) * SERIES_PER_GIB));
  return { box, tenant: Math.floor(box * TENANT_SHARE) };
}
