/** What the store must answer, worked out the obvious way from the list of arrivals. */
import { isBad, qualityOf } from '../../../src/core/status.ts';
import type { SeriesDef, SeriesId } from '../../../src/core/tag.ts';
import type { Aggregation, Columns, Gap, TimeRange } from '../../../src/store/telemetry.ts';
import type { Arrival } from './feed.ts';

/** A sample as columns tell it: booleans are 0 and 1. */
export interface Row {
  readonly series: number;
  readonly timeMs: number;
  readonly value: number | string | bigint | null;
  readonly status: number;
}

export interface Facts {
  readonly defs: ReadonlyMap<SeriesId, SeriesDef>;
  readonly arrivals: readonly Arrival[];
}

export function toRow({ series, timeMs, value, status }: Arrival): Row {
  return { series, timeMs, value: typeof value === 'boolean' ? Number(value) : value, status };
}

export function rowsOf(columns: Columns): Row[] {
  const { rows, series, timeMs, numbers, status, wide } = columns;
  for (const column of [series, timeMs, numbers, status, ...(wide ? [wide] : [])]) {
    if (column.length !== rows) throw new Error(`a column has ${column.length} of ${rows} rows`);
  }
  return Array.from({ length: rows }, (_, row) => {
    const number = numbers[row] as number;
    const value = wide?.[row] ?? (Number.isNaN(number) ? null : number);
    return { series: series[row] as number, timeMs: timeMs[row] as number, value, status: status[row] as number };
  });
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

/** The latest arrival for each (tag, time) of the series asked for, by (time, asset, tag). */
export function merged({ defs, arrivals }: Facts, series: readonly SeriesId[], range: TimeRange): Row[] {
  const winners = new Map<string, { readonly row: Row; readonly def: SeriesDef }>();
  for (const arrival of arrivals) {
    const def = defs.get(arrival.series);
    if (!def || !series.includes(arrival.series) || arrival.timeMs < range.from || arrival.timeMs >= range.to) continue;
    winners.set(JSON.stringify([def.tenant, def.asset, def.tag, arrival.timeMs]), { row: toRow(arrival), def });
  }
  return [...winners.values()]
    .sort((a, b) => a.row.timeMs - b.row.timeMs || compareText(a.def.asset, b.def.asset) || compareText(a.def.tag, b.def.tag))
    .map(({ row }) => row);
}

export interface BucketRow {
  /** The lowest id asked for of the tag. */
  readonly series: number;
  readonly timeMs: number;
  readonly value: number;
  readonly count: number;
  readonly uncertain: number;
}

/** `bucketStart` tells where the bucket of a time begins. */
export function aggregated(
  facts: Facts,
  query: { readonly series: readonly SeriesId[]; readonly range: TimeRange; readonly aggregation: Aggregation },
  bucketStart: (timeMs: number) => number,
): BucketRow[] {
  const buckets = new Map<string, { series: number; timeMs: number; rows: Row[]; def: SeriesDef }>();
  for (const row of merged(facts, query.series, query.range)) {
    if (isBad(row.status)) continue;
    const def = facts.defs.get(row.series as SeriesId) as SeriesDef;
    const timeMs = bucketStart(row.timeMs);
    const key = JSON.stringify([def.tenant, def.asset, def.tag, timeMs]);
    const bucket = buckets.get(key);
    if (bucket) bucket.rows.push(row);
    else buckets.set(key, { series: lowestOf(facts, query.series, def), timeMs, rows: [row], def });
  }
  return [...buckets.values()]
    .sort((a, b) => a.timeMs - b.timeMs || compareText(a.def.asset, b.def.asset) || compareText(a.def.tag, b.def.tag))
    .map(({ series, timeMs, rows }) => ({
      series,
      timeMs,
      value: aggregate(query.aggregation, rows),
      count: rows.length,
      uncertain: rows.filter((row) => qualityOf(row.status) === 'uncertain').length,
    }));
}

function lowestOf({ defs }: Facts, series: readonly SeriesId[], { tenant, asset, tag }: SeriesDef): number {
  const same = series.filter((id) => {
    const def = defs.get(id);
    return def?.tenant === tenant && def.asset === asset && def.tag === tag;
  });
  return Math.min(...same);
}

function aggregate(aggregation: Aggregation, rows: readonly Row[]): number {
  if (aggregation === 'count') return rows.length;
  const numbers = rows.filter(({ value }) => value !== null && typeof value !== 'string').map(({ value }) => Number(value));
  if (numbers.length === 0) return Number.NaN;
  const sum = numbers.reduce((total, number) => total + number, 0);
  const results: Record<Exclude<Aggregation, 'count'>, number> = {
    sum,
    avg: sum / numbers.length,
    min: Math.min(...numbers),
    max: Math.max(...numbers),
    first: numbers[0] as number,
    last: numbers.at(-1) as number,
  };
  return results[aggregation];
}

/** Gaps of one tag: stretches of bad samples, from before the range too. */
export function gapsOf(facts: Facts, series: readonly SeriesId[], range: TimeRange): Gap[] {
  const everything = merged(facts, series, { from: Number.NEGATIVE_INFINITY, to: range.to } as TimeRange);
  const gaps: { from: number; to: number }[] = [];
  let since: number | undefined;
  for (const { timeMs, status } of everything) {
    if (isBad(status)) since ??= timeMs;
    else if (since !== undefined) {
      gaps.push({ from: since, to: timeMs });
      since = undefined;
    }
  }
  if (since !== undefined) gaps.push({ from: since, to: range.to });
  return gaps.map(({ from, to }) => ({ from: Math.max(from, range.from), to })).filter(({ from, to }) => from < to) as Gap[];
}
