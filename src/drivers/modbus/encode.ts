/** From a value to the registers or the bit that a device is sent: the decoder's inverse, one encoder a writable tag, chosen once. */
import { GatewayError } from '../../core/errors.ts';
import type { Scalar } from '../../core/tag.ts';
import { FLOAT32, FLOAT64, type FloatFormat, integerRange, rawBoolean, rawFloat, rawInteger, type WriteRule } from '../command.ts';
import { byteSource } from './decode.ts';
import type { ByteOrder, DataType } from './options.ts';

/** `encode` rejects what the tag cannot hold with `invalid_value`. */
export type Encoder =
  | { readonly kind: 'coil'; encode(value: Scalar): boolean }
  /** One bit of a register, whose other bits belong to somebody else; `mask` as on the wire. */
  | { readonly kind: 'bit'; readonly mask: number; encode(value: Scalar): boolean }
  /** The data bytes of all registers of the value, as on the wire. */
  | { readonly kind: 'registers'; encode(value: Scalar): Buffer };

export const COIL_ENCODER: Encoder = { kind: 'coil', encode: rawBoolean };

/** The encoder of a value in holding registers; undoes scale and offset of the rule. `bit` is for `bool` alone. */
export function registerEncoder(type: DataType, order: ByteOrder, rule: WriteRule, bit?: number): Encoder {
  switch (type) {
    case 'bool':
      if (bit !== undefined) return { kind: 'bit', mask: onWire(1, order, uint16(1 << bit)).readUInt16BE(0), encode: rawBoolean };
      return registers(1, order, (value, bytes) => bytes.writeUInt16BE(rawBoolean(value) ? 1 : 0));
    case 'int16':
    case 'int32':
    case 'int64':
      return integers(type, order, rule, true);
    case 'uint16':
    case 'uint32':
    case 'uint64':
      return integers(type, order, rule, false);
    case 'float16':
      return registers(1, order, (value, bytes) => bytes.writeUInt16BE(float16Bits(rawFloat(value, rule, FLOAT16))));
    case 'float32':
      return registers(2, order, (value, bytes) => bytes.writeFloatBE(rawFloat(value, rule, FLOAT32)));
    case 'float64':
      return registers(4, order, (value, bytes) => bytes.writeDoubleBE(rawFloat(value, rule, FLOAT64)));
  }
}

type Write = (value: Scalar, bytes: Buffer) => void;

function registers(count: number, order: ByteOrder, write: Write): Encoder {
  return {
    kind: 'registers',
    encode: (value) => {
      const bytes = Buffer.alloc(count * 2);
      write(value, bytes);
      return onWire(count, order, bytes);
    },
  };
}

function integers(type: DataType, order: ByteOrder, rule: WriteRule, signed: boolean): Encoder {
  const bits = Number(type.replace(/\D/g, ''));
  const range = integerRange(type, bits, signed);
  return registers(bits / 16, order, (value, bytes) => {
    let rest = BigInt.asUintN(bits, rawInteger(value, rule, range));
    for (let at = bytes.length - 1; at >= 0; at--, rest >>= 8n) bytes.writeUInt8(Number(rest & 0xffn), at);
  });
}

/** Puts bytes, most significant first, where the order wants them. */
function onWire(count: number, order: ByteOrder, bytes: Buffer): Buffer {
  const wire = Buffer.alloc(bytes.length);
  for (const [index, place] of byteSource(count, order).entries()) wire.writeUInt8(bytes.readUInt8(index), place);
  return wire;
}

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}

const HALF_FRACTION = 1024; // 10 bits
const HALF_MIN_EXPONENT = -14;
const HALF_MAX = 65_504;

export const FLOAT16: FloatFormat = { name: 'float16', max: HALF_MAX, nearest: nearestFloat16 };

/** Half to even, as IEEE 754 rounds; infinite from 65520 on. */
function nearestFloat16(value: number): number {
  const size = Math.abs(value);
  const step = 2 ** Math.max(exponentOf(size), HALF_MIN_EXPONENT) / HALF_FRACTION;
  const rounded = roundHalfEven(size / step) * step; // exact: step is a power of two
  return Math.sign(value) * (rounded > HALF_MAX ? Number.POSITIVE_INFINITY : rounded);
}

/** IEEE 754 binary16 of a number that is one. Throws `invalid_value` for any other. */
export function float16Bits(value: number): number {
  const size = Math.abs(value);
  if (nearestFloat16(size) !== size || size > HALF_MAX) throw new GatewayError('invalid_value', `${value} is no float16`);
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const exponent = exponentOf(size);
  if (exponent < HALF_MIN_EXPONENT) return sign | (size / (2 ** HALF_MIN_EXPONENT / HALF_FRACTION));
  return sign | ((exponent + 15) << 10) | ((size / 2 ** exponent - 1) * HALF_FRACTION);
}

const scratch = new DataView(new ArrayBuffer(8));

/** Of the power of two at or below a positive double; below every half's for 0 and for subnormal doubles. */
function exponentOf(size: number): number {
  scratch.setFloat64(0, size);
  return ((scratch.getUint16(0) >> 4) & 0x7ff) - 1023;
}

function roundHalfEven(value: number): number {
  const below = Math.floor(value);
  const part = value - below;
  return part > 0.5 || (part === 0.5 && below % 2 === 1) ? below + 1 : below;
}
