/** From the value that somebody wants to the raw value that a device is sent, checked before anything leaves; and the patience to see it there. */
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { MAX_TEXT_LENGTH, type Scalar } from '../core/tag.ts';

/** What a tag says of writing, whatever its protocol. */
export interface WriteRule {
  readonly writable: boolean;
  readonly scale?: number | undefined;
  readonly offset?: number | undefined;
  /** Of the scaled value. */
  readonly write_min?: number | undefined;
  readonly write_max?: number | undefined;
}

/** Integers that a device can hold. */
export interface IntegerRange {
  readonly name: string;
  readonly min: bigint;
  readonly max: bigint;
}

/** Floats that a device can hold. */
export interface FloatFormat {
  readonly name: string;
  readonly max: number;
  /** The nearest value of the format. */
  nearest(value: number): number;
}

export const FLOAT32: FloatFormat = { name: 'float32', max: 2 ** 128 - 2 ** 104, nearest: Math.fround };
export const FLOAT64: FloatFormat = { name: 'float64', max: Number.MAX_VALUE, nearest: (value) => value };

/** The integers of so many bits. */
export function integerRange(name: string, bits: number, signed: boolean): IntegerRange {
  const size = 1n << BigInt(bits);
  return signed ? { name, min: -size / 2n, max: size / 2n - 1n } : { name, min: 0n, max: size - 1n };
}

/** Throws `not_writable` unless the configuration allows writing the tag. */
export function checkWritable(tagName: string, rule: WriteRule): void {
  if (!rule.writable) throw new GatewayError('not_writable', `tag "${tagName}" may not be written: it does not say writable: true`);
  if (rule.scale === 0) throw new GatewayError('not_writable', `tag "${tagName}" may not be written: its scale of 0 leads to no raw value`);
}

/** true and false, or the numbers 1 and 0. Throws `invalid_value` for anything else. */
export function rawBoolean(value: Scalar): boolean {
  if (typeof value === 'boolean') return value;
  if (value === 1 || value === 1n) return true;
  if (value === 0 || value === 0n) return false;
  throw refusal(`${shown(value)} is neither true nor false`);
}

/** Throws `invalid_value` for anything but text that a reading could carry too. */
export function rawText(value: Scalar): string {
  if (typeof value !== 'string') throw refusal(`${shown(value)} is not text`);
  if (value.length > MAX_TEXT_LENGTH) throw refusal(`the text has ${value.length} characters, more than ${MAX_TEXT_LENGTH}`);
  if (!value.isWellFormed()) throw refusal('the text holds half of a surrogate pair');
  return value;
}

/**
 * The integer that reads back as `value`. Throws `invalid_value` where it is out of range or of `write_min` and
 * `write_max`, or where no integer scales to it. true and false are 1 and 0; a number beyond 2^53 must come as a bigint.
 */
export function rawInteger(value: Scalar, rule: WriteRule, range: IntegerRange): bigint {
  const wanted = checkedNumber(value, rule);
  const raw = isScaled(rule) ? unscaledInteger(Number(wanted), rule) : plainInteger(wanted);
  if (raw >= range.min && raw <= range.max) return raw;
  const limit = raw < range.min ? range.min : range.max;
  const scaledLimit = isScaled(rule) ? ` (${scaled(Number(limit), rule)} after scaling)` : '';
  throw refusal(`${shown(value)} is ${raw < range.min ? 'below the smallest' : 'above the largest'} ${range.name}, ${limit}${scaledLimit}`);
}

/**
 * The value of the format nearest to the one that reads back as `value`. Throws `invalid_value` where it is beyond the
 * format or `write_min` and `write_max`, or so small that only 0 would be left. true and false are 1 and 0.
 */
export function rawFloat(value: Scalar, rule: WriteRule, format: FloatFormat): number {
  const wanted = Number(checkedNumber(value, rule));
  const exact = isScaled(rule) ? unscaledFloat(wanted, rule) : wanted;
  const raw = format.nearest(exact);
  if (!Number.isFinite(raw)) throw refusal(`${shown(value)} is beyond what a ${format.name} holds, ±${format.max}${afterScaling(rule)}`);
  if (raw === 0 && exact !== 0) throw refusal(`${shown(value)} is too small for a ${format.name}: it would become 0`);
  return raw;
}

/** Throws `invalid_value` for what is no number, or outside `write_min` and `write_max`. */
export function checkedNumber(value: Scalar, { write_min: min, write_max: max }: WriteRule): number | bigint {
  if (typeof value === 'string') throw refusal(`${shown(value)} is not a number`);
  const number = typeof value === 'boolean' ? Number(value) : value;
  if (typeof number === 'number' && !Number.isFinite(number)) throw refusal(`${shown(value)} is not a finite number`);
  if (min !== undefined && number < min) throw refusal(`${shown(value)} is below write_min, ${min}`);
  if (max !== undefined && number > max) throw refusal(`${shown(value)} is above write_max, ${max}`);
  return number;
}

function plainInteger(value: number | bigint): bigint {
  if (typeof value === 'bigint') return value;
  if (!Number.isInteger(value))
    throw refusal(`${value} is not a whole number; the nearest are ${Math.floor(value)} and ${Math.ceil(value)}`);
  if (!Number.isSafeInteger(value)) throw refusal(`${value} is beyond 2^53, where a number does not hold every integer`);
  return BigInt(value);
}

/** A scaled value carries the rounding of one multiplication and one addition: this many units in the last place, at most. */
const ROUNDING_ULPS = 4;

function unscaledInteger(value: number, rule: WriteRule): bigint {
  const { scale = 1, offset = 0 } = rule;
  const quotient = (value - offset) / scale;
  const raw = Math.round(quotient);
  if (!Number.isFinite(raw)) throw refusal(`${value} is beyond every integer${afterScaling(rule)}`);
  if (Math.abs(quotient - raw) > roundingOf(value, rule)) {
    const nearest = [Math.floor(quotient), Math.ceil(quotient)].map((one) => printed(scaled(one, rule)));
    throw refusal(`${value} is not a multiple of the scale; the nearest values are ${nearest.join(' and ')}`);
  }
  return BigInt(raw);
}

/** Of two that read back the same, the one with few digits: 3 and not 2.9999999999999996 for 0.3 at a scale of 0.1. */
function unscaledFloat(value: number, rule: WriteRule): number {
  const quotient = (value - (rule.offset ?? 0)) / (rule.scale ?? 1);
  const short = Number(quotient.toPrecision(15));
  return Math.abs(short - quotient) <= roundingOf(value, rule) ? short : quotient;
}

/** How far rounding may have moved a raw value that scales to `value`. */
function roundingOf(value: number, { scale = 1, offset = 0 }: WriteRule): number {
  return (ROUNDING_ULPS * Number.EPSILON * (Math.abs(value) + Math.abs(offset))) / Math.abs(scale);
}

function isScaled({ scale = 1, offset = 0 }: WriteRule): boolean {
  return scale !== 1 || offset !== 0;
}

function scaled(raw: number, { scale = 1, offset = 0 }: WriteRule): number {
  return raw * scale + offset;
}

/** 0.30000000000000004 is no help to anybody. */
function printed(value: number): string {
  return String(Number(value.toPrecision(15)));
}

function afterScaling(rule: WriteRule): string {
  return isScaled(rule) ? ' after scaling is undone' : '';
}

function refusal(message: string): GatewayError {
  return new GatewayError('invalid_value', message);
}

const SHOWN_CHARACTERS = 40;

function shown(value: Scalar): string {
  if (typeof value !== 'string') return String(value);
  return JSON.stringify(value.length > SHOWN_CHARACTERS ? `${value.slice(0, SHOWN_CHARACTERS)}…` : value);
}

/** A PLC program copies a setpoint in its next cycles: some 10 ms, 100 ms for a slow one. A second covers also a gateway that polls behind. */
const SETTLE_MS: readonly number[] = [0, 50, 100, 200, 300, 350];

/** Asks again, for a second at most, until the answer shows the value; resolves with the last answer. Rejects as `ask` does. */
export async function settled<T extends { readonly confirmed: boolean }>(
  ask: () => Promise<T>,
  { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
): Promise<T> {
  let answer: T | undefined;
  for (const waitMs of SETTLE_MS) {
    if (waitMs > 0) await clock.sleep(waitMs, signal);
    answer = await ask();
    if (answer.confirmed) break;
  }
  return answer as T;
}
