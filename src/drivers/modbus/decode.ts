/** From the bytes of an answer to values: one decoder a tag, chosen once, so that polling only calls it. */
import type { ValueType } from '../../core/tag.ts';
import type { ByteOrder, DataType } from './options.ts';

/**
 * Reads one value out of the data bytes of an answer (Modbus Application Protocol V1.1b3 §6.1–6.4).
 * `at` is the byte of the value's first register, or, of the bit tables, the number of the bit.
 */
export type Decoder =
  | { readonly kind: 'number'; readonly valueType: ValueType; read(bytes: Buffer, at: number): number }
  | { readonly kind: 'boolean'; readonly valueType: 'bool'; read(bytes: Buffer, at: number): boolean }
  | { readonly kind: 'integer'; readonly valueType: 'i64' | 'u64'; readonly signed: boolean; read(bytes: Buffer, at: number): bigint };

/** A bit of the bit tables: the first is the least significant of the first byte (§6.1). */
export const BIT_DECODER: Decoder = {
  kind: 'boolean',
  valueType: 'bool',
  read: (bytes, at) => ((bytes.readUInt8(at >> 3) >> (at & 7)) & 1) === 1,
};

/** The decoder of a value in registers. `bit` is for `bool` alone; without it any non-zero register is true. */
export function registerDecoder(type: DataType, order: ByteOrder, bit?: number): Decoder {
  switch (type) {
    case 'bool': {
      const mask = bit === undefined ? 0xffff : 1 << bit;
      const read = ordered<number>(1, order, (bytes, at) => bytes.readUInt16BE(at));
      return { kind: 'boolean', valueType: 'bool', read: (bytes, at) => (read(bytes, at) & mask) !== 0 };
    }
    case 'int16':
      return number('f64', 1, order, (bytes, at) => bytes.readInt16BE(at));
    case 'uint16':
      return number('f64', 1, order, (bytes, at) => bytes.readUInt16BE(at));
    case 'int32':
      return number('f64', 2, order, (bytes, at) => bytes.readInt32BE(at));
    case 'uint32':
      return number('f64', 2, order, (bytes, at) => bytes.readUInt32BE(at));
    case 'float16':
      return number('f32', 1, order, (bytes, at) => float16(bytes.readUInt16BE(at)));
    case 'float32':
      return number('f32', 2, order, (bytes, at) => bytes.readFloatBE(at));
    case 'float64':
      return number('f64', 4, order, (bytes, at) => bytes.readDoubleBE(at));
    case 'int64':
      return { kind: 'integer', valueType: 'i64', signed: true, read: ordered(4, order, (bytes, at) => bytes.readBigInt64BE(at)) };
    case 'uint64':
      return { kind: 'integer', valueType: 'u64', signed: false, read: ordered(4, order, (bytes, at) => bytes.readBigUInt64BE(at)) };
  }
}

type Read<V> = (bytes: Buffer, at: number) => V;

function number(valueType: ValueType, registers: number, order: ByteOrder, read: Read<number>): Decoder {
  return { kind: 'number', valueType, read: ordered(registers, order, read) };
}

/** The bytes of the value in hand, put most significant first; one for all, as nothing reads it later. */
const scratch = Buffer.alloc(8);

/** Wraps a reader of big-endian bytes for devices that send them in another order. */
function ordered<V>(registers: number, order: ByteOrder, read: Read<V>): Read<V> {
  const source = byteSource(registers, order);
  if (source.every((from, to) => from === to)) return read;
  return (bytes, at) => {
    for (let to = 0; to < source.length; to++) scratch.writeUInt8(bytes.readUInt8(at + (source[to] ?? 0)), to);
    return read(scratch, 0);
  };
}

/** Where on the wire each byte of a value lies, the most significant first. */
export function byteSource(registers: number, order: ByteOrder): readonly number[] {
  const leastRegisterFirst = order === 'CDAB' || order === 'DCBA';
  const swappedBytes = order === 'BADC' || order === 'DCBA';
  return Array.from({ length: registers * 2 }, (_, byte) => {
    const register = byte >> 1;
    const wireRegister = leastRegisterFirst ? registers - 1 - register : register;
    return wireRegister * 2 + (swappedBytes ? 1 - (byte & 1) : byte & 1);
  });
}

/** IEEE 754 binary16: 1 sign bit, 5 of exponent, 10 of fraction. */
function float16(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0x1f) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}
