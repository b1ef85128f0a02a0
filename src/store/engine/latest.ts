/** The newest sample of every series and the newest usable one, in memory; answers `latest` without a look at the disk. */

import type { StatusCode } from '../../core/status.ts';
import { isBad } from '../../core/status.ts';
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import { ColumnsBuilder } from '../columns.ts';
import type { Columns } from '../telemetry.ts';
import type { LatestRow } from './latest-table.ts';
import type { SampleColumns } from './sample-columns.ts';

export interface Sample {
  timeMs: number;
  number: number;
  wide: string | bigint | undefined;
  status: number;
}

interface Pair {
  readonly newest: Sample;
  usable: Sample | undefined;
  /** True when `usable` was overwritten by one that is not: which is the newest now, must be looked up. Else undefined says that there is none. */
  isUsableUnknown: boolean;
  /** It stands in the set of those that changed: to look there with every batch would cost more than the batch. */
  isChanged: boolean;
}

export function isUsable({ status, wide, number }: Sample): boolean {
  return !isBad(status) && (wide !== undefined || !Number.isNaN(number));
}

export class LatestSamples {
  /** Called before the samples are looked at. */
  onRead: () => void = () => {};
  readonly #bySeries: (Pair | undefined)[] = [];
  /** Changed since they were last saved. */
  readonly #changed = new Set<SeriesId>();

  /** At equal time the later arrival wins. */
  put(series: SeriesId, timeMs: number, number: number, wide: string | bigint | undefined, status: number): void {
    let pair = this.#bySeries[series];
    if (!pair) {
      const newest = { timeMs: Number.NEGATIVE_INFINITY, number: Number.NaN, wide: undefined, status: 0 };
      pair = { newest, usable: undefined, isUsableUnknown: false, isChanged: false };
      this.#bySeries[series] = pair;
    }
    if (timeMs < (pair.usable?.timeMs ?? Number.NEGATIVE_INFINITY)) return; // the newest is no older than the newest usable one
    if (!pair.isChanged) this.#change(series, pair);
    if (timeMs >= pair.newest.timeMs) assign(pair.newest, timeMs, number, wide, status);
    if (!isBad(status) && (wide !== undefined || !Number.isNaN(number))) {
      if (pair.usable) assign(pair.usable, timeMs, number, wide, status);
      else if (!pair.isUsableUnknown) pair.usable = { timeMs, number, wide, status };
    } else if (timeMs === pair.usable?.timeMs) {
      pair.usable = undefined;
      pair.isUsableUnknown = true;
    }
  }

  /** The same as `put` for each of columns[from…to). */
  append(series: SeriesId, columns: SampleColumns, from: number, to: number): void {
    const { timeMs, numbers, status } = columns;
    let lastMs = this.#bySeries[series]?.newest.timeMs ?? Number.NEGATIVE_INFINITY;
    let index = from;
    while (index < to && (timeMs[index] as number) > lastMs) lastMs = timeMs[index++] as number;
    if (index < to) {
      for (index = from; index < to; index++) {
        this.put(series, timeMs[index] as number, numbers[index] as number, undefined, status[index] as number);
      }
      return;
    }
    // Each is newer than all before: only the last counts, and before it the last usable one.
    let usable = to - 1;
    while (usable > from && (isBad(status[usable] as StatusCode) || Number.isNaN(numbers[usable]))) usable--;
    this.put(series, timeMs[usable] as number, numbers[usable] as number, undefined, status[usable] as number);
    if (usable < to - 1) this.put(series, timeMs[to - 1] as number, numbers[to - 1] as number, undefined, status[to - 1] as number);
  }

  /** `find` looks up the newest usable sample of a series where memory does not know it. */
  columns(
    series: readonly SeriesId[],
    which: 'newest' | 'usable',
    find: (series: SeriesId, newestMs: number) => Sample | undefined,
  ): Columns {
    this.onRead();
    const columns = new ColumnsBuilder();
    for (const id of series) {
      const pair = this.#bySeries[id];
      if (pair?.isUsableUnknown && which === 'usable') {
        pair.usable = find(id, pair.newest.timeMs);
        pair.isUsableUnknown = false;
        this.#change(id, pair);
      }
      const sample = pair?.[which];
      if (sample) columns.add(id, sample.timeMs, sample.wide ?? sample.number, sample.status);
    }
    return columns.build();
  }

  /** Time of the newest sample of all; −Infinity when there is none. */
  newestMs(): number {
    this.onRead();
    return this.#bySeries.reduce((newest, pair) => Math.max(newest, pair?.newest.timeMs ?? newest), Number.NEGATIVE_INFINITY);
  }

  /**
   * Returns the series that have no definition, which are left out: a row alone does not tell u64 from i64. Where a definition comes up
   * later, their newest samples must be looked for.
   */
  restore(rows: readonly LatestRow[], definition: (series: SeriesId) => SeriesDef | undefined): readonly SeriesId[] {
    const undefinedSeries: SeriesId[] = [];
    for (const row of rows) {
      const def = definition(row.series);
      if (!def) {
        undefinedSeries.push(row.series);
        continue;
      }
      const unsigned = def.valueType === 'u64';
      const newest = toSample(row.newestMs, row.newest, row.status, unsigned);
      const usable = row.usableMs === null ? undefined : toSample(row.usableMs, row.usable, row.usableStatus ?? 0, unsigned);
      this.#bySeries[row.series] = { newest, usable, isUsableUnknown: usable === undefined && row.usableStatus === null, isChanged: false };
    }
    return undefinedSeries;
  }

  /** The newest sample of a series is this; its newest usable one is looked up when it is asked for. */
  replace(series: SeriesId, newest: Sample): void {
    const pair = { newest, usable: undefined, isUsableUnknown: true, isChanged: false };
    this.#bySeries[series] = pair;
    this.#change(series, pair);
  }

  /** Forgets what is older. */
  dropBefore(timeMs: number): void {
    this.onRead();
    for (const [id, pair] of this.#bySeries.entries()) {
      if (!pair || (pair.usable ?? pair.newest).timeMs >= timeMs) continue;
      pair.usable = undefined;
      if (pair.newest.timeMs >= timeMs) continue;
      this.#bySeries[id] = undefined;
      this.#changed.delete(id as SeriesId);
    }
  }

  /** Series whose newest samples are not saved as they are. */
  unsaved(): Iterable<SeriesId> {
    this.onRead();
    return this.#changed;
  }

  /** The newest samples of those that have one. */
  rows(series: readonly SeriesId[]): readonly LatestRow[] {
    this.onRead();
    return series.flatMap((id) => {
      const pair = this.#bySeries[id];
      return pair ? [toRow(id, pair)] : [];
    });
  }

  /** What `rows` said of these a moment ago is saved. */
  saved(series: readonly SeriesId[]): void {
    for (const id of series) {
      this.#changed.delete(id);
      const pair = this.#bySeries[id];
      if (pair) pair.isChanged = false;
    }
  }

  #change(series: SeriesId, pair: Pair): void {
    pair.isChanged = true;
    this.#changed.add(series);
  }
}

function assign(sample: Sample, timeMs: number, number: number, wide: string | bigint | undefined, status: number): void {
  sample.timeMs = timeMs;
  sample.number = number;
  sample.wide = wide;
  sample.status = status;
}

function toSample(timeMs: number, value: LatestRow['newest'], status: number, unsigned: boolean): Sample {
  const wide =
    typeof value === 'bigint' && unsigned ? BigInt.asUintN(64, value) : typeof value === 'number' ? undefined : (value ?? undefined);
  return { timeMs, number: typeof value === 'number' ? value : Number.NaN, wide, status };
}

function toRow(series: SeriesId, { newest, usable, isUsableUnknown }: Pair): LatestRow {
  return {
    series,
    newestMs: newest.timeMs,
    newest: toValue(newest),
    status: newest.status,
    usableMs: usable?.timeMs ?? null,
    usable: usable ? toValue(usable) : null,
    usableStatus: isUsableUnknown ? null : (usable?.status ?? 0),
  };
}

/** u64 beyond the signed range is kept as the same 64 bits. */
function toValue({ number, wide }: Sample): LatestRow['newest'] {
  if (typeof wide === 'bigint') return BigInt.asIntN(64, wide);
  return wide ?? (Number.isNaN(number) ? null : number);
}
