/**
 * Numbers with few decimal places, as integers d: v = d / 10^e, or fround(d / 10^e) where a 32-bit float was widened.
 * The idea is ALP's (Afroozeh, Kuffo, Boncz, SIGMOD 2023), which does not look for 32-bit floats.
 *
 *   exponent u8 | exceptions | integers d
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { applyExceptions, exceptionLimit, readExceptions, writeExceptions } from './exceptions.ts';
import type { Habit } from './habit.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { Scratch } from './scratch.ts';

export const EXPONENT_MAX = 15;
/** Rounding by adding 1.5 × 2^52 works below this. */
const DOUBLE_LIMIT = 2 ** 51;
/** Above it neighbouring integers can give the same 32-bit float, and its bits are as good as digits. */
const SINGLE_LIMIT = 2 ** 23;
const ROUNDING = 1.5 * 2 ** 52;
const SAMPLES = 32;
/** How often a block may turn out to need more digits than thought. */
const RETRIES = 4;

const powers = Float64Array.from({ length: EXPONENT_MAX + 1 }, (_, exponent) => Number(`1e${exponent}`));
const scaled = new Scratch((length) => new Float64Array(length));

function isExact(value: number, exponent: number, single: boolean): boolean {
  const power = powers[exponent] as number;
  const digits = value * power + ROUNDING - ROUNDING;
  const back = single ? Math.fround(digits / power) : digits / power;
  return back === value && Math.abs(digits) < (single ? SINGLE_LIMIT : DOUBLE_LIMIT) && !Object.is(value, -0);
}

/** The fewest decimal places, at least `from`, that express a value; undefined when none do. */
function placesOf(value: number, from: number, single: boolean): number | undefined {
  for (let exponent = from; exponent <= EXPONENT_MAX; exponent++) if (isExact(value, exponent, single)) return exponent;
  return undefined;
}

/** The decimal places of a few samples; undefined when more than two have none. */
function guess(values: Float64Array, count: number, single: boolean): number | undefined {
  const stride = Math.max(1, Math.floor(count / SAMPLES));
  let exponent = 0;
  let misses = 0;
  for (let i = 0; i < count; i += stride) {
    const places = placesOf(values[i] as number, exponent, single);
    if (places !== undefined) exponent = places;
    else if (++misses > 2) return undefined;
  }
  return exponent;
}

/** What is written besides. With `exponent` given only that one is tried; else up to `exponentMax`, and the habit learns it. */
export interface DecimalMode {
  readonly mode: number;
  readonly single: boolean;
  readonly exponentMax: number;
  readonly exponent?: number;
  readonly habit?: Habit | undefined;
}

/** Writes values[0…count) after `mode` if few are exceptions and `exponentMax` places are enough, else nothing. */
export function encodeDecimals(writer: ByteWriter, values: Float64Array, count: number, how: DecimalMode): boolean {
  const { mode, single, exponentMax, habit } = how;
  let exponent = how.exponent ?? guess(values, count, single);
  const most = how.exponent === undefined ? RETRIES : 1;
  for (let tries = 0; exponent !== undefined && exponent <= exponentMax && tries < most; tries++) {
    const digits = scaled.atLeast(count);
    const exceptions = scale(values, count, { exponent, single }, digits);
    if (exceptions.length <= exceptionLimit(count)) {
      writer.u8(mode);
      writer.u8(exponent);
      writeExceptions(writer, values, exceptions);
      if (habit) habit.numbers = { kind: 'decimals', exponent, single };
      encodeIntegers(writer, digits, count, habit);
      return true;
    }
    if (tries + 1 < most) exponent = placesOf(values[exceptions[0] as number] as number, exponent + 1, single);
  }
  return false;
}

/** Fills `digits`; an exception repeats the value before it. Stops soon after there are too many. */
function scale(values: Float64Array, count: number, how: { exponent: number; single: boolean }, digits: Float64Array): number[] {
  const power = powers[how.exponent] as number;
  const { single } = how;
  const limit = single ? SINGLE_LIMIT : DOUBLE_LIMIT;
  const most = exceptionLimit(count);
  const exceptions: number[] = [];
  let last = 0;
  for (let i = 0; i < count; i++) {
    const value = values[i] as number;
    const digit = value * power + ROUNDING - ROUNDING;
    const quotient = digit / power;
    if ((single ? Math.fround(quotient) : quotient) === value && digit < limit && digit > -limit && (digit !== 0 || 1 / value > 0)) {
      last = digit;
    } else {
      exceptions.push(i);
      if (exceptions.length > most) break;
    }
    digits[i] = last;
  }
  return exceptions;
}

export function decodeDecimals(reader: ByteReader, values: Float64Array, count: number, single: boolean): void {
  const exponent = reader.u8();
  const power = powers[exponent];
  if (power === undefined) throw new CorruptBlockError(`${exponent} decimal places`);
  const exceptions = readExceptions(reader, count);
  decodeIntegers(reader, values, count);
  if (single) {
    for (let i = 0; i < count; i++) values[i] = Math.fround((values[i] as number) / power);
  } else if (exponent > 0) {
    for (let i = 0; i < count; i++) values[i] = (values[i] as number) / power;
  }
  applyExceptions(exceptions, values);
}
