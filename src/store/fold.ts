/** Folds samples that come in time order into buckets: the arithmetic of every aggregate, the same for each engine. */
import type { Aggregation } from './telemetry.ts';

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
    if (value < this.#min) this.#min = value;
    if (value > this.#max) this.#max = value;
    const sum = this.#sum + value;
    this.#compensation += Math.abs(this.#sum) >= Math.abs(value) ? this.#sum - sum + value : value - sum + this.#sum;
    this.#sum = sum;
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

  #total(): number {
    const total = this.#sum + this.#compensation;
    return Number.isNaN(total) ? this.#sum : total; // an overflow to infinity makes the compensation NaN
  }
}
