/** Between runs and the codec's blobs, with a cache of the times that series share; damage is reported once and read as absence. */
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import { Block, encodeBlock } from './codec/block.ts';
import { CorruptBlockError } from './codec/corrupt-block-error.ts';
import { Habit } from './codec/habit.ts';
import { Scratch } from './codec/scratch.ts';
import { decodeTimes, encodeTimes } from './codec/times.ts';
import type { Run } from './run.ts';

/** 8 MiB of times: those of some hundred blocks. */
const MAX_CACHED_TIMES = 1 << 20;
/** Enough to see what is damaged; a broken disk must not fill the log. */
const MAX_REPORTS = 100;

/** Zeros, and never anything else. */
const allGood = new Scratch((length) => new Uint32Array(length));

/** A run as it lies in a table. */
export interface StoredRun {
  /** Row of `times`. */
  readonly times: number;
  /** Values and status codes. */
  readonly data: Uint8Array;
  /** `order` of the run; null when it has none, as nearly always. */
  readonly ties: Uint8Array | null;
  /** The row that it was read from is not as it was written. */
  readonly isUnsound?: boolean;
}

/** Where times are stored: a day file, or `store.db`. */
export type Scope = number | 'store';

export class Blobs {
  readonly #definition: (series: SeriesId) => SeriesDef | undefined;
  readonly #report: (what: string, error: unknown) => void;
  /** By scope and row; least recently used first. */
  readonly #times = new Map<string, Float64Array>();
  #cachedTimes = 0;
  /** By series; undefined for one whose blocks are runs. */
  readonly #habits: (Habit | undefined)[] = [];
  readonly #timesHabits: (Habit | undefined)[] = [];
  #damaged = 0;

  constructor(definition: (series: SeriesId) => SeriesDef | undefined, report: (what: string, error: unknown) => void) {
    this.#definition = definition;
    this.#report = report;
  }

  /** Blobs that could not be read so far. */
  get damaged(): number {
    return this.#damaged;
  }

  /** False for a series whose definition was lost: its values have no type. */
  knows(series: SeriesId): boolean {
    return this.#definition(series) !== undefined;
  }

  encodeTimes(run: Run): Uint8Array {
    return encodeTimes(run.timeMs.subarray(0, run.count));
  }

  /** As `encodeValues`, a few percent larger for half the time: in the way that was the best for the last blocks of the series. */
  encodeChunk(series: SeriesId, run: Run): Uint8Array {
    return withHabit(this.#habits, series, (habit) => this.encodeValues(series, run, habit));
  }

  /** The same of times, of whichever series they are. */
  encodeChunkTimes(series: SeriesId, run: Run): Uint8Array {
    return withHabit(this.#timesHabits, series, (habit) => encodeTimes(run.timeMs.subarray(0, run.count), habit));
  }

  /** Values and status codes. Throws RangeError for a series that is not defined. */
  encodeValues(series: SeriesId, run: Run, habit?: Habit): Uint8Array {
    const def = this.#definition(series);
    if (!def) throw new RangeError(`series ${series} has no definition`);
    const status = (run.status ?? allGood.atLeast(run.count)).subarray(0, run.count);
    const { valueType, scale, offset } = def;
    if (valueType === 'string')
      return encodeBlock({ valueType, status, texts: Array.from({ length: run.count }, (_, index) => textAt(run, index)) });
    if (valueType === 'i64' || valueType === 'u64') return encodeBlock({ valueType, status, ...integersOf(run, valueType) });
    const hint = scale === undefined && offset === undefined ? undefined : { scale: scale ?? 1, offset: offset ?? 0 };
    return encodeBlock({ valueType, status, numbers: run.numbers.subarray(0, run.count) }, { hint, habit });
  }

  /** Null for no order. */
  encodeTies(order: Float64Array | undefined): Uint8Array | null {
    return order
      ? encodeBlock({ valueType: 'f64', status: allGood.atLeast(order.length).subarray(0, order.length), numbers: order })
      : null;
  }

  /** Undefined when a blob is missing or damaged, which is reported. */
  run(
    series: SeriesId,
    { data, times, ties, isUnsound }: StoredRun,
    timesBlob: (row: number) => Uint8Array | undefined,
    scope: Scope = 'store',
  ): Run | undefined {
    try {
      if (isUnsound) throw new CorruptBlockError('the checksum of its row is wrong');
      const block = new Block(data);
      const timeMs = this.#timesOf(scope, times, block.count, timesBlob);
      const status = block.allGood ? undefined : new Uint32Array(block.count);
      if (status) block.statusInto(status);
      const order = ties ? { order: orderOf(ties, block.count) } : {};
      return { count: block.count, timeMs, ...valuesOf(block), ...(status ? { status } : {}), ...order };
    } catch (error) {
      if (!(error instanceof CorruptBlockError)) throw error;
      if (this.#damaged++ < MAX_REPORTS)
        this.#report(`a block of series ${series} in ${scope === 'store' ? 'store.db' : `day ${scope}`}`, error);
      return undefined;
    }
  }

  /** A scope's rows mean other times from now on. */
  forget(scope: Scope): void {
    for (const [key, times] of this.#times) {
      if (!key.startsWith(`${scope}:`)) continue;
      this.#cachedTimes -= times.length;
      this.#times.delete(key);
    }
  }

  #timesOf(scope: Scope, row: number, count: number, timesBlob: (row: number) => Uint8Array | undefined): Float64Array {
    const key = `${scope}:${row}`;
    const known = this.#times.get(key);
    if (known) {
      if (known.length !== count) throw new CorruptBlockError(`${count} values for ${known.length} times`);
      return known;
    }
    const blob = timesBlob(row);
    if (!blob) throw new CorruptBlockError(`the times in row ${row} are gone`);
    const times = decodeTimes(blob, count);
    this.#times.set(key, times);
    this.#cachedTimes += times.length;
    for (const [oldest, dropped] of this.#times) {
      if (this.#cachedTimes <= MAX_CACHED_TIMES || oldest === key) break;
      this.#times.delete(oldest);
      this.#cachedTimes -= dropped.length;
    }
    return times;
  }
}

function withHabit(habits: (Habit | undefined)[], series: SeriesId, encode: (habit: Habit) => Uint8Array): Uint8Array {
  const habit = habits[series] ?? new Habit();
  const data = encode(habit);
  habits[series] = habit.isEmpty ? undefined : habit;
  return data;
}

function orderOf(ties: Uint8Array, count: number): Float64Array {
  const block = new Block(ties);
  if (block.count !== count) throw new CorruptBlockError(`the order of ${block.count} for ${count} samples`);
  const order = new Float64Array(count);
  block.numbersInto(order);
  return order;
}

function textAt(run: Run, index: number): string | undefined {
  const text = run.wide?.[index];
  return typeof text === 'string' ? text : undefined;
}

function integersOf(run: Run, valueType: 'i64' | 'u64') {
  const integers = valueType === 'u64' ? new BigUint64Array(run.count) : new BigInt64Array(run.count);
  const missing = new Uint8Array(run.count);
  for (let index = 0; index < run.count; index++) {
    const value = run.wide?.[index];
    if (typeof value === 'bigint') integers[index] = value;
    else missing[index] = 1;
  }
  return { integers, missing };
}

function valuesOf(block: Block): Pick<Run, 'numbers' | 'wide'> {
  const numbers = new Float64Array(block.count);
  if (block.valueType !== 'string' && block.valueType !== 'i64' && block.valueType !== 'u64') {
    block.numbersInto(numbers);
    return { numbers };
  }
  numbers.fill(Number.NaN);
  if (block.valueType === 'string') return { numbers, wide: block.texts() };
  const integers = block.valueType === 'i64' ? new BigInt64Array(block.count) : new BigUint64Array(block.count);
  block.integersInto(integers);
  const missing = block.missing();
  return { numbers, wide: Array.from(integers, (value, index) => (missing?.[index] === 1 ? undefined : value)) };
}
