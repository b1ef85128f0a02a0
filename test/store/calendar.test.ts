/** Buckets agree with what Intl says of the local calendar, tile time, and never overlap. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../src/core/time.ts';
import { Buckets, bucketCount, isTimeZone, Zone } from '../../src/store/calendar.ts';
import type { Step } from '../../src/store/telemetry.ts';
import { localDays } from './local-days.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const ZONES = [
  'UTC',
  'Europe/Berlin',
  'Australia/Lord_Howe', // half an hour of daylight saving
  'America/Santiago', // jumps at midnight
  'Africa/Cairo',
  'Asia/Beirut', // skips midnight
  'America/St_Johns', // until 2011 jumped at 00:01, so that a local day came twice
  'Pacific/Apia', // had no 30 December 2011
  'Asia/Kathmandu', // +05:45
  'America/Sao_Paulo',
  'Antarctica/Troll', // two hours of daylight saving
] as const;
const CALENDARS = ['1d', '1w', '1mo'] as const;
const anyZone = fc.constantFrom(...ZONES);
const anyCalendar = fc.constantFrom(...CALENDARS);
const someTime = fc.integer({ min: Date.UTC(1970, 0, 1), max: Date.UTC(2037, 11, 31) });

/** The moments within some years at which a zone's clocks were moved. */
function jumps(tz: string, fromYear: number, toYear: number): number[] {
  const zone = new Zone(tz);
  const found: number[] = [];
  for (let at = Date.UTC(fromYear, 0, 1); at < Date.UTC(toYear, 0, 1); at += DAY / 2) {
    if (zone.offsetMs(at) === zone.offsetMs(at + DAY / 2)) continue;
    let jump = at + MINUTE;
    while (zone.offsetMs(jump) === zone.offsetMs(at)) jump += MINUTE;
    found.push(jump);
  }
  return found;
}

const JUMPS = new Map<string, number[]>(ZONES.map((tz) => [tz, jumps(tz, 2004, 2014)]));
const zoneAndTime = anyZone.chain((tz) => {
  const edges = JUMPS.get(tz) ?? [];
  const aside = fc.oneof(fc.integer({ min: -2 * HOUR, max: 2 * HOUR }), fc.integer({ min: -2 * DAY, max: 2 * DAY }));
  const near = edges.length === 0 ? someTime : fc.tuple(fc.constantFrom(...edges), aside).map(([jump, shift]) => jump + shift);
  return fc.tuple(fc.constant(tz), fc.oneof(someTime, near));
});

describe('calendar buckets', () => {
  it('start with the first moment of the local day, Monday or first of the month', () => {
    fc.assert(
      fc.property(zoneAndTime, anyCalendar, ([tz, timeMs], calendar) => {
        const { date } = localDays(tz);
        const { from, to } = new Buckets({ calendar, tz }).of(timeMs);
        expect(from).toBeLessThanOrEqual(timeMs);
        expect(timeMs).toBeLessThan(to);
        for (const edge of [from, to]) {
          const day = date(edge);
          expect(date(edge - 1) < day, `${edge - 1} is before ${day}`).toBe(true);
          for (let before = 1; before <= 60; before++) expect(date(edge - before * 30 * MINUTE) < day).toBe(true);
          if (tz === 'Pacific/Apia') continue; // the day that was skipped may have been the first of its week
          if (calendar === '1w') expect(new Date(`${day}T00:00Z`).getUTCDay()).toBe(1);
          if (calendar === '1mo') expect(day.slice(-2)).toBe('01');
        }
      }),
      { numRuns: 200 },
    );
  });

  it('hold nothing but their local day, but for the hour that St. John’s lived twice', () => {
    fc.assert(
      fc.property(zoneAndTime, ([tz, timeMs]) => {
        const { date } = localDays(tz);
        const { from, to } = new Buckets({ calendar: '1d', tz }).of(timeMs);
        const repeated = tz === 'America/St_Johns' && timeMs - from < HOUR;
        if (!repeated) expect(date(timeMs)).toBe(date(from));
        expect(date(to) > date(from)).toBe(true);
        expect(to - from).toBeLessThanOrEqual(26 * HOUR);
      }),
      { numRuns: 500 },
    );
  });

  it('of several days are those of UTC, moved to the midnights of the zone', () => {
    fc.assert(
      fc.property(zoneAndTime, fc.integer({ min: 2, max: 400 }), ([tz, timeMs], days) => {
        const { date } = localDays(tz);
        const { from, to } = new Buckets({ days, tz }).of(timeMs);
        expect(from).toBeLessThanOrEqual(timeMs);
        expect(timeMs).toBeLessThan(to);
        for (const edge of [from, to]) {
          expect(date(edge - 1) < date(edge)).toBe(true);
          if (tz === 'Pacific/Apia') continue; // the day that was skipped may have been the first of its bucket
          expect(Math.abs(Date.parse(date(edge)) / DAY) % days).toBe(0);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('tile time without a hole and without overlap, in whatever order they are asked for', () => {
    fc.assert(
      fc.property(
        zoneAndTime,
        anyCalendar,
        fc.array(fc.integer({ min: -40 * DAY, max: 40 * DAY }), { maxLength: 8 }),
        ([tz, timeMs], calendar, shifts) => {
          const step: Step = { calendar, tz };
          const buckets = new Buckets(step);
          for (const shift of [0, ...shifts]) {
            const { from, to } = buckets.of(timeMs + shift);
            for (const inside of [from, to - 1, Math.floor((from + to) / 2)]) expect(new Buckets(step).of(inside)).toEqual({ from, to });
            expect(new Buckets(step).of(to).from).toBe(to);
            expect(new Buckets(step).of(from - 1).to).toBe(from);
          }
        },
      ),
      { numRuns: 40 },
    );
  });

  it('are 720 in the months of sixty years, in every zone', () => {
    for (const tz of ZONES) {
      const buckets = new Buckets({ calendar: '1mo', tz });
      let at = buckets.of(Date.UTC(1975, 5, 15)).from;
      for (let month = 0; month < 720; month++) at = buckets.of(at).to;
      expect(localDays(tz).date(at)).toBe('2035-06-01');
    }
  });

  it('hold the time they were asked for and meet their neighbours, around every jump of every clock', () => {
    for (const [tz, edges] of JUMPS) {
      for (const timeMs of edges.flatMap((jump) =>
        [-121, -61, -31, -1, 0, 1, 29, 30, 59, 60, 61, 121].map((shift) => jump + shift * MINUTE),
      )) {
        const buckets = new Buckets({ calendar: '1d', tz });
        const { from, to } = buckets.of(timeMs);
        expect(from <= timeMs && timeMs < to, `${tz} ${timeMs} is in [${from}, ${to})`).toBe(true);
        expect(buckets.of(to).from).toBe(to);
        expect(buckets.of(from - 1).to).toBe(from);
      }
    }
  });

  it('know the days that are shorter or longer', () => {
    const hours = (tz: string, iso: string) => {
      const { from, to } = new Buckets({ calendar: '1d', tz }).of(Date.parse(iso));
      return (to - from) / HOUR;
    };
    expect(hours('Europe/Berlin', '2025-03-30T12:00Z')).toBe(23);
    expect(hours('Europe/Berlin', '2025-10-26T12:00Z')).toBe(25);
    expect(hours('Australia/Lord_Howe', '2025-10-05T00:00Z')).toBe(23.5);
    expect(hours('Australia/Lord_Howe', '2025-04-06T00:00Z')).toBe(24.5);
    expect(hours('America/Santiago', '2024-09-08T12:00Z')).toBe(23);
    expect(hours('Africa/Cairo', '2024-10-31T12:00Z')).toBe(25);
    expect(hours('Asia/Beirut', '2024-03-31T12:00Z')).toBe(23);
    expect(hours('Antarctica/Troll', '2024-03-31T12:00Z')).toBe(22);
    expect(hours('Asia/Tokyo', '2024-03-31T12:00Z')).toBe(24);
  });

  it('reach back into local mean time and forward to the last year that can be written', () => {
    for (const tz of ZONES) {
      for (const timeMs of [Date.UTC(1800, 5, 1), Date.UTC(1900, 0, 1, 5), Date.UTC(9999, 10, 11)]) {
        const { from, to } = new Buckets({ calendar: '1d', tz }).of(timeMs);
        expect(to - from).toBe(DAY);
        const zone = new Zone(tz);
        expect((from + zone.offsetMs(from)) % DAY === 0 || (from + zone.offsetMs(from)) % DAY === 0).toBe(true);
      }
    }
  });

  it('refuse a zone that does not exist', () => {
    expect(() => new Buckets({ calendar: '1d', tz: 'Mars/Olympus' })).toThrow(RangeError);
    expect(isTimeZone('Mars/Olympus')).toBe(false);
    expect(isTimeZone('')).toBe(false);
    expect(isTimeZone('America/Argentina/Buenos_Aires')).toBe(true);
  });
});

describe('fixed buckets', () => {
  it('start at multiples of the step since the epoch, before it too', () => {
    fc.assert(
      fc.property(fc.integer({ min: -1e13, max: 1e13 }), fc.integer({ min: 1, max: 1e9 }), (timeMs, ms) => {
        const { from, to } = new Buckets({ ms }).of(timeMs);
        expect(from % ms === 0).toBe(true);
        expect(from <= timeMs && timeMs < to && to - from === ms).toBe(true);
      }),
    );
  });
});

describe('bucketCount', () => {
  it('is never less than the buckets that a range touches, and not much more', () => {
    const step = fc.oneof(
      fc.integer({ min: MINUTE, max: DAY }).map((ms): Step => ({ ms })),
      fc.record({ calendar: anyCalendar, tz: anyZone }),
    );
    fc.assert(
      fc.property(step, zoneAndTime, fc.integer({ min: 1, max: 100 * DAY }), (someStep, [, from], length) => {
        const lengthMs = 'ms' in someStep ? Math.min(length, 100 * someStep.ms) : length;
        const buckets = new Buckets(someStep);
        let touched = 0;
        for (let at = from; at < from + lengthMs; at = buckets.of(at).to) touched++;
        const most = bucketCount(someStep, from as UnixMs, (from + lengthMs) as UnixMs);
        expect(most).toBeGreaterThanOrEqual(touched);
        expect(most).toBeLessThanOrEqual(touched * 1.2 + 3);
      }),
      { numRuns: 300 },
    );
  });
});
