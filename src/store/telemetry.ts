/** The port to the time-series store: all that the house knows of it. No SQL, no file names, no row callbacks. */
import type { Sequence, SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';

/**
 * Samples in columns, all of length `rows`. `numbers` holds f64, f32 and bool (0 or 1), NaN where a sample has no value;
 * text and 64-bit integers stand in `wide` at their row, which is absent when there are none.
 */
export interface Columns {
  readonly rows: number;
  readonly series: Uint32Array;
  /** Integer milliseconds UTC. */
  readonly timeMs: Float64Array;
  readonly numbers: Float64Array;
  readonly status: Uint32Array;
  readonly wide?: readonly (string | bigint | undefined)[];
}

/** Half open: [from, to). */
export interface TimeRange {
  readonly from: UnixMs;
  readonly to: UnixMs;
}

/**
 * Series of one (tenant, asset, tag) are one tag: their samples merge by time, and at equal time the later arrival wins.
 * Rows come by (time, asset, tag), text compared by code units.
 */
export interface RawQuery {
  readonly series: readonly SeriesId[];
  readonly range: TimeRange;
  readonly limit: number;
  /** Opaque, from the page before. */
  readonly cursor?: string;
  /** Rows to skip; dearer than a cursor. */
  readonly skip?: number;
}

export interface RawPage {
  readonly columns: Columns;
  /** Null at the end. */
  readonly next: string | null;
}

export type Aggregation = 'avg' | 'min' | 'max' | 'sum' | 'count' | 'first' | 'last';

/**
 * Fixed steps start at multiples of `ms` since the epoch (UTC); calendar steps at midnight in the IANA zone `tz`, several `days` (2 and more) at
 * each such day since 1970-01-01.
 */
export type Step =
  | { readonly ms: number }
  | { readonly calendar: '1d' | '1w' | '1mo'; readonly tz: string }
  | { readonly days: number; readonly tz: string };

export interface AggregateQuery {
  readonly series: readonly SeriesId[];
  readonly range: TimeRange;
  /** Absent: one bucket over the whole range, which starts where the range does. */
  readonly step?: Step;
  readonly aggregation: Aggregation;
}

/** One row a bucket that has samples, by (time, asset, tag). Bad samples are left out, text counts but has no number. */
export interface AggregateColumns {
  readonly rows: number;
  /** The lowest series id of the tag among those asked for. */
  readonly series: Uint32Array;
  /** Start of the bucket, ms UTC. */
  readonly timeMs: Float64Array;
  readonly values: Float64Array;
  readonly count: Uint32Array;
  /** How many of `count` were uncertain. */
  readonly uncertain: Uint32Array;
}

/** From the first bad sample to the next that is not, cut to the range asked for. */
export interface Gap {
  readonly from: UnixMs;
  readonly to: UnixMs;
}

export interface SeriesQuery {
  readonly series: readonly SeriesId[];
  readonly range: TimeRange;
}

/**
 * Samples in order of arrival, at least once: an overwritten sample appears again. Who is so far behind that an engine has put what is
 * next in order for reading may get that sorted, series by series within a stretch of time; whoever applies it all has the same in the end.
 */
export interface ChangesPage {
  readonly columns: Columns;
  /** Where to go on; give it back even when the page was empty. */
  readonly next: string;
}

/** An engine may remove by whole days (UTC). Absent: no limit. */
export interface RetentionPolicy {
  /** Samples older than this, measured from the newest one that is not in the future, go. */
  readonly maxAgeMs?: number;
  /** As above, of the aggregates of five minutes; those of a day stay at least as long as its samples. */
  readonly rollupMaxAgeMs?: number;
  /** While all files together are larger, the oldest day goes. */
  readonly maxBytes?: number;
  /**
   * While the file system has less room, the oldest day goes, the present one excepted; below a quarter of it, when nothing is left that
   * may go, nothing more is taken in.
   */
  readonly reserveBytes?: number;
}

/** What opening found. */
export interface RecoveryReport {
  /** Sequence that the next record gets. */
  readonly next: Sequence;
  readonly nextSeriesId: SeriesId;
  readonly catalogue: readonly { readonly id: SeriesId; readonly def: SeriesDef }[];
  /** Null in an empty store. */
  readonly newestMs: UnixMs | null;
}

export interface StoreStats {
  readonly engine: string;
  /** A sample that was overwritten late may count twice for a while. */
  readonly samples: number;
  /** All files of the store. */
  readonly fileBytes: number;
  /** Of these: samples with what is needed to find them. */
  readonly rawBytes: number;
  /** Of these: aggregates of five minutes. */
  readonly rollupBytes: number;
  /** Of these: the log of what is not in its place yet. */
  readonly logBytes: number;
  /** `rawBytes` over the samples in their place; null when there are none. */
  readonly bytesPerSample: number | null;
  /** Quarters of an hour that are still open, and the samples in them, which are in memory and in the log. */
  readonly unsealedWindows: number;
  readonly unsealedRows: number;
  /** What the file system has left. */
  readonly freeBytes: number;
  /** UTC days in files of their own. */
  readonly days: number;
  readonly oldestMs: UnixMs | null;
  readonly newestMs: UnixMs | null;
}

/** What was found damaged in the store's files. */
export interface Damage {
  /** How many times something was found damaged since the start. */
  readonly found: number;
  /** The last of it: what, and how; null while nothing was. */
  readonly last: string | null;
}

/** 31 days: longer looks would open each day's file of a tag that was made yesterday. */
export const GAP_LOOK_BACK_MS = 31 * 86_400_000;

/** Reads of what may be years: each may be withdrawn by its signal, and then rejects `cancelled` where the answer is not there yet. */
export interface HistoryReads {
  raw(query: RawQuery, signal?: AbortSignal): Promise<RawPage>;
  /** Of each tag its newest sample within the range that is not bad and has a value, by (asset, tag); tags without one are left out. Series merge as in `raw`. */
  asOf(query: SeriesQuery, signal?: AbortSignal): Promise<Columns>;
  aggregate(query: AggregateQuery, signal?: AbortSignal): Promise<AggregateColumns>;
  /** Of one tag: its series merge as in `raw`. A gap is open at the start where the newest sample of GAP_LOOK_BACK_MS before was bad. */
  gaps(query: SeriesQuery & { readonly limit: number }, signal?: AbortSignal): Promise<readonly Gap[]>;
  /** Rows that `raw` would give in all, counted no further than `atMost`. */
  count(query: SeriesQuery & { readonly atMost: number }, signal?: AbortSignal): Promise<number>;
}

/** Reads see everything that was durable when they were called. */
export interface TelemetryReads extends HistoryReads {
  /**
   * The newest sample of each series, or with `usable` the newest that is not bad and has a value. Series without one are left out. Where
   * a usable one was overwritten by one that is not, those of the month before the newest count.
   */
  latest(series: readonly SeriesId[], which: 'newest' | 'usable'): Promise<Columns>;
  /** `cursor` null starts at the oldest sample. */
  changes(cursor: string | null, limit: number): Promise<ChangesPage>;
  stats(): Promise<StoreStats>;
}

/** What the rest of the house holds. */
export interface TelemetryStore extends TelemetryReads {
  /** Resolves when every record below `sequence` is on disk. Rejects `store_failed`, `disk_full` or `stopped`, or with the signal's reason. */
  durable(sequence: Sequence, signal?: AbortSignal): Promise<void>;
  setRetention(policy: RetentionPolicy): Promise<void>;
}
