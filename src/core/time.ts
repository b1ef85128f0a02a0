/** Time as twinbox speaks it: integer milliseconds since the Unix epoch, and RFC 3339 text at the edges. */

declare const unixMs: unique symbol;

/** Integer milliseconds since 1970-01-01T00:00:00Z. May be negative: history before 1970 is legal. */
export type UnixMs = number & { readonly [unixMs]: true };

/** The range that `Date` can print with a four-digit year; anything outside is a typing error, not a plant. */
export const MIN_TIME_MS = Date.parse('0000-01-01T00:00:00Z') as UnixMs; // Date.UTC takes the years 0–99 for 1900–1999
export const MAX_TIME_MS = (Date.UTC(10_000, 0, 1) - 1) as UnixMs;

/** How far ahead of the box a sample's time may lie before it is no longer believed. The one constant for "too far ahead". */
export const MAX_AHEAD_MS = 300_000;

/**
 * The same while the box does not know the time itself. It may have lain in a store room, so that the devices are right
 * and it is not; but a year typed wrong lies further ahead.
 */
export const MAX_AHEAD_UNSET_MS = 180 * 86_400_000;

let printedMs = Number.NaN;
let printed = '';

/** `2026-01-06T10:00:00Z`, with three digits of milliseconds only where there are some. Throws RangeError where there is no such time. */
export function toIso(timeMs: UnixMs | number): string {
  if (timeMs === printedMs) return printed; // the values of one poll have one time
  const text = new Date(timeMs).toISOString();
  printed = text.endsWith('.000Z') ? `${text.slice(0, -5)}Z` : text;
  printedMs = timeMs;
  return printed;
}

const RFC3339 = /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?\s*([Zz]|[+\- ]\d{2}:?\d{2})?)?$/;

/**
 * Reads an RFC 3339 time with any offset. Date-only and zone-less text is UTC, and a space before an offset is the `+`
 * that a URL decoder took away. Returns `undefined` for anything else, a 30th of February included.
 */
export function parseTime(text: string): UnixMs | undefined {
  const printedMs = parsePrinted(text);
  if (printedMs !== undefined) return printedMs as UnixMs;
  const match = RFC3339.exec(text);
  if (!match) return undefined;
  const [, year, month, day, hour = '0', minute = '0', second = '0', fraction = '', zone = 'Z'] = match;
  const leap = second === '60' ? 1 : 0; // a leap second is the last moment we can name, one second earlier
  const parts = [Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second) - leap] as const;
  const date = new Date(0);
  date.setUTCFullYear(parts[0], parts[1], parts[2]);
  date.setUTCHours(parts[3], parts[4], parts[5], Number(fraction.slice(0, 3).padEnd(3, '0')));
  const same =
    date.getUTCFullYear() === parts[0] &&
    date.getUTCMonth() === parts[1] &&
    date.getUTCDate() === parts[2] &&
    date.getUTCHours() === parts[3] &&
    date.getUTCMinutes() === parts[4] &&
    date.getUTCSeconds() === parts[5];
  if (!same) return undefined;
  const offsetMs = zoneOffsetMs(zone);
  if (offsetMs === undefined) return undefined;
  const timeMs = date.getTime() - offsetMs;
  return timeMs >= MIN_TIME_MS && timeMs <= MAX_TIME_MS ? (timeMs as UnixMs) : undefined;
}

const [T, Z, DASH, COLON, DOT, ZERO] = [0x54, 0x5a, 0x2d, 0x3a, 0x2e, 0x30];

/** Reads `2026-01-06T10:00:00Z` and `2026-01-06T10:00:00.123Z`, which is what machines write, at a tenth of the price; leaves all else to the pattern. */
function parsePrinted(text: string): number | undefined {
  const { length } = text;
  if ((length !== 20 && length !== 24) || text.charCodeAt(length - 1) !== Z || text.charCodeAt(10) !== T) return undefined;
  if (text.charCodeAt(4) !== DASH || text.charCodeAt(7) !== DASH) return undefined;
  if (text.charCodeAt(13) !== COLON || text.charCodeAt(16) !== COLON) return undefined;
  if (length === 24 && text.charCodeAt(19) !== DOT) return undefined;
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 7), digits(text, 8, 10)];
  const [hour, minute, second] = [digits(text, 11, 13), digits(text, 14, 16), digits(text, 17, 19)];
  const milliseconds = length === 24 ? digits(text, 20, 23) : 0;
  // Below the year 100 Date.UTC means another century; a 29th of February and each 31st are for the calendar to judge. NaN is in no range.
  const isPlain = year >= 100 && month >= 1 && month <= 12 && day >= 1 && day <= (month === 2 ? 28 : 30);
  if (!(isPlain && hour <= 23 && minute <= 59 && second <= 59 && milliseconds <= 999)) return undefined;
  return Date.UTC(year, month - 1, day, hour, minute, second, milliseconds);
}

/** NaN where one is no digit. */
function digits(text: string, from: number, to: number): number {
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    value = digit >= 0 && digit <= 9 ? value * 10 + digit : Number.NaN;
  }
  return value;
}

function zoneOffsetMs(zone: string): number | undefined {
  if (zone === 'Z' || zone === 'z') return 0;
  const hours = Number(zone.slice(1, 3));
  const minutes = Number(zone.slice(-2));
  if (hours > 23 || minutes > 59) return undefined;
  return (zone.startsWith('-') ? -1 : 1) * (hours * 60 + minutes) * 60_000;
}

const DURATION = /^(\d{1,9})(ms|s|m|h|d|w)$/;
const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** Reads `250ms`, `30s`, `5m`, `1h`, `90d`, `2w` into milliseconds; `undefined` for anything else and for zero. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text);
  if (!match) return undefined;
  const durationMs = Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS];
  return durationMs > 0 && Number.isSafeInteger(durationMs) ? durationMs : undefined;
}
