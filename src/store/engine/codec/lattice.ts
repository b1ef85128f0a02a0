/**
 * Numbers k × scale + offset with integer k, as a converter's raw counts give them: v = k × scale + offset in doubles, rounded
 * to 32 bits where 32-bit floats were widened. A scale and offset from the configuration give v exactly; those found from
 * the numbers may be off by a few units in the last place, which are stored too.
 *
 *   scale f64 | offset f64 | exceptions | integers k | integers units in the last place (if flagged)
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { applyExceptions, exceptionLimit, readExceptions, writeExceptions } from './exceptions.ts';
import type { Habit } from './habit.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { Scratch } from './scratch.ts';

export interface Lattice {
  readonly scale: number;
  readonly offset: number;
}

/** What is written besides: mode byte, and the flag to add to it when units in the last place follow. */
export interface LatticeMode {
  readonly mode: number;
  readonly ulpFlag: number;
  readonly single: boolean;
}

const K_LIMIT = 2 ** 31;
const ULPS_MAX = 64;
const SAMPLES = 192;
const HINT_SAMPLES = 32;
/** What is smaller than this share of the largest number is rounding, not a step. */
const TOLERANCE = 1e-12;
const TOLERANCE_SINGLE = 1e-6;
/** How far from a multiple of the step a number may lie, in steps. */
const MISFIT = 0.1;

const steps = new Scratch((length) => new Float64Array(length));
const ulps = new Scratch((length) => new Float64Array(length));
const double = new Float64Array(2);
const doubleWords = new Int32Array(double.buffer);
const singles = new Float32Array(2);
const singleWords = new Int32Array(singles.buffer);

/** By how many units in the last place `value` lies above `guess`; NaN when they are far apart. */
function ulpsBetween(value: number, guess: number, single: boolean): number {
  if (single) {
    singles[0] = value;
    singles[1] = guess;
    return (singleWords[0] as number) - (singleWords[1] as number);
  }
  double[0] = value;
  double[1] = guess;
  // Words, as 64-bit integers are dear here; a carry into the high word is rare enough for an exception.
  return doubleWords[1] === doubleWords[3] ? ((doubleWords[0] as number) - (doubleWords[2] as number)) | 0 : Number.NaN;
}

/** Writes values[0…count) on the lattice given, or on one found, if few are exceptions; else nothing. */
export function encodeLattice(
  writer: ByteWriter,
  values: Float64Array,
  count: number,
  how: LatticeMode & { hint?: Lattice | undefined; habit?: Habit | undefined },
): boolean {
  const lattice = how.hint ?? findLattice(values, count, how.single);
  if (!lattice || (how.hint && !samplesFit(values, count, lattice, how.single))) return false;
  const { exceptions, anyUlps } = place(values, count, lattice, how.single);
  if (exceptions.length > exceptionLimit(count)) return false;
  writer.u8(how.mode + (anyUlps ? how.ulpFlag : 0));
  writer.f64(lattice.scale);
  writer.f64(lattice.offset);
  writeExceptions(writer, values, exceptions);
  encodeIntegers(writer, steps.atLeast(count), count, how.habit);
  if (anyUlps) encodeIntegers(writer, ulps.atLeast(count), count);
  return true;
}

function pointOf(k: number, { scale, offset }: Lattice, single: boolean): number {
  const point = k * scale + offset;
  return single ? Math.fround(point) : point;
}

/** Whether a configured lattice deserves a look at all numbers. */
function samplesFit(values: Float64Array, count: number, lattice: Lattice, single: boolean): boolean {
  const stride = Math.max(1, Math.floor(count / HINT_SAMPLES));
  let misses = 0;
  for (let i = 0; i < count; i += stride) {
    const value = values[i] as number;
    if (pointOf(Math.round((value - lattice.offset) / lattice.scale), lattice, single) !== value && ++misses > 2) return false;
  }
  return true;
}

/** Fills `steps` and `ulps`; an exception repeats the step before it. Stops soon after there are too many. */
function place(values: Float64Array, count: number, lattice: Lattice, single: boolean): { exceptions: number[]; anyUlps: boolean } {
  const k = steps.atLeast(count);
  const rest = ulps.atLeast(count);
  const most = exceptionLimit(count);
  const exceptions: number[] = [];
  let anyUlps = false;
  let last = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    const step = Math.round((value - lattice.offset) / lattice.scale) + 0; // never −0, which would come back as 0
    const point = pointOf(step, lattice, single);
    const off = point === value ? 0 : ulpsBetween(value, point, single);
    rest[i] = 0;
    // A number of 0 that is off would get its sign wrong.
    if (Math.abs(step) < K_LIMIT && Math.abs(off) <= ULPS_MAX && (value === 0 ? Object.is(value, point) : true)) {
      last = step;
      rest[i] = off;
      anyUlps ||= off !== 0;
    } else {
      exceptions.push(i);
      if (exceptions.length > most) break;
    }
    k[i] = last;
  }
  return { exceptions, anyUlps };
}

/** A lattice that samples of the numbers lie on, near enough; undefined when they look like anything else. */
function findLattice(values: Float64Array, count: number, single: boolean): Lattice | undefined {
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  const samples = new Float64Array(Math.ceil(count / stride));
  for (let i = 0; i < samples.length; i++) samples[i] = values[i * stride] as number;
  samples.sort();
  const offset = samples[0] as number;
  const farthest = Math.max(Math.abs(offset), Math.abs(samples[samples.length - 1] as number));
  if (!(farthest < 1e300)) return undefined;
  const tolerance = farthest * (single ? TOLERANCE_SINGLE : TOLERANCE);
  let scale = approximateDivisor(samples, tolerance);
  if (scale === undefined) return undefined;
  // The farther a number, the more exactly it tells the step, if the step so far tells how many there are.
  let [smallest, largest] = [offset, offset];
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    if (value < smallest) smallest = value;
    if (value > largest && value < 1e300) largest = value;
  }
  let known = 0;
  for (const value of [...samples, smallest, largest]) {
    const k = Math.round((value - offset) / scale);
    if (Math.abs(k) <= known) continue;
    if (Math.abs((value - offset) / scale - k) > MISFIT) return undefined;
    scale = (value - offset) / k;
    known = Math.abs(k);
  }
  return { scale, offset };
}

/** Euclid's algorithm on the differences of sorted samples; undefined when it comes down to rounding errors. */
function approximateDivisor(sorted: Float64Array, tolerance: number): number | undefined {
  let divisor = 0;
  for (let i = 1; i < sorted.length; i++) {
    let larger = (sorted[i] as number) - (sorted[i - 1] as number);
    if (larger <= tolerance) continue;
    let smaller = divisor;
    while (smaller > tolerance) {
      const quotient = Math.round(larger / smaller);
      [larger, smaller] = [smaller, Math.abs(larger - quotient * smaller)];
    }
    divisor = larger;
    if (divisor < 64 * tolerance) return undefined;
  }
  return divisor > 0 ? divisor : undefined;
}

export function decodeLattice(reader: ByteReader, values: Float64Array, count: number, how: { single: boolean; anyUlps: boolean }): void {
  const lattice = { scale: reader.f64(), offset: reader.f64() };
  const exceptions = readExceptions(reader, count);
  decodeIntegers(reader, values, count);
  const { scale, offset } = lattice;
  if (how.single) for (let i = 0; i < count; i++) values[i] = Math.fround((values[i] as number) * scale + offset);
  else for (let i = 0; i < count; i++) values[i] = (values[i] as number) * scale + offset;
  if (how.anyUlps) addUlps(reader, values, count, how.single);
  applyExceptions(exceptions, values);
}

function addUlps(reader: ByteReader, values: Float64Array, count: number, single: boolean): void {
  const rest = ulps.atLeast(count);
  decodeIntegers(reader, rest, count);
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * count);
  for (let i = 0; i < count; i++) {
    const off = rest[i] as number;
    if (off === 0) continue;
    if (single) {
      singles[0] = values[i] as number;
      singleWords[0] = (singleWords[0] as number) + off;
      values[i] = singles[0] as number;
    } else {
      words[2 * i] = (words[2 * i] as number) + off;
    }
  }
}
