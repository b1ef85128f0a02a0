/** Habits of series: what they save and that they never cost exactness. */
import { expect, it } from 'vitest';
import { decodeBlock, encodeBlock } from '../../../../src/store/engine/codec/block.ts';
import { ByteReader, ByteWriter } from '../../../../src/store/engine/codec/bytes.ts';
import { Habit } from '../../../../src/store/engine/codec/habit.ts';
import { noiseComesBack } from '../../../../src/store/engine/codec/noise-check.ts';
import { encodeNoise, planNoise } from '../../../../src/store/engine/codec/noise-encoder.ts';
import { ESCAPE, noiseTable, PHASE_STRIDE, PHASES, SHAPE_COUNT, WIDTHS } from '../../../../src/store/engine/codec/normal-tables.ts';
import { RANS_TOTAL, SLOT_SYMBOL_SHIFT } from '../../../../src/store/engine/codec/rans.ts';
import { Random } from './generators.ts';

const COUNT = 900;

/** Readings of one decimal place around 20, of a deviation in tenths. */
function readings(random: Random, deviation: number): Float64Array {
  return Float64Array.from({ length: COUNT }, () => {
    const noise = random.unit() + random.unit() + random.unit() + random.unit() - 2;
    return Math.round(200 + noise * deviation * 1.7) / 10;
  });
}

function blockOf(numbers: Float64Array, habit?: Habit): Uint8Array {
  return encodeBlock({ valueType: 'f64', numbers, status: new Uint32Array(numbers.length) }, { habit });
}

it('codes the next block of a steady signal in the same way, as small but for a few percent', () => {
  const random = new Random(7);
  const habit = new Habit();
  blockOf(readings(random, 1), habit);
  const { numbers, integers } = habit;
  expect(numbers).toEqual({ kind: 'decimals', exponent: 1, single: false });
  expect(integers).toMatchObject({ kind: 'noise' });
  for (let block = 0; block < 10; block++) {
    const next = readings(random, 1);
    const blob = blockOf(next, habit);
    expect(decodeBlock(blob)).toMatchObject({ numbers: next });
    expect(blob.length).toBeLessThan(1.1 * blockOf(next).length);
  }
  expect(habit.integers).toBe(integers);
});

it('looks for another way as soon as the old one takes more', () => {
  const random = new Random(8);
  const habit = new Habit();
  blockOf(readings(random, 1), habit);
  const before = habit.integers;
  const wild = readings(random, 400);
  const blob = blockOf(wild, habit);
  expect(decodeBlock(blob)).toMatchObject({ numbers: wild });
  expect(blob).toEqual(blockOf(wild));
  expect(habit.integers).not.toEqual(before);
});

it('gives numbers back that are not of the kind it knows', () => {
  const random = new Random(9);
  const habit = new Habit();
  blockOf(readings(random, 1), habit);
  const thirds = readings(random, 1).map((value) => value / 3);
  thirds[5] = -0;
  thirds[6] = Number.POSITIVE_INFINITY;
  expect(decodeBlock(blockOf(thirds, habit))).toMatchObject({ numbers: thirds });
});

it('finds every changed bit of a noise stream and every changed value', () => {
  const random = new Random(10);
  const values = Float64Array.from({ length: 200 }, () => Math.round(300 * random.unit() ** 4));
  const plan = planNoise(values, values.length, { smallest: 0, largest: 300 }, Number.POSITIVE_INFINITY);
  if (!plan) throw new Error('no plan');
  const writer = new ByteWriter();
  writer.u8(4);
  encodeNoise(writer, values, values.length, plan);
  const bytes = writer.written().slice();
  const comesBack = (blob: Uint8Array, expected: Float64Array): boolean => {
    try {
      return noiseComesBack(new ByteReader(blob), expected, expected.length);
    } catch {
      return false;
    }
  };
  expect(comesBack(bytes, values)).toBe(true);
  for (let i = 0; i < values.length; i++) {
    const other = values.slice();
    other[i] = (values[i] as number) + 1;
    expect(comesBack(bytes, other)).toBe(false);
  }
  for (let bit = 8; bit < 8 * bytes.length; bit++) {
    const damaged = bytes.slice();
    damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
    expect(comesBack(damaged, values), `bit ${bit}`).toBe(false);
  }
});

it('knows of every slot of every noise table the symbol that a decoder takes', () => {
  for (let shape = 0; shape < SHAPE_COUNT; shape++) {
    for (let width = 0; width < WIDTHS; width++) {
      const { slots, start, frequency } = noiseTable(shape, width);
      for (let phase = 0; phase < PHASES; phase++) {
        for (let slot = 0; slot < RANS_TOTAL; slot++) {
          const entry = slots[phase * RANS_TOTAL + slot] as number;
          const symbol = entry >> SLOT_SYMBOL_SHIFT;
          const row = phase * PHASE_STRIDE + symbol;
          const place = slot - (start[row] as number);
          if (symbol > ESCAPE || place !== (entry & (RANS_TOTAL - 1)) || place < 0 || place >= (frequency[row] as number))
            throw new Error(`shape ${shape}, width ${width}, phase ${phase}: slot ${slot} is of symbol ${symbol}`);
        }
      }
    }
  }
});
