/** How values look in JSON. */
import { shortestF32 } from '../core/float32.ts';
import type { Scalar, ValueType } from '../core/tag.ts';
import type { Columns } from '../store/telemetry.ts';

export type JsonValue = number | boolean | string | null;

/** 64-bit integers that a JSON number cannot hold exactly become text; NaN and the infinities, which JSON cannot say, null. */
export function renderScalar(value: Scalar | null): JsonValue {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (typeof value === 'number' && !Number.isFinite(value)) return null;
  return value;
}

/** A number computed from a series, with the digits that the series has. */
export function renderNumber(value: number, type: ValueType): JsonValue {
  return renderScalar(type === 'f32' ? shortestF32(value) : value);
}

/** The value in a row of columns; null where the sample has none. */
export function renderCell(columns: Columns, row: number, type: ValueType): JsonValue {
  return renderScalar(cellOf(columns, row, type));
}

/** The same before it is JSON. */
export function cellOf(columns: Columns, row: number, type: ValueType): Scalar | null {
  const wide = columns.wide?.[row];
  if (wide !== undefined) return wide;
  const number = columns.numbers[row] as number;
  if (!Number.isFinite(number)) return null;
  if (type === 'bool') return number !== 0;
  return type === 'f32' ? shortestF32(number) : number;
}
