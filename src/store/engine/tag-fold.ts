/** The buckets of one tag, filled in order of time; a finished one is a row. */
import type { Bucket } from '../calendar.ts';
import { Accumulator } from '../fold.ts';
import { GrowingColumn } from '../growing-column.ts';
import type { Aggregation } from '../telemetry.ts';
import { ROLLUP_MS } from './grid.ts';
import { cellValue, foldSamples } from './rollup.ts';
import type { Cells } from './rollups.ts';
import { lowerBound, type Run } from './run.ts';

/** Finds the bucket of a time. */
export interface BucketGrid {
  of(timeMs: number): Bucket;
}

export class TagFold {
  readonly timeMs: GrowingColumn;
  readonly values: GrowingColumn;
  readonly count: GrowingColumn;
  readonly uncertain: GrowingColumn;
  readonly #buckets: BucketGrid;
  readonly #aggregation: Aggregation;
  readonly #fold = new Accumulator();
  #fromMs = 0;
  #toMs = 0;

  /** `rows`: about how many there will be. */
  constructor(buckets: BucketGrid, aggregation: Aggregation, rows: number) {
    this.timeMs = new GrowingColumn(rows);
    this.values = new GrowingColumn(rows);
    this.count = new GrowingColumn(rows);
    this.uncertain = new GrowingColumn(rows);
    this.#buckets = buckets;
    this.#aggregation = aggregation;
  }

  get rows(): number {
    return this.timeMs.length;
  }

  /** Its samples lie behind all that was added before. */
  addRun(run: Run): void {
    const { timeMs, count } = run;
    for (let from = 0; from < count; ) {
      this.#enter(timeMs[from] as number);
      const to = (timeMs[count - 1] as number) < this.#toMs ? count : lowerBound(timeMs, count, this.#toMs);
      foldSamples(this.#fold, run, from, to);
      from = to;
    }
  }

  /** The cells that begin in [fromMs, toMs). No cell lies across the edge of a bucket. */
  addCells({ columns, from, to, firstKey, originMs }: Cells, fromMs: number, toMs: number): void {
    const { key } = columns;
    for (let row = from; row < to; row++) {
      const timeMs = originMs + ((key[row] as number) - firstKey) * ROLLUP_MS;
      if (timeMs < fromMs || timeMs >= toMs) continue;
      this.#enter(timeMs);
      if (timeMs === this.#fromMs && timeMs + ROLLUP_MS === this.#toMs && this.#fold.count === 0) {
        this.#push(cellValue(columns, row, this.#aggregation), columns.count[row] as number, columns.uncertain[row] as number);
        this.#toMs = this.#fromMs; // a bucket of this one cell is finished
      } else this.#fold.addCell(columns, row);
    }
  }

  /** The same of several series, whose cells may begin at the same time. */
  addCellsTogether(series: readonly Cells[], fromMs: number, toMs: number): void {
    const rows = series.map(({ from }) => from);
    for (;;) {
      let timeMs = Number.POSITIVE_INFINITY;
      for (const [index, cells] of series.entries()) timeMs = Math.min(timeMs, beginOf(cells, rows[index] as number));
      if (timeMs === Number.POSITIVE_INFINITY) return;
      const isWanted = timeMs >= fromMs && timeMs < toMs;
      if (isWanted) this.#enter(timeMs);
      for (const [index, cells] of series.entries()) {
        const row = rows[index] as number;
        if (beginOf(cells, row) !== timeMs) continue;
        if (isWanted) this.#fold.addCell(cells.columns, row);
        rows[index] = row + 1;
      }
    }
  }

  /** Ends the last bucket. */
  finish(): void {
    const fold = this.#fold;
    if (fold.count === 0) return;
    this.#push(fold.result(this.#aggregation), fold.count, fold.uncertain);
    fold.reset();
  }

  #push(value: number, count: number, uncertain: number): void {
    this.timeMs.push(this.#fromMs);
    this.values.push(value);
    this.count.push(count);
    this.uncertain.push(uncertain);
  }

  #enter(timeMs: number): void {
    if (timeMs >= this.#fromMs && timeMs < this.#toMs) return;
    this.finish();
    const bucket = this.#buckets.of(timeMs);
    this.#fromMs = bucket.from;
    this.#toMs = bucket.to;
  }
}

/** When a cell begins; infinity behind the last one. */
function beginOf({ columns, to, firstKey, originMs }: Cells, row: number): number {
  return row < to ? originMs + ((columns.key[row] as number) - firstKey) * ROLLUP_MS : Number.POSITIVE_INFINITY;
}
