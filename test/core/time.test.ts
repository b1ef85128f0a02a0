/** Time at the edges: RFC 3339 in and out, and durations. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MAX_TIME_MS, MIN_TIME_MS, parseDuration, parseTime, toIso } from '../../src/core/time.ts';

const anyTimeMs = fc.integer({ min: MIN_TIME_MS, max: MAX_TIME_MS });
const two = (value: number) => String(value).padStart(2, '0');

describe('the range of times', () => {
  it('is that of four-digit years', () => {
    expect(toIso(MIN_TIME_MS)).toBe('0000-01-01T00:00:00Z');
    expect(toIso(MAX_TIME_MS)).toBe('9999-12-31T23:59:59.999Z');
  });

  it('holds what lies before 1900', () => {
    expect(parseTime('1815-12-10')).toBe(Date.UTC(1815, 11, 10));
  });
});

describe('parseTime', () => {
  it('reads back what toIso prints, over the whole range', () => {
    fc.assert(
      fc.property(anyTimeMs, (timeMs) => parseTime(toIso(timeMs)) === timeMs),
      { numRuns: 2_000 },
    );
  });

  it('agrees with the platform on UTC times', () => {
    fc.assert(
      fc.property(anyTimeMs, (timeMs) => parseTime(new Date(timeMs).toISOString()) === timeMs),
      { numRuns: 2_000 },
    );
  });

  it('reads what machines write as it reads any other spelling of it, wrong days and letters among the digits included', () => {
    const part = (max: number) => fc.integer({ min: 0, max }).map(two);
    const time = fc.tuple(
      part(99),
      part(99),
      part(13),
      part(32),
      part(24),
      part(60),
      part(60),
      fc.constantFrom('', '.000', '.007', '.999', '.9x9'),
    );
    fc.assert(
      fc.property(
        time,
        fc.nat(18),
        fc.constantFrom('', ':', '/', 'x'),
        ([y1, y2, month, day, hour, minute, second, fraction], at, wrong) => {
          const local = `${y1}${y2}-${month}-${day}T${hour}:${minute}:${second}${fraction}`;
          const text = wrong === '' ? local : local.slice(0, at) + wrong + local.slice(at + 1);
          expect(parseTime(`${text}Z`)).toBe(parseTime(`${text}+00:00`));
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it('takes the offset away, with and without colon', () => {
    const offset = fc.record({ east: fc.boolean(), hours: fc.integer({ min: 0, max: 23 }), minutes: fc.integer({ min: 0, max: 59 }) });
    const inside = fc.integer({ min: MIN_TIME_MS + 86_400_000, max: MAX_TIME_MS - 86_400_000 });
    fc.assert(
      fc.property(inside, offset, fc.constantFrom(':', ''), (localMs, { east, hours, minutes }, colon) => {
        const local = new Date(localMs).toISOString().slice(0, -1);
        const offsetMs = (hours * 60 + minutes) * 60_000;
        const expected = east ? localMs - offsetMs : localMs + offsetMs;
        expect(parseTime(`${local}${east ? '+' : '-'}${two(hours)}${colon}${two(minutes)}`)).toBe(expected);
        if (east) expect(parseTime(`${local} ${two(hours)}${colon}${two(minutes)}`)).toBe(expected); // a URL decoder took the +
      }),
      { numRuns: 2_000 },
    );
  });

  it('knows the days of every month, and the leap day', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 9_998 }),
        fc.integer({ min: 0, max: 13 }),
        fc.integer({ min: 0, max: 32 }),
        (year, month, day) => {
          const leap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
          const days = [0, 31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month] ?? 0;
          const text = `${String(year).padStart(4, '0')}-${two(month)}-${two(day)}`;
          expect(parseTime(text) !== undefined).toBe(day >= 1 && day <= days);
        },
      ),
      { numRuns: 5_000 },
    );
  });

  it.each([
    ['2026-01-06', '2026-01-06T00:00:00.000Z'],
    ['2026-01-06T10:00', '2026-01-06T10:00:00.000Z'],
    ['2026-01-06T10:00:00', '2026-01-06T10:00:00.000Z'],
    ['2026-01-06 10:00:00', '2026-01-06T10:00:00.000Z'],
    ['2026-01-06t10:00:00z', '2026-01-06T10:00:00.000Z'],
    ['2026-01-06T10:00:00.5Z', '2026-01-06T10:00:00.500Z'],
    ['2026-01-06T10:00:00,25Z', '2026-01-06T10:00:00.250Z'],
    ['2026-01-06T10:00:00.123456789Z', '2026-01-06T10:00:00.123Z'],
    ['1969-12-31T23:59:59.999999Z', '1969-12-31T23:59:59.999Z'],
    ['2026-01-06T10:00:00 +02:00', '2026-01-06T08:00:00.000Z'],
    ['2026-01-06T10:00:00 02:00', '2026-01-06T08:00:00.000Z'],
    ['2026-01-06T10:00:00-0530', '2026-01-06T15:30:00.000Z'],
    ['2024-02-29T00:00:00+14:00', '2024-02-28T10:00:00.000Z'],
    ['2016-12-31T23:59:60Z', '2016-12-31T23:59:59.000Z'],
  ])('reads %s', (text, expected) => {
    const timeMs = parseTime(text);
    expect(timeMs === undefined ? timeMs : new Date(timeMs).toISOString()).toBe(expected);
  });

  it.each([
    '',
    'now',
    '2026',
    '2026-1-6',
    '2026-02-30',
    '2025-02-29T00:00:00Z',
    '1900-02-29',
    '2026-13-01',
    '2026-00-01',
    '2026-01-06T24:00:00Z',
    '2026-01-06T10:60:00Z',
    '2026-01-06T10:00:61Z',
    '2026-01-06T10:00:00+24:00',
    '2026-01-06T10:00:00+02:60',
    '2026-01-06T10:00:00+2',
    '2026-01-06T10:00:00.Z',
    '2026-01-06T10:00:00.1234567890Z',
    '2026-01-06TZ',
    '2026-01-06Z',
    ' 2026-01-06',
    '2026-01-06T10:00:00Z\n',
    '20260106T100000Z',
    '+02026-01-06T10:00:00Z',
    '0000-01-01T00:00:00+00:01',
    '9999-12-31T23:59:59-00:01',
  ])('refuses %j', (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  it('never throws and never leaves the range, whatever the text', () => {
    const pieces = fc.constantFrom('2026', '-', '02', '29', 'T', ' ', '23', ':', '59', '60', '.', '9', 'Z', '+', '14', '00', 'é');
    fc.assert(
      fc.property(
        fc.oneof(
          fc.string(),
          fc.array(pieces, { maxLength: 18 }).map((list) => list.join('')),
        ),
        (text) => {
          const timeMs = parseTime(text);
          return timeMs === undefined || (Number.isInteger(timeMs) && timeMs >= MIN_TIME_MS && timeMs <= MAX_TIME_MS);
        },
      ),
      { numRuns: 5_000 },
    );
  });
});

describe('toIso', () => {
  it('prints milliseconds only where there are some', () => {
    expect(toIso(0)).toBe('1970-01-01T00:00:00Z');
    expect(toIso(1)).toBe('1970-01-01T00:00:00.001Z');
    expect(toIso(-1)).toBe('1969-12-31T23:59:59.999Z');
    expect(toIso(120)).toBe('1970-01-01T00:00:00.120Z');
  });
});

describe('parseDuration', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['1h', 3_600_000],
    ['90d', 7_776_000_000],
    ['2w', 1_209_600_000],
    ['007s', 7_000],
  ])('reads %s', (text, expected) => {
    expect(parseDuration(text)).toBe(expected);
  });

  it.each(['', '0s', '000ms', '5', 's', '5 s', '-5s', '+5s', '1.5h', '5S', '5m30s', '1e3s', '9999999999s', '5y', '5s\n'])(
    'refuses %j',
    (text) => {
      expect(parseDuration(text)).toBeUndefined();
    },
  );

  it('is exact for every number and unit, and refuses what is not', () => {
    const unit = fc.constantFrom(['ms', 1] as const, ['s', 1e3] as const, ['m', 6e4] as const, ['h', 36e5] as const, ['d', 864e5] as const);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 999_999_999 }), unit, (count, [name, unitMs]) => {
        const exact = Number.isSafeInteger(count * unitMs) ? count * unitMs : undefined;
        expect(parseDuration(`${count}${name}`)).toBe(exact);
      }),
    );
  });
});
