/** The blocks of day files that were decoded last: who pages through an hour comes to the same four hours again with each page. */
import type { SeriesId } from '../../core/tag.ts';
import { BLOCKS_PER_DAY } from './grid.ts';
import type { Run } from './run.ts';

/** 4 MiB of values: a page's block of eighteen tags read once a second. */
const MAX_SAMPLES = 1 << 18;
/** Series ids have 24 bits. */
const SERIES_SPAN = 2 ** 24;

export class DecodedBlocks {
  /** By day, block and series in one number; least recently used first. */
  readonly #runs = new Map<number, Run>();
  #samples = 0;

  get(day: number, series: SeriesId, block: number): Run | undefined {
    const key = keyOf(day, series, block);
    const run = this.#runs.get(key);
    if (!run) return undefined;
    this.#runs.delete(key);
    this.#runs.set(key, run);
    return run;
  }

  /** Keeps a run that nobody changes. Texts are not kept: their size is not known. */
  put(day: number, series: SeriesId, block: number, run: Run): void {
    if (run.wide) return;
    this.#runs.set(keyOf(day, series, block), run);
    this.#samples += run.count;
    for (const [key, oldest] of this.#runs) {
      if (this.#samples <= MAX_SAMPLES) return;
      this.#runs.delete(key);
      this.#samples -= oldest.count;
    }
  }

  /** Another file, or none, has the day from now on. */
  forget(day: number): void {
    for (const [key, run] of this.#runs) {
      if (Math.floor(key / SERIES_SPAN / BLOCKS_PER_DAY) !== day) continue;
      this.#runs.delete(key);
      this.#samples -= run.count;
    }
  }
}

function keyOf(day: number, series: SeriesId, block: number): number {
  return (day * BLOCKS_PER_DAY + block) * SERIES_SPAN + series;
}
