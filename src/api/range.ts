/** Time ranges and steps of a history query, as both histories of this API read them. */
import { parseDuration, type UnixMs } from '../core/time.ts';
import type { Step, TimeRange } from '../store/telemetry.ts';
import { parsed } from './params.ts';
import { ApiError, invalid } from './problem.ts';

const DAY_MS = 86_400_000;
const MAX_BUCKETS = 1_000_000;
const MAX_INTERVAL_MS = 10_000 * DAY_MS; // the start of a bucket before 1970 must still be a date

export interface Interval {
  /** As it was written: `5m`. */
  readonly text: string;
  readonly ms: number;
}

export const intervalParam = parsed(
  (text): Interval | undefined => {
    const ms = /^\d+[smhd]$/.test(text) ? parseDuration(text) : undefined;
    return ms === undefined || ms > MAX_INTERVAL_MS ? undefined : { text, ms };
  },
  'must be a number and s, m, h or d, such as 5m, and at most 10000d',
  { description: 'width of a bucket, such as 5m; samples as they are when absent' },
);

export const zoneParam = parsed((text) => (isZone(text) ? text : undefined), 'must be an IANA time zone, such as Europe/Berlin', {
  description: 'IANA time zone whose midnights buckets of whole days begin at; several days are counted from 1970-01-01',
  default: 'UTC',
}).default('UTC');

function isZone(text: string): boolean {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(text)) return false; // newer engines take +01:00 too, which is no zone with a name
  try {
    return new Intl.DateTimeFormat('en', { timeZone: text }).resolvedOptions().timeZone !== '';
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

export interface RangeRequest {
  readonly start: UnixMs | undefined;
  readonly end: UnixMs | undefined;
  readonly startField: string;
  readonly defaultSpanMs: number;
}

/** [start, end): end defaults to now, start to `defaultSpanMs` before the end. Throws `validation_error`. */
export function rangeOf(request: RangeRequest, nowMs: UnixMs): TimeRange {
  const to = request.end ?? nowMs;
  const from = request.start ?? ((to - request.defaultSpanMs) as UnixMs);
  if (from >= to) throw invalid([{ field: request.startField, message: 'must be before the end, which is now unless given' }]);
  return { from, to };
}

/**
 * Buckets of whole days follow the calendar of the zone, several days counted from 1970-01-01 as in UTC; all others start alike in all zones.
 */
export function stepOf({ ms }: Interval, tz: string): Step {
  if (tz === 'UTC' || ms % DAY_MS !== 0) return { ms };
  return ms === DAY_MS ? { calendar: '1d', tz } : { days: ms / DAY_MS, tz };
}

/** Throws `range_too_large` when `tags` tags over the range could give more buckets than one answer may be made of. */
export function requireFewBuckets(range: TimeRange, interval: Interval, tags: number): void {
  if (Math.ceil((range.to - range.from) / interval.ms) * tags <= MAX_BUCKETS) return;
  throw new ApiError(
    'range_too_large',
    `This asks for more than ${MAX_BUCKETS} buckets: take a longer interval, a shorter range or fewer tags.`,
  );
}

/**
 * As above for one row over the range: the store makes it of days, so that it counts like buckets of a day. Throws `range_too_large`.
 */
export function requireFewDays(range: TimeRange, tags: number): void {
  if (Math.ceil((range.to - range.from) / DAY_MS) * tags <= MAX_BUCKETS) return;
  throw new ApiError(
    'range_too_large',
    `This asks for more than ${MAX_BUCKETS} days, those of each tag counted: take a shorter range or fewer tags.`,
  );
}

export const MAX_COUNTED = 1_000_000; // totals are exact up to here and say so beyond

export interface Total {
  readonly total: number;
  readonly capped: boolean;
}

/** What to make of a count that was asked `atMost: MAX_COUNTED + 1`. */
export function totalOf(counted: number): Total {
  return { total: Math.min(counted, MAX_COUNTED), capped: counted > MAX_COUNTED };
}
