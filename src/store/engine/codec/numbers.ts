/**
 * The numbers of a block, bit by bit as they were: the first mode that can express them. None of them is NaN.
 *
 *   mode u8 = kind (+ 16: 32-bit floats) (+ 32: a flag of the kind), then
 *   0 constant    literal
 *   1 runs        runs | (flagged: two literals in turn; else a number each, in a mode that is not runs)
 *   2 decimals    3 lattice    4 dictionary    5 raw
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { decodeDecimals, EXPONENT_MAX, encodeDecimals } from './decimals.ts';
import { decodeDictionary, encodeDictionary } from './dictionary.ts';
import type { Habit } from './habit.ts';
import { decodeLattice, encodeLattice, type Lattice } from './lattice.ts';
import { decodeDoubles, decodeSingles, encodeDoubles, encodeSingles } from './raw-floats.ts';
import { readRuns, writeRuns } from './runs.ts';

const CONSTANT = 0;
const RUNS = 1;
const DECIMALS = 2;
const LATTICE = 3;
const DICTIONARY = 4;
const RAW = 5;
const SINGLE = 16;
const FLAG = 32;

/** Runs of this mean length cost less than their numbers one by one. */
const RUN_LENGTH_MIN = 12;
/** 32-bit floats like 0.5 or 17 are better taken as decimals of doubles: up to this many places. */
const DYADIC_PLACES = 4;

/** `hint`: a lattice to try first. With a habit, in the way of the blocks before while that is as good as it was. */
export interface NumberOptions {
  readonly hint?: Lattice | undefined;
  readonly habit?: Habit | undefined;
}

export function encodeNumbers(writer: ByteWriter, values: Float64Array, count: number, options: NumberOptions): void {
  if (count === 0) return;
  const starts = findRuns(values, count);
  if (starts?.length === 1) {
    writer.u8(CONSTANT);
    writer.literal(values[0] as number);
  } else if (starts && starts.length * RUN_LENGTH_MIN < count) {
    encodeRuns(writer, values, starts);
  } else if (!options.habit?.numbers || !encodeAgain(writer, values, count, options.habit)) {
    encodeVaried(writer, values, count, options);
  }
}

/** Where runs of equal bits start; undefined when there are too many. */
function findRuns(values: Float64Array, count: number): number[] | undefined {
  const words = new Int32Array(values.buffer, values.byteOffset, 2 * count);
  const starts = [0];
  const most = Math.max(1, count / RUN_LENGTH_MIN);
  for (let i = 2; i < 2 * count; i += 2) {
    if (words[i] === words[i - 2] && words[i + 1] === words[i - 1]) continue;
    starts.push(i >> 1);
    if (starts.length > most) return undefined;
  }
  return starts;
}

function encodeRuns(writer: ByteWriter, values: Float64Array, starts: readonly number[]): void {
  const numbers = Float64Array.from(starts, (start) => values[start] as number);
  const inTurn = numbers.every((number, run) => Object.is(number, numbers[run % 2]));
  writer.u8(RUNS + (inTurn ? FLAG : 0));
  writeRuns(writer, starts);
  if (inTurn) {
    writer.literal(numbers[0] as number);
    writer.literal(numbers[1] as number);
  } else {
    encodeVaried(writer, numbers, numbers.length, {});
  }
}

function encodeVaried(writer: ByteWriter, values: Float64Array, count: number, { hint, habit }: NumberOptions): void {
  const single = areSingles(values, count);
  const flag = single ? SINGLE : 0;
  const lattice = { mode: LATTICE + flag, ulpFlag: FLAG, single, habit };
  if (habit) habit.numbers = undefined;
  if (hint && encodeLattice(writer, values, count, { ...lattice, hint })) return;
  const doubles = { mode: DECIMALS, single: false, habit };
  if (encodeDecimals(writer, values, count, { ...doubles, exponentMax: single ? DYADIC_PLACES : EXPONENT_MAX })) return;
  if (single && encodeDecimals(writer, values, count, { mode: DECIMALS + SINGLE, single, exponentMax: EXPONENT_MAX, habit })) return;
  if (encodeLattice(writer, values, count, lattice)) return;
  if (encodeDictionary(writer, values, count, { mode: DICTIONARY + flag, single })) return;
  if (habit) habit.numbers = { kind: 'raw', single };
  encodeRaw(writer, values, count, { single, habit });
}

/** In the way of the blocks before; false when that does not fit. */
function encodeAgain(writer: ByteWriter, values: Float64Array, count: number, habit: Habit): boolean {
  const way = habit.numbers;
  if (way?.kind === 'decimals') {
    const { single, exponent } = way;
    return encodeDecimals(writer, values, count, {
      mode: DECIMALS + (single ? SINGLE : 0),
      single,
      exponent,
      exponentMax: EXPONENT_MAX,
      habit,
    });
  }
  if (!way || (way.single && !areSingles(values, count))) return false;
  encodeRaw(writer, values, count, { single: way.single, habit });
  return true;
}

function encodeRaw(writer: ByteWriter, values: Float64Array, count: number, how: { single: boolean; habit: Habit | undefined }): void {
  writer.u8(RAW + (how.single ? SINGLE : 0));
  if (how.single) encodeSingles(writer, values, count, how.habit);
  else encodeDoubles(writer, values, count, how.habit);
}

function areSingles(values: Float64Array, count: number): boolean {
  for (let i = 0; i < count; i++) if (Math.fround(values[i] as number) !== values[i]) return false;
  return true;
}

/** Decodes to values[0…count). Throws CorruptBlockError. */
export function decodeNumbers(reader: ByteReader, values: Float64Array, count: number): void {
  if (count > 0) decodeMode(reader, values, count, false);
}

function decodeMode(reader: ByteReader, values: Float64Array, count: number, inRuns: boolean): void {
  const mode = reader.u8();
  const single = (mode & SINGLE) !== 0;
  switch (mode & ~(SINGLE | FLAG)) {
    case CONSTANT:
      values.fill(reader.literal(), 0, count);
      return;
    case RUNS:
      if (inRuns) break;
      decodeRuns(reader, values, count, (mode & FLAG) !== 0);
      return;
    case DECIMALS:
      decodeDecimals(reader, values, count, single);
      return;
    case LATTICE:
      decodeLattice(reader, values, count, { single, anyUlps: (mode & FLAG) !== 0 });
      return;
    case DICTIONARY:
      decodeDictionary(reader, values, count, single);
      return;
    case RAW:
      if (single) decodeSingles(reader, values, count);
      else decodeDoubles(reader, values, count);
      return;
  }
  throw new CorruptBlockError(`no mode ${mode} of numbers`);
}

function decodeRuns(reader: ByteReader, values: Float64Array, count: number, inTurn: boolean): void {
  const ends = readRuns(reader, count);
  const numbers = new Float64Array(inTurn ? 2 : ends.length);
  if (inTurn) numbers.set([reader.literal(), reader.literal()]);
  else decodeMode(reader, numbers, ends.length, true);
  let from = 0;
  for (let run = 0; run < ends.length; run++) {
    const end = ends[run] as number;
    values.fill(numbers[inTurn ? run % 2 : run] as number, from, end);
    from = end;
  }
}
