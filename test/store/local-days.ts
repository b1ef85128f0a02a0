/** Local days found by asking Intl for the date of one moment after the other: slow, obvious, and unlike the code under test. */

const QUARTER_MS = 900_000; // all zones but a few of the past jump on whole quarter hours of UTC
const MINUTE_MS = 60_000;

export interface LocalDays {
  /** `2026-03-29` */
  date(timeMs: number): string;
  /** The first moment of the local day of `timeMs`, in a zone that jumps on whole quarter hours. */
  start(timeMs: number): number;
  weekStart(timeMs: number): number;
  monthStart(timeMs: number): number;
}

const made = new Map<string, LocalDays>();

export function localDays(tz: string): LocalDays {
  const days = made.get(tz) ?? makeLocalDays(tz);
  made.set(tz, days);
  return days;
}

function makeLocalDays(tz: string): LocalDays {
  const format = new Intl.DateTimeFormat('en-CA', { timeZone: tz, year: 'numeric', month: '2-digit', day: '2-digit' });
  const known = new Map<string, number>();
  const date = (timeMs: number) => format.format(timeMs);
  const start = (timeMs: number) => {
    const day = date(timeMs);
    let first = known.get(day);
    if (first === undefined) {
      first = Math.floor(timeMs / QUARTER_MS) * QUARTER_MS;
      while (date(first - MINUTE_MS) === day) first -= QUARTER_MS;
      known.set(day, first);
    }
    return first;
  };
  const back = (timeMs: number, isFirst: (day: string) => boolean) => {
    let first = start(timeMs);
    while (!isFirst(date(first))) first = start(first - 1);
    return first;
  };
  return {
    date,
    start,
    weekStart: (timeMs) => back(timeMs, (day) => new Date(`${day}T00:00:00Z`).getUTCDay() === 1),
    monthStart: (timeMs) => back(timeMs, (day) => day.endsWith('-01')),
  };
}
