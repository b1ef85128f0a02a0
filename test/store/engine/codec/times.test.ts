/** Timestamps: grids, steps, leaps, and what is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CorruptBlockError } from '../../../../src/store/engine/codec/corrupt-block-error.ts';
import { decodeTimes, decodeTimesInto, encodeTimes } from '../../../../src/store/engine/codec/times.ts';
import { Random } from './generators.ts';

function roundTrip(times: Float64Array): number {
  const blob = encodeTimes(times);
  expect(decodeTimes(blob, times.length)).toEqual(times);
  return blob.length;
}

const START = Date.UTC(2026, 0, 5);

describe('times', () => {
  it('come back for any ascending integers within ±8.7e15', () => {
    const steps = fc.array(
      fc.oneof(fc.integer({ min: 1, max: 3000 }), fc.integer({ min: 1, max: 2 ** 31 - 1 }), fc.integer({ min: 1, max: 1e14 })),
      { maxLength: 150 },
    );
    fc.assert(
      fc.property(fc.integer({ min: -8.69e15, max: 8e15 }), steps, (start, ups) => {
        const times = [start];
        for (const up of ups) if ((times.at(-1) as number) + up < 8.7e15) times.push((times.at(-1) as number) + up);
        roundTrip(Float64Array.from(times));
      }),
      { numRuns: 300 },
    );
  });

  it('of an exact grid take a few bytes, with a gap a few more', () => {
    const grid = Float64Array.from({ length: 3600 }, (_, i) => START + 1000 * i);
    expect(roundTrip(grid)).toBeLessThan(22);
    expect(roundTrip(grid.filter((_, i) => i < 100 || i > 160))).toBeLessThan(26);
  });

  it('with jitter cost their jitter, not their steps', () => {
    const random = new Random(3);
    const times = Float64Array.from(
      { length: 3600 },
      (_, i) => START + 1000 * i + Math.round(3 * random.normal()) + (random.unit() < 0.01 ? 100 : 0),
    );
    expect(roundTrip(times) / 3600).toBeLessThan(0.51);
  });

  it('are the same bytes for the same times', () => {
    const times = Float64Array.from({ length: 100 }, (_, i) => START + 977 * i + (i % 7));
    expect(encodeTimes(times.slice())).toEqual(encodeTimes(times));
  });

  it('are decoded into a caller’s array where it says', () => {
    const times = Float64Array.of(START, START + 5, START + 12);
    const target = new Float64Array(6).fill(-1);
    decodeTimesInto(encodeTimes(times), 3, target, 2);
    expect(Array.from(target)).toEqual([-1, -1, START, START + 5, START + 12, -1]);
    expect(() => decodeTimesInto(encodeTimes(times), 3, target, 4)).toThrow(RangeError);
  });

  it('of another number of samples are refused', () => {
    expect(() => decodeTimes(encodeTimes(Float64Array.of(1, 2, 3)), 2)).toThrow(CorruptBlockError);
  });

  it('that do not ascend, are no integers or lie too far away are refused by name', () => {
    expect(() => encodeTimes(Float64Array.of(2, 2))).toThrow('does not ascend (sample 1)');
    expect(() => encodeTimes(Float64Array.of(1, 2.5))).toThrow('2.5 is no time');
    expect(() => encodeTimes(Float64Array.of(8.7e15))).toThrow('no time');
    expect(() => encodeTimes(Float64Array.of(Number.NaN))).toThrow('no time');
    expect(() => encodeTimes(new Float64Array())).toThrow(RangeError);
  });
});
