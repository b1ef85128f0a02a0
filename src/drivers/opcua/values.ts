/** From the library's DataValue to what the house emits. Nothing is allocated here for a number or a boolean. */
import { DataType, type DataValue, type Variant, VariantArrayType } from 'node-opcua-client';
import type { Emit } from '../../core/emit.ts';
import { BAD_NOT_SUPPORTED, isBad, type StatusCode } from '../../core/status.ts';
import { MAX_TEXT_LENGTH, type Scalar, type SeriesId, type ValueType } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';

/** The server has the node, but no value for it. */
export const BAD_NO_DATA = 0x809b_0000 as StatusCode;

/** DateTime 0, which OPC UA uses for "no time". (OPC UA Part 6 §5.2.2.5) */
export const NO_TIME_MS = Date.UTC(1601, 0, 1);

/** How a value of this type is kept; `undefined` for what we don't take: structures, byte strings, node ids. */
export function valueTypeOf(dataType: DataType): ValueType | undefined {
  switch (dataType) {
    case DataType.Double:
    case DataType.SByte:
    case DataType.Byte:
    case DataType.Int16:
    case DataType.UInt16:
    case DataType.Int32:
    case DataType.UInt32:
      return 'f64';
    case DataType.Float:
      return 'f32';
    case DataType.Int64:
      return 'i64';
    case DataType.UInt64:
      return 'u64';
    case DataType.Boolean:
      return 'bool';
    case DataType.String:
    case DataType.LocalizedText:
    case DataType.DateTime:
    case DataType.Guid:
      return 'string';
    default:
      return undefined;
  }
}

/** Whole 32-bit code, info bits included. (OPC UA Part 4 §7.39) */
export function statusOf(value: DataValue): StatusCode {
  return (value.statusCode.value >>> 0) as StatusCode;
}

/** The device's time, else the server's, else `undefined`. */
export function timeOf(value: DataValue): UnixMs | undefined {
  const timeMs = (value.sourceTimestamp ?? value.serverTimestamp)?.getTime();
  return timeMs !== undefined && timeMs > NO_TIME_MS ? (timeMs as UnixMs) : undefined;
}

/** The status to store when there is no value to store; `undefined` when there is one. A bad value is no value. */
export function missingStatus(value: DataValue): StatusCode | undefined {
  const status = statusOf(value);
  if (isBad(status)) return status;
  const variant = value.value as Variant | null | undefined;
  if (!variant || variant.dataType === DataType.Null || variant.value === null || variant.value === undefined) return BAD_NO_DATA;
  const taken = variant.arrayType === VariantArrayType.Scalar && valueTypeOf(variant.dataType) !== undefined;
  return taken ? undefined : BAD_NOT_SUPPORTED;
}

/** Emits a value for which `missingStatus` is undefined. Text over the limit is refused and counted. */
export function emitVariant(emit: Emit, series: SeriesId, timeMs: UnixMs | undefined, value: DataValue): void {
  const variant = value.value;
  const status = statusOf(value);
  switch (variant.dataType) {
    case DataType.Boolean:
      emit.boolean(series, timeMs, variant.value, status);
      return;
    case DataType.Int64:
      emit.integer(series, timeMs, signed64(variant.value), true, status);
      return;
    case DataType.UInt64:
      emit.integer(series, timeMs, unsigned64(variant.value), false, status);
      return;
    case DataType.String:
    case DataType.LocalizedText:
    case DataType.DateTime:
    case DataType.Guid: {
      const text = textOf(variant);
      if (text.length > MAX_TEXT_LENGTH) emit.rejected('too_long');
      else emit.text(series, timeMs, text, status);
      return;
    }
    default:
      emit.number(series, timeMs, variant.value, status);
  }
}

/** The value as the API shows it, for a read on demand; `missingStatus` must be undefined. */
export function scalarOf(variant: Variant): Scalar {
  switch (valueTypeOf(variant.dataType)) {
    case 'i64':
      return exact(signed64(variant.value));
    case 'u64':
      return exact(unsigned64(variant.value));
    case 'string':
      return textOf(variant);
    default:
      return variant.value;
  }
}

/** Bytes of UTF-8 that the value takes as text; 0 for anything else. */
export function textBytes(value: DataValue): number {
  const isText = missingStatus(value) === undefined && valueTypeOf(value.value.dataType) === 'string';
  return isText ? Buffer.byteLength(textOf(value.value)) : 0;
}

function textOf(variant: Variant): string {
  if (variant.dataType === DataType.LocalizedText) return variant.value.text ?? '';
  if (variant.dataType === DataType.DateTime) return (variant.value as Date).toISOString();
  return String(variant.value);
}

/** The library keeps 64-bit integers as [high, low] words. */
function unsigned64(words: readonly [number, number]): bigint {
  return (BigInt(words[0]) << 32n) | BigInt(words[1]);
}

function signed64(words: readonly [number, number]): bigint {
  return BigInt.asIntN(64, unsigned64(words));
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
