/** Where buckets begin: fixed steps on the UTC grid, calendar steps at midnight of an IANA zone, daylight saving included. */
import type { UnixMs } from '../core/time.ts';
import type { Step } from './telemetry.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** 1970-01-05 was a Monday. */
const FIRST_MONDAY_DAY = 4;

/** A bucket: [from, to) in ms UTC. */
export interface Bucket {
  readonly from: number;
  readonly to: number;
}

/** Finds the bucket of a time. Remembers the last one: rows come in order. Throws RangeError for an unknown zone. */
export class Buckets {
  readonly #find: (timeMs: number) => Bucket;
  #last: Bucket = { from: 0, to: 0 };

  constructor(step: Step) {
    if ('ms' in step) {
      const stepMs = step.ms;
      this.#find = (timeMs) => {
        const from = Math.floor(timeMs / stepMs) * stepMs;
        return { from, to: from + stepMs };
      };
    } else {
      const zone = new Zone(step.tz);
      const unit = 'days' in step ? step.days : step.calendar;
      this.#find = (timeMs) => calendarBucket(zone, unit, timeMs);
    }
  }

  of(timeMs: number): Bucket {
    if (timeMs < this.#last.from || timeMs >= this.#last.to) this.#last = this.#find(timeMs);
    return this.#last;
  }
}

/** So many days, or what varies or begins on a Monday. */
type Unit = number | '1d' | '1w' | '1mo';

function calendarBucket(zone: Zone, unit: Unit, timeMs: number): Bucket {
  const localDay = Math.floor((timeMs + zone.offsetMs(timeMs)) / DAY_MS);
  const [first, next] = localSpan(unit, localDay);
  const to = zone.midnightMs(next);
  if (timeMs < to) return { from: zone.midnightMs(first), to };
  // Clocks were put back over midnight, and the end of a day comes a second time within the next one.
  return { from: to, to: zone.midnightMs(localSpan(unit, next)[1]) };
}

/** The local day numbers on which the unit around `localDay` starts and the next one starts. */
function localSpan(unit: Unit, localDay: number): readonly [number, number] {
  if (typeof unit === 'number') {
    const first = Math.floor(localDay / unit) * unit;
    return [first, first + unit];
  }
  if (unit === '1d') return [localDay, localDay + 1];
  if (unit === '1w') {
    const monday = localDay - ((((localDay - FIRST_MONDAY_DAY) % 7) + 7) % 7);
    return [monday, monday + 7];
  }
  const date = new Date(localDay * DAY_MS);
  const monthStart = (shift: number) => Date.UTC(date.getUTCFullYear(), date.getUTCMonth() + shift, 1) / DAY_MS;
  return [monthStart(0), monthStart(1)];
}

/** An IANA time zone, by way of Intl. */
export class Zone {
  readonly #format: Intl.DateTimeFormat | null;

  constructor(name: string) {
    this.#format =
      name === 'UTC'
        ? null
        : new Intl.DateTimeFormat('en-US', {
            timeZone: name,
            hourCycle: 'h23',
            era: 'short',
            year: 'numeric',
            month: 'numeric',
            day: 'numeric',
            hour: 'numeric',
            minute: 'numeric',
            second: 'numeric',
          });
  }

  /** Local time minus UTC at this moment. */
  offsetMs(timeMs: number): number {
    if (!this.#format) return 0;
    const wholeSecondMs = Math.floor(timeMs / 1000) * 1000;
    const fields: Record<string, string> = {};
    for (const { type, value } of this.#format.formatToParts(wholeSecondMs)) fields[type] = value;
    const year = fields['era'] === 'BC' ? 1 - Number(fields['year']) : Number(fields['year']);
    const local = new Date(0);
    local.setUTCFullYear(year, Number(fields['month']) - 1, Number(fields['day']));
    local.setUTCHours(Number(fields['hour']), Number(fields['minute']), Number(fields['second']));
    return local.getTime() - wholeSecondMs;
  }

  /** When the local day `localDay` (days since 1970-01-01 by the local calendar) begins; where midnight is skipped, the jump. */
  midnightMs(localDay: number): number {
    const nominalMs = localDay * DAY_MS;
    if (!this.#format) return nominalMs;
    for (const nearMs of [nominalMs - DAY_MS, nominalMs + DAY_MS]) {
      const candidateMs = nominalMs - this.offsetMs(nearMs);
      if (this.#localDay(candidateMs) === localDay && this.#localDay(candidateMs - 1) < localDay) return candidateMs;
    }
    return this.#jumpInto(localDay, nominalMs - DAY_MS, nominalMs + DAY_MS);
  }

  #localDay(timeMs: number): number {
    return Math.floor((timeMs + this.offsetMs(timeMs)) / DAY_MS);
  }

  #jumpInto(localDay: number, lowMs: number, highMs: number): number {
    let low = lowMs;
    let high = highMs;
    while (high - low > 1) {
      const middle = Math.floor((low + high) / 2);
      if (this.#localDay(middle) >= localDay) high = middle;
      else low = middle;
    }
    return high;
  }
}

/** True when `name` is a zone that this Node knows. */
export function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en-US', { timeZone: name });
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** How many buckets of `step` a range can have at most. */
export function bucketCount(step: Step, from: UnixMs, to: UnixMs): number {
  return Math.ceil((to - from) / shortestMs(step)) + 1;
}

function shortestMs(step: Step): number {
  if ('ms' in step) return step.ms;
  if ('days' in step) return step.days * DAY_MS - HOUR_MS;
  return { '1d': 23 * HOUR_MS, '1w': 7 * DAY_MS - HOUR_MS, '1mo': 28 * DAY_MS - HOUR_MS }[step.calendar];
}
