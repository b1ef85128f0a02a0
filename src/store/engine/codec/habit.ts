/**
 * What the last blocks of a series were like, so that the next one need not be tried in every way. A block written by habit is read as
 * any other and was checked as any other; it may be a few percent larger than the best. For sealed chunks, which live for a day.
 */

/** In what way the numbers were expressed, when it was neither runs nor a configured lattice. */
export type NumberHabit =
  | { readonly kind: 'decimals'; readonly exponent: number; readonly single: boolean }
  | { readonly kind: 'raw'; readonly single: boolean };

/** In what way their integers were coded. */
export type IntegerHabit =
  | { readonly kind: 'noise'; readonly gainExponent: number; readonly shift: number; readonly shape: number; readonly width: number }
  | { readonly kind: 'residuals'; readonly order: 0 | 1 | 2; readonly tokens: boolean };

/** Blocks from one in which all ways are tried to the next: four hours of windows. */
const TRY_ALL_EVERY = 16;
/** What a way may take more than when it was found to be the best, before all are tried again. */
const TOLERANCE = 1.06;
/** Less than this many bits a value is no reason: the streams' heads differ by as much. */
const TOLERANCE_BITS = 0.1;

export class Habit {
  numbers: NumberHabit | undefined;
  integers: IntegerHabit | undefined;
  /** Of times on a grid. */
  periodMs: number | undefined;
  #bitsEach = 0;
  #left = 0;

  /** True while there is nothing to remember. */
  get isEmpty(): boolean {
    return this.numbers === undefined && this.integers === undefined && this.periodMs === undefined;
  }

  /** At the start of each block. */
  begin(): void {
    if (this.#left-- > 0) return;
    this.#left = TRY_ALL_EVERY - 1;
    this.numbers = undefined;
    this.integers = undefined;
    this.periodMs = undefined;
  }

  /** What `count` integers took that were coded in the best way. */
  learn(bytes: number, count: number): void {
    this.#bitsEach = (8 * bytes) / count;
  }

  /** Whether they may take so much when coded by habit. */
  allows(bytes: number, count: number): boolean {
    return 8 * bytes <= (this.#bitsEach * TOLERANCE + TOLERANCE_BITS) * count;
  }
}
