/** Back-off delays: bounded, doubling, spread. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { retryDelaysMs } from '../../src/core/retry.ts';

function take(count: number, delays: Iterator<number>): number[] {
  return Array.from({ length: count }, () => Number(delays.next().value));
}

describe('retryDelaysMs', () => {
  it('doubles from the first up to the maximum and stays there', () => {
    const delays = retryDelaysMs({ firstMs: 500, maxMs: 5_000, jitter: 0, random: () => 0.5 });
    expect(take(7, delays)).toEqual([500, 1_000, 2_000, 4_000, 5_000, 5_000, 5_000]);
  });

  it('spreads each delay by the jitter and never goes over the maximum', () => {
    const options = fc.record({
      firstMs: fc.integer({ min: 1, max: 10_000 }),
      factor: fc.double({ min: 1, max: 100, noNaN: true }),
      jitter: fc.double({ min: 0, max: 1, noNaN: true }),
      draws: fc.array(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), { minLength: 1, maxLength: 20 }),
    });
    fc.assert(
      fc.property(options, ({ firstMs, factor, jitter, draws }) => {
        const maxMs = firstMs * factor;
        let drawn = 0;
        const random = () => draws[drawn++] as number;
        for (const [index, delayMs] of take(draws.length, retryDelaysMs({ firstMs, maxMs, jitter, random })).entries()) {
          const middleMs = Math.min(firstMs * 2 ** index, maxMs);
          expect(delayMs).toBeLessThanOrEqual(maxMs);
          expect(delayMs).toBeGreaterThanOrEqual(Math.min(maxMs, middleMs * (1 - jitter)) * (1 - 1e-9));
          expect(delayMs).toBeLessThanOrEqual(middleMs * (1 + jitter) * (1 + 1e-9));
        }
      }),
      { numRuns: 1_000 },
    );
  });

  it('draws the longest ones evenly too, so that a hundred sources that began together do not come back together', () => {
    const draw = fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true });
    fc.assert(
      fc.property(draw, fc.integer({ min: 0, max: 20 }), (drawn, index) => {
        const delayMs = take(index + 1, retryDelaysMs({ firstMs: 500, maxMs: 5_000, jitter: 0.5, random: () => drawn })).at(-1) as number;
        const middleMs = Math.min(500 * 2 ** index, 5_000);
        const longestMs = Math.min(middleMs * 1.5, 5_000);
        expect((delayMs - middleMs / 2) / (longestMs - middleMs / 2)).toBeCloseTo(drawn, 9);
      }),
    );
    const sources = Array.from({ length: 100 }, (_, source) =>
      take(10, retryDelaysMs({ firstMs: 500, maxMs: 5_000, jitter: 0.5, random: () => source / 100 })).at(-1),
    );
    expect(new Set(sources).size).toBe(100);
  });

  it('starts anew with each iteration', () => {
    const options = { firstMs: 10, maxMs: 80, jitter: 0, random: () => 0 };
    take(5, retryDelaysMs(options));
    expect(take(2, retryDelaysMs(options))).toEqual([10, 20]);
  });
});
