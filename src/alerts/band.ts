/** A band of numbers, both ends belonging to it. What lies below it and what lies above are two more bands. */
import { above, below } from '../core/float64.ts';

export class Band {
  readonly #low: number;
  readonly #high: number;
  readonly #belowLow: number;
  readonly #aboveHigh: number;

  constructor(low: number, high: number) {
    this.#low = low;
    this.#high = high;
    this.#belowLow = below(low);
    this.#aboveHigh = above(high);
  }

  has(value: number): boolean {
    return value >= this.#low && value <= this.#high;
  }

  /** Writes the ends of that of the three bands in which the value lies to `ends[at]` and `ends[at + 1]`. */
  around(value: number, ends: Float64Array, at: number): void {
    const isBelow = value < this.#low;
    const isAbove = value > this.#high;
    ends[at] = isBelow ? Number.NEGATIVE_INFINITY : isAbove ? this.#aboveHigh : this.#low;
    ends[at + 1] = isBelow ? this.#belowLow : isAbove ? Number.POSITIVE_INFINITY : this.#high;
  }
}
