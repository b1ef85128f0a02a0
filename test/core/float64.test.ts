/** Neighbours of 64-bit floats. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { above, below } from '../../src/core/float64.ts';

const number = fc.oneof(
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  fc.integer(),
  fc.constantFrom(0, -0, Number.MIN_VALUE, -Number.MIN_VALUE, Number.MAX_VALUE, -Number.MAX_VALUE),
);

describe('the numbers next to a number', () => {
  it('are the nearest on either side, with nothing between', () => {
    fc.assert(
      fc.property(number, (value) => {
        const next = above(value);
        expect(next).toBeGreaterThan(value);
        expect(below(next) === value).toBe(true);
        if (next !== Number.POSITIVE_INFINITY) expect([value, next]).toContain(value / 2 + next / 2 || value);
        expect(below(value)).toBeLessThan(value);
        expect(above(below(value)) === value).toBe(true);
      }),
    );
  });

  it('of infinity on its far side and of NaN are the same', () => {
    expect(above(Number.POSITIVE_INFINITY)).toBe(Number.POSITIVE_INFINITY);
    expect(above(Number.NEGATIVE_INFINITY)).toBe(-Number.MAX_VALUE);
    expect(below(Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
    expect(above(Number.MAX_VALUE)).toBe(Number.POSITIVE_INFINITY);
    expect(above(Number.NaN)).toBeNaN();
  });
});
