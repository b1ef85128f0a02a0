/**
 * 64-bit integers, signed or not, as two 32-bit words each, low word first in memory.
 *
 *   mode u8, then
 *   0 near: first value 8 bytes | integers: distance to it, modulo 2^64 and signed, below 2^51
 *   1 far:  integers: high words | low words as integers
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { Scratch } from './scratch.ts';

const NEAR = 0;
const FAR = 1;
/** High words of distances below 2^51. */
const NEAR_HIGH = 2 ** 19;
const WORD = 2 ** 32;

const distances = new Scratch((length) => new Float64Array(length));

/** `words` are the integers' words: [low, high] × count. */
export function encodeWideIntegers(writer: ByteWriter, words: Uint32Array, count: number): void {
  if (count === 0) return;
  const distance = distances.atLeast(count);
  const firstLow = words[0] as number;
  const firstHigh = words[1] as number;
  let near = true;
  for (let i = 0; i < count && near; i++) {
    const low = (words[2 * i] as number) - firstLow;
    const high = ((words[2 * i + 1] as number) - firstHigh - (low < 0 ? 1 : 0)) | 0;
    near = high >= -NEAR_HIGH && high < NEAR_HIGH;
    distance[i] = high * WORD + (low >>> 0);
  }
  if (near) {
    writer.u8(NEAR);
    writer.u32(firstLow);
    writer.u32(firstHigh);
    encodeIntegers(writer, distance, count);
    return;
  }
  writer.u8(FAR);
  for (const half of [1, 0]) {
    for (let i = 0; i < count; i++) distance[i] = words[2 * i + half] as number;
    encodeIntegers(writer, distance, count);
  }
}

/** Decodes to words[0…2 × count). Throws CorruptBlockError. */
export function decodeWideIntegers(reader: ByteReader, words: Uint32Array, count: number): void {
  if (count === 0) return;
  const mode = reader.u8();
  const distance = distances.atLeast(count);
  if (mode === NEAR) {
    const firstLow = reader.u32();
    const firstHigh = reader.u32();
    decodeIntegers(reader, distance, count);
    for (let i = 0; i < count; i++) {
      const away = distance[i] as number;
      const high = Math.floor(away / WORD);
      const low = away - high * WORD + firstLow;
      words[2 * i] = low;
      words[2 * i + 1] = firstHigh + high + (low >= WORD ? 1 : 0);
    }
  } else if (mode === FAR) {
    for (const half of [1, 0]) {
      decodeIntegers(reader, distance, count);
      for (let i = 0; i < count; i++) words[2 * i + half] = distance[i] as number;
    }
  } else {
    throw new CorruptBlockError(`no mode ${mode} of 64-bit integers`);
  }
}
