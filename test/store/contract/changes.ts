/** Contract: changes come in order of arrival, at least once, from any cursor ever given. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { defineAll, play, type Step, steps } from './histories.ts';
import { type Row, rowsOf, toRow } from './model.ts';
import type { Opened, Rig } from './rig.ts';

const someTimes = fc.integer({ min: 0, max: 12 });

export function changesContract(rig: Rig): void {
  describe('changes', () => {
    it('from null show every sample in order of arrival, page by page', async () => {
      const { feed, engine } = await rig.open();
      const [level, state] = [feed.define('level'), feed.define('state', 'string')];
      for (let index = 0; index < 20; index++) {
        if (index % 3 === 0) feed.add(state, 50 - index, `state ${index}`);
        else feed.add(level, 50 - index, index);
        if (index % 5 === 0) await feed.commit();
      }
      await feed.commit();
      for (const limit of [1, 3, 7, 20, 1_000]) {
        const { rows, pages } = await follow(engine, null, limit);
        expect(rows).toEqual(feed.arrivals.map(toRow));
        expect(Math.max(...pages)).toBeLessThanOrEqual(limit);
      }
    });

    it('go on from where they ended, over an empty page and a restart', async () => {
      const { feed, engine } = await rig.open();
      const level = feed.define('level');
      feed.add(level, 1, 1);
      await feed.commit();
      const first = await follow(engine, null, 10);
      expect(first.rows.length).toBe(1);
      const idle = await follow(engine, first.next, 10);
      expect(idle.rows).toEqual([]);
      const again = await rig.reopen();
      again.feed.add(level, 0, 2);
      await again.feed.commit();
      const second = await follow(again.engine, idle.next, 10);
      expect(second.rows.map(({ value }) => value)).toEqual([2]);
      expect((await follow(again.engine, first.next, 10)).rows).toEqual(second.rows);
    });

    it('show a sample again that was overwritten after it was read, with its new value', async () => {
      const { feed, engine } = await rig.open();
      const level = feed.define('level');
      feed.add(level, 1, 1);
      feed.add(level, 2, 2);
      await feed.commit();
      const { next } = await follow(engine, null, 10);
      feed.add(level, 1, 10);
      await feed.commit();
      expect((await follow(engine, next, 10)).rows.map(({ timeMs, value }) => [timeMs, value])).toEqual([[1, 10]]);
    });

    it('rebuild the store for whoever applies them, read between the commits or not, for any history', async () => {
      const { feed, engine } = await rig.open();
      let run = 0;
      let cursor: string | null = null;
      await fc.assert(
        fc.asyncProperty(steps(someTimes, 40), steps(someTimes, 40), fc.integer({ min: 1, max: 12 }), async (before, after, limit) => {
          const series = defineAll(feed, `run${run++}`);
          const start = feed.arrivals.length;
          const replay = async (history: readonly Step[], from: string | null) => {
            await play(feed, series, history);
            return follow(engine, from, limit);
          };
          const first = await replay(before, cursor);
          const second = await replay(after, first.next);
          const late = await follow(engine, cursor, limit);
          const arrivals = feed.arrivals.slice(start).map(toRow);
          const final = applied(arrivals);
          expect(applied([...first.rows, ...second.rows])).toEqual(final);
          expect(applied(late.rows)).toEqual(final);
          expect(lastOfEach(late.rows)).toEqual(lastOfEach(arrivals));
          expect(lastOfEach(second.rows)).toEqual(lastOfEach(arrivals.slice(before.length)));
          cursor = second.next;
        }),
        { numRuns: 30 },
      );
    });

    it('refuse cursors that are not their own, with invalid_cursor', async () => {
      const { feed, engine } = await rig.open();
      feed.add(feed.define('level'), 1, 1);
      await feed.commit();
      for (const cursor of ['x', '-1', '1.5', '1e400', 'NaN', ' ', '9'.repeat(30)]) {
        await expect(engine.changes(cursor, 1)).rejects.toMatchObject({ code: 'invalid_cursor' });
      }
    });
  });
}

async function follow(engine: Opened['engine'], from: string | null, limit: number) {
  const rows: Row[] = [];
  const pages: number[] = [];
  let cursor = from;
  for (;;) {
    const { columns, next } = await engine.changes(cursor, limit);
    cursor = next;
    pages.push(columns.rows);
    if (columns.rows === 0) return { rows, next, pages };
    rows.push(...rowsOf(columns));
  }
}

const keyOf = ({ series, timeMs }: Row) => `${series} ${timeMs}`;

function applied(rows: readonly Row[]): Map<string, Row> {
  return new Map(rows.map((row) => [keyOf(row), row]));
}

/** Each sample where it came last. */
function lastOfEach(rows: readonly Row[]): Row[] {
  const last = applied(rows);
  return rows.filter((row) => last.get(keyOf(row)) === row);
}
