/**
 * Numbers of which many are equal, as places in their sorted list.
 *
 *   exceptions | numbers varint | the list as raw floats | integers: places
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { applyExceptions, exceptionLimit, readExceptions, writeExceptions } from './exceptions.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { decodeDoubles, decodeSingles, encodeDoubles, encodeSingles } from './raw-floats.ts';

/** A dictionary must be this many times shorter than the block. */
const REPETITION = 4;
const SAMPLES = 64;

/** Writes values[0…count) after `mode` if a quarter of them or less are distinct, else nothing. */
export function encodeDictionary(writer: ByteWriter, values: Float64Array, count: number, how: { mode: number; single: boolean }): boolean {
  if (count > SAMPLES && !samplesRepeat(values, count)) return false;
  const places = new Map<number, number>();
  const exceptions: number[] = [];
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    if (Object.is(value, -0))
      exceptions.push(i); // a Map does not tell it from 0
    else places.set(value, 0);
    if (places.size * REPETITION > count || exceptions.length > exceptionLimit(count)) return false;
  }
  if (places.size === 0) return false;
  const keys = Float64Array.from(places.keys()).sort();
  for (const [place, key] of keys.entries()) places.set(key, place);
  const indexes = new Float64Array(count);
  let last = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    if (!Object.is(value, -0)) last = places.get(value) ?? last;
    indexes[i] = last;
  }
  writer.u8(how.mode);
  writeExceptions(writer, values, exceptions);
  writer.varint(keys.length);
  if (how.single) encodeSingles(writer, keys, keys.length);
  else encodeDoubles(writer, keys, keys.length);
  encodeIntegers(writer, indexes, count);
  return true;
}

/** False when hardly two samples are equal: of a quarter of the block, seven of 64 are to be expected. */
function samplesRepeat(values: Float64Array, count: number): boolean {
  const stride = Math.floor(count / SAMPLES);
  const seen = new Set<number>();
  for (let i = 0; i < SAMPLES; i++) seen.add(values[i * stride] as number);
  return seen.size < SAMPLES - 1;
}

export function decodeDictionary(reader: ByteReader, values: Float64Array, count: number, single: boolean): void {
  const exceptions = readExceptions(reader, count);
  const keys = new Float64Array(reader.varint(count));
  if (single) decodeSingles(reader, keys, keys.length);
  else decodeDoubles(reader, keys, keys.length);
  decodeIntegers(reader, values, count);
  for (let i = 0; i < count; i++) {
    const key = keys[values[i] as number];
    if (key === undefined) throw new CorruptBlockError('a place beyond the end of the dictionary');
    values[i] = key;
  }
  applyExceptions(exceptions, values);
}
