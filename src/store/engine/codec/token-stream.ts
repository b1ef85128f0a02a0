/**
 * Unsigned 32-bit integers as tokens with learned frequencies: values below 24 are tokens themselves, larger ones are a
 * token for each half octave and raw bits for the place within it.
 *
 *   tokens used u8 | of each: gap to the token before u8, frequency varint (not of the last: it has the rest) |
 *   rANS stream | extra bits, to a whole byte
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { decodeSymbols, encodeSymbols, fillSlots, RANS_TOTAL } from './rans.ts';
import { Scratch } from './scratch.ts';

/** Most sensor noise is within ±12 steps; more tokens would only lengthen the tables. */
const DIRECT = 24;
const TOKENS = DIRECT + 56;
/** What a table of frequencies takes for each token, and a stream besides: states, counts. */
const TOKEN_BYTES = 2.7;
const STREAM_BYTES = 10;
/** Words of extra bits that a value takes at most. */
const EXTRA_BITS_MAX = 30;

const extraBits = new Uint8Array(TOKENS);
const lowest = new Uint32Array(TOKENS);
for (let token = 0; token < TOKENS; token++) {
  const octave = 4 + ((token - DIRECT) >> 1);
  extraBits[token] = token < DIRECT ? 0 : octave - 1;
  lowest[token] = token < DIRECT ? token : 2 ** octave + (token % 2) * 2 ** (octave - 1);
}

function tokenOf(value: number): number {
  if (value < DIRECT) return value;
  const octave = 31 - Math.clz32(value);
  return DIRECT + (octave - 4) * 2 + ((value >>> (octave - 1)) & 1);
}

const histogram = new Int32Array(TOKENS);
const frequency = new Uint16Array(TOKENS);
const start = new Uint16Array(TOKENS);
const reciprocal = new Float64Array(TOKENS);
const slots = new Int32Array(RANS_TOTAL);
const symbols = new Scratch((length) => new Uint16Array(length));
const tokens = new Scratch((length) => new Uint8Array(length));
const bits = new Scratch((length) => new Uint32Array(length));

function countTokens(values: Uint32Array, count: number): void {
  histogram.fill(0);
  for (let i = 0; i < count; i++) {
    const token = tokenOf(values[i] as number);
    histogram[token] = (histogram[token] as number) + 1;
  }
}

/** About how many bytes `count` values would take of which values[0…sampled) are samples. */
export function tokensSize(values: Uint32Array, sampled: number, count: number): number {
  countTokens(values, sampled);
  let bits = 0;
  let used = 0;
  for (let token = 0; token < TOKENS; token++) {
    const n = histogram[token] as number;
    if (n === 0) continue;
    used++;
    bits += n * (Math.log2(sampled / n) + (extraBits[token] as number));
  }
  // What samples seem to save by chance is not there in the whole (Miller and Madow's correction of an entropy).
  bits += (used - 1) * 0.5 * Math.LOG2E;
  return STREAM_BYTES + used * TOKEN_BYTES + (bits * count) / sampled / 8;
}

/** Turns the histogram of `count` tokens into frequencies of at least 1 that sum to RANS_TOTAL. */
function normalise(count: number): void {
  let sum = 0;
  for (let token = 0; token < TOKENS; token++) {
    const n = histogram[token] as number;
    const f = n === 0 ? 0 : Math.max(1, Math.round((n * RANS_TOTAL) / count));
    frequency[token] = f;
    sum += f;
  }
  // The most frequent token feels a change least.
  while (sum !== RANS_TOTAL) {
    let largest = 0;
    for (let token = 1; token < TOKENS; token++) if ((frequency[token] as number) > (frequency[largest] as number)) largest = token;
    const change = Math.max(RANS_TOTAL - sum, -((frequency[largest] as number) >> 1));
    frequency[largest] = (frequency[largest] as number) + change;
    sum += change;
  }
}

export function encodeTokens(writer: ByteWriter, values: Uint32Array, count: number): void {
  countTokens(values, count);
  normalise(count);
  writeFrequencies(writer);
  let sum = 0;
  for (let token = 0; token < TOKENS; token++) {
    start[token] = sum;
    sum += frequency[token] as number;
    reciprocal[token] = 1 / (frequency[token] as number);
  }
  const indexes = symbols.atLeast(count);
  for (let i = 0; i < count; i++) indexes[i] = tokenOf(values[i] as number);
  encodeSymbols(writer, indexes, count, { frequency, start, reciprocal });
  writeExtraBits(writer, values, indexes, count);
}

function writeFrequencies(writer: ByteWriter): void {
  let used = 0;
  for (let token = 0; token < TOKENS; token++) if (frequency[token] !== 0) used++;
  writer.u8(used);
  let next = 0;
  for (let token = 0; token < TOKENS; token++) {
    if (frequency[token] === 0) continue;
    writer.u8(token - next);
    next = token + 1;
    if (--used > 0) writer.varint(frequency[token] as number);
  }
}

function readFrequencies(reader: ByteReader): void {
  frequency.fill(0);
  let token = -1;
  let left = RANS_TOTAL;
  for (let used = reader.u8(); used > 0; used--) {
    token += 1 + reader.u8();
    if (token >= TOKENS) throw new CorruptBlockError(`no token ${token}`);
    const f = used > 1 ? reader.varint(left) : left;
    if (f === 0) throw new CorruptBlockError(`token ${token} without frequency`);
    frequency[token] = f;
    left -= f;
  }
  if (left !== 0) throw new CorruptBlockError('frequencies that do not sum up');
}

function writeExtraBits(writer: ByteWriter, values: Uint32Array, indexes: Uint16Array, count: number): void {
  const words = bits.atLeast(Math.ceil((count * EXTRA_BITS_MAX) / 32) + 2);
  let bit = 0;
  words[0] = 0;
  for (let i = 0; i < count; i++) {
    const token = indexes[i] as number;
    const width = extraBits[token] as number;
    if (width === 0) continue;
    const extra = (values[i] as number) - (lowest[token] as number);
    const at = bit >>> 5;
    const shift = bit & 31;
    words[at] = (words[at] as number) | (extra << shift);
    bit += width;
    if (shift + width >= 32) words[at + 1] = (extra >>> 1) >>> (31 - shift);
  }
  writer.append(new Uint8Array(words.buffer, 0, (bit + 7) >>> 3));
}

export function decodeTokens(reader: ByteReader, values: Uint32Array, count: number): void {
  readFrequencies(reader);
  fillSlots(frequency, slots);
  const stream = tokens.atLeast(count);
  decodeSymbols(reader, slots, stream, count);
  let total = 0;
  for (let i = 0; i < count; i++) total += extraBits[stream[i] as number] as number;
  if (total === 0) {
    for (let i = 0; i < count; i++) values[i] = stream[i] as number;
    return;
  }
  const words = bits.atLeast((total >>> 5) + 2);
  new Uint8Array(words.buffer).set(reader.take((total + 7) >>> 3));
  let bit = 0;
  for (let i = 0; i < count; i++) {
    const token = stream[i] as number;
    const width = extraBits[token] as number;
    const at = bit >>> 5;
    const shift = bit & 31;
    const window = ((words[at] as number) >>> shift) | (((words[at + 1] as number) << 1) << (31 - shift));
    values[i] = (lowest[token] as number) + ((window & ((1 << width) - 1)) >>> 0);
    bit += width;
  }
}
