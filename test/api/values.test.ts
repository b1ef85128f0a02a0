/** How values look in JSON. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderCell, renderNumber, renderScalar } from '../../src/api/values.ts';
import type { Columns } from '../../src/store/telemetry.ts';

function cell(number: number, wide?: string | bigint): Columns {
  return {
    rows: 1,
    series: Uint32Array.of(0),
    timeMs: Float64Array.of(0),
    numbers: Float64Array.of(number),
    status: Uint32Array.of(0),
    ...(wide === undefined ? {} : { wide: [wide] }),
  };
}

describe('values in JSON', () => {
  it('print a 32-bit float with the digits it has, and a 64-bit one as it is', () => {
    expect(renderNumber(Math.fround(23.4), 'f32')).toBe(23.4);
    expect(renderNumber(Math.fround(23.4), 'f64')).toBe(23.399999618530273);
  });

  it('print every 32-bit float so that it reads back as the same one', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true }), (value) => {
        expect(Math.fround(renderNumber(value, 'f32') as number) === value).toBe(true);
      }),
    );
  });

  it('print the mean of 32-bit floats with all its digits when it is no such float itself', () => {
    expect(renderNumber(1 / 3, 'f32')).toBe(1 / 3);
  });

  it('make booleans of a bool series and null of what has no value', () => {
    expect(renderCell(cell(1), 0, 'bool')).toBe(true);
    expect(renderCell(cell(0), 0, 'bool')).toBe(false);
    expect(renderCell(cell(Number.NaN), 0, 'bool')).toBeNull();
    expect(renderCell(cell(Number.NaN), 0, 'f64')).toBeNull();
    expect(renderScalar(Number.POSITIVE_INFINITY)).toBeNull();
  });

  it('make text of an integer beyond 2^53 and a number of a smaller one', () => {
    expect(renderCell(cell(Number.NaN, 2n ** 53n), 0, 'u64')).toBe('9007199254740992');
    expect(renderCell(cell(Number.NaN, -9_007_199_254_740_993n), 0, 'i64')).toBe('-9007199254740993');
    expect(renderCell(cell(Number.NaN, 2n ** 53n - 1n), 0, 'u64')).toBe(9007199254740991);
  });

  it('show text as it is', () => {
    expect(renderCell(cell(Number.NaN, 'running'), 0, 'string')).toBe('running');
  });
});
