/** The format, pinned: blobs that were written once (`golden.json`) must be read for ever. Another format is another version. */
import { readFileSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type BlockColumns, decodeBlock, encodeBlock } from '../../../../src/store/engine/codec/block.ts';
import { noiseTable, SHAPE_COUNT, WIDTHS } from '../../../../src/store/engine/codec/normal-tables.ts';
import { decodeTimes, encodeTimes } from '../../../../src/store/engine/codec/times.ts';
import { difference } from './fuzz-blocks.ts';
import { Random } from './generators.ts';

const BAD = 0x8000_0000;

function numbers(values: readonly number[] | Float64Array, valueType: 'f64' | 'f32' | 'bool' = 'f64'): BlockColumns {
  return { valueType, numbers: Float64Array.from(values), status: new Uint32Array(values.length) };
}

function generate(count: number, next: (random: Random, i: number) => number): Float64Array {
  const random = new Random(1);
  return Float64Array.from({ length: count }, (_, i) => next(random, i));
}

const scale = 0.00542534722;
const offset = -3.5;
const levels = [Math.PI, Math.E, Math.SQRT2, Math.LN2];

const BLOCKS: Readonly<Record<string, { readonly columns: BlockColumns; readonly hint?: { scale: number; offset: number } }>> = {
  constant: { columns: numbers([21.5, 21.5, 21.5]) },
  switch: {
    columns: numbers(
      generate(60, (_, i) => Math.floor(i / 20) % 2),
      'bool',
    ),
  },
  'set-point': { columns: numbers(generate(60, (_, i) => Math.floor(i / 15) ** 2 / 2)) },
  decimals: { columns: numbers([20.1, 20.2, 20.2, 20.1, 20.3, 20.4]) },
  'decimals f32': { columns: numbers([20.1, 20.2, 20.2, 20.1, 20.3, 20.4].map(Math.fround), 'f32') },
  'with exceptions': { columns: numbers([1, 2, -0, 3, Number.POSITIVE_INFINITY, 4, 5, 6]) },
  missing: { columns: numbers([1, Number.NaN, Number.NaN, 4, 2]) },
  statuses: { columns: { ...numbers([1, 1, 1, 1]), status: Uint32Array.of(0, BAD, BAD, 0) } },
  'i64 near': {
    columns: { valueType: 'i64', integers: BigInt64Array.of(2n ** 60n, 2n ** 60n + 5n, 2n ** 60n - 1n), status: new Uint32Array(3) },
  },
  'u64 far': {
    columns: {
      valueType: 'u64',
      integers: BigUint64Array.of(0n, 2n ** 64n - 1n, 7n),
      missing: Uint8Array.of(0, 0, 0),
      status: new Uint32Array(3),
    },
  },
  texts: { columns: { valueType: 'string', texts: ['on', undefined, 'off', 'on'], status: new Uint32Array(4) } },
  'ill-formed text': { columns: { valueType: 'string', texts: ['\ud800'], status: new Uint32Array(1) } },
  'noise of tenths': { columns: numbers(generate(200, (random) => Math.round(234 + 1.3 * random.normal()) / 10)) },
  'noise with low bits': { columns: numbers(generate(100, (random) => Math.round(100_000 + 300 * random.normal()))) },
  'noise with outliers': {
    columns: numbers(generate(200, (random) => Math.round(random.normal()) + (random.unit() < 0.03 ? 900 : 0))),
  },
  counter: { columns: numbers(generate(200, (random, i) => 4 * i + random.below(2))) },
  'heavy tails': { columns: numbers(generate(200, (random) => Math.round(1 / (random.unit() + 1e-4)))) },
  'configured lattice': {
    columns: numbers(generate(100, (random) => (9000 + random.below(20)) * scale + offset)),
    hint: { scale, offset },
  },
  'found lattice': { columns: numbers(generate(100, (random) => (9000 + random.below(20)) * scale + offset)) },
  dictionary: { columns: numbers(generate(100, (random) => levels[random.below(4)] as number)) },
  'raw f32': {
    columns: numbers(
      generate(20, (random) => Math.fround(random.normal())),
      'f32',
    ),
  },
  'raw f64': { columns: numbers(generate(20, (random) => random.normal() * Math.PI)) },
  'wide integers': { columns: numbers(generate(20, (random) => random.below(2 ** 18) * 2 ** 32 + random.u32())) },
};

const TIMES: Readonly<Record<string, Float64Array>> = {
  'a grid': Float64Array.from({ length: 60 }, (_, i) => 1.7e12 + 1000 * i + (i > 30 ? 5000 : 0)),
  steps: Float64Array.of(-5, 0, 17, 40, 3e12, 3e12 + 6),
  'a jittered grid': generate(200, (random, i) => 1.7e12 + 1000 * i + Math.round(3 * random.normal())),
};

/** Name → blob in base64. */
const golden = JSON.parse(readFileSync(new URL('golden.json', import.meta.url), 'utf8')) as Readonly<Record<string, string>>;

function pinned(name: string): Uint8Array {
  return Uint8Array.from(Buffer.from(golden[name] ?? '', 'base64'));
}

describe('the format of blocks', () => {
  it.each(Object.entries(BLOCKS))('reads what it wrote: %s', (name, { columns }) => {
    expect(difference(columns, decodeBlock(pinned(name)))).toBeUndefined();
  });

  it.each(Object.entries(TIMES))('reads the times that it wrote: %s', (name, times) => {
    expect(decodeTimes(pinned(name), times.length)).toEqual(times);
  });

  // Another choice among the modes may change these without another version; renew the file then.
  it('writes what it wrote', () => {
    const written = [
      ...Object.entries(BLOCKS).map(([name, { columns, hint }]) => [name, encodeBlock(columns, { hint })] as const),
      ...Object.entries(TIMES).map(([name, times]) => [name, encodeTimes(times)] as const),
    ];
    expect(Object.fromEntries(written.map(([name, blob]) => [name, Buffer.from(blob).toString('base64')]))).toEqual(golden);
  });

  it('has the tables of noise that it had', () => {
    let checksum = 0;
    for (let shape = 0; shape < SHAPE_COUNT; shape++) {
      for (let width = 0; width < WIDTHS; width++) checksum = crc32(new Uint8Array(noiseTable(shape, width).frequency.buffer), checksum);
    }
    expect(checksum.toString(16)).toBe('4338a9e');
  });
});
