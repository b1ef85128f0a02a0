/**
 * Integers of ±2^53, at most 2^53 apart, in whichever way is smallest.
 *
 *   mode u8 = kind + 8 × order, then
 *   0 constant   value signed
 *   1 line       first signed, step signed
 *   2 packed     heads of the order | packed stream of residuals
 *   3 tokens     heads of the order | token stream of residuals
 *   4 noise      noise stream (order 0)
 *   5 wide       smallest signed | high words: integers | low words: packed stream
 *   6 multiples  divisor varint, first signed | integers (value − first) / divisor
 *   7 verbatim   f64 × count
 *
 * Heads: order 0 the smallest; order 1 the first value and the usual step; order 2 the first value and the first step.
 * Residuals: order 0 value − smallest; order 1 step − usual step, order 2 change of step, both in zigzag.
 */
import { ByteReader, type ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import type { Habit, IntegerHabit } from './habit.ts';
import { noiseComesBack } from './noise-check.ts';
import { decodeNoise } from './noise-decoder.ts';
import { encodeNoise, planNoise, planNoiseAgain } from './noise-encoder.ts';
import { decodePacked, encodePacked, packedSize } from './packed-stream.ts';
import {
  fromResiduals,
  type Heads,
  headsOf,
  type Order,
  readHeads,
  SAMPLE_MAX,
  sampleResiduals,
  toResiduals,
  usualStep,
  writeHeads,
} from './predictor.ts';
import { Scratch } from './scratch.ts';
import { decodeTokens, encodeTokens, tokensSize } from './token-stream.ts';

const CONSTANT = 0;
const LINE = 1;
const PACKED = 2;
const TOKENS = 3;
const NOISE = 4;
const WIDE = 5;
const MULTIPLES = 6;
const VERBATIM = 7;

/** Shorter streams cannot pay for the parameters of noise. */
const NOISE_COUNT_MIN = 32;
/** Packed bits decode twice as fast: worth this much size. */
const PACKED_BONUS = 0.97;

/** Wide and multiples hold integers themselves: multiples of wide ones, whose high words are multiples. */
const DEPTH_MAX = 3;

const ORDERS: readonly Order[] = [1, 0, 2];

const samples = new Uint32Array(SAMPLE_MAX);
const bestSamples = new Uint32Array(SAMPLE_MAX);
const codes = new Scratch((length) => new Uint32Array(length));
const verified = new Scratch((length) => new Float64Array(length));
const multiples = new Scratch((length) => new Float64Array(length));

/** Writes values[0…count), then reads them again: what does not come back as it was is written verbatim. */
export function encodeIntegers(writer: ByteWriter, values: Float64Array, count: number, habit?: Habit): void {
  if (count === 0) return;
  const start = writer.length;
  encodeMode(writer, values, count, habit);
  if (comesBack(writer.written().subarray(start), values, count)) return;
  writer.truncate(start);
  writer.u8(VERBATIM);
  for (let i = 0; i < count; i++) writer.f64(values[i] as number);
}

function comesBack(bytes: Uint8Array, values: Float64Array, count: number): boolean {
  const again = verified.atLeast(count);
  const reader = new ByteReader(bytes);
  try {
    if (bytes[0] === NOISE) return noiseComesBack(reader, values, count);
    decodeIntegers(reader, again, count);
    reader.end();
  } catch (error) {
    if (error instanceof CorruptBlockError) return false;
    throw error;
  }
  for (let i = 0; i < count; i++) if (again[i] !== values[i]) return false;
  return true;
}

function encodeMode(writer: ByteWriter, values: Float64Array, count: number, habit?: Habit): void {
  const first = values[0] as number;
  let smallest = first;
  let largest = first;
  for (let i = 1; i < count; i++) {
    const value = values[i] as number;
    if (value < smallest) smallest = value;
    if (value > largest) largest = value;
  }
  if (smallest === largest) {
    writer.u8(CONSTANT);
    writer.signed(first);
    return;
  }
  const step = (values[1] as number) - first;
  if (isLine(values, count, step)) {
    writer.u8(LINE);
    writer.signed(first);
    writer.signed(step);
    return;
  }
  const divisor = commonDivisor(values, count);
  if (divisor > 1) {
    const quotients = multiples.atLeast(count);
    for (let i = 0; i < count; i++) quotients[i] = ((values[i] as number) - first) / divisor;
    writer.u8(MULTIPLES);
    writer.varint(divisor);
    writer.signed(first);
    encodeVaried(writer, quotients, count, { smallest: (smallest - first) / divisor, largest: (largest - first) / divisor, habit });
    return;
  }
  encodeVaried(writer, values, count, { smallest, largest, habit });
}

function isLine(values: Float64Array, count: number, step: number): boolean {
  for (let i = 1; i < count; i++) if ((values[i] as number) - (values[i - 1] as number) !== step) return false;
  return true;
}

/** The largest integer that divides all distances to the first value; they are not all 0. */
function commonDivisor(values: Float64Array, count: number): number {
  const first = values[0] as number;
  let divisor = 0;
  for (let i = 1; i < count && divisor !== 1; i++) {
    const distance = Math.abs((values[i] as number) - first);
    // Exact below 2^53, and much faster than %.
    if (Number.isInteger(distance / divisor)) continue;
    let rest = distance;
    while (rest !== 0) {
      const smaller = divisor % rest;
      divisor = rest;
      rest = smaller;
    }
  }
  return divisor;
}

function encodeVaried(writer: ByteWriter, values: Float64Array, count: number, how: Varied): void {
  const { habit } = how;
  const start = writer.length;
  if (habit?.integers) {
    if (encodeAgain(writer, values, count, { ...how, way: habit.integers }) && habit.allows(writer.length - start, count)) return;
    writer.truncate(start);
  }
  const way = encodeSmallest(writer, values, count, how);
  if (!habit) return;
  habit.integers = way;
  habit.learn(writer.length - start, count);
}

/** In the way that takes least, as far as samples tell; returns which. */
function encodeSmallest(writer: ByteWriter, values: Float64Array, count: number, how: Varied): IntegerHabit | undefined {
  const plan = planResiduals(values, count, how.smallest);
  const noise = count < NOISE_COUNT_MIN ? undefined : planNoise(values, count, how, plan?.sizeBytes ?? Number.POSITIVE_INFINITY);
  if (noise && !(plan && plan.sizeBytes < noise.sizeBytes)) {
    writer.u8(NOISE);
    encodeNoise(writer, values, count, noise);
    return { kind: 'noise', ...noise };
  }
  const stream = codes.atLeast(count);
  if (!plan || !toResiduals(values, count, plan.heads, stream)) {
    encodeWide(writer, values, count, how.smallest);
    return undefined;
  }
  writeResiduals(writer, count, plan);
  return { kind: 'residuals', order: plan.heads.order, tokens: plan.kind === TOKENS };
}

/** In a given way; false when it cannot be. */
function encodeAgain(writer: ByteWriter, values: Float64Array, count: number, how: Varied & { readonly way: IntegerHabit }): boolean {
  const { way, smallest } = how;
  if (way.kind === 'noise') {
    const plan = count < NOISE_COUNT_MIN ? undefined : planNoiseAgain(values, count, how, way);
    if (!plan) return false;
    writer.u8(NOISE);
    encodeNoise(writer, values, count, plan);
    return true;
  }
  if (way.order >= count) return false;
  const heads = headsOf(values, way.order, smallest, way.order === 1 ? usualStep(values, count) : 0);
  if (!toResiduals(values, count, heads, codes.atLeast(count))) return false;
  writeResiduals(writer, count, { heads, kind: way.tokens ? TOKENS : PACKED });
  return true;
}

/** Those that lie in `codes`. */
function writeResiduals(writer: ByteWriter, count: number, { heads, kind }: Pick<ResidualPlan, 'heads' | 'kind'>): void {
  writer.u8(kind + 8 * heads.order);
  writeHeads(writer, heads);
  const stream = codes.atLeast(count);
  if (kind === PACKED) encodePacked(writer, stream, count - heads.order);
  else encodeTokens(writer, stream, count - heads.order);
}

interface Varied extends Range {
  readonly habit: Habit | undefined;
}

interface Range {
  readonly smallest: number;
  readonly largest: number;
}

interface ResidualPlan {
  readonly kind: typeof PACKED | typeof TOKENS;
  readonly heads: Heads;
  readonly sizeBytes: number;
}

/** The order and coding that take least on samples; undefined when no order fits in 32 bits. */
function planResiduals(values: Float64Array, count: number, smallest: number): ResidualPlan | undefined {
  const usual = usualStep(values, count);
  let best: { heads: Heads; sampled: number; tokens: number } | undefined;
  for (const order of ORDERS) {
    if (order >= count) break;
    const heads = headsOf(values, order, smallest, usual);
    const sampled = sampleResiduals(values, count, heads, samples);
    if (sampled === 0) continue;
    const tokens = tokensSize(samples, sampled, count - order);
    if (best && tokens >= best.tokens) continue;
    best = { heads, sampled, tokens };
    bestSamples.set(samples);
  }
  if (!best) return undefined;
  const { heads, sampled, tokens } = best;
  const packed = packedSize(bestSamples, sampled, count - heads.order) * PACKED_BONUS;
  return { kind: packed <= tokens ? PACKED : TOKENS, heads, sizeBytes: Math.min(tokens, packed) };
}

function encodeWide(writer: ByteWriter, values: Float64Array, count: number, smallest: number): void {
  const low = new Uint32Array(count);
  const high = new Float64Array(count);
  for (let i = 0; i < count; i++) {
    const distance = (values[i] as number) - smallest;
    high[i] = Math.floor(distance / 2 ** 32);
    low[i] = distance % 2 ** 32;
  }
  writer.u8(WIDE);
  writer.signed(smallest);
  encodeMode(writer, high, count);
  encodePacked(writer, low, count);
}

/** Decodes to values[0…count). Throws CorruptBlockError. */
export function decodeIntegers(reader: ByteReader, values: Float64Array, count: number): void {
  if (count > 0) decodeMode(reader, values, count, 0);
}

function decodeMode(reader: ByteReader, values: Float64Array, count: number, depth: number): void {
  const mode = reader.u8();
  switch (mode & 7) {
    case CONSTANT:
      values.fill(reader.signed(), 0, count);
      return;
    case LINE: {
      const first = reader.signed();
      const step = reader.signed();
      for (let i = 0; i < count; i++) values[i] = first + step * i;
      return;
    }
    case PACKED:
    case TOKENS: {
      const order = (mode >>> 3) as Order;
      if (order > 2 || order > count) throw new CorruptBlockError(`no predictor of order ${order}`);
      const heads = readHeads(reader, order);
      const stream = codes.atLeast(count);
      if ((mode & 7) === PACKED) decodePacked(reader, stream, count - order);
      else decodeTokens(reader, stream, count - order);
      fromResiduals(stream, heads, values, count);
      return;
    }
    case NOISE:
      decodeNoise(reader, values, count);
      return;
    case WIDE:
      if (depth === DEPTH_MAX) break;
      decodeWide(reader, values, count, depth);
      return;
    case MULTIPLES:
      if (depth === DEPTH_MAX) break;
      decodeMultiples(reader, values, count, depth);
      return;
    case VERBATIM:
      decodeVerbatim(reader, values, count);
      return;
  }
  throw new CorruptBlockError(`no mode ${mode} of integers`);
}

function decodeWide(reader: ByteReader, values: Float64Array, count: number, depth: number): void {
  const smallest = reader.signed();
  decodeMode(reader, values, count, depth + 1);
  const low = codes.atLeast(count);
  decodePacked(reader, low, count);
  for (let i = 0; i < count; i++) values[i] = smallest + ((values[i] as number) * 2 ** 32 + (low[i] as number));
}

function decodeMultiples(reader: ByteReader, values: Float64Array, count: number, depth: number): void {
  const divisor = reader.varint();
  const first = reader.signed();
  decodeMode(reader, values, count, depth + 1);
  for (let i = 0; i < count; i++) values[i] = first + (values[i] as number) * divisor;
}

function decodeVerbatim(reader: ByteReader, values: Float64Array, count: number): void {
  for (let i = 0; i < count; i++) {
    const value = reader.f64();
    if (!Number.isInteger(value)) throw new CorruptBlockError('a fraction among integers');
    values[i] = value;
  }
}
