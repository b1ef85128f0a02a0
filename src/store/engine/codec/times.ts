/**
 * The timestamps of a block, integer milliseconds in ascending order. Series polled together have the same bytes here, so
 * that a store can keep them once.
 *
 *   version u8 | count varint | mode u8, then
 *   0 steps: restarts varint | of each: gap to the restart before varint, time signed | integers: distances
 *   1 grid:  base signed | period varint | gaps varint | of each: gap to the gap before varint, periods left out signed |
 *            integers: distance from the grid
 *   | crc32 u32
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { finishBlob, openBlob, startBlob } from './envelope.ts';
import type { Habit } from './habit.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { usualStep } from './predictor.ts';
import { Scratch } from './scratch.ts';

const STEPS = 0;
const GRID = 1;

/** Beyond every time that JavaScript or SQL can express, yet exact in doubles. */
const TIME_LIMIT_MS = 8.7e15;
/** A longer pause (12 days) starts anew, so that distances stay far below 2^53 and steps within 32 bits. */
const RESTART_MS = 2 ** 30;
/** A grid needs exact multiples of its period. */
const GRID_SPAN_MS = 2 ** 51;
/** A grid with more gaps than one in 8 samples is none. */
const GAP_SHARE = 8;
const GRID_COUNT_MIN = 4;
const SAMPLES = 64;
/** People poll at round periods. */
const ROUND_MS = [1000, 100, 10, 1];

const sampled = new Float64Array(SAMPLES);
const sampledDistances = new Float64Array(SAMPLES);
const integers = new Scratch((length) => new Float64Array(length));

/**
 * A blob of 1 to 2^20 times. Throws RangeError when they are no integers of ±8.7e15 or do not ascend. With a habit, in the way of the
 * blocks before while that is as good as it was.
 */
export function encodeTimes(timesMs: Float64Array, habit?: Habit): Uint8Array {
  const count = timesMs.length;
  const writer = startBlob(count);
  checkTimes(timesMs);
  habit?.begin();
  const periodMs = (count < GRID_COUNT_MIN ? undefined : habit?.periodMs) ?? findPeriod(timesMs, count);
  const isGrid = periodMs !== undefined && encodeGrid(writer, timesMs, periodMs, habit);
  if (habit) habit.periodMs = isGrid ? periodMs : undefined;
  if (!isGrid) encodeSteps(writer, timesMs);
  return finishBlob(writer);
}

function checkTimes(timesMs: Float64Array): void {
  let before = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < timesMs.length; i++) {
    const time = timesMs[i] as number;
    if (!Number.isInteger(time) || time >= TIME_LIMIT_MS || time <= -TIME_LIMIT_MS || time <= before) refuseTime(timesMs, i);
    before = time;
  }
}

/** A function of its own, because V8 would make the message's text for every sample. */
function refuseTime(timesMs: Float64Array, i: number): never {
  const time = timesMs[i] as number;
  if (Number.isInteger(time) && Math.abs(time) < TIME_LIMIT_MS) throw new RangeError(`the time ${time} does not ascend (sample ${i})`);
  throw new RangeError(`${time} is no time in milliseconds (sample ${i})`);
}

/** The times of a blob that has `count` of them. Throws CorruptBlockError, also when it has another number. */
export function decodeTimes(blob: Uint8Array, count: number): Float64Array {
  const timesMs = new Float64Array(count);
  decodeTimesInto(blob, count, timesMs);
  return timesMs;
}

/** The same to timesMs[at…at + count). Throws RangeError when they don't fit. */
export function decodeTimesInto(blob: Uint8Array, count: number, timesMs: Float64Array, at = 0): void {
  if (at < 0 || at + count > timesMs.length) throw new RangeError(`no room for ${count} times from ${at} on in ${timesMs.length}`);
  const { reader, count: stored } = openBlob(blob);
  if (stored !== count) throw new CorruptBlockError(`${stored} times, not ${count}`);
  const target = timesMs.subarray(at, at + count);
  const mode = reader.u8();
  if (mode === STEPS) decodeSteps(reader, target);
  else if (mode === GRID) decodeGrid(reader, target);
  else throw new CorruptBlockError(`no mode ${mode} of times`);
  reader.end();
}

/** The period of which the times are multiples but for some jitter; undefined when their steps tell more than a grid would. */
function findPeriod(timesMs: Float64Array, count: number): number | undefined {
  const first = timesMs[0] as number;
  const span = (timesMs[count - 1] as number) - first;
  if (count < GRID_COUNT_MIN || span >= GRID_SPAN_MS) return undefined;
  const usual = usualStep(timesMs, count);
  const samples = Math.min(SAMPLES, count - 1);
  const steps = sampled.subarray(0, samples);
  const distances = sampledDistances.subarray(0, samples);
  for (let sample = 0; sample < samples; sample++) {
    const place = 1 + Math.floor(((count - 1) * sample) / samples);
    steps[sample] = (timesMs[place] as number) - (timesMs[place - 1] as number);
    distances[sample] = (timesMs[place] as number) - first;
  }
  let best: number | undefined;
  let smallest = spread(steps);
  for (const estimate of [usual, span / (count - 1)]) {
    for (const round of ROUND_MS) {
      const period = Math.round(estimate / round) * round;
      if (period === 0 || Math.abs(period - estimate) > Math.max(1, estimate / 64)) continue;
      const offsets = sampled.subarray(0, samples);
      for (let sample = 0; sample < samples; sample++) offsets[sample] = offGrid(distances[sample] as number, period);
      const off = spread(offsets);
      if (off < smallest || (off === smallest && best === undefined)) [smallest, best] = [off, period];
    }
  }
  return best;
}

function offGrid(distance: number, period: number): number {
  return distance - Math.round(distance / period) * period;
}

/** Mean distance from the median; sorts the numbers. */
function spread(numbers: Float64Array): number {
  numbers.sort();
  const median = numbers[numbers.length >> 1] as number;
  let sum = 0;
  for (let i = 0; i < numbers.length; i++) sum += Math.abs((numbers[i] as number) - median);
  return sum / numbers.length;
}

/** False when there are too many gaps; then nothing was written. */
function encodeGrid(writer: ByteWriter, timesMs: Float64Array, periodMs: number, habit: Habit | undefined): boolean {
  const count = timesMs.length;
  const base = timesMs[0] as number;
  if ((timesMs[count - 1] as number) - base >= GRID_SPAN_MS) return false;
  const off = integers.atLeast(count);
  const gaps: { place: number; periods: number }[] = [];
  let expected = 0;
  for (let i = 0; i < count; i++) {
    const distance = (timesMs[i] as number) - base;
    const place = Math.round(distance / periodMs);
    off[i] = distance - place * periodMs;
    if (place !== expected) gaps.push({ place: i, periods: place - expected });
    expected = place + 1;
  }
  if (gaps.length * GAP_SHARE > count) return false;
  writer.u8(GRID);
  writer.signed(base);
  writer.varint(periodMs);
  writer.varint(gaps.length);
  let before = 0;
  for (const { place, periods } of gaps) {
    writer.varint(place - before);
    writer.signed(periods);
    before = place;
  }
  encodeIntegers(writer, off, count, habit);
  return true;
}

function decodeGrid(reader: ByteReader, timesMs: Float64Array): void {
  const count = timesMs.length;
  const base = reader.signed();
  const period = reader.varint();
  const gaps = reader.varint(count);
  const places = new Uint32Array(gaps + 1).fill(count);
  const periods = new Float64Array(gaps);
  let place = 0;
  for (let gap = 0; gap < gaps; gap++) {
    place += reader.varint(count);
    places[gap] = Math.min(place, count);
    periods[gap] = reader.signed();
  }
  decodeIntegers(reader, timesMs, count);
  let from = 0;
  let grid = 0;
  for (let gap = 0; gap <= gaps; gap++) {
    const to = places[gap] as number;
    for (let i = from; i < to; i++, grid++) timesMs[i] = base + (grid * period + (timesMs[i] as number));
    from = Math.max(from, to);
    if (gap < gaps) grid += periods[gap] as number;
  }
}

function encodeSteps(writer: ByteWriter, timesMs: Float64Array): void {
  const count = timesMs.length;
  const distances = integers.atLeast(count);
  distances[0] = 0;
  const restarts: number[] = [0];
  let distance = 0;
  for (let i = 1; i < count; i++) {
    const step = (timesMs[i] as number) - (timesMs[i - 1] as number);
    if (step >= RESTART_MS) restarts.push(i);
    else distance += step;
    distances[i] = distance;
  }
  writer.u8(STEPS);
  writer.varint(restarts.length);
  let before = 0;
  for (const restart of restarts) {
    writer.varint(restart - before);
    writer.signed(timesMs[restart] as number);
    before = restart;
  }
  encodeIntegers(writer, distances, count);
}

function decodeSteps(reader: ByteReader, timesMs: Float64Array): void {
  const count = timesMs.length;
  const restarts = reader.varint(count);
  const places = new Uint32Array(restarts + 1).fill(count);
  const times = new Float64Array(restarts);
  let place = 0;
  for (let restart = 0; restart < restarts; restart++) {
    place += reader.varint(count);
    if (place >= count || (restart === 0 ? place !== 0 : place === places[restart - 1]))
      throw new CorruptBlockError(`a restart at ${place} of ${count}`);
    places[restart] = place;
    times[restart] = reader.signed();
  }
  if (restarts === 0) throw new CorruptBlockError('times without a first one');
  decodeIntegers(reader, timesMs, count);
  for (let restart = 0; restart < restarts; restart++) {
    const from = places[restart] as number;
    const distance = timesMs[from] as number;
    for (let i = from; i < (places[restart + 1] as number); i++)
      timesMs[i] = (times[restart] as number) + ((timesMs[i] as number) - distance);
  }
}
