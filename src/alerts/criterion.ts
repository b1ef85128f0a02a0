/** A rule's condition made ready for the hot path: numbers in fields, nothing to look up and nothing to allocate for each reading. */
import type { Threshold } from './alert.ts';
import type { Condition, Operator } from './rule.ts';

export class Criterion {
  readonly operator: Operator;
  readonly durationMs: number;
  /** Set where the rule compares texts. */
  readonly #text: string | undefined;
  readonly #low: number;
  readonly #high: number;
  readonly #clear: number;

  /** `isF32`: the readings are 32-bit floats, so 80.1 is the nearest of those. */
  constructor(condition: Condition, isF32: boolean) {
    const { operator, value, clearValue } = condition;
    const as = (number: number) => (isF32 ? Math.fround(number) : number);
    this.operator = operator;
    this.durationMs = condition.durationMs;
    this.#text = typeof value === 'string' ? value : undefined;
    const [low, high] = limitsOf(value);
    const isRate = operator === 'rate_of_change';
    this.#low = isRate ? low : as(low);
    this.#high = isRate ? high : as(high);
    this.#clear = clearValue === undefined ? Number.NaN : as(clearValue);
  }

  /** True when a reading of this kind can be compared at all. */
  takes(value: number, text: string | undefined): boolean {
    return text === undefined ? this.#text === undefined && !Number.isNaN(value) : this.#text !== undefined;
  }

  /** For `rate_of_change` the value is the change in one second. */
  holds(value: number, text: string | undefined): boolean {
    switch (this.operator) {
      case 'gt':
        return value > this.#low;
      case 'gte':
        return value >= this.#low;
      case 'lt':
        return value < this.#low;
      case 'lte':
        return value <= this.#low;
      case 'eq':
        return text === undefined ? value === this.#low : text === this.#text;
      case 'neq':
        return text === undefined ? value !== this.#low : text !== this.#text;
      case 'between':
        return value >= this.#low && value <= this.#high;
      case 'outside':
        return value < this.#low || value > this.#high;
      case 'rate_of_change':
        return this.#low > 0 ? value > this.#low : value < this.#low;
    }
  }

  /** True when what fired is over with this value. Never while the condition holds, though `gte 80` may clear at 80 too. */
  clears(value: number, text: string | undefined): boolean {
    if (this.holds(value, text)) return false;
    if (Number.isNaN(this.#clear)) return true;
    return this.operator === 'gt' || this.operator === 'gte' ? value <= this.#clear : value >= this.#clear;
  }
}

function limitsOf(value: Threshold): readonly [number, number] {
  if (typeof value === 'object') return value;
  const number = typeof value === 'string' ? Number.NaN : Number(value);
  return [number, number];
}
