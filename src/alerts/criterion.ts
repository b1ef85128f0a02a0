/** A rule's condition made ready for the hot path: numbers in fields, nothing to look up and nothing to allocate for each reading. */
import { above, below } from '../core/float64.ts';
import type { Threshold } from './alert.ts';
import { Band } from './band.ts';
import type { Condition, Operator } from './rule.ts';

export class Criterion {
  readonly durationMs: number;
  /** What is judged is the change in one second. */
  readonly isRate: boolean;
  /** Set where the rule compares texts. */
  readonly #text: string | undefined;
  /** The condition holds inside of its band; of `neq` and `outside` it holds outside. */
  readonly #isInside: boolean;
  readonly #band: Band;
  /** What has fired goes on inside of this, or outside. */
  readonly #firing: Band;

  /** `isF32`: the readings are 32-bit floats, so 80.1 is the nearest of those. */
  constructor(condition: Condition, isF32: boolean) {
    const { operator, value, clearValue } = condition;
    this.durationMs = condition.durationMs;
    this.isRate = operator === 'rate_of_change';
    this.#text = typeof value === 'string' ? value : undefined;
    this.#isInside = operator !== 'neq' && operator !== 'outside';
    const as = (number: number) => (isF32 && !this.isRate ? Math.fround(number) : number);
    const [low, high] = bandOf(operator, ...limitsOf(value, as));
    this.#band = new Band(low, high);
    const clear = clearValue === undefined ? undefined : as(clearValue);
    this.#firing = clear === undefined ? this.#band : firingBand(low, high, clear);
  }

  /** True when a reading of this kind can be compared at all. */
  takes(value: number, text: string | undefined): boolean {
    return text === undefined ? this.#text === undefined && !Number.isNaN(value) : this.#text !== undefined;
  }

  /** For `rate_of_change` the value is the change in one second. */
  holds(value: number, text: string | undefined): boolean {
    return (text === undefined ? this.#band.has(value) : text === this.#text) === this.#isInside;
  }

  /** True when what fired is over with this value. Never while the condition holds, though `gte 80` may clear at 80 too. */
  clears(value: number, text: string | undefined): boolean {
    return (text === undefined ? this.#firing.has(value) : text === this.#text) !== this.#isInside;
  }

  /** The band in which the value lies: of all numbers in it `holds` says the same, or `clears` of what has fired. */
  bands(hasFired: boolean): Band {
    return hasFired ? this.#firing : this.#band;
  }
}

function limitsOf(value: Threshold, as: (number: number) => number): readonly [number, number] {
  if (typeof value === 'object') return [as(value[0]), as(value[1])];
  const number = typeof value === 'string' ? Number.NaN : as(Number(value));
  return [number, number];
}

function bandOf(operator: Operator, low: number, high: number): readonly [number, number] {
  switch (operator) {
    case 'gt':
      return [above(low), Number.POSITIVE_INFINITY];
    case 'gte':
      return [low, Number.POSITIVE_INFINITY];
    case 'lt':
      return [Number.NEGATIVE_INFINITY, below(low)];
    case 'lte':
      return [Number.NEGATIVE_INFINITY, low];
    case 'rate_of_change':
      return low > 0 ? [above(low), Number.POSITIVE_INFINITY] : [Number.NEGATIVE_INFINITY, below(low)];
    case 'eq':
    case 'neq':
    case 'between':
    case 'outside':
      return [low, high];
  }
}

/** The band wider by what lies between it and the value to which it must come back. */
function firingBand(low: number, high: number, clear: number): Band {
  return high === Number.POSITIVE_INFINITY ? new Band(Math.min(low, above(clear)), high) : new Band(low, Math.max(high, below(clear)));
}
