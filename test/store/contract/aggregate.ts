/** Contract: aggregates over fixed steps, calendar steps in any zone and whole ranges equal the obvious model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD, GOOD, UNCERTAIN } from '../../../src/core/status.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { AggregateColumns, AggregateQuery, Aggregation } from '../../../src/store/telemetry.ts';
import { type LocalDays, localDays } from '../local-days.ts';
import { defineAll, play, steps } from './histories.ts';
import { aggregated, type BucketRow } from './model.ts';
import { ALWAYS, type Rig, range } from './rig.ts';

const AGGREGATIONS: readonly Aggregation[] = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last'];
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Zones with their daylight saving days: 23, 24.5 and 25 hours, skipped and repeated midnights, north and south. */
const EDGES: readonly (readonly [string, readonly string[]])[] = [
  ['Europe/Berlin', ['2025-03-30', '2025-10-26']],
  ['Australia/Lord_Howe', ['2025-04-06', '2025-10-05']],
  ['America/Santiago', ['2024-04-07', '2024-09-08']],
  ['Africa/Cairo', ['2024-04-26', '2024-10-31']],
  ['Asia/Beirut', ['2024-03-31', '2024-10-27']],
];
const NOON = Date.UTC(2025, 2, 30, 12);
const timesAround = (middleMs: number, spreadMs: number) =>
  fc.oneof(fc.integer({ min: middleMs - spreadMs, max: middleMs + spreadMs }), fc.integer({ min: -3 * DAY, max: 3 * DAY }));

export function aggregateContract(rig: Rig): void {
  describe('aggregate', () => {
    const grids: [string, number][] = [
      ['1 s', 1_000],
      ['1 m', MINUTE],
      ['5 m', 5 * MINUTE],
      ['7 m', 7 * MINUTE],
      ['1 h', HOUR],
      ['1 d', DAY],
    ];
    it.each(grids)('by %s lies on the UTC grid, before 1970 too, and equals the model', async (_name, ms) => {
      const { feed, engine } = await rig.open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(steps(timesAround(NOON, 5 * ms), 80), fc.constantFrom(...AGGREGATIONS), async (history, aggregation) => {
          const series = defineAll(feed, `run${run++}`);
          await play(feed, series, history);
          const query = { series, range: range(-2 * DAY - 17, NOON + 3 * ms + 5), aggregation };
          const start = (timeMs: number) => timeMs - (((timeMs % ms) + ms) % ms);
          expectSame(await engine.aggregate({ ...query, step: { ms } }), aggregated(feed, query, start), aggregation);
        }),
        { numRuns: 12 },
      );
    });

    it('without a step is one row a tag that starts where the range does', async () => {
      const { feed, engine } = await rig.open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(steps(fc.integer({ min: -50, max: 50 })), fc.constantFrom(...AGGREGATIONS), async (history, aggregation) => {
          const series = defineAll(feed, `run${run++}`);
          await play(feed, series, history);
          const query = { series, range: range(-33, 40), aggregation };
          expectSame(
            await engine.aggregate(query),
            aggregated(feed, query, () => -33),
            aggregation,
          );
        }),
        { numRuns: 20 },
      );
    });

    for (const [tz, dates] of EDGES) {
      it(`by several days follows the calendar of ${tz}`, async () => {
        const { feed, engine } = await rig.open();
        const series = feed.define('level');
        const [date] = dates;
        const first = Date.parse(date as string) - 3 * DAY;
        for (let hour = 0; hour < 6 * 24; hour++) feed.add(series, first + hour * 3_600_000, hour);
        await feed.commit();
        const query = { series: [series], range: ALWAYS, aggregation: 'avg' as const };
        const { start, date: dateOf } = localDays(tz);
        const startOf = (timeMs: number) => {
          let from = start(timeMs);
          while (Math.abs(Date.parse(dateOf(from)) / DAY) % 2 !== 0) from = start(from - 1);
          return from;
        };
        const found = await engine.aggregate({ ...query, step: { days: 2, tz } });
        expect(found.rows).toBeGreaterThan(2);
        expectSame(found, aggregated(feed, query, startOf), 'avg');
      });

      it(`by day, week and month follows the calendar of ${tz} over its daylight saving days`, async () => {
        const { feed, engine } = await rig.open();
        const days = localDays(tz);
        let run = 0;
        const property = fc.asyncProperty(
          fc.constantFrom(...dates).chain((date) => steps(timesAround(Date.parse(date), 2.5 * DAY))),
          fc.constantFrom('1d' as const, '1w' as const, '1mo' as const),
          fc.constantFrom(...AGGREGATIONS),
          async (history, calendar, aggregation) => {
            const series = defineAll(feed, `run${run++}`);
            await play(feed, series, history);
            const query = { series, range: ALWAYS, aggregation };
            expectSame(
              await engine.aggregate({ ...query, step: { calendar, tz } }),
              aggregated(feed, query, starts(days, calendar)),
              aggregation,
            );
          },
        );
        await fc.assert(property, { numRuns: 12 });
      });
    }

    const lengths: [string, string, number][] = [
      ['Europe/Berlin', '2025-03-30', 23],
      ['Europe/Berlin', '2025-10-26', 25],
      ['Australia/Lord_Howe', '2025-10-05', 23.5],
      ['Australia/Lord_Howe', '2025-04-06', 24.5],
      ['America/Santiago', '2024-09-08', 23],
      ['America/Santiago', '2024-04-06', 25],
      ['Africa/Cairo', '2024-04-26', 23],
      ['Africa/Cairo', '2024-10-31', 25],
      ['Asia/Beirut', '2024-03-31', 23],
      ['Asia/Beirut', '2024-10-26', 25],
    ];
    it.each(lengths)('counts in %s on %s a day of %d hours', async (tz, date, hours) => {
      const { feed, engine } = await rig.open();
      const series = feed.define('level');
      const noon = Date.parse(`${date}T12:00:00Z`);
      const quarters = 4 * 24 * 5;
      for (let index = 0; index < quarters; index++) feed.add(series, noon + (index - quarters / 2) * 15 * MINUTE, 1);
      await feed.commit();
      const { timeMs, count } = await engine.aggregate({
        series: [series],
        range: ALWAYS,
        step: { calendar: '1d', tz },
        aggregation: 'sum',
      });
      const days = localDays(tz);
      const index = [...timeMs].findIndex((time) => days.date(time) === date);
      expect(count[index]).toBe(hours * 4);
      expect((timeMs[index + 1] as number) - (timeMs[index] as number)).toBe(hours * HOUR);
    });

    it('by day in UTC is the same as a step of 24 hours', async () => {
      const { feed, engine } = await rig.open();
      const series = feed.define('level');
      for (let index = -300; index < 300; index++) feed.add(series, index * 7 * HOUR, index);
      await feed.commit();
      const query: AggregateQuery = { series: [series], range: ALWAYS, aggregation: 'sum' };
      expect(await engine.aggregate({ ...query, step: { calendar: '1d', tz: 'UTC' } })).toEqual(
        await engine.aggregate({ ...query, step: { ms: DAY } }),
      );
    });

    it('leaves bad samples out, counts uncertain ones, and has no number for text', async () => {
      const { feed, engine } = await rig.open();
      const [level, state, dead] = [feed.define('level'), feed.define('state', 'string'), feed.define('dead')];
      feed.add(level, 0, 10);
      feed.add(level, 1, 20, UNCERTAIN);
      feed.add(level, 2, 1e9, BAD);
      feed.add(level, 3, null, GOOD);
      feed.add(state, 0, 'on');
      feed.add(state, 1, '7', UNCERTAIN);
      feed.add(dead, 0, 5, BAD);
      await feed.commit();
      const columns = await engine.aggregate({ series: [level, state, dead], range: ALWAYS, step: { ms: MINUTE }, aggregation: 'avg' });
      expect([...columns.series]).toEqual([level, state]);
      expect([...columns.values]).toEqual([15, Number.NaN]);
      expect([...columns.count]).toEqual([3, 2]);
      expect([...columns.uncertain]).toEqual([1, 1]);
    });

    it('counts a sample that was overwritten once, as what it is now', async () => {
      const { feed, engine } = await rig.open();
      const [plc, api] = [feed.define('level'), feed.define('level', 'f64', { source: 'api' })];
      for (const [id, value] of [
        [plc, 1],
        [plc, 2],
        [api, 3],
      ] as const) {
        feed.add(id, 0, value);
        await feed.commit();
      }
      feed.add(plc, 1, 7);
      feed.add(api, 1, 8, BAD);
      await feed.commit();
      const columns = await engine.aggregate({ series: [api, plc], range: ALWAYS, step: { ms: MINUTE }, aggregation: 'sum' });
      expect(columns).toMatchObject({ rows: 1, series: Uint32Array.of(plc), values: Float64Array.of(3), count: Uint32Array.of(1) });
    });

    it('adds up a month of tenths without drifting', async () => {
      const { feed, engine } = await rig.open({ slots: 1 << 15 });
      const series = feed.define('level');
      const samples = 20_000;
      for (let index = 0; index < samples; index++) feed.add(series, index, 0.1);
      await feed.commit();
      const result = async (aggregation: Aggregation) =>
        (await engine.aggregate({ series: [series], range: ALWAYS, aggregation })).values[0];
      expect(await result('sum')).toBeCloseTo(2_000, 10);
      expect(await result('avg')).toBeCloseTo(0.1, 15);
    });
  });
}

function starts(days: LocalDays, calendar: '1d' | '1w' | '1mo'): (timeMs: number) => number {
  return { '1d': days.start, '1w': days.weekStart, '1mo': days.monthStart }[calendar];
}

/** Sums may differ in the last bits, which of two ways of adding they come from; everything else is exact. */
function expectSame(columns: AggregateColumns, expected: readonly BucketRow[], aggregation: Aggregation): void {
  const told = Array.from({ length: columns.rows }, (_, row): BucketRow => {
    return {
      series: columns.series[row] as SeriesId,
      timeMs: columns.timeMs[row] as number,
      value: columns.values[row] as number,
      count: columns.count[row] as number,
      uncertain: columns.uncertain[row] as number,
    };
  });
  const summed = aggregation === 'sum' || aggregation === 'avg';
  const shape = (rows: readonly BucketRow[]) => rows.map((row) => (summed ? { ...row, value: Number.isNaN(row.value) } : row));
  expect(shape(told)).toEqual(shape(expected));
  if (!summed) return;
  for (const [row, { value }] of expected.entries()) {
    const difference = Math.abs((told[row] as BucketRow).value - value);
    if (!Number.isNaN(value)) expect(difference).toBeLessThanOrEqual(1e-12 * Math.max(Math.abs(value), LARGEST));
  }
}

/** The largest number a history has: cancelling sums are right to 1e-12 of that. */
const LARGEST = 2 ** 64;
