/** What four hours of a day are compacted from: the blocks of the file that the day has, and the chunks of its windows, one at a time. */
import type { SeriesId } from '../../core/tag.ts';
import type { Part } from './catalogue-reads.ts';
import { DAY_BLOCK_MS, DAY_MS, WINDOW_MS, windowOf } from './grid.ts';
import { type Layout, partRun, runOf, type Slab } from './reader.ts';
import type { Run } from './run.ts';
import type { Siblings } from './siblings.ts';
import { tiePositions } from './ties.ts';

interface Where {
  readonly day: number;
  readonly block: number;
  /** Those of the day that have parts, ascending. */
  readonly windows: readonly number[];
}

export class BlockSources {
  readonly #layout: Layout;
  readonly #day: number;
  readonly #block: number;
  readonly #windows: readonly number[];
  readonly #siblings: Siblings;

  /** `layout` holds nothing open or frozen. */
  constructor(layout: Layout, { day, block, windows }: Where, siblings: Siblings) {
    const first = windowOf(day * DAY_MS + block * DAY_BLOCK_MS);
    this.#layout = layout;
    this.#day = day;
    this.#block = block;
    this.#windows = windows.filter((window) => window >= first && window < first + DAY_BLOCK_MS / WINDOW_MS);
    this.#siblings = siblings;
  }

  /** The samples of a series, in streams of which the later one wins: the file came before all parts, a seal of a window before the next one. */
  streamsOf(series: SeriesId): Iterable<Run, void>[] {
    const siblings = this.#siblings.of(series);
    if (siblings.length > 0) return [this.#tied(series, siblings)];
    const seals = this.#windows.reduce((most, window) => Math.max(most, this.#layout.parts.sealsOf(window)), 0);
    return [this.#ofFile(series), ...Array.from({ length: seals }, (_, seal) => this.#ofSeal(series, seal))];
  }

  *#ofFile(series: SeriesId): Generator<Run, void> {
    const { days } = this.#layout;
    if (!days.has(this.#day)) return;
    for (const stretch of days.stretches(this.#day, series, this.#block)) {
      const run = days.run(this.#day, series, this.#block, stretch);
      if (run) yield alone(run);
    }
  }

  /** Of the nth seal of each window. */
  *#ofSeal(series: SeriesId, seal: number): Generator<Run, void> {
    for (const window of this.#windows) {
      for (const part of partsOfSeal(this.#layout.parts.of(window), seal)) {
        const run = partRun(this.#layout, part, series);
        if (run) yield alone(run);
      }
    }
  }

  /** Of a series that shares its tag, with its place among the others: a quarter of an hour at once. */
  *#tied(series: SeriesId, siblings: readonly SeriesId[]): Generator<Run, void> {
    const hasFile = this.#layout.days.has(this.#day);
    const block = hasFile ? { block: { day: this.#day, block: this.#block } } : {};
    const first = windowOf(this.#day * DAY_MS + this.#block * DAY_BLOCK_MS);
    for (let window = first; window < first + DAY_BLOCK_MS / WINDOW_MS; window++) {
      const windows = this.#windows.filter((each) => each === window);
      if (windows.length === 0 && !hasFile) continue;
      const slab: Slab = { fromMs: window * WINDOW_MS, toMs: (window + 1) * WINDOW_MS, windows, ...block };
      const run = runOf(this.#layout, slab, series, true);
      const others = siblings.map((other) => ({ series: other, run: runOf(this.#layout, slab, other, true) }));
      const order = tiePositions({ series, run }, others);
      yield order ? { ...run, order } : alone(run);
    }
  }
}

/** Without its order of arrival among others. */
function alone(run: Run): Run {
  const { order: _, ...rest } = run;
  return rest;
}

function partsOfSeal(parts: readonly Part[], seal: number): readonly Part[] {
  const lastSequence = [...new Set(parts.map((part) => part.lastSequence))][seal];
  return parts.filter((part) => part.lastSequence === lastSequence);
}
