/** From a value to a Variant of the type that a node has. */
import { DataType, Variant, VariantArrayType } from 'node-opcua-client';
import { GatewayError } from '../../core/errors.ts';
import type { Scalar } from '../../core/tag.ts';
import { parseTime } from '../../core/time.ts';
import {
  FLOAT32,
  FLOAT64,
  type IntegerRange,
  integerRange,
  rawBoolean,
  rawFloat,
  rawInteger,
  rawText,
  type WriteRule,
} from '../command.ts';

/** The integers of OPC UA (Part 6 §5.1.2). */
const INTEGERS: ReadonlyMap<DataType, IntegerRange> = new Map(
  (['SByte', 'Byte', 'Int16', 'UInt16', 'Int32', 'UInt32', 'Int64', 'UInt64'] as const).map((name) => {
    const bits = name.endsWith('Byte') ? 8 : Number(name.replace(/\D/g, ''));
    return [DataType[name], integerRange(name, bits, name === 'SByte' || name.startsWith('Int'))];
  }),
);

/** True for the types that `variantOf` makes. */
export function isWritableType(dataType: DataType): boolean {
  return INTEGERS.has(dataType) || OTHERS.has(dataType);
}

/** Undoes scale and offset of the rule. Throws `invalid_value` for what the type does not hold. `isWritableType` must be true. */
export function variantOf(value: Scalar, dataType: DataType, rule: WriteRule): Variant {
  const range = INTEGERS.get(dataType);
  if (range)
    return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: integerOf(rawInteger(value, rule, range), dataType) });
  const make = OTHERS.get(dataType);
  if (!make) throw new GatewayError('not_supported', `a ${DataType[dataType]} cannot be written`);
  return new Variant({ dataType, arrayType: VariantArrayType.Scalar, value: make(value, rule) });
}

const OTHERS: ReadonlyMap<DataType, (value: Scalar, rule: WriteRule) => unknown> = new Map<
  DataType,
  (value: Scalar, rule: WriteRule) => unknown
>([
  [DataType.Boolean, rawBoolean],
  [DataType.Float, (value, rule) => rawFloat(value, rule, FLOAT32)],
  [DataType.Double, (value, rule) => rawFloat(value, rule, FLOAT64)],
  [DataType.String, rawText],
  [DataType.LocalizedText, (value) => ({ text: rawText(value) })],
  [DataType.DateTime, dateOf],
]);

/** The library keeps 64-bit integers as [high, low] words. */
function integerOf(raw: bigint, dataType: DataType): number | [number, number] {
  if (dataType !== DataType.Int64 && dataType !== DataType.UInt64) return Number(raw);
  const words = BigInt.asUintN(64, raw);
  return [Number(words >> 32n), Number(words & 0xffff_ffffn)];
}

function dateOf(value: Scalar): Date {
  const timeMs = parseTime(rawText(value));
  if (timeMs === undefined) throw new GatewayError('invalid_value', `"${value}" is no time such as 2026-01-06T10:00:00Z`);
  return new Date(timeMs);
}
