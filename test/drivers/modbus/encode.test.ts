/** Values to registers: the decoder reads back exactly what was encoded, and what a type cannot hold is refused by name. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGatewayError } from '../../../src/core/errors.ts';
import type { Scalar } from '../../../src/core/tag.ts';
import type { WriteRule } from '../../../src/drivers/command.ts';
import { registerDecoder } from '../../../src/drivers/modbus/decode.ts';
import { FLOAT16, float16Bits, registerEncoder } from '../../../src/drivers/modbus/encode.ts';
import { BYTE_ORDERS, type ByteOrder, type DataType } from '../../../src/drivers/modbus/options.ts';

const PLAIN: WriteRule = { writable: true };
const order = fc.constantFrom(...BYTE_ORDERS);

function encoded(type: DataType, byteOrder: ByteOrder, rule: WriteRule, value: Scalar): Buffer {
  const encoder = registerEncoder(type, byteOrder, rule);
  if (encoder.kind !== 'registers') throw new Error(`${type} is encoded as ${encoder.kind}`);
  return encoder.encode(value);
}

/** What the door would make of the registers. */
function readBack(type: DataType, byteOrder: ByteOrder, rule: WriteRule, bytes: Buffer): number | bigint | boolean {
  const raw = registerDecoder(type, byteOrder).read(bytes, 0);
  const { scale = 1, offset = 0 } = rule;
  return typeof raw === 'boolean' || (scale === 1 && offset === 0) ? raw : Number(raw) * scale + offset;
}

function refusal(type: DataType, value: Scalar, rule: WriteRule = PLAIN): string {
  try {
    encoded(type, 'ABCD', rule, value);
  } catch (error) {
    if (isGatewayError(error, 'invalid_value')) return error.message;
    throw error;
  }
  throw new Error(`${value} was not refused`);
}

const INTEGERS = {
  int16: [-32_768n, 32_767n],
  uint16: [0n, 65_535n],
  int32: [-2_147_483_648n, 2_147_483_647n],
  uint32: [0n, 4_294_967_295n],
  int64: [-(2n ** 63n), 2n ** 63n - 1n],
  uint64: [0n, 2n ** 64n - 1n],
} as const;
const INTEGER_TYPES = Object.keys(INTEGERS) as (keyof typeof INTEGERS)[];

describe('integers', () => {
  it.each(INTEGER_TYPES)('%s: every value of the type reads back as itself in every byte order', (type) => {
    const [min, max] = INTEGERS[type];
    fc.assert(
      fc.property(fc.bigInt({ min, max }), order, (value, byteOrder) => {
        expect(BigInt(readBack(type, byteOrder, PLAIN, encoded(type, byteOrder, PLAIN, value)) as bigint)).toBe(value);
      }),
    );
    for (const limit of [min, max])
      expect(BigInt(readBack(type, 'CDAB', PLAIN, encoded(type, 'CDAB', PLAIN, limit)) as bigint)).toBe(limit);
  });

  it.each(INTEGER_TYPES)('%s: one beyond each end is refused, and the message names the end', (type) => {
    const [min, max] = INTEGERS[type];
    expect(refusal(type, min - 1n)).toBe(`${min - 1n} is below the smallest ${type}, ${min}`);
    expect(refusal(type, max + 1n)).toBe(`${max + 1n} is above the largest ${type}, ${max}`);
  });

  it('that scale gives reads back as itself in digits, for every scale that plants use', () => {
    const scales = fc.constantFrom(0.001, 0.01, 0.1, 0.25, 0.5, 2, 10, -0.1, 1 / 3, 1e-6);
    const offsets = fc.constantFrom(0, -40, 273.15, 0.1, 1_000);
    fc.assert(
      fc.property(
        fc.constantFrom('int16', 'uint16', 'int32', 'uint32'),
        fc.double({ min: 0, max: 1, noNaN: true }),
        scales,
        offsets,
        order,
        (type, part, scale, offset, byteOrder) => {
          const [min, max] = INTEGERS[type];
          const raw = Number(min) + Math.round(part * Number(max - min));
          const rule = { writable: true, scale, offset };
          const wanted = raw * scale + offset;
          expect(readBack(type, byteOrder, rule, encoded(type, byteOrder, rule, wanted))).toBe(wanted);
          // as a person would type it
          const typed = Number(wanted.toPrecision(13));
          if (Math.abs(typed - wanted) < Math.abs(scale) * 1e-12) {
            expect(readBack(type, byteOrder, rule, encoded(type, byteOrder, rule, typed))).toBe(wanted);
          }
        },
      ),
    );
  });

  it('between two steps of the scale are refused with both', () => {
    const rule = { writable: true, scale: 0.1, offset: -40 };
    expect(refusal('int16', 21.53, rule)).toBe('21.53 is not a multiple of the scale; the nearest values are 21.5 and 21.6');
    expect(encoded('int16', 'ABCD', rule, 21.5).readInt16BE()).toBe(615);
    expect(encoded('int16', 'ABCD', { writable: true, scale: 0.1 }, 0.3).readInt16BE()).toBe(3);
    expect(refusal('uint16', 1.5)).toBe('1.5 is not a whole number; the nearest are 1 and 2');
  });

  it('beyond the range after scaling name the limit in both', () => {
    expect(refusal('uint16', 6_553.6, { writable: true, scale: 0.1 })).toBe(
      '6553.6 is above the largest uint16, 65535 (6553.5 after scaling)',
    );
    expect(refusal('int16', -3_276.9, { writable: true, scale: 0.1 })).toMatch(/below the smallest int16, -32768/);
  });

  it('that a number cannot hold must come as bigint', () => {
    expect(refusal('uint64', 2 ** 60)).toMatch(/beyond 2\^53/);
    expect(encoded('uint64', 'ABCD', PLAIN, 2n ** 60n + 1n).readBigUInt64BE()).toBe(2n ** 60n + 1n);
  });

  it('are neither text nor NaN nor infinite; true and false are 1 and 0', () => {
    expect(refusal('int16', '7')).toBe('"7" is not a number');
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY]) expect(refusal('int16', value)).toMatch(/not a finite number/);
    expect([true, false].map((value) => encoded('int16', 'ABCD', PLAIN, value).readInt16BE())).toEqual([1, 0]);
  });

  it('keep to write_min and write_max', () => {
    const rule = { writable: true, scale: 0.1, write_min: 5, write_max: 30 };
    expect(refusal('int16', 4.9, rule)).toBe('4.9 is below write_min, 5');
    expect(refusal('int16', 30.1, rule)).toBe('30.1 is above write_max, 30');
    expect(encoded('int16', 'ABCD', rule, 30).readInt16BE()).toBe(300);
    expect(refusal('int64', 10n ** 18n, { ...PLAIN, write_max: 1e17 })).toMatch(/above write_max/);
  });
});

describe('floats', () => {
  it('of 16 bits: every pattern of a number is made again from its number', () => {
    const decoder = registerDecoder('float16', 'ABCD');
    for (let bits = 0; bits < 65_536; bits++) {
      if ((bits & 0x7c00) === 0x7c00) continue; // infinite or NaN
      const bytes = Buffer.from([bits >> 8, bits & 0xff]);
      const value = decoder.read(bytes, 0) as number;
      const remade = float16Bits(value);
      if (remade !== bits) throw new Error(`${bits.toString(16)} became ${remade.toString(16)}`);
    }
  });

  it('of 16 bits: half-way goes to the even one', () => {
    expect([2_049, 2_051, -2_049, 65_519.999, 2 ** -25, 3 * 2 ** -25].map(FLOAT16.nearest)).toEqual([
      2_048,
      2_052,
      -2_048,
      65_504,
      0,
      2 ** -23,
    ]);
  });

  it('of 16 bits: nothing of the type is nearer than what is written', () => {
    fc.assert(
      fc.property(fc.double({ min: -65_504, max: 65_504, noNaN: true }), (value) => {
        const near = FLOAT16.nearest(value);
        const bits = float16Bits(near);
        const decoder = registerDecoder('float16', 'ABCD');
        for (const other of [bits - 1, bits + 1]) {
          if (other < 0 || other > 0xffff || (other & 0x7c00) === 0x7c00) continue;
          const neighbour = decoder.read(Buffer.from([other >> 8, other & 0xff]), 0) as number;
          expect(Math.abs(neighbour - value)).toBeGreaterThanOrEqual(Math.abs(near - value));
        }
      }),
    );
  });

  it('of 32 and 64 bits read back as the nearest of their type in every byte order', () => {
    fc.assert(
      fc.property(fc.double({ min: -3.4e38, max: 3.4e38, noNaN: true }), order, (value, byteOrder) => {
        fc.pre(value === 0 || Math.fround(value) !== 0);
        expect(readBack('float32', byteOrder, PLAIN, encoded('float32', byteOrder, PLAIN, value))).toBe(Math.fround(value));
        expect(readBack('float64', byteOrder, PLAIN, encoded('float64', byteOrder, PLAIN, value))).toBe(value);
      }),
    );
  });

  it('of 64 bits undo scale and offset to the last digits', () => {
    const factor = fc.double({ min: 1e-3, max: 1e3, noNaN: true });
    const value = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(value, factor, fc.double({ min: -1e3, max: 1e3, noNaN: true }), (wanted, scale, offset) => {
        const rule = { writable: true, scale, offset };
        const shown = readBack('float64', 'ABCD', rule, encoded('float64', 'ABCD', rule, wanted)) as number;
        expect(Math.abs(shown - wanted)).toBeLessThanOrEqual(1e-14 * (Math.abs(wanted) + Math.abs(offset) + 1));
      }),
    );
  });

  it('beyond the type, and those of which only 0 would be left, are refused', () => {
    expect(refusal('float32', 3.5e38)).toBe(`3.5e+38 is beyond what a float32 holds, ±${FLOAT32_MAX}`);
    expect(refusal('float16', 65_520)).toBe('65520 is beyond what a float16 holds, ±65504');
    expect(refusal('float32', 1e-50)).toBe('1e-50 is too small for a float32: it would become 0');
    expect(encoded('float16', 'ABCD', PLAIN, 65_519).readUInt16BE()).toBe(0x7bff);
    expect(encoded('float32', 'ABCD', PLAIN, 0).readFloatBE()).toBe(0);
  });
});

const FLOAT32_MAX = 3.4028234663852886e38;

describe('bits', () => {
  it('have the place that the decoder reads, in every byte order', () => {
    for (const byteOrder of BYTE_ORDERS) {
      for (let bit = 0; bit < 16; bit++) {
        const encoder = registerEncoder('bool', byteOrder, PLAIN, bit);
        if (encoder.kind !== 'bit') throw new Error('not a bit');
        const bytes = Buffer.alloc(2);
        bytes.writeUInt16BE(encoder.mask);
        for (let other = 0; other < 16; other++) {
          expect(registerDecoder('bool', byteOrder, other).read(bytes, 0)).toBe(other === bit);
        }
      }
    }
  });

  it('are true, false, 1 and 0, and nothing else', () => {
    const encoder = registerEncoder('bool', 'ABCD', PLAIN, 3);
    expect([true, false, 1, 0, 1n, 0n].map((value) => encoder.encode(value))).toEqual([true, false, true, false, true, false]);
    for (const value of [2, -1, 0.5, 'on', Number.NaN]) expect(() => encoder.encode(value)).toThrow(/neither true nor false/);
  });
});
