/** Builds Columns row by row where the number of rows is not known before. */
import type { SeriesId } from '../core/tag.ts';
import { GrowingColumn } from './growing-column.ts';
import type { AggregateColumns, Columns } from './telemetry.ts';

export class ColumnsBuilder {
  readonly #series = new GrowingColumn();
  readonly #timeMs = new GrowingColumn();
  readonly #numbers = new GrowingColumn();
  readonly #status = new GrowingColumn();
  /** From the first text or 64-bit integer on as long as the others. */
  #wide: (string | bigint | undefined)[] | undefined;

  get rows(): number {
    return this.#series.length;
  }

  /** `value` null or NaN: no value. */
  add(series: SeriesId, timeMs: number, value: number | string | bigint | null, status: number): void {
    if (typeof value === 'string' || typeof value === 'bigint') {
      this.#wide ??= new Array<string | bigint | undefined>(this.rows).fill(undefined);
      this.#wide.push(value);
    } else {
      this.#wide?.push(undefined);
    }
    this.#series.push(series);
    this.#timeMs.push(timeMs);
    this.#numbers.push(typeof value === 'number' ? value : Number.NaN);
    this.#status.push(status);
  }

  build(): Columns {
    return {
      rows: this.rows,
      series: new Uint32Array(this.#series.written()),
      timeMs: this.#timeMs.written().slice(),
      numbers: this.#numbers.written().slice(),
      status: new Uint32Array(this.#status.written()),
      ...(this.#wide ? { wide: this.#wide } : {}),
    };
  }
}

export interface AggregateRow {
  readonly series: SeriesId;
  readonly timeMs: number;
  readonly value: number;
  readonly count: number;
  readonly uncertain: number;
}

export function aggregateColumns(rows: readonly AggregateRow[]): AggregateColumns {
  return {
    rows: rows.length,
    series: Uint32Array.from(rows, (row) => row.series),
    timeMs: Float64Array.from(rows, (row) => row.timeMs),
    values: Float64Array.from(rows, (row) => row.value),
    count: Uint32Array.from(rows, (row) => row.count),
    uncertain: Uint32Array.from(rows, (row) => row.uncertain),
  };
}
