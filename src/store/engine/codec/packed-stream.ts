/**
 * Unsigned 32-bit integers in chunks of 128, each with its own base and bit width, outliers patched: fast, and good for
 * short streams, which cannot pay for a table of frequencies.
 *
 *   bases varint × chunks | widths u8 × chunks (bit 6: patched) | bits of each chunk, to a whole byte |
 *   of each patched chunk: count u8, then (index u8, high bits varint) each
 */
import { packBits, packedBytes, unpackBits } from './bit-pack.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { Scratch } from './scratch.ts';

const CHUNK = 128;
const PATCHED = 64;
/** Width and base of a chunk. */
const CHUNK_BYTES = 2;
/** A patch costs its index and one to four bytes of high bits. */
const PATCH_INDEX_BITS = 8;

const words = new Uint32Array(CHUNK + 1);
const wordBytes = new Uint8Array(words.buffer);
const histogram = new Int32Array(34);
const shifted = new Uint32Array(CHUNK);
const numbers = new Scratch((length) => new Uint32Array(length));

interface ChunkPlan {
  readonly base: number;
  readonly width: number;
  readonly patches: number;
  readonly sizeBits: number;
}

/** The width at which bits and patches of values[from…to) are fewest. */
function planChunk(values: Uint32Array, from: number, to: number): ChunkPlan {
  let base = 0xffff_ffff;
  for (let i = from; i < to; i++) base = Math.min(base, values[i] as number);
  histogram.fill(0);
  let widest = 0;
  for (let i = from; i < to; i++) {
    const bits = 32 - Math.clz32((values[i] as number) - base);
    histogram[bits] = (histogram[bits] as number) + 1;
    if (bits > widest) widest = bits;
  }
  let width = widest;
  let best = (to - from) * widest;
  let patches = 0;
  let above = 0;
  for (let candidate = widest - 1; candidate >= 0; candidate--) {
    above += histogram[candidate + 1] as number;
    const highBytes = Math.ceil((widest - candidate) / 7);
    const cost = (to - from) * candidate + 8 + above * (PATCH_INDEX_BITS + 8 * highBytes);
    if (cost < best) [best, width, patches] = [cost, candidate, above];
  }
  return { base, width, patches, sizeBits: best };
}

/** About how many bytes `count` values would take of which values[0…sampled) are samples. */
export function packedSize(values: Uint32Array, sampled: number, count: number): number {
  let bits = 0;
  for (let from = 0; from < sampled; from += CHUNK) bits += planChunk(values, from, Math.min(sampled, from + CHUNK)).sizeBits;
  return (bits * count) / sampled / 8 + CHUNK_BYTES * Math.ceil(count / CHUNK);
}

export function encodePacked(writer: ByteWriter, values: Uint32Array, count: number): void {
  const plans: ChunkPlan[] = [];
  for (let from = 0; from < count; from += CHUNK) plans.push(planChunk(values, from, Math.min(count, from + CHUNK)));
  for (const { base } of plans) writer.varint(base);
  for (const { width, patches } of plans) writer.u8(width | (patches > 0 ? PATCHED : 0));
  for (const [chunk, { base, width }] of plans.entries()) {
    const from = chunk * CHUNK;
    const length = Math.min(count - from, CHUNK);
    for (let i = 0; i < length; i++) shifted[i] = (values[from + i] as number) - base;
    packBits(shifted, length, width, words);
    writer.append(wordBytes.subarray(0, packedBytes(length, width)));
  }
  for (const [chunk, { base, width, patches }] of plans.entries()) {
    if (patches === 0) continue;
    writer.u8(patches);
    const from = chunk * CHUNK;
    for (let i = from; i < Math.min(count, from + CHUNK); i++) {
      const high = Math.floor(((values[i] as number) - base) / 2 ** width);
      if (high === 0) continue;
      writer.u8(i - from);
      writer.varint(high);
    }
  }
}

export function decodePacked(reader: ByteReader, values: Uint32Array, count: number): void {
  const chunks = Math.ceil(count / CHUNK);
  const bases = numbers.atLeast(chunks);
  for (let chunk = 0; chunk < chunks; chunk++) bases[chunk] = reader.varint(0xffff_ffff);
  const widths = reader.take(chunks);
  for (let chunk = 0; chunk < chunks; chunk++) {
    const width = (widths[chunk] as number) & ~PATCHED;
    if (width > 32) throw new CorruptBlockError(`${width} bits are no width`);
    const from = chunk * CHUNK;
    const length = Math.min(count - from, CHUNK);
    wordBytes.set(reader.take(packedBytes(length, width)));
    unpackBits(words, width, shifted, length);
    const base = bases[chunk] as number;
    for (let i = 0; i < length; i++) values[from + i] = (shifted[i] as number) + base;
  }
  for (let chunk = 0; chunk < chunks; chunk++) {
    const width = widths[chunk] as number;
    if (width & PATCHED) patch(reader, values.subarray(chunk * CHUNK, Math.min(count, (chunk + 1) * CHUNK)), width & ~PATCHED);
  }
}

function patch(reader: ByteReader, values: Uint32Array, width: number): void {
  for (let left = reader.u8(); left > 0; left--) {
    const index = reader.u8();
    if (index >= values.length) throw new CorruptBlockError(`a patch at ${index} of ${values.length}`);
    values[index] = (values[index] as number) + reader.varint(0xffff_ffff) * 2 ** width;
  }
}
