/** Contract: pages by cursor and by skip show the same rows as one big page. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isGatewayError } from '../../../src/core/errors.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import { defineAll, play, steps } from './histories.ts';
import { merged, rowsOf } from './model.ts';
import { ALWAYS, type Rig, range, walk } from './rig.ts';

const someTimes = fc.integer({ min: -12, max: 12 });

export function pagingContract(rig: Rig): void {
  describe('paging', () => {
    it('ends with null exactly at the end', async () => {
      const { feed, engine } = await rig.open();
      const series = [feed.define('level')];
      for (let time = 0; time < 6; time++) feed.add(series[0] as SeriesId, time, time);
      await feed.commit();
      expect((await engine.raw({ series, range: ALWAYS, limit: 6 })).next).toBeNull();
      expect((await engine.raw({ series, range: ALWAYS, limit: 7 })).next).toBeNull();
      const { pages } = await walk(engine, { series, range: ALWAYS, limit: 3 });
      expect(pages.map((page) => [...page.timeMs])).toEqual([
        [0, 1, 2],
        [3, 4, 5],
      ]);
    });

    it('by cursor or by skip is the same as one big page, for any history and page size', async () => {
      const { feed, engine } = await rig.open();
      let run = 0;
      await fc.assert(
        fc.asyncProperty(steps(someTimes), fc.integer({ min: 1, max: 9 }), fc.nat(30), async (history, limit, skip) => {
          const series = defineAll(feed, `run${run++}`);
          await play(feed, series, history);
          const query = { series, range: range(-10, 10) };
          const expected = merged(feed, series, query.range);
          const { pages } = await walk(engine, { ...query, limit });
          expect(pages.flatMap(rowsOf)).toEqual(expected);
          const skipped = await engine.raw({ ...query, limit, skip });
          expect(rowsOf(skipped.columns)).toEqual(expected.slice(skip, skip + limit));
          expect(skipped.next === null).toBe(skip + limit >= expected.length);
          if (skipped.next === null) return;
          const rest = await engine.raw({ ...query, limit: 1_000, cursor: skipped.next });
          expect(rowsOf(rest.columns)).toEqual(expected.slice(skip + limit));
          const both = await engine.raw({ ...query, limit: 1_000, cursor: skipped.next, skip: 2 });
          expect(rowsOf(both.columns)).toEqual(expected.slice(skip + limit + 2));
        }),
        { numRuns: 40 },
      );
    });

    it('keeps the tags of two tenants apart that have the same name', async () => {
      const { feed, engine } = await rig.open();
      const series = ['t1', 't2', 't3'].map((tenant) => feed.define('level', 'f64', { tenant }));
      for (const time of [1, 2]) for (const id of series) feed.add(id, time, id);
      await feed.commit();
      const { pages } = await walk(engine, { series, range: ALWAYS, limit: 1 });
      expect(pages.length).toBe(6);
      expect(new Set(pages.flatMap(rowsOf).map((row) => `${row.timeMs} ${row.series}`)).size).toBe(6);
    });

    it('shows what arrives behind the cursor, and no row twice, when series are added between pages', async () => {
      const { feed, engine } = await rig.open();
      const old = feed.define('m');
      for (let time = 0; time < 4; time++) feed.add(old, time, time);
      await feed.commit();
      const first = await engine.raw({ series: [old], range: ALWAYS, limit: 2 });
      expect([...first.columns.timeMs]).toEqual([0, 1]);
      const before = feed.define('a');
      const behind = feed.define('z');
      const again = feed.define('m', 'f64', { source: 'api' });
      for (const id of [before, behind, again]) for (let time = 0; time < 4; time++) feed.add(id, time, 100 + id);
      await feed.commit();
      const rest = await engine.raw({ series: [old, before, behind, again], range: ALWAYS, limit: 100, cursor: first.next as string });
      expect(rowsOf(rest.columns).map(({ timeMs, series }) => [timeMs, series])).toEqual([
        [1, behind],
        ...[2, 3].flatMap((time) => [before, again, behind].map((id) => [time, id])),
      ]);
    });

    it('survives a restart and a series that is asked for no more', async () => {
      const { feed, engine } = await rig.open();
      const [gone, stays] = [feed.define('gone'), feed.define('stays')];
      for (const time of [1, 2]) for (const id of [gone, stays]) feed.add(id, time, time);
      await feed.commit();
      const { next } = await engine.raw({ series: [gone, stays], range: ALWAYS, limit: 1 });
      const again = await rig.reopen();
      const rest = await again.engine.raw({ series: [stays], range: ALWAYS, limit: 10, cursor: next as string });
      expect([...rest.columns.timeMs]).toEqual([1, 2]);
    });

    it('from a cursor beyond the range, or a skip beyond it, is empty and at its end', async () => {
      const { feed, engine } = await rig.open();
      const series = [feed.define('level')];
      for (let time = 0; time < 100; time++) feed.add(series[0] as SeriesId, time, time);
      await feed.commit();
      const { next } = await engine.raw({ series, range: ALWAYS, limit: 90 });
      const beyond = await engine.raw({ series, range: range(0, 50), limit: 10, cursor: next as string });
      expect(beyond).toMatchObject({ columns: { rows: 0 }, next: null });
      const before = await engine.raw({ series, range: range(95, 200), limit: 100, cursor: next as string });
      expect([...before.columns.timeMs]).toEqual([95, 96, 97, 98, 99]);
      expect(await engine.raw({ series, range: ALWAYS, limit: 10, skip: 100 })).toMatchObject({ columns: { rows: 0 }, next: null });
    });

    it('refuses cursors that are not its own, with invalid_cursor', async () => {
      const { feed, engine } = await rig.open();
      const series = [feed.define('level')];
      feed.add(series[0] as SeriesId, 0, 1);
      await feed.commit();
      const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');
      const wrong = [
        '',
        'x',
        '0',
        '%%%',
        '7',
        encode(null),
        encode([]),
        encode([1]),
        encode(['a', 1]),
        encode([1.5, 'a']),
        encode({ a: 1 }),
      ];
      for (const cursor of wrong) {
        await expect(engine.raw({ series, range: ALWAYS, limit: 1, cursor })).rejects.toMatchObject({ code: 'invalid_cursor' });
      }
      const codes = fc.asyncProperty(fc.oneof(fc.string(), fc.base64String(), fc.json()), async (cursor) => {
        try {
          expect((await engine.raw({ series, range: ALWAYS, limit: 1, cursor })).columns.rows).toBeLessThanOrEqual(1);
        } catch (error) {
          expect(isGatewayError(error, 'invalid_cursor')).toBe(true);
        }
      });
      await fc.assert(codes, { numRuns: 100 });
    });
  });
}
