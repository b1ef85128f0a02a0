/** A condition made ready says what its words say, at the threshold and at the numbers next to it, and knows how long it will say the same. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Criterion } from '../../src/alerts/criterion.ts';
import { type Condition, faultOf, OPERATORS } from '../../src/alerts/rule.ts';
import { above, below } from '../../src/core/float64.ts';

interface Case {
  readonly condition: Condition;
  readonly isF32: boolean;
  readonly value: number;
  readonly others: readonly number[];
}

const number = fc.oneof(
  fc.constantFrom(0, -0, 80.1, -80.1, 80, 50),
  fc.double({ noNaN: true, noDefaultInfinity: true, min: -1e30, max: 1e30 }),
);

const anyCase: fc.Arbitrary<Case> = fc
  .record({
    operator: fc.constantFrom(...OPERATORS),
    low: number,
    width: fc.double({ min: 0, max: 1e3, noNaN: true }),
    clear: fc.option(number),
  })
  .map(({ operator, low, width, clear }): Condition => {
    const value = operator === 'between' || operator === 'outside' ? ([low, low + width] as const) : low;
    const condition = { tagName: 'temperature', operator, value, durationMs: 0 };
    return clear !== null && faultOf(operator, value, clear) === undefined ? { ...condition, clearValue: clear } : condition;
  })
  .filter(({ operator, value, clearValue }) => faultOf(operator, value, clearValue) === undefined)
  .chain((condition) => {
    const marks = [condition.value, condition.clearValue ?? 0].flat().map(Number);
    const near = marks.flatMap((mark) => [mark, above(mark), below(mark), Math.fround(mark), above(Math.fround(mark)), mark + 1]);
    const value = fc.oneof(fc.constantFrom(...near), number, fc.constantFrom(Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY));
    return fc.record({
      condition: fc.constant(condition),
      isF32: fc.boolean(),
      value,
      others: fc.array(value, { minLength: 5, maxLength: 10 }),
    });
  });

/** In the words of the documentation. */
function plainly({ condition, isF32 }: Case, value: number): boolean {
  const as = (limit: number) => (isF32 && condition.operator !== 'rate_of_change' ? Math.fround(limit) : limit);
  const [low = 0, high = low] = [condition.value].flat().map(Number).map(as);
  return {
    gt: value > low,
    gte: value >= low,
    lt: value < low,
    lte: value <= low,
    eq: value === low,
    neq: value !== low,
    between: low <= value && value <= high,
    outside: value < low || high < value,
    rate_of_change: low > 0 ? value > low : value < low,
  }[condition.operator];
}

function isOver(one: Case, value: number): boolean {
  const { clearValue, operator } = one.condition;
  if (plainly(one, value)) return false;
  if (clearValue === undefined) return true;
  const clear = one.isF32 ? Math.fround(clearValue) : clearValue;
  return operator === 'gt' || operator === 'gte' ? value <= clear : value >= clear;
}

describe('a condition made ready', () => {
  it('holds and clears as its words say', () => {
    fc.assert(
      fc.property(anyCase, (one) => {
        const criterion = new Criterion(one.condition, one.isF32);
        for (const value of [one.value, ...one.others]) {
          expect(criterion.holds(value, undefined)).toBe(plainly(one, value));
          expect(criterion.clears(value, undefined)).toBe(isOver(one, value));
        }
      }),
      { numRuns: 500 },
    );
  });

  it('says the same for all numbers of the band round a value, and the value lies in it', () => {
    fc.assert(
      fc.property(anyCase, fc.boolean(), (one, hasFired) => {
        const criterion = new Criterion(one.condition, one.isF32);
        const ends = new Float64Array(3);
        criterion.bands(hasFired).around(one.value, ends, 1);
        const [, low = Number.NaN, high = Number.NaN] = ends;
        expect(one.value).toBeGreaterThanOrEqual(low);
        expect(one.value).toBeLessThanOrEqual(high);
        const said = (value: number) => (hasFired ? criterion.clears(value, undefined) : criterion.holds(value, undefined));
        const inside = [...one.others, low, high].filter((value) => value >= low && value <= high);
        for (const value of inside) expect(said(value)).toBe(said(one.value));
      }),
      { numRuns: 500 },
    );
  });

  it('compares texts where its value is one, and takes no numbers then', () => {
    const text = (operator: 'eq' | 'neq') => new Criterion({ tagName: 'state', operator, value: 'open', durationMs: 0 }, false);
    expect(['open', 'shut'].map((value) => text('eq').holds(Number.NaN, value))).toEqual([true, false]);
    expect(['open', 'shut'].map((value) => text('neq').holds(Number.NaN, value))).toEqual([false, true]);
    expect(['open', 'shut'].map((value) => text('neq').clears(Number.NaN, value))).toEqual([true, false]);
    expect(text('eq').takes(1, undefined)).toBe(false);
    expect(text('eq').takes(Number.NaN, 'open')).toBe(true);
    const of = new Criterion({ tagName: 'state', operator: 'gt', value: 1, durationMs: 0 }, false);
    expect([of.takes(2, undefined), of.takes(Number.NaN, undefined), of.takes(Number.NaN, 'open')]).toEqual([true, false, false]);
  });
});
