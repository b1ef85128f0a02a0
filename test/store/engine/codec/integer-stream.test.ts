/** The integer coder: every kind comes back, and is chosen where it should be. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../../src/store/engine/codec/bytes.ts';
import { decodeIntegers, encodeIntegers } from '../../../../src/store/engine/codec/integer-stream.ts';
import { Random } from './generators.ts';

const VERBATIM = 7;

function encode(values: readonly number[]): Uint8Array {
  const writer = new ByteWriter();
  encodeIntegers(writer, Float64Array.from(values), values.length);
  return writer.written();
}

function roundTrip(values: readonly number[]): { kind: number; size: number } {
  const bytes = encode(values);
  const decoded = new Float64Array(values.length);
  const reader = new ByteReader(bytes);
  decodeIntegers(reader, decoded, values.length);
  reader.end();
  expect(Array.from(decoded)).toEqual(values.map((value) => value + 0));
  return { kind: (bytes[0] as number) & 7, size: bytes.length };
}

function generate(count: number, next: (random: Random, i: number) => number): number[] {
  const random = new Random(7);
  return Array.from({ length: count }, (_, i) => next(random, i));
}

describe('a stream of integers', () => {
  it('comes back, whatever it is, without the verbatim kind that hides mistakes', () => {
    const half = 2 ** 52;
    const anything = fc.oneof(
      fc.array(fc.integer({ min: -10, max: 10 }), { minLength: 1, maxLength: 400 }),
      fc.array(fc.integer(), { minLength: 1, maxLength: 400 }),
      fc.array(
        fc.maxSafeInteger().map((n) => Math.trunc(n / 2)),
        { minLength: 1, maxLength: 300 },
      ),
      fc.array(fc.constantFrom(-half, half, 0, 1, 2 ** 31, -(2 ** 31), 2 ** 32 - 1, 2 ** 32), { minLength: 1, maxLength: 200 }),
      fc.array(
        fc.integer({ min: -3, max: 3 }).map((n) => n * 5_000_000_000),
        { minLength: 1, maxLength: 200 },
      ),
    );
    fc.assert(
      fc.property(anything, (values) => {
        expect(roundTrip(values).kind).not.toBe(VERBATIM);
      }),
      { numRuns: 400 },
    );
  });

  it('takes next to nothing when constant or a straight line', () => {
    expect(roundTrip(generate(5000, () => -7))).toEqual({ kind: 0, size: 2 });
    expect(roundTrip(generate(5000, (_, i) => 1e12 - 250 * i)).size).toBeLessThan(12);
  });

  it('codes noise around a moving centre near its entropy', () => {
    const values = generate(4000, (random, i) => Math.round(1000 + 300 * Math.sin(i / 500) + 1.5 * random.normal()));
    const { kind, size } = roundTrip(values);
    const entropyBytes = (values.length * Math.log2(1.5 * 4.1327)) / 8;
    expect(kind).toBe(4);
    expect(size).toBeLessThan(entropyBytes * 1.08);
  });

  it('splits wide noise into steps and low bits', () => {
    const values = generate(4000, (random, i) => Math.round(1000 * random.normal() + 20 * Math.sin(i)));
    const { kind, size } = roundTrip(values);
    expect(kind).toBe(4);
    expect(size).toBeLessThan(((values.length * Math.log2(1000 * 4.1327)) / 8) * 1.01);
  });

  it('keeps noise that jumps beyond the reach of its table', () => {
    roundTrip(generate(2000, (random) => Math.round(random.normal()) + (random.unit() < 0.02 ? 5000 : 0)));
    roundTrip(generate(2000, (random) => Math.round(random.normal()) - (random.unit() < 0.02 ? 200_000 : 0)));
  });

  it('learns the steps of a counter', () => {
    let count = 0;
    const { kind, size } = roundTrip(
      generate(4000, (random) => {
        count += random.unit() < 0.1 ? 10 : 3;
        return count;
      }),
    );
    expect(kind).toBe(3);
    expect(size / 4000).toBeLessThan(0.08);
  });

  it('packs what is short or evenly spread', () => {
    expect(roundTrip([3, 1, 4, 1, 5, 9, 2, 6]).kind).toBe(2);
    expect(roundTrip(generate(2000, (random) => random.u32())).size).toBeLessThan(2000 * 4.1);
  });

  it('divides by a common divisor', () => {
    const values = generate(3000, (random) => 40 + 25 * Math.round(2 * random.normal()));
    const { kind, size } = roundTrip(values);
    expect(kind).toBe(6);
    expect(size).toBeLessThan(roundTrip(values.map((value) => (value - 40) / 25)).size + 8);
  });

  it('splits what needs more than 32 bits', () => {
    const values = generate(1000, (random) => Math.floor(random.unit() * 2 ** 20) * 2 ** 32 + random.u32());
    const { kind, size } = roundTrip(values);
    expect(kind).toBe(5);
    expect(size).toBeLessThan(1000 * 6.8);
  });
});
