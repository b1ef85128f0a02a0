/**
 * A block: the values and status codes of one series in order of time. Its timestamps are a blob of their own, which series
 * that are read together share (`times.ts`).
 *
 *   version u8 | count varint | type + flags u8 | (statuses: size varint, bytes) | (presence: size varint, bytes) | values | crc32 u32
 */
import type { ValueType } from '../../../core/tag.ts';
import { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { finishBlob, openBlob, startBlob } from './envelope.ts';
import { decodeNumbers, encodeNumbers, type NumberOptions } from './numbers.ts';
import { decodePresence, encodePresence } from './presence.ts';
import { decodeStatuses, encodeStatuses } from './statuses.ts';
import { decodeTexts, encodeTexts } from './texts.ts';
import { decodeWideIntegers, encodeWideIntegers } from './wide-integers.ts';

const TYPES: readonly ValueType[] = ['f64', 'f32', 'bool', 'i64', 'u64', 'string'];
const TYPE_MASK = 7;
/** Status codes follow; absent: all 0 (Good). */
const HAS_STATUSES = 8;
/** Presence follows; absent: every sample has a value. */
const HAS_MISSING = 16;

interface Statuses {
  readonly status: Uint32Array;
}

/** NaN: no value; only that it is NaN is kept of it. All other doubles come back bit by bit. */
export interface NumberColumns extends Statuses {
  readonly valueType: 'f64' | 'f32' | 'bool';
  readonly numbers: Float64Array;
}

/** `missing` holds 1 where a sample has no value (its integer comes back as 0); absent when all have one. */
export interface IntegerColumns extends Statuses {
  readonly valueType: 'i64' | 'u64';
  readonly integers: BigInt64Array | BigUint64Array;
  readonly missing?: Uint8Array | undefined;
}

/** `undefined`: no value. */
export interface TextColumns extends Statuses {
  readonly valueType: 'string';
  readonly texts: readonly (string | undefined)[];
}

/** One to 2^20 samples; all columns are as long as `status`. */
export type BlockColumns = NumberColumns | IntegerColumns | TextColumns;

/**
 * Throws RangeError for no samples or too many, or columns of different lengths. `hint` of the options: the numbers may be
 * integer × scale + offset in doubles, as the tag's configuration says. `habit`: what the block before of the same series was like.
 */
export function encodeBlock(columns: BlockColumns, options: NumberOptions = {}): Uint8Array {
  const { status, valueType } = columns;
  const count = status.length;
  const values = 'texts' in columns ? columns.texts : 'numbers' in columns ? columns.numbers : columns.integers;
  if (values.length !== count) throw new RangeError(`${values.length} values for ${count} status codes`);
  const missing = missingOf(columns);
  const allGood = isAllGood(status);
  const writer = startBlob(count);
  writer.u8(TYPES.indexOf(valueType) + (allGood ? 0 : HAS_STATUSES) + (missing ? HAS_MISSING : 0));
  if (!allGood) writeSection(writer, (section) => encodeStatuses(section, status));
  if (missing) writeSection(writer, (section) => encodePresence(section, missing, count));
  options.habit?.begin();
  encodeValues(writer, columns, missing, options);
  return finishBlob(writer);
}

function writeSection(writer: ByteWriter, write: (section: ByteWriter) => void): void {
  const section = new ByteWriter();
  write(section);
  writer.varint(section.length);
  writer.append(section.written());
}

/** A mask of the samples without a value; undefined when there are none. */
function missingOf(columns: BlockColumns): Uint8Array | undefined {
  const count = columns.status.length;
  if ('integers' in columns) {
    const given = columns.missing;
    if (given && given.length !== count) throw new RangeError(`a mask of ${given.length} for ${count} samples`);
    return given?.some((flag) => flag !== 0) ? given.map((flag) => (flag === 0 ? 0 : 1)) : undefined;
  }
  if ('texts' in columns)
    return columns.texts.includes(undefined) ? Uint8Array.from(columns.texts, (text) => (text === undefined ? 1 : 0)) : undefined;
  return anyNaN(columns.numbers) ? Uint8Array.from(columns.numbers, (number) => (Number.isNaN(number) ? 1 : 0)) : undefined;
}

function anyNaN(numbers: Float64Array): boolean {
  for (let i = 0; i < numbers.length; i++) if (Number.isNaN(numbers[i])) return true;
  return false;
}

function isAllGood(status: Uint32Array): boolean {
  for (let i = 0; i < status.length; i++) if (status[i] !== 0) return false;
  return true;
}

function encodeValues(writer: ByteWriter, columns: BlockColumns, missing: Uint8Array | undefined, options: NumberOptions): void {
  const present = (_: unknown, i: number): boolean => missing?.[i] !== 1;
  if ('texts' in columns) {
    encodeTexts(
      writer,
      columns.texts.filter((text) => text !== undefined),
    );
  } else if ('integers' in columns) {
    const integers = missing ? columns.integers.filter(present) : columns.integers;
    encodeWideIntegers(writer, wordsOf(integers), integers.length);
  } else {
    const numbers = missing ? columns.numbers.filter(present) : columns.numbers;
    encodeNumbers(writer, numbers, numbers.length, options);
  }
}

function wordsOf(integers: BigInt64Array | BigUint64Array): Uint32Array {
  return new Uint32Array(integers.buffer, integers.byteOffset, 2 * integers.length);
}

/** A blob opened for reading: what is asked for is decoded, at each call anew. Every call may throw CorruptBlockError. */
export class Block {
  readonly valueType: ValueType;
  /** Samples, also those without a value. */
  readonly count: number;
  readonly #statuses: Uint8Array | undefined;
  readonly #presence: Uint8Array | undefined;
  readonly #values: Uint8Array;

  /** Checks the checksum, decodes nothing. `blob` must not change while the block is used. */
  constructor(blob: Uint8Array) {
    const { reader, count } = openBlob(blob);
    const flags = reader.u8();
    const valueType = TYPES[flags & TYPE_MASK];
    if (valueType === undefined || flags >= 2 * HAS_MISSING) throw new CorruptBlockError(`no block type ${flags}`);
    this.valueType = valueType;
    this.count = count;
    this.#statuses = flags & HAS_STATUSES ? reader.take(reader.varint()) : undefined;
    this.#presence = flags & HAS_MISSING ? reader.take(reader.varint()) : undefined;
    this.#values = reader.rest();
  }

  /** True when every status code is 0, which costs nothing to know. */
  get allGood(): boolean {
    return this.#statuses === undefined;
  }

  /** Writes `count` status codes to status[at…). Throws RangeError when they don't fit. */
  statusInto(status: Uint32Array, at = 0): void {
    const target = room(status, at, this.count);
    if (!this.#statuses) {
      target.fill(0);
      return;
    }
    readWhole(this.#statuses, (reader) => decodeStatuses(reader, target));
  }

  /** Writes `count` numbers to numbers[at…), NaN where there is no value. For f64, f32 and bool. Throws RangeError when they don't fit. */
  numbersInto(numbers: Float64Array, at = 0): void {
    this.#mustBe('f64', 'f32', 'bool');
    const target = room(numbers, at, this.count);
    const missing = this.missing();
    const present = presentCount(missing, this.count);
    readWhole(this.#values, (reader) => decodeNumbers(reader, target, present));
    if (!missing) return;
    for (let i = this.count - 1, from = present; i >= 0; i--) target[i] = missing[i] === 1 ? Number.NaN : (target[--from] as number);
  }

  /** Writes `count` integers to integers[at…), 0 where there is no value. For i64 and u64. Throws RangeError when they don't fit. */
  integersInto(integers: BigInt64Array | BigUint64Array, at = 0): void {
    this.#mustBe('i64', 'u64');
    const words = room(wordsOf(integers), 2 * at, 2 * this.count);
    const missing = this.missing();
    const present = presentCount(missing, this.count);
    readWhole(this.#values, (reader) => decodeWideIntegers(reader, words, present));
    if (!missing) return;
    for (let i = this.count - 1, from = present; i >= 0; i--) {
      const absent = missing[i] === 1;
      if (!absent) from--;
      words[2 * i] = absent ? 0 : (words[2 * from] as number);
      words[2 * i + 1] = absent ? 0 : (words[2 * from + 1] as number);
    }
  }

  /** `count` texts, undefined where there is no value. */
  texts(): (string | undefined)[] {
    this.#mustBe('string');
    const missing = this.missing();
    const present = readWhole(this.#values, (reader) => decodeTexts(reader, presentCount(missing, this.count)));
    if (!missing) return present;
    let from = 0;
    return Array.from(missing, (absent) => (absent === 1 ? undefined : present[from++]));
  }

  /** 1 where a sample has no value; undefined when all have one. */
  missing(): Uint8Array | undefined {
    return this.#presence && readWhole(this.#presence, (reader) => decodePresence(reader, this.count));
  }

  #mustBe(...types: readonly ValueType[]): void {
    if (!types.includes(this.valueType)) throw new TypeError(`a block of ${this.valueType} holds no ${types.join(', ')}`);
  }
}

function presentCount(missing: Uint8Array | undefined, count: number): number {
  let present = count;
  for (const absent of missing ?? []) present -= absent;
  return present;
}

/** A view of `length` elements from `at` on. */
function room<Column extends Float64Array | Uint32Array>(column: Column, at: number, length: number): Column {
  if (at < 0 || at + length > column.length) throw new RangeError(`no room for ${length} from ${at} on in ${column.length}`);
  return column.subarray(at, at + length) as Column;
}

function readWhole<Result>(bytes: Uint8Array, read: (reader: ByteReader) => Result): Result {
  const reader = new ByteReader(bytes);
  const result = read(reader);
  reader.end();
  return result;
}

/** Everything in a blob. Throws CorruptBlockError. */
export function decodeBlock(blob: Uint8Array): BlockColumns {
  const block = new Block(blob);
  const { valueType, count } = block;
  const status = new Uint32Array(count);
  block.statusInto(status);
  if (valueType === 'string') return { valueType, status, texts: block.texts() };
  if (valueType === 'i64' || valueType === 'u64') {
    const integers = valueType === 'i64' ? new BigInt64Array(count) : new BigUint64Array(count);
    block.integersInto(integers);
    return { valueType, status, integers, missing: block.missing() };
  }
  const numbers = new Float64Array(count);
  block.numbersInto(numbers);
  return { valueType, status, numbers };
}
