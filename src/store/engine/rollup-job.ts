/**
 * Saves the rollups of a day that has a file, some rows at a time: those that its compaction has folded, or else folded anew from the file. Its row
 * in `rollup_day` says that all are there; until then the rest is folded from samples by who asks.
 */
import type { SeriesId } from '../../core/tag.ts';
import type { OwnLayout } from './compact-job.ts';
import type { Stretch } from './day-files.ts';
import { BLOCKS_PER_DAY, DAY_MS } from './grid.ts';
import { RollupBuilder, type SeriesRollup } from './rollup.ts';
import type { RollupDay } from './rollup-days.ts';

/** Rows of 2 KB each: about 2 ms of SQLite's work. */
const ROWS_A_COMMIT = 100;

export class RollupJob {
  readonly day: number;
  readonly #layout: OwnLayout;
  /** What is folded already, and how much of it is saved. */
  readonly #folded: readonly SeriesRollup[];
  #saved = 0;
  /** What is to be folded, in descending order. */
  readonly #left: SeriesId[];
  readonly #rollup = new RollupBuilder();
  #block = 0;
  /** Of these four hours the blocks that are left, the last one first. */
  #stretches: Stretch[] | undefined;
  #pending: SeriesRollup[] = [];
  #bytes = 0;
  #isWhole = true;

  /** `layout` holds nothing open or frozen. With `folded` the file is not read. */
  constructor(layout: OwnLayout, day: number, folded?: readonly SeriesRollup[]) {
    this.day = day;
    this.#layout = layout;
    this.#folded = folded ?? [];
    this.#left = folded ? [] : layout.days.seriesOf(day).reverse();
    this.#isWhole = layout.days.isWhole(day);
  }

  /** False when some of the file cannot be read: then its rollups are not the whole of it, and are not to be saved. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Works until `isOver` says so; returns the day's row when all is saved. Throws `store_failed` or `disk_full`: the step may be repeated. */
  step(isOver: () => boolean): RollupDay | undefined {
    const { catalogue, days } = this.#layout;
    while (this.#pending.length < ROWS_A_COMMIT && this.#advance()) if (isOver()) return undefined;
    this.#isWhole = days.isWhole(this.day);
    if (!this.#isWhole) return undefined;
    const isLast = this.#pending.length < ROWS_A_COMMIT;
    const bytes = this.#bytes + this.#pending.reduce((sum, { data }) => sum + data.length, 0);
    const row = { day: this.day, bytes, isThinned: false };
    catalogue.commitUnsynced('saving rollups', () => {
      catalogue.putDayRollups(this.day, this.#pending);
      if (isLast) catalogue.putRollupDay(row);
    });
    this.#bytes = bytes;
    this.#pending = [];
    return isLast ? row : undefined;
  }

  /** A rollup that is folded, or a block of a series more; false when nothing is left. */
  #advance(): boolean {
    const folded = this.#folded[this.#saved];
    if (folded) {
      this.#saved++;
      this.#pending.push(folded);
      return true;
    }
    const series = this.#left.at(-1);
    if (series === undefined) return false;
    if (this.#fold(series) || ++this.#block < BLOCKS_PER_DAY) return true;
    this.#pending.push({ series, data: this.#rollup.encode() });
    this.#rollup.clear();
    this.#block = 0;
    this.#left.pop();
    return true;
  }

  /** One block; false when there is none left in these four hours. */
  #fold(series: SeriesId): boolean {
    const { days } = this.#layout;
    this.#stretches ??= [...days.stretches(this.day, series, this.#block)].reverse();
    const stretch = this.#stretches.at(-1);
    const run = stretch && days.run(this.day, series, this.#block, stretch);
    if (run) this.#rollup.add(run, this.day * DAY_MS, 0);
    if (stretch) this.#stretches.pop();
    else this.#stretches = undefined;
    return stretch !== undefined;
  }
}
