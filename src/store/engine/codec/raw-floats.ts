/**
 * Any numbers. 32-bit floats as integers in the order of the floats; 64-bit ones so by their high words, the low words as they are.
 *
 *   integers | low words u32 × count (64-bit only)
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import type { Habit } from './habit.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { Scratch } from './scratch.ts';

const high = new Scratch((length) => new Float64Array(length));
const low = new Scratch((length) => new Uint32Array(length));
const single = new Float32Array(1);
const singleBits = new Int32Array(single.buffer);

/** Sign and magnitude to two's complement, so that neighbouring floats are neighbouring integers; −0 is −1. */
function ordered(bits: number): number {
  return bits < 0 ? -(bits & 0x7fff_ffff) - 1 : bits;
}

function unordered(integer: number): number {
  return integer < 0 ? (-integer - 1) | 0x8000_0000 : integer;
}

export function encodeSingles(writer: ByteWriter, values: Float64Array, count: number, habit?: Habit): void {
  const integers = high.atLeast(count);
  for (let i = 0; i < count; i++) {
    single[0] = values[i] as number;
    integers[i] = ordered(singleBits[0] as number);
  }
  encodeIntegers(writer, integers, count, habit);
}

export function decodeSingles(reader: ByteReader, values: Float64Array, count: number): void {
  decodeIntegers(reader, values, count);
  for (let i = 0; i < count; i++) {
    singleBits[0] = unordered(values[i] as number);
    values[i] = single[0] as number;
  }
}

export function encodeDoubles(writer: ByteWriter, values: Float64Array, count: number, habit?: Habit): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * count);
  const integers = high.atLeast(count);
  const lows = low.atLeast(count);
  for (let i = 0; i < count; i++) {
    lows[i] = words[2 * i] as number;
    integers[i] = ordered((words[2 * i + 1] as number) | 0);
  }
  encodeIntegers(writer, integers, count, habit);
  writer.append(new Uint8Array(lows.buffer, 0, 4 * count));
}

export function decodeDoubles(reader: ByteReader, values: Float64Array, count: number): void {
  const words = new Uint32Array(values.buffer, values.byteOffset, 2 * count);
  decodeIntegers(reader, values, count);
  const lows = low.atLeast(count);
  new Uint8Array(lows.buffer).set(reader.take(4 * count));
  for (let i = 0; i < count; i++) {
    const integer = values[i] as number;
    words[2 * i] = lows[i] as number;
    words[2 * i + 1] = unordered(integer);
  }
}
