/** Folds samples that come in time order into buckets: the arithmetic of every aggregate, the same for each engine. */
import type { Aggregation } from './telemetry.ts';

/** A bucket folded before. */
export interface FoldCell {
  readonly count: number;
  readonly uncertain: number;
  /** Samples with a number; the five below are of these, NaN when there are none. */
  readonly numbers: number;
  readonly min: number;
  readonly max: number;
  readonly sum: number;
  readonly first: number;
  readonly last: number;
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

  /** Adds a whole bucket that lies behind all that was added before. */
  addCell(cell: FoldCell): void {
    this.count += cell.count;
    this.uncertain += cell.uncertain;
    if (cell.numbers === 0) return;
    if (this.#numbers === 0) this.#first = cell.first;
    this.#numbers += cell.numbers;
    this.#last = cell.last;
    this.#min = Math.min(this.#min, cell.min);
    this.#max = Math.max(this.#max, cell.max);
    this.#addToSum(cell.sum);
  }

  cell(): FoldCell {
    const { count, uncertain } = this;
    const some = this.#numbers > 0;
    const number = (value: number) => (some ? value : Number.NaN);
    return {
      count,
      uncertain,
      numbers: this.#numbers,
      min: number(this.#min),
      max: number(this.#max),
      sum: number(this.#total()),
      first: this.#first,
      last: this.#last,
    };
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
