/** Blocks of every value type: bit by bit back, and as small as their modes promise. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Block, type BlockColumns, decodeBlock, encodeBlock } from '../../../../src/store/engine/codec/block.ts';
import { BLOCK_COUNT_MAX } from '../../../../src/store/engine/codec/envelope.ts';
import { difference } from './fuzz-blocks.ts';
import { Random, SPECIALS } from './generators.ts';

const BAD = 0x8000_0000;

function good(count: number): Uint32Array {
  return new Uint32Array(count);
}

/** Encodes, decodes, compares; returns the blob's size. */
function roundTrip(columns: BlockColumns, hint?: { scale: number; offset: number }): number {
  const blob = encodeBlock(columns, { hint });
  expect(difference(columns, decodeBlock(blob))).toBeUndefined();
  return blob.length;
}

function sizeOf(numbers: Float64Array, hint?: { scale: number; offset: number }): number {
  return roundTrip({ valueType: 'f64', numbers, status: good(numbers.length) }, hint);
}

function generate(count: number, next: (random: Random, i: number) => number): Float64Array {
  const random = new Random(11);
  return Float64Array.from({ length: count }, (_, i) => next(random, i));
}

describe('a block of numbers', () => {
  it('brings every double back bit by bit, and NaN as NaN', () => {
    const number = fc.oneof(fc.double(), fc.float(), fc.integer(), fc.constantFrom(...SPECIALS));
    fc.assert(
      fc.property(fc.array(number, { minLength: 1, maxLength: 200 }), fc.constantFrom('f64', 'f32', 'bool'), (numbers, valueType) => {
        roundTrip({ valueType: valueType as 'f64', numbers: Float64Array.from(numbers), status: good(numbers.length) });
      }),
      { numRuns: 500 },
    );
  });

  it('gives −0, infinities and subnormals among decimals back', () => {
    const numbers = generate(1000, (random, i) =>
      i % 250 === 7 ? (SPECIALS[(i / 250) | 0] as number) : Math.round(200 + random.normal()) / 10,
    );
    numbers[9] = -0;
    numbers[500] = Number.POSITIVE_INFINITY;
    expect(sizeOf(numbers)).toBeLessThan(450);
  });

  it('knows the decimals of doubles and of 32-bit floats', () => {
    const numbers = generate(3600, (random) => Math.round(234 + 1.2 * random.normal()) / 10);
    expect(sizeOf(numbers)).toBeLessThan(3600 * 0.31);
    expect(sizeOf(numbers.map(Math.fround))).toBeLessThan(3600 * 0.31);
  });

  it('needs no more digits than a late value asks for', () => {
    expect(sizeOf(generate(900, (random, i) => (i === 333 ? 20.125 : 20 + random.below(4))))).toBeLessThan(300);
  });

  it('takes raw counts from a configured scale and offset, exactly', () => {
    const [scale, offset] = [150 / 27648, -7.3];
    const numbers = generate(3600, (random) => Math.round(13000 + 2.5 * random.normal()) * scale + offset);
    const hinted = sizeOf(numbers, { scale, offset });
    expect(hinted).toBeLessThan(3600 * 0.46);
    expect(hinted).toBeLessThan(sizeOf(numbers));
    expect(sizeOf(numbers, { scale: 0.1, offset: 0 })).toBe(sizeOf(numbers));
    for (const wrong of [0, Number.NaN, Number.POSITIVE_INFINITY])
      expect(sizeOf(numbers, { scale: wrong, offset: wrong })).toBe(sizeOf(numbers));
  });

  it('gives the smallest negative number back beside a lattice through −0', () => {
    const numbers = Float64Array.from({ length: 400 }, (_, index) => (index === 55 ? -5e-324 : (index % 37) * 0.1234));
    const columns: BlockColumns = { valueType: 'f64', numbers, status: new Uint32Array(numbers.length) };
    expect(difference(columns, decodeBlock(encodeBlock(columns, { hint: { scale: 0.1234, offset: -0 } })))).toBeUndefined();
  });

  it('finds a lattice that nobody configured', () => {
    const numbers = generate(3600, (random) => Math.round(13000 + 2.5 * random.normal()) * 0.0054253472 - 3.3);
    expect(sizeOf(numbers)).toBeLessThan(3600 * 0.75);
    expect(sizeOf(numbers.map(Math.fround))).toBeLessThan(3600 * 0.75);
  });

  it('lists what repeats in no order', () => {
    const levels = generate(6, (random) => random.unit());
    expect(sizeOf(generate(2000, (random) => levels[random.below(6)] as number))).toBeLessThan(2000 * 0.38);
  });

  it('never takes much more than the doubles themselves', () => {
    const bits = new BigUint64Array(1);
    const double = new Float64Array(bits.buffer);
    const numbers = generate(2000, (random) => {
      bits[0] = (BigInt(random.u32()) << 32n) | BigInt(random.u32());
      return double[0] as number;
    });
    expect(sizeOf(numbers)).toBeLessThan(2000 * 8 + 100);
  });

  it('is not spoilt by samples without a value', () => {
    const numbers = generate(900, (random) => Math.round(234 + 1.2 * random.normal()) / 10);
    const without = sizeOf(numbers.filter((_, i) => i < 300 || i >= 500));
    expect(sizeOf(numbers.fill(Number.NaN, 300, 500))).toBeLessThan(without + 16);
    expect(sizeOf(new Float64Array(900).fill(Number.NaN))).toBeLessThan(20);
  });

  it('holds a switch or a set-point in a few bytes', () => {
    expect(sizeOf(new Float64Array(3600).fill(21.5))).toBeLessThan(20);
    expect(roundTrip({ valueType: 'bool', numbers: generate(3600, (_, i) => Math.floor(i / 700) % 2), status: good(3600) })).toBeLessThan(
      40,
    );
  });

  it('can be one sample, and 2^20', () => {
    for (const special of SPECIALS) sizeOf(Float64Array.of(special));
    sizeOf(generate(BLOCK_COUNT_MAX, (random) => random.below(100)));
    expect(() => sizeOf(new Float64Array())).toThrow(RangeError);
    expect(() => sizeOf(new Float64Array(BLOCK_COUNT_MAX + 1))).toThrow(RangeError);
  });
});

describe('a block of 64-bit integers', () => {
  const edges = [0n, 1n, -1n, 2n ** 53n, 2n ** 63n - 1n, -(2n ** 63n), 2n ** 32n, -(2n ** 32n) - 1n];

  it('brings every signed and unsigned integer back, and what is missing', () => {
    const integer = fc.oneof(fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n), fc.bigInt(-1000n, 1000n), fc.constantFrom(...edges));
    fc.assert(
      fc.property(fc.array(fc.tuple(integer, fc.boolean()), { minLength: 1, maxLength: 150 }), (samples) => {
        const integers = BigInt64Array.from(samples, ([value]) => value);
        const missing = Uint8Array.from(samples, ([, absent]) => (absent ? 1 : 0));
        const status = good(samples.length);
        roundTrip({ valueType: 'i64', integers, status, missing });
        roundTrip({ valueType: 'i64', integers, status });
        roundTrip({ valueType: 'u64', integers: new BigUint64Array(integers.buffer), status, missing });
      }),
      { numRuns: 150 },
    );
  });

  it('codes the steps of a counter beyond 2^53', () => {
    const random = new Random(5);
    let count = 2n ** 63n;
    const integers = BigUint64Array.from({ length: 3600 }, () => {
      count += BigInt(random.below(3));
      return count;
    });
    expect(roundTrip({ valueType: 'u64', integers, status: good(3600) })).toBeLessThan(3600 * 0.24);
  });
});

describe('a block of texts', () => {
  it('brings every text back, even ill-formed Unicode, and what is missing', () => {
    const text = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('', 'RUN', 'STOP', '\ud800', 'Störung \u0000', '温度'),
      fc.constant(undefined),
    );
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 40 }), (texts) => {
        roundTrip({ valueType: 'string', texts, status: good(texts.length) });
      }),
      { numRuns: 50 },
    );
  });

  it('stores each text once', () => {
    const random = new Random(9);
    const texts = Array.from({ length: 3600 }, () => random.pick(['Druck zu hoch', 'bereit', 'Wartung']));
    expect(roundTrip({ valueType: 'string', texts, status: good(3600) })).toBeLessThan(3600 * 0.22);
    expect(roundTrip({ valueType: 'string', texts: new Array<string>(3600).fill('bereit'), status: good(3600) })).toBeLessThan(32);
  });
});

describe('the status codes of a block', () => {
  it('come back, whatever they are', () => {
    const code = fc.oneof(fc.constantFrom(0, BAD, 0x408f_0000, 0xffff_ffff), fc.integer({ min: 0, max: 0xffff_ffff }));
    fc.assert(
      fc.property(fc.array(code, { minLength: 1, maxLength: 200 }), (codes) => {
        roundTrip({ valueType: 'f64', numbers: new Float64Array(codes.length), status: Uint32Array.from(codes) });
      }),
    );
  });

  it('cost nothing when all are Good and little in bursts', () => {
    const numbers = new Float64Array(900).fill(1);
    const plain = roundTrip({ valueType: 'f64', numbers, status: good(900) });
    expect(roundTrip({ valueType: 'f64', numbers, status: good(900).fill(BAD, 100, 140) })).toBeLessThan(plain + 24);
  });
});

describe('an opened block', () => {
  const numbers = Float64Array.of(1.5, Number.NaN, 3.5);
  const block = new Block(encodeBlock({ valueType: 'f32', numbers, status: Uint32Array.of(0, BAD, 0) }));

  it('tells its count and type before anything is decoded', () => {
    expect([block.count, block.valueType, block.allGood]).toEqual([3, 'f32', false]);
  });

  it('decodes only what is asked for, into the place that is given', () => {
    const target = new Float64Array(5).fill(9);
    block.numbersInto(target, 1);
    expect(Array.from(target)).toEqual([9, 1.5, Number.NaN, 3.5, 9]);
    const status = new Uint32Array(4).fill(7);
    block.statusInto(status, 1);
    expect(Array.from(status)).toEqual([7, 0, BAD, 0]);
  });

  it('refuses too small a place and another type', () => {
    expect(() => block.numbersInto(new Float64Array(3), 1)).toThrow(RangeError);
    expect(() => block.statusInto(new Uint32Array(2))).toThrow(RangeError);
    expect(() => block.texts()).toThrow('a block of f32 holds no string');
    expect(() => block.integersInto(new BigInt64Array(3))).toThrow(TypeError);
  });

  it('refuses columns of different lengths', () => {
    expect(() => encodeBlock({ valueType: 'f64', numbers, status: good(2) })).toThrow('3 values for 2 status codes');
    expect(() => encodeBlock({ valueType: 'i64', integers: new BigInt64Array(2), missing: new Uint8Array(1), status: good(2) })).toThrow(
      RangeError,
    );
  });
});
