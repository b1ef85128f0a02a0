/** Builds Columns row by row where the number of rows is not known before. */
import type { SeriesId } from '../core/tag.ts';
import type { AggregateColumns, Columns } from './telemetry.ts';

export class ColumnsBuilder {
  readonly #series: number[] = [];
  readonly #timeMs: number[] = [];
  readonly #numbers: number[] = [];
  readonly #status: number[] = [];
  readonly #wide: (string | bigint | undefined)[] = [];
  #anyWide = false;

  get rows(): number {
    return this.#series.length;
  }

  /** `value` null or NaN: no value. */
  add(series: SeriesId, timeMs: number, value: number | string | bigint | null, status: number): void {
    const wide = typeof value === 'string' || typeof value === 'bigint';
    this.#series.push(series);
    this.#timeMs.push(timeMs);
    this.#numbers.push(typeof value === 'number' ? value : Number.NaN);
    this.#status.push(status);
    this.#wide.push(wide ? value : undefined);
    if (wide) this.#anyWide = true;
  }

  build(): Columns {
    return {
      rows: this.rows,
      series: Uint32Array.from(this.#series),
      timeMs: Float64Array.from(this.#timeMs),
      numbers: Float64Array.from(this.#numbers),
      status: Uint32Array.from(this.#status),
      ...(this.#anyWide ? { wide: this.#wide } : {}),
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
