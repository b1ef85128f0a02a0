/** Contract: opening, what recovery reports, and that writing the same again changes nothing. */
import { describe, expect, it } from 'vitest';
import { BAD, UNCERTAIN } from '../../../src/core/status.ts';
import { MAX_SERIES_ID, type Sequence, type SeriesId } from '../../../src/core/tag.ts';
import { merged, rowsOf } from './model.ts';
import { ALWAYS, everySeries, type Rig } from './rig.ts';

export function openingContract(rig: Rig): void {
  describe('opening', () => {
    it('reports an empty store as empty', async () => {
      const { report } = await rig.open();
      expect(report.catalogue).toEqual([]);
      expect(report.newestMs).toBeNull();
      expect(report.next).toBeGreaterThanOrEqual(0);
      expect(report.nextSeriesId).toBeGreaterThanOrEqual(0);
      expect(report.nextSeriesId).toBeLessThanOrEqual(MAX_SERIES_ID);
    });

    it('answers every read of an empty store, of series nobody knows too', async () => {
      const { engine } = await rig.open();
      const series = [1, 2, 77] as SeriesId[];
      expect((await engine.latest(series, 'newest')).rows).toBe(0);
      expect((await engine.latest([], 'usable')).rows).toBe(0);
      expect(await engine.raw({ series, range: ALWAYS, limit: 10 })).toMatchObject({ columns: { rows: 0 }, next: null });
      expect((await engine.aggregate({ series, range: ALWAYS, aggregation: 'avg' })).rows).toBe(0);
      expect(await engine.gaps({ series, range: ALWAYS, limit: 10 })).toEqual([]);
      expect(await engine.count({ series, range: ALWAYS, atMost: 10 })).toBe(0);
      const { columns, next } = await engine.changes(null, 10);
      expect(columns.rows).toBe(0);
      expect((await engine.changes(next, 10)).columns.rows).toBe(0);
      expect(await engine.stats()).toMatchObject({ samples: 0, oldestMs: null, newestMs: null });
      expect(await engine.expire()).toBe(false);
    });

    it('finds the sequence, the series and the newest time again', async () => {
      const { feed, report } = await rig.open();
      const first = feed.define('pressure', 'f64', { unit: 'bar', scale: 0.1, offset: -4 });
      const second = feed.define('state', 'string', { asset: 'lathe', tenant: 'other', generation: 3 });
      feed.define('never read', 'u64');
      feed.add(first, 5_000, 1.5);
      feed.add(second, 9_000, 'a text that takes several slots of the ring', BAD);
      feed.add(first, -7_000, 2, UNCERTAIN);
      const durable = await feed.commit();
      expect(durable).toBe(feed.ring.head);

      const again = await rig.reopen();
      expect(again.report.next).toBe(durable);
      expect(again.report.nextSeriesId).toBe(report.nextSeriesId + 3);
      expect([...again.report.catalogue].sort((a, b) => a.id - b.id)).toEqual([...feed.defs].map(([id, def]) => ({ id, def })));
      expect(again.report.newestMs).toBe(9_000);
    });

    it('goes on behind what was there', async () => {
      const { feed } = await rig.open();
      const series = feed.define('level');
      feed.add(series, 1, 10);
      await feed.commit();
      const again = await rig.reopen();
      const other = again.feed.define('other');
      expect(other).not.toBe(series);
      again.feed.add(series, 2, 20);
      again.feed.add(other, 2, 21);
      await again.feed.commit();
      const { engine, report } = await rig.reopen();
      expect(report.next).toBe(again.feed.ring.head);
      const { columns } = await engine.raw({ series: [series, other], range: ALWAYS, limit: 10 });
      expect(rowsOf(columns).map(({ value }) => value)).toEqual([10, 20, 21]);
    });

    it('keeps the last definition of a series that was defined again', async () => {
      const { feed } = await rig.open();
      const series = feed.define('level', 'f64', { unit: 'm' });
      feed.add(series, 1, 10);
      await feed.commit();
      feed.redefine(series, 'level', 'f64', { unit: 'cm' });
      await feed.commit();
      const { report, engine } = await rig.reopen();
      expect(report.catalogue).toEqual([{ id: series, def: feed.defs.get(series) }]);
      expect((await engine.latest([series], 'newest')).rows).toBe(1);
    });

    it('tells a definition that came in the same write as its samples', async () => {
      const { engine, feed } = await rig.open();
      const series = feed.define('total', 'u64');
      feed.add(series, 1, 2n ** 64n - 1n);
      await feed.commit();
      expect(rowsOf(await engine.latest([series], 'newest'))).toEqual([{ series, timeMs: 1, value: 2n ** 64n - 1n, status: 0 }]);
    });

    it('takes sequences beyond 2^32 and padding at the end of the ring', async () => {
      const start = 2 ** 33 + 500; // close before the wrap of a ring of 512
      const { feed } = await rig.open({ slots: 512, startAt: start });
      const series = feed.define('state', 'string');
      for (let round = 0; round < 40; round++) {
        feed.add(series, round, `${round} ${'x'.repeat(round * 20)}`);
        await feed.commit();
      }
      const { engine, report } = await rig.reopen();
      expect(report.next).toBe(feed.ring.head);
      expect(report.next).toBeGreaterThan(2 ** 33 + 512);
      const { columns } = await engine.raw({ series: [series], range: ALWAYS, limit: 100 });
      expect(rowsOf(columns)).toEqual(merged(feed, [series], ALWAYS));
    });
  });

  describe('writing', () => {
    it('stops where it is told to', async () => {
      const { engine, feed } = await rig.open();
      const series = feed.define('level');
      await feed.commit();
      const from = feed.ring.head;
      for (let time = 0; time < 10; time++) feed.add(series, time, time);
      feed.ring.publish();
      const to = (from + 4) as Sequence;
      expect(await engine.write(feed.ring, from, to)).toBe(to);
      expect(await engine.sync()).toBe(to);
      expect(await engine.count({ series: [series], range: ALWAYS, atMost: 100 })).toBe(4);
    });

    it('of the same records again changes no answer', async () => {
      const { engine, feed } = await rig.open();
      const start = feed.ring.head;
      const level = feed.define('level');
      const state = feed.define('state', 'string');
      for (let time = 0; time < 50; time++) {
        feed.add(level, time % 20, time / 3, time % 7 === 0 ? BAD : 0);
        feed.add(state, time, `text ${time}`);
      }
      const end = await feed.commit();
      const series = everySeries(feed);
      const answers = async () => ({
        raw: await engine.raw({ series, range: ALWAYS, limit: 1_000 }),
        latest: await engine.latest(series, 'newest'),
        count: await engine.count({ series, range: ALWAYS, atMost: 1_000 }),
        sums: await engine.aggregate({ series, range: ALWAYS, step: { ms: 7 }, aggregation: 'sum' }),
        samples: (await engine.stats()).samples,
      });
      const before = await answers();
      for (let at: Sequence = start; at < end; ) at = await engine.write(feed.ring, at, end);
      expect(await engine.sync()).toBe(end);
      expect(await answers()).toEqual(before);
      expect((await rig.reopen()).report.next).toBe(end);
    });
  });
}
