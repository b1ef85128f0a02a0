/** Contract: raw rows, the newest ones and their number. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD, GOOD, isBad, UNCERTAIN } from '../../../src/core/status.ts';
import type { SeriesDef, SeriesId } from '../../../src/core/tag.ts';
import { defineAll, play, steps } from './histories.ts';
import { merged, type Row, rowsOf } from './model.ts';
import { ALWAYS, type Rig, range } from './rig.ts';

const someTimes = fc.integer({ min: -6, max: 6 });

export function rawContract(rig: Rig): void {
  describe('raw', () => {
    it('takes the start of the range in and leaves its end out', async () => {
      const { feed, engine } = await rig.open();
      const series = feed.define('level');
      for (const time of [99, 100, 101, 199, 200]) feed.add(series, time, time);
      await feed.commit();
      const times = async (from: number, to: number) => [
        ...(await engine.raw({ series: [series], range: range(from, to), limit: 10 })).columns.timeMs,
      ];
      expect(await times(100, 200)).toEqual([100, 101, 199]);
      expect(await times(100, 100)).toEqual([]);
      expect(await times(102, 199)).toEqual([]);
      expect(await times(200, 201)).toEqual([200]);
      expect(await times(200, 100)).toEqual([]);
    });

    it('orders by time, then asset, then tag, by code units', async () => {
      const { feed, engine } = await rig.open();
      const names = [
        ['b', 'x'],
        ['B', 'x'],
        ['a', 'y'],
        ['a', 'x y'],
        ['a', 'x'],
        ['aa', 'a'],
        ['ä', 'x'],
        ['a', '\u{1f600}'],
        ['a', '\u{fffd}'],
      ];
      const series = names.map(([asset, tag]) => feed.define(tag as string, 'f64', { asset: asset as string }));
      for (const time of [2, 1]) for (const id of series) feed.add(id, time, id);
      await feed.commit();
      const { columns } = await engine.raw({ series: series.toReversed(), range: ALWAYS, limit: 100 });
      const told = rowsOf(columns).map(({ timeMs, series: id }) => [timeMs, ...Object.values(names[series.indexOf(id as SeriesId)] ?? [])]);
      const byCodeUnits = [...names].sort(([a, x], [b, y]) => (`${a}\0${x}` < `${b}\0${y}` ? -1 : 1));
      expect(told).toEqual([1, 2].flatMap((time) => byCodeUnits.map((name) => [time, ...name])));
    });

    it('merges sources and generations; at equal time the later arrival wins, in whatever order ids were given', async () => {
      const { feed, engine } = await rig.open();
      const plc = feed.define('level', 'f64', { source: 'plc' });
      const api = feed.define('level', 'f64', { source: 'api' });
      const later = feed.define('level', 'string', { source: 'plc', generation: 2 });
      const elsewhere = feed.define('level', 'f64', { tenant: 'other' });
      feed.add(api, 1, 1);
      feed.add(plc, 1, 2);
      feed.add(later, 2, 'two');
      feed.add(api, 2, 3);
      await feed.commit();
      feed.add(plc, 3, 4);
      feed.add(elsewhere, 3, 99);
      feed.add(later, 3, 'three');
      await feed.commit();
      feed.add(api, 1, 5, BAD);
      await feed.commit();
      const { columns } = await engine.raw({ series: [later, plc, api], range: ALWAYS, limit: 10 });
      expect(rowsOf(columns)).toEqual([
        { series: api, timeMs: 1, value: 5, status: BAD },
        { series: api, timeMs: 2, value: 3, status: GOOD },
        { series: later, timeMs: 3, value: 'three', status: GOOD },
      ]);
      const alone = await engine.raw({ series: [plc], range: ALWAYS, limit: 10 });
      expect(rowsOf(alone.columns).map(({ value }) => value)).toEqual([2, 4]);
    });

    it('is counted after merging, no further than asked', async () => {
      const { feed, engine } = await rig.open();
      const [plc, api, other] = [feed.define('level'), feed.define('level', 'f64', { source: 'api' }), feed.define('other')];
      for (let time = 0; time < 10; time++) for (const id of [plc, api, other]) feed.add(id, time, time);
      await feed.commit();
      const count = (series: SeriesId[], atMost: number) => engine.count({ series, range: range(1, 9), atMost });
      expect(await count([plc, api, other], 100)).toBe(16);
      expect(await count([plc, api], 100)).toBe(8);
      expect(await count([plc, api], 5)).toBe(5);
      expect(await count([plc], 8)).toBe(8);
      expect(await count([], 8)).toBe(0);
    });

    it('tells each row once when a series is asked for twice', async () => {
      const { feed, engine } = await rig.open();
      const series = feed.define('level');
      feed.add(series, 1, 1);
      await feed.commit();
      const query = { series: [series, series, 4_000 as SeriesId], range: ALWAYS };
      expect((await engine.raw({ ...query, limit: 10 })).columns.rows).toBe(1);
      expect(await engine.count({ ...query, atMost: 10 })).toBe(1);
    });

    it('equals the model for any history, any choice of series and any range; count agrees', async () => {
      const { feed, engine } = await rig.open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          steps(someTimes),
          fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 7, size: 'max' }),
          someTimes,
          fc.nat(14),
          async (history, chosen, from, length) => {
            const all = defineAll(feed, `run${run++}`);
            await play(feed, all, history);
            const series = chosen.map((which) => all[which] as SeriesId);
            const query = { series, range: range(from, from + length) };
            const expected = merged(feed, series, query.range);
            expect(rowsOf((await engine.raw({ ...query, limit: 1_000 })).columns)).toEqual(expected);
            for (const atMost of [1, 5, 1_000]) expect(await engine.count({ ...query, atMost })).toBe(Math.min(atMost, expected.length));
          },
        ),
        { numRuns: 40 },
      );
    });
  });

  describe('latest', () => {
    it('is the newest by time, whatever came last, and a correction replaces it', async () => {
      const { feed, engine } = await rig.open();
      const [one, two, none] = [feed.define('one'), feed.define('two'), feed.define('none')];
      feed.add(one, 100, 1);
      feed.add(two, -100, 2);
      feed.add(one, 50, 3);
      await feed.commit();
      expect(rowsOf(await engine.latest([one, two, none], 'newest')).map(({ value }) => value)).toEqual([1, 2]);
      feed.add(one, 100, 4);
      await feed.commit();
      expect(rowsOf(await engine.latest([one], 'newest')).map(({ value }) => value)).toEqual([4]);
    });

    it('usable is the newest that is not bad and has a value', async () => {
      const { feed, engine } = await rig.open();
      const [level, lost, state] = [feed.define('level'), feed.define('lost'), feed.define('state', 'string')];
      feed.add(level, 1, 10);
      feed.add(level, 2, 20, UNCERTAIN);
      feed.add(level, 3, 30, BAD);
      feed.add(level, 4, null, GOOD);
      feed.add(level, 5, null, 0xc000_0000);
      feed.add(lost, 1, null, BAD);
      feed.add(state, 1, '', GOOD);
      feed.add(state, 2, null, BAD);
      await feed.commit();
      const series = [level, lost, state];
      expect(rowsOf(await engine.latest(series, 'usable')).map(({ timeMs, value }) => [timeMs, value])).toEqual([
        [2, 20],
        [1, ''],
      ]);
      expect(rowsOf(await engine.latest(series, 'newest')).map(({ timeMs }) => timeMs)).toEqual([5, 1, 2]);
    });

    it('equals the model for any history', async () => {
      const { feed, engine } = await rig.open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(steps(someTimes), async (history) => {
          const series = defineAll(feed, `run${run++}`);
          await play(feed, series, history);
          for (const which of ['newest', 'usable'] as const) {
            const expected = series.flatMap((id) =>
              merged(feed, [id], ALWAYS)
                .filter(({ status, value }) => which === 'newest' || (!isBad(status) && value !== null))
                .slice(-1),
            );
            expect(rowsOf(await engine.latest(series, which))).toEqual(expected);
          }
        }),
        { numRuns: 25 },
      );
    });
  });

  describe('as of a time', () => {
    it('is the newest usable sample of each tag in the range, by asset and tag', async () => {
      const { feed, engine } = await rig.open();
      const [level, state, lost] = [feed.define('level'), feed.define('state', 'string'), feed.define('lost')];
      const first = feed.define('z', 'f64', { asset: 'A' });
      feed.add(level, 100, 1);
      feed.add(level, 200, 2, UNCERTAIN);
      feed.add(level, 300, 3, BAD);
      feed.add(level, 301, null);
      feed.add(level, 400, 4);
      feed.add(state, 150, 'on');
      feed.add(lost, 150, null, BAD);
      feed.add(first, 1, 7);
      await feed.commit();
      const series = [level, state, lost, first];
      const asOf = async (from: number, to: number) =>
        rowsOf(await engine.asOf({ series, range: range(from, to) })).map(({ series: id, timeMs, value }) => [id, timeMs, value]);
      expect(await asOf(0, 400)).toEqual([
        [first, 1, 7],
        [level, 200, 2],
        [state, 150, 'on'],
      ]);
      expect(await asOf(0, 401)).toContainEqual([level, 400, 4]);
      expect(await asOf(150, 200)).toEqual([[state, 150, 'on']]);
      expect(await asOf(151, 200)).toEqual([]);
      expect(await asOf(400, 0)).toEqual([]);
      expect((await engine.asOf({ series: [], range: ALWAYS })).rows).toBe(0);
    });

    it('merges sources: a later arrival hides what it overwrote, even when it is bad', async () => {
      const { feed, engine } = await rig.open();
      const plc = feed.define('level', 'f64', { source: 'plc' });
      const api = feed.define('level', 'i64', { source: 'api' });
      feed.add(plc, 1, 1);
      feed.add(api, 2, 2n);
      await feed.commit();
      const query = { series: [plc, api], range: ALWAYS };
      expect(rowsOf(await engine.asOf(query))).toEqual([{ series: api, timeMs: 2, value: 2n, status: GOOD }]);
      feed.add(plc, 2, null, BAD);
      await feed.commit();
      expect(rowsOf(await engine.asOf(query))).toEqual([{ series: plc, timeMs: 1, value: 1, status: GOOD }]);
    });

    it('equals the model for any history, any choice of series and any range', async () => {
      const { feed, engine } = await rig.open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(
          steps(someTimes),
          fc.uniqueArray(fc.nat(6), { minLength: 1, maxLength: 7, size: 'max' }),
          someTimes,
          fc.nat(14),
          async (history, chosen, from, length) => {
            const all = defineAll(feed, `run${run++}`);
            await play(feed, all, history);
            const series = chosen.map((which) => all[which] as SeriesId);
            const newest = new Map<string, Row>();
            for (const row of merged(feed, series, range(from, from + length))) {
              const { asset, tag } = feed.defs.get(row.series as SeriesId) as SeriesDef;
              if (!isBad(row.status) && row.value !== null) newest.set(`${asset}\0${tag}`, row);
            }
            const expected = [...newest].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, row]) => row);
            expect(rowsOf(await engine.asOf({ series, range: range(from, from + length) }))).toEqual(expected);
          },
        ),
        { numRuns: 40 },
      );
    });
  });

  describe('stats', () => {
    it('tell how many samples there are, from when to when', async () => {
      const { feed, engine } = await rig.open();
      const [level, state] = [feed.define('level'), feed.define('state', 'string')];
      for (let time = -5; time < 5; time++) feed.add(level, time, time);
      feed.add(state, 77, 'on', BAD);
      await feed.commit();
      const stats = await engine.stats();
      expect(stats).toMatchObject({ samples: 11, oldestMs: -5, newestMs: 77 });
      expect(stats.fileBytes).toBeGreaterThan(0);
      expect(stats.engine).not.toBe('');
    });
  });
}
