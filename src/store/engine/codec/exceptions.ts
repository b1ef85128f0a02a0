/** The few values of a block that its mode cannot express: infinities, −0, outliers. Stored as gaps (varint) and raw doubles. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';

/** Above one in 64 another mode is cheaper. */
export function exceptionLimit(count: number): number {
  return Math.max(2, count >> 6);
}

/** `places` ascend. */
export function writeExceptions(writer: ByteWriter, values: Float64Array, places: readonly number[]): void {
  writer.varint(places.length);
  let next = 0;
  for (const place of places) {
    writer.varint(place - next);
    writer.f64(values[place] as number);
    next = place + 1;
  }
}

export interface Exceptions {
  readonly places: readonly number[];
  readonly values: readonly number[];
}

const NONE: Exceptions = { places: [], values: [] };

export function readExceptions(reader: ByteReader, count: number): Exceptions {
  const left = reader.varint(count);
  if (left === 0) return NONE;
  const places: number[] = [];
  const values: number[] = [];
  let next = 0;
  for (let i = 0; i < left; i++) {
    const place = next + reader.varint(count);
    if (place >= count) throw new CorruptBlockError(`an exception at ${place} of ${count}`);
    places.push(place);
    values.push(reader.f64());
    next = place + 1;
  }
  return { places, values };
}

export function applyExceptions({ places, values }: Exceptions, numbers: Float64Array): void {
  for (let i = 0; i < places.length; i++) numbers[places[i] as number] = values[i] as number;
}
