/** Values survive the way over the wire in every type and byte order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BIT_DECODER, byteSource, type Decoder, registerDecoder } from '../../../src/drivers/modbus/decode.ts';
import { BYTE_ORDERS, type ByteOrder, type DataType, REGISTERS_OF } from '../../../src/drivers/modbus/options.ts';

/** What a device would send: the bytes of a value, the most significant first, laid out in its order after some others. */
function onTheWire(bigEndian: Buffer, order: ByteOrder, at: number): Buffer {
  const wire = Buffer.alloc(at + bigEndian.length + 2, 0xa5);
  const [first, second] = order === 'ABCD' || order === 'BADC' ? [0, 1] : [1, 0];
  const registers = bigEndian.length / 2;
  for (let register = 0; register < registers; register++) {
    const high = bigEndian.readUInt8(register * 2);
    const low = bigEndian.readUInt8(register * 2 + 1);
    const place = at + 2 * (first < second ? register : registers - 1 - register);
    const swap = order === 'BADC' || order === 'DCBA';
    wire.writeUInt8(swap ? low : high, place);
    wire.writeUInt8(swap ? high : low, place + 1);
  }
  return wire;
}

function encode(type: DataType, value: number | bigint): Buffer {
  const bytes = Buffer.alloc(REGISTERS_OF[type] * 2);
  const write: Partial<Record<DataType, () => void>> = {
    int16: () => bytes.writeInt16BE(Number(value)),
    uint16: () => bytes.writeUInt16BE(Number(value)),
    int32: () => bytes.writeInt32BE(Number(value)),
    uint32: () => bytes.writeUInt32BE(Number(value)),
    float32: () => bytes.writeFloatBE(Number(value)),
    float64: () => bytes.writeDoubleBE(Number(value)),
    int64: () => bytes.writeBigInt64BE(BigInt(value)),
    uint64: () => bytes.writeBigUInt64BE(BigInt(value)),
  };
  write[type]?.();
  return bytes;
}

const VALUES: Partial<Record<DataType, fc.Arbitrary<number | bigint>>> = {
  int16: fc.integer({ min: -32_768, max: 32_767 }),
  uint16: fc.nat(65_535),
  int32: fc.integer(),
  uint32: fc.nat(0xffff_ffff),
  float32: fc.float(),
  float64: fc.double(),
  int64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  uint64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
};
const orders = fc.constantFrom(...BYTE_ORDERS);

describe('registerDecoder', () => {
  it.each(Object.keys(VALUES) as DataType[])('gives back every %s in every byte order', (type) => {
    fc.assert(
      fc.property(VALUES[type] ?? fc.nat(), orders, fc.nat(20), (value, order, register) => {
        const decoded = registerDecoder(type, order).read(onTheWire(encode(type, value), order, register * 2), register * 2);
        expect(decoded).toBe(value);
      }),
    );
  });

  it.each([
    ['ABCD', '41ac0000'],
    ['CDAB', '000041ac'],
    ['BADC', 'ac410000'],
    ['DCBA', '0000ac41'],
  ] as const)('reads 21.5 in order %s from %s', (order, hex) => {
    expect(registerDecoder('float32', order).read(Buffer.from(hex, 'hex'), 0)).toBe(21.5);
  });

  it.each([
    ['ABCD', '0102030405060708'],
    ['CDAB', '0708050603040102'],
    ['BADC', '0201040306050807'],
    ['DCBA', '0807060504030201'],
  ] as const)('reads a 64-bit value in order %s from %s', (order, hex) => {
    expect(registerDecoder('uint64', order).read(Buffer.from(hex, 'hex'), 0)).toBe(0x0102030405060708n);
  });

  it.each([
    [0x3c00, 1],
    [0xc000, -2],
    [0x7bff, 65_504],
    [0x0001, 2 ** -24],
    [0x3555, 0.333251953125],
    [0x8000, -0],
    [0x7c00, Number.POSITIVE_INFINITY],
    [0xfc00, Number.NEGATIVE_INFINITY],
    [0x7e00, Number.NaN],
  ])('reads the float16 %i as %d', (bits, value) => {
    const bytes = Buffer.alloc(2);
    bytes.writeUInt16BE(bits);
    expect(registerDecoder('float16', 'ABCD').read(bytes, 0)).toBe(value);
    expect(registerDecoder('float16', 'DCBA').read(bytes.swap16(), 0)).toBe(value);
  });

  it('reads one bit of a register, counted from the least significant', () => {
    fc.assert(
      fc.property(fc.nat(65_535), fc.nat(15), orders, (word, bit, order) => {
        const bytes = onTheWire(encode('uint16', word), order, 0);
        expect(registerDecoder('bool', order, bit).read(bytes, 0)).toBe(((word >> bit) & 1) === 1);
      }),
    );
  });

  it('takes any non-zero register for true when no bit is named', () => {
    expect([0, 1, 0x8000].map((word) => registerDecoder('bool', 'ABCD').read(encode('uint16', word), 0))).toEqual([false, true, true]);
  });

  it('keeps 64-bit integers exact and says which floats are short', () => {
    const shape = ({ kind, valueType }: Decoder) => `${kind} ${valueType}`;
    expect((Object.keys(REGISTERS_OF) as DataType[]).map((type) => `${type}: ${shape(registerDecoder(type, 'ABCD'))}`)).toEqual([
      'bool: boolean bool',
      'int16: number f64',
      'uint16: number f64',
      'float16: number f32',
      'int32: number f64',
      'uint32: number f64',
      'float32: number f32',
      'int64: integer i64',
      'uint64: integer u64',
      'float64: number f64',
    ]);
  });
});

describe('byteSource', () => {
  it('takes every byte of the wire once', () => {
    for (const order of BYTE_ORDERS) {
      for (const registers of [1, 2, 4]) {
        expect([...byteSource(registers, order)].sort((a, b) => a - b)).toEqual(Array.from({ length: registers * 2 }, (_, byte) => byte));
      }
    }
  });
});

describe('BIT_DECODER', () => {
  it('finds each bit of the bit tables', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 2_000 }), (bits) => {
        const bytes = Buffer.alloc(Math.ceil(bits.length / 8));
        for (const [index, bit] of bits.entries()) if (bit) bytes[index >> 3] = (bytes[index >> 3] ?? 0) | (1 << (index & 7));
        expect(bits.map((_, index) => BIT_DECODER.read(bytes, index))).toEqual(bits);
      }),
    );
  });
});
