/** Rollups of a day: buckets of five minutes a series, kept for years; longer steps in any time zone are composed from them. */
import type { SeriesId } from '../../core/tag.ts';
import { Accumulator, type FoldCell } from '../fold.ts';
import type { CatalogueReads } from './catalogue-reads.ts';
import { Block, encodeBlock } from './codec/block.ts';
import { ByteReader, ByteWriter } from './codec/bytes.ts';
import { CorruptBlockError } from './codec/corrupt-block-error.ts';
import { DAY_MS, ROLLUP_MS } from './grid.ts';
import type { Run } from './run.ts';

/** A bucket of a day, counted from its midnight (UTC). */
export interface RollupCell extends FoldCell {
  readonly bucket: number;
}

/** In the order in which they are written. */
const COLUMNS = ['bucket', 'count', 'uncertain', 'numbers', 'min', 'max', 'sum', 'first', 'last'] as const;
const BAD = 0x8000_0000;
const UNCERTAIN = 0x4000_0000;

export class DayRollups {
  readonly #catalogue: CatalogueReads;
  readonly #report: (what: string, error: unknown) => void;

  constructor(catalogue: CatalogueReads, report: (what: string, error: unknown) => void) {
    this.#catalogue = catalogue;
    this.#report = report;
  }

  /** Undefined where there is none, or it is damaged (which is reported): then the samples themselves must be asked. */
  get(day: number, series: SeriesId): readonly RollupCell[] | undefined {
    const blob = this.#catalogue.dayRollup(day, series);
    if (!blob) return undefined;
    try {
      return decodeRollup(blob);
    } catch (error) {
      if (!(error instanceof CorruptBlockError)) throw error;
      this.#report(`the rollup of series ${series} on day ${day}`, error);
      return undefined;
    }
  }
}

/** Good and uncertain samples of a day by bucket; bad ones are left out. */
export function rollUp(run: Run, day: number): RollupCell[] {
  const cells: RollupCell[] = [];
  let bucket = -1;
  let fold = new Accumulator();
  const finish = () => {
    if (fold.count > 0) cells.push({ bucket, ...fold.cell() });
  };
  for (let index = 0; index < run.count; index++) {
    const status = run.status?.[index] ?? 0;
    if (status >= BAD) continue;
    const at = Math.floor(((run.timeMs[index] as number) - day * DAY_MS) / ROLLUP_MS);
    if (at !== bucket) {
      finish();
      bucket = at;
      fold = new Accumulator();
    }
    const wide = run.wide?.[index];
    fold.add(typeof wide === 'bigint' ? Number(wide) : (run.numbers[index] as number), status >= UNCERTAIN);
  }
  finish();
  return cells;
}

/** One block a column, each behind its length; empty for no cells. */
export function encodeRollup(cells: readonly RollupCell[]): Uint8Array {
  const writer = new ByteWriter();
  if (cells.length === 0) return writer.written();
  const status = new Uint32Array(cells.length);
  for (const name of COLUMNS) {
    const numbers = Float64Array.from(cells, (cell) => cell[name]);
    const block = encodeBlock({ valueType: 'f64', status, numbers });
    writer.varint(block.length);
    writer.append(block);
  }
  return writer.written().slice();
}

/** Throws CorruptBlockError. */
export function decodeRollup(blob: Uint8Array): RollupCell[] {
  if (blob.length === 0) return [];
  const reader = new ByteReader(blob);
  const columns = COLUMNS.map(() => {
    const block = new Block(reader.take(reader.varint()));
    const numbers = new Float64Array(block.count);
    block.numbersInto(numbers);
    return numbers;
  });
  const count = columns[0]?.length ?? 0;
  if (columns.some((column) => column.length !== count)) throw new CorruptBlockError('columns of a rollup differ in length');
  return Array.from({ length: count }, (_, row) => {
    const cell = COLUMNS.map((name, index) => [name, columns[index]?.[row]] as const);
    return Object.fromEntries(cell) as unknown as RollupCell;
  });
}
