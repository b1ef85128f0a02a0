/**
 * Rollups: what was folded before, in cells of five minutes, so that longer steps in any time zone are composed without a look at the
 * samples. Drawn in docs/formats/rollup.md.
 */
import type { SeriesId } from '../../core/tag.ts';
import { Accumulator, type CellColumns } from '../fold.ts';
import type { Aggregation } from '../telemetry.ts';
import { Block, encodeBlock } from './codec/block.ts';
import { ByteReader, ByteWriter } from './codec/bytes.ts';
import { CorruptBlockError } from './codec/corrupt-block-error.ts';
import { ROLLUP_MS } from './grid.ts';
import { lowerBound, type Run } from './run.ts';

/** In the order in which they are written. */
const COLUMNS = ['key', 'count', 'uncertain', 'numbers', 'min', 'max', 'sum', 'first', 'last'] as const;
type ColumnName = (typeof COLUMNS)[number];
/** What every aggregation takes. */
const COUNTS: ReadonlySet<ColumnName> = new Set(['key', 'count', 'uncertain', 'numbers']);
const BAD = 0x8000_0000;
const UNCERTAIN = 0x4000_0000;
/** Cells of a day of one series. */
const FIRST_CAPACITY = 288;

/** Cells in columns; `key` says which cell it is and rises. */
export interface RollupColumns extends CellColumns {
  readonly rows: number;
  readonly key: Float64Array;
}

/** The blob of a series. */
export interface SeriesRollup {
  readonly series: SeriesId;
  readonly data: Uint8Array;
}

/** What an aggregation takes, besides the counts. */
const TAKES: Readonly<Record<Aggregation, ColumnName | null>> = {
  avg: 'sum',
  sum: 'sum',
  min: 'min',
  max: 'max',
  first: 'first',
  last: 'last',
  count: null,
};

function newColumns(capacity: number): Record<ColumnName, Float64Array> {
  const columns: Partial<Record<ColumnName, Float64Array>> = {};
  for (const name of COLUMNS) columns[name] = new Float64Array(capacity);
  return columns as Record<ColumnName, Float64Array>;
}

/** Folds runs into cells, to be encoded together. */
export class RollupBuilder {
  #columns = newColumns(FIRST_CAPACITY);
  #rows = 0;
  /** The cell that is being filled; its key. */
  readonly #fold = new Accumulator();
  #key: number | undefined;

  clear(): void {
    this.#rows = 0;
    this.#fold.reset();
    this.#key = undefined;
  }

  /**
   * Folds the good and uncertain samples of a run; bad ones are left out, and so is a cell that has none. The cell that begins at
   * `originMs` has the key `firstKey`. Keys rise from run to run; a run may begin in the cell in which the one before has ended.
   */
  add(run: Run, originMs: number, firstKey: number): void {
    const { timeMs, count } = run;
    for (let from = 0; from < count; ) {
      const cell = Math.floor(((timeMs[from] as number) - originMs) / ROLLUP_MS);
      const endMs = originMs + (cell + 1) * ROLLUP_MS;
      const to = (timeMs[count - 1] as number) < endMs ? count : lowerBound(timeMs, count, endMs);
      this.#enter(firstKey + cell);
      foldSamples(this.#fold, run, from, to);
      from = to;
    }
  }

  /** One block a column, each behind its length; empty for no cells. */
  encode(): Uint8Array {
    this.#endCell();
    const rows = this.#rows;
    const writer = new ByteWriter();
    if (rows === 0) return writer.written();
    const status = new Uint32Array(rows);
    for (const name of COLUMNS) {
      const block = encodeBlock({ valueType: 'f64', status, numbers: this.#columns[name].subarray(0, rows) });
      writer.varint(block.length);
      writer.append(block);
    }
    return writer.written().slice();
  }

  #enter(key: number): void {
    if (key === this.#key) return;
    this.#endCell();
    this.#key = key;
  }

  #endCell(): void {
    if (this.#key !== undefined && this.#fold.count > 0) this.#push(this.#key);
    this.#fold.reset();
    this.#key = undefined;
  }

  #push(key: number): void {
    if (this.#rows === this.#columns.key.length) {
      const larger = newColumns(this.#rows * 2);
      for (const name of COLUMNS) larger[name].set(this.#columns[name]);
      this.#columns = larger;
    }
    this.#columns.key[this.#rows] = key;
    this.#fold.writeCell(this.#columns, this.#rows);
    this.#rows++;
  }
}

/** Adds samples [from, to) of a run to a bucket, without the bad ones. */
export function foldSamples(fold: Accumulator, run: Run, from: number, to: number): void {
  const { status, wide, numbers } = run;
  if (!status && !wide) {
    fold.addAll(numbers, from, to);
    return;
  }
  for (let index = from; index < to; index++) {
    const code = status?.[index] ?? 0;
    if (code >= BAD) continue;
    const value = wide?.[index];
    fold.add(typeof value === 'bigint' ? Number(value) : (numbers[index] as number), code >= UNCERTAIN);
  }
}

/** What an aggregation says of a single cell. */
export function cellValue(columns: RollupColumns, row: number, aggregation: Aggregation): number {
  const takes = TAKES[aggregation];
  if (takes === null) return columns.count[row] as number;
  const numbers = columns.numbers[row] as number;
  if (numbers === 0) return Number.NaN;
  const value = columns[takes][row] as number;
  return aggregation === 'avg' ? value / numbers : value;
}

/** The column that an aggregation takes, besides the counts; null for none. */
export function columnOf(aggregation: Aggregation): string | null {
  return TAKES[aggregation];
}

/** A column that was decoded, and what of. */
interface Decoded {
  readonly bytes: Uint8Array;
  readonly numbers: Float64Array;
}

/** Of each column the last one that was decoded: keys and counts are mostly the same from one blob to the next. */
const lastDecoded = new Map<ColumnName, Decoded>();

/**
 * The cells of a blob as far as an aggregation needs them; the other columns hold anything. Nobody may change them. The checksum of the row that
 * the blob is from was right. Throws CorruptBlockError.
 */
export function decodeRollup(blob: Uint8Array, aggregation: Aggregation): RollupColumns {
  if (blob.length === 0) return { rows: 0, ...newColumns(0) };
  const reader = new ByteReader(blob);
  const takes = TAKES[aggregation];
  const columns: Partial<Record<ColumnName, Float64Array>> = {};
  for (const name of COLUMNS) {
    const bytes = reader.take(reader.varint());
    if (!COUNTS.has(name) && name !== takes) continue;
    const column = decodeColumn(name, bytes);
    if (column.length !== (columns.key ?? column).length) throw new CorruptBlockError('columns of a rollup differ in length');
    columns[name] = column;
  }
  const { key } = columns as Record<ColumnName, Float64Array>;
  for (const name of COLUMNS) columns[name] ??= key;
  return { rows: key.length, ...(columns as Record<ColumnName, Float64Array>) };
}

function decodeColumn(name: ColumnName, bytes: Uint8Array): Float64Array {
  for (const known of [lastDecoded.get(name), name === 'numbers' ? lastDecoded.get('count') : undefined]) {
    if (known && isSame(known.bytes, bytes)) return known.numbers;
  }
  const block = new Block(bytes);
  const numbers = new Float64Array(block.count);
  block.numbersInto(numbers);
  if (COUNTS.has(name)) lastDecoded.set(name, { bytes: bytes.slice(), numbers });
  return numbers;
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && Buffer.compare(a, b) === 0;
}
