/** Folds samples that come in time order into buckets: the arithmetic of every aggregate, the same for each engine. */
import type { Aggregation } from './telemetry.ts';

/** Buckets folded before, in columns; each holds at least as many rows as are asked of it. */
export interface CellColumns {
  readonly count: Float64Array;
  readonly uncertain: Float64Array;
  /** Samples with a number; the five below are of these, NaN when there are none. */
  readonly numbers: Float64Array;
  readonly min: Float64Array;
  readonly max: Float64Array;
  readonly sum: Float64Array;
  readonly first: Float64Array;
  readonly last: Float64Array;
}

/** One bucket being filled. Sums are compensated (Neumaier 1974), so that a month of 0.1 adds up. */
export class Accumulator {
  count = 0;
  uncertain = 0;
  #numbers = 0;
  #min = Number.POSITIVE_INFINITY;
  #max = Number.NEGATIVE_INFINITY;
  #sum = 0;
  #compensation = 0;
  #first = Number.NaN;
  #last = Number.NaN;

  /** Empties it, for the next bucket. */
  reset(): void {
    this.count = 0;
    this.uncertain = 0;
    this.#numbers = 0;
    this.#min = Number.POSITIVE_INFINITY;
    this.#max = Number.NEGATIVE_INFINITY;
    this.#sum = 0;
    this.#compensation = 0;
    this.#first = Number.NaN;
    this.#last = Number.NaN;
  }

  /** The same as `add` for each of numbers[from…to), none of them uncertain. */
  addAll(numbers: Float64Array, from: number, to: number): void {
    let found = this.#numbers;
    let last = this.#last;
    let sum = this.#sum;
    let compensation = this.#compensation;
    let min = this.#min;
    let max = this.#max;
    for (let index = from; index < to; index++) {
      const value = numbers[index] as number;
      if (Number.isNaN(value)) continue;
      if (found === 0) this.#first = value;
      found++;
      last = value;
      min = Math.min(min, value);
      max = Math.max(max, value);
      const next = sum + value;
      compensation += Math.abs(sum) >= Math.abs(value) ? sum - next + value : value - next + sum;
      sum = next;
    }
    this.count += to - from;
    this.#numbers = found;
    this.#last = last;
    this.#sum = sum;
    this.#compensation = compensation;
    this.#min = min;
    this.#max = max;
  }

  /** `value` NaN: text, which counts but has no number. */
  add(value: number, uncertain: boolean): void {
    this.count++;
    if (uncertain) this.uncertain++;
    if (Number.isNaN(value)) return;
    if (this.#numbers === 0) this.#first = value;
    this.#numbers++;
    this.#last = value;
    this.#min = Math.min(this.#min, value); // −0 lies below 0, whichever came first
    this.#max = Math.max(this.#max, value);
    this.#addToSum(value);
  }

  /** Adds a whole bucket, row `row` of the columns, that lies behind all that was added before. */
  addCell(cells: CellColumns, row: number): void {
    this.count += cells.count[row] as number;
    this.uncertain += cells.uncertain[row] as number;
    const numbers = cells.numbers[row] as number;
    if (numbers === 0) return;
    if (this.#numbers === 0) this.#first = cells.first[row] as number;
    this.#numbers += numbers;
    this.#last = cells.last[row] as number;
    this.#min = Math.min(this.#min, cells.min[row] as number);
    this.#max = Math.max(this.#max, cells.max[row] as number);
    this.#addToSum(cells.sum[row] as number);
  }

  /** Writes it as row `row` of the columns. */
  writeCell(cells: CellColumns, row: number): void {
    const some = this.#numbers > 0;
    cells.count[row] = this.count;
    cells.uncertain[row] = this.uncertain;
    cells.numbers[row] = this.#numbers;
    cells.min[row] = some ? this.#min : Number.NaN;
    cells.max[row] = some ? this.#max : Number.NaN;
    cells.sum[row] = some ? this.#total() : Number.NaN;
    cells.first[row] = this.#first;
    cells.last[row] = this.#last;
  }

  /** NaN where there is no number to tell. */
  result(aggregation: Aggregation): number {
    if (aggregation === 'count') return this.count;
    if (this.#numbers === 0) return Number.NaN;
    switch (aggregation) {
      case 'avg':
        return this.#total() / this.#numbers;
      case 'sum':
        return this.#total();
      case 'min':
        return this.#min;
      case 'max':
        return this.#max;
      case 'first':
        return this.#first;
      case 'last':
        return this.#last;
    }
  }

  #addToSum(value: number): void {
    const sum = this.#sum + value;
    this.#compensation += Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - sum + value : value - sum + this.#sum;
    this.#sum = sum;
  }

  #total(): number {
    const total = this.#sum + this.#compensation;
    return Number.isNaN(total) ? this.#sum : total; // an overflow to infinity makes the compensation NaN
  }
}
