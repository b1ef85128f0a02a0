/** Clocks that step and days that are not 24 hours long: nothing is lost, doubled or overwritten, and windows are not sealed in crumbs. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import type { Engine } from '../../../src/store/engine.ts';
import type { Aggregation } from '../../../src/store/telemetry.ts';
import { Feed } from '../contract/feed.ts';
import { aggregated, merged, rowsOf } from '../contract/model.ts';
import { ALWAYS, range } from '../contract/rig.ts';
import { localDays } from '../local-days.ts';
import { useTempDirs } from '../temp-dir.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 2, 10, 21);

const newDir = useTempDirs();

/** The wall clock can be set; the monotonic one only goes on. */
class SteppedClock implements Clock {
  nowMs: number = START;
  #monotonicMs = 0;

  now(): UnixMs {
    return this.nowMs as UnixMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.#monotonicMs += ms;
  }

  sleep = systemClock.sleep;
}

async function open(dir: string, clock: Clock) {
  const report = (what: string) => {
    throw new Error(`damage reported: ${what}`);
  };
  const engine = new ColumnarEngine({ dir, clock, report, log: { segmentBytes: 16 << 10 } });
  return { engine, feed: new Feed(engine, await engine.open()) };
}

async function settle(engine: Engine): Promise<void> {
  for (let step = 0; step < 100_000; step++) if (!(await engine.expire())) return;
}

function partsIn(dir: string): { window: number; parts: number }[] {
  const database = new Database(join(dir, 'store.db'), { readonly: true });
  try {
    return database.prepare('SELECT window, count(*) AS parts FROM part GROUP BY window').all() as { window: number; parts: number }[];
  } finally {
    database.close();
  }
}

describe('the engine with a clock that is set', () => {
  it('keeps every sample over steps of an hour back, a day on and back, while it seals and compacts', async () => {
    const clock = new SteppedClock();
    const dir = newDir();
    const { engine, feed } = await open(dir, clock);
    const series = [feed.define('wall'), feed.define('text', 'string')];
    const steps = new Map([
      [200, -HOUR],
      [420, DAY],
      [430, -DAY],
      [700, -HOUR],
      [1_000, 3 * DAY],
      [1_300, -3 * DAY],
    ]);
    for (let minute = 0; minute < 1_800; minute++) {
      clock.nowMs += steps.get(minute) ?? 0;
      clock.advance(MINUTE);
      feed.add(series[0] as SeriesId, clock.nowMs, minute); // what is stamped by the box comes again at times that were there before
      feed.add(series[1] as SeriesId, clock.nowMs + 1, `minute ${minute}`);
      await feed.commit();
      for (let step = 0; step < 3; step++) await engine.expire();
    }
    const expectAll = async (opened: Engine) => {
      expect(rowsOf((await opened.raw({ series, range: ALWAYS, limit: 10_000 })).columns)).toEqual(merged(feed, series, ALWAYS));
    };
    await expectAll(engine);
    clock.advance(5 * DAY);
    await settle(engine);
    clock.advance(HOUR);
    await settle(engine);
    await expectAll(engine);
    await engine.close();
    const again = await open(dir, clock);
    await expectAll(again.engine);
    await again.engine.close();
  });

  it('seals each present window once, whatever samples from the future are there', async () => {
    const clock = new SteppedClock();
    clock.nowMs -= 20 * HOUR; // within one day: its windows stay parts
    const dir = newDir();
    const { engine, feed } = await open(dir, clock);
    const series = [feed.define('sound'), feed.define('ahead')];
    for (let minute = 0; minute < 240; minute++) {
      clock.advance(MINUTE);
      feed.add(series[0] as SeriesId, clock.nowMs, minute);
      if (minute % 10 === 3) feed.add(series[1] as SeriesId, clock.nowMs + 400 * DAY, minute);
      await feed.commit();
      await settle(engine);
    }
    const past = partsIn(dir).filter(({ window }) => window * 15 * MINUTE < clock.nowMs);
    expect(past.length).toBeGreaterThanOrEqual(15);
    expect(past.filter(({ parts }) => parts > 1)).toEqual([]);
    expect(rowsOf((await engine.raw({ series, range: ALWAYS, limit: 10_000 })).columns)).toEqual(merged(feed, series, ALWAYS));
    await engine.close();
  });

  it('seals windows from the future with others, so that they do not hold the log', async () => {
    const clock = new SteppedClock();
    const dir = newDir();
    const { engine, feed } = await open(dir, clock);
    const [sound, ahead] = [feed.define('sound'), feed.define('ahead')];
    feed.add(ahead, clock.nowMs + 400 * DAY, 1);
    for (let minute = 0; minute < 60; minute++) {
      clock.advance(MINUTE);
      feed.add(sound, clock.nowMs, minute);
      await feed.commit();
      await settle(engine);
    }
    const future = partsIn(dir).filter(({ window }) => window * 15 * MINUTE > clock.nowMs);
    expect(future.map(({ parts }) => parts)).toEqual([1]);
    await engine.close();
  });

  it('tells the time by the samples while the clock has never been set', async () => {
    const clock = new SteppedClock();
    clock.nowMs = 0;
    const dir = newDir();
    const { engine, feed } = await open(dir, clock);
    const level = feed.define('level');
    for (let minute = 0; minute < 60; minute++) feed.add(level, START + minute * MINUTE, minute);
    await feed.commit();
    await settle(engine);
    expect(partsIn(dir).length).toBe(3);
    await engine.close();
  });
});

/** Zones and the days on which they change: of 23, 25, 23.5 and 24.5 hours, at midnight and in the middle of the night. */
const CHANGES = [
  ['Europe/Berlin', Date.UTC(2026, 2, 29)],
  ['Europe/Berlin', Date.UTC(2026, 9, 25)],
  ['Australia/Lord_Howe', Date.UTC(2026, 3, 5)],
  ['Australia/Lord_Howe', Date.UTC(2026, 9, 4)],
  ['America/Santiago', Date.UTC(2026, 8, 6)],
  ['Africa/Cairo', Date.UTC(2026, 3, 24)],
] as const;
const AGGREGATIONS: readonly Aggregation[] = ['count', 'sum', 'min', 'max', 'first', 'last', 'avg'];

describe('days of a calendar over sealed, compacted and open data', () => {
  it.each(CHANGES)('follow %s around %i', async (tz, change) => {
    const clock = new SteppedClock();
    clock.nowMs = change - 2 * DAY;
    const { engine, feed } = await open(newDir(), clock);
    const [level, speed] = [feed.define('level'), feed.define('speed')];
    let random = 7;
    const next = (below: number) => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      return random % below;
    };
    const expectDays = async () => {
      const series = [level, speed];
      const days = localDays(tz);
      for (const within of [ALWAYS, range(change - DAY + 7 * MINUTE, change + DAY + 5 * MINUTE)]) {
        for (const aggregation of AGGREGATIONS) {
          const query = { series, range: within, aggregation };
          const { rows, timeMs, values, count } = await engine.aggregate({ ...query, step: { calendar: '1d', tz } });
          const expected = aggregated(feed, query, days.start);
          expect([...timeMs]).toEqual(expected.map((row) => row.timeMs));
          expect([...count]).toEqual(expected.map((row) => row.count));
          for (let row = 0; row < rows; row++) expect(values[row]).toBeCloseTo(expected[row]?.value ?? Number.NaN, 6);
        }
      }
    };
    while (clock.nowMs < change + 2 * DAY) {
      clock.advance(30 * MINUTE);
      for (let at = 0; at < 3; at++) feed.add(level, clock.nowMs + at * 7 * MINUTE, next(1_000) / 10);
      feed.add(speed, clock.nowMs - next(6) * HOUR, next(100)); // late by up to five hours
      await feed.commit();
      for (let step = 0; step < 4; step++) await engine.expire();
      if (next(40) === 0) await expectDays();
    }
    await expectDays();
    clock.advance(2 * DAY);
    feed.add(level, clock.nowMs, 1);
    await feed.commit();
    await settle(engine);
    await expectDays();
    await engine.close();
  });
});
