/** Contract: retention by age removes what is older, never what is younger, and is not fooled by a sample from the future. */
import { describe, expect, it } from 'vitest';
import { BAD } from '../../../src/core/status.ts';
import { rowsOf } from './model.ts';
import { ALWAYS, everySeries, type Opened, type Rig } from './rig.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** An engine may remove by whole files of a day: what is older by so much must be gone, what is between may be. */
const GRANULARITY_MS = 2 * DAY;
const NOW = Date.UTC(2026, 0, 20, 7, 30);

export function retentionContract(rig: Rig): void {
  describe('retention', () => {
    it('removes what is older than the age and nothing younger, of every series', async () => {
      rig.setNow(NOW);
      const opened = await rig.open();
      const { feed, engine } = opened;
      const [level, state] = [feed.define('level'), feed.define('state', 'string', { asset: 'lathe' })];
      for (let hour = 0; hour < 20 * 24; hour++) {
        feed.add(level, NOW - hour * HOUR, hour);
        if (hour % 50 === 0) feed.add(state, NOW - hour * HOUR, `text ${hour}`, BAD);
      }
      await feed.commit();
      const everything = await times(opened);
      await expireAll(engine);
      expect(await times(opened)).toEqual(everything);

      const maxAgeMs = 10 * DAY;
      await engine.setRetention({ maxAgeMs });
      await expireAll(engine);
      const left = await times(opened);
      expect(left.filter((time) => time >= NOW - maxAgeMs)).toEqual(everything.filter((time) => time >= NOW - maxAgeMs));
      expect(Math.min(...left)).toBeGreaterThanOrEqual(NOW - maxAgeMs - GRANULARITY_MS);
      expect((await engine.stats()).oldestMs).toBe(Math.min(...left));
      expect(await engine.count({ series: everySeries(feed), range: ALWAYS, atMost: 10_000 })).toBe(left.length);

      const again = await rig.reopen();
      expect(await times(again)).toEqual(left);
      expect(again.report.newestMs).toBe(NOW);
      expect(again.report.catalogue.length).toBe(2);
    });

    it('is measured from the present where a sample claims to be from the future', async () => {
      rig.setNow(NOW);
      const opened = await rig.open();
      const { feed, engine } = opened;
      const level = feed.define('level');
      feed.add(level, NOW - HOUR, 1);
      feed.add(level, Date.UTC(2099, 0, 1), 2);
      await feed.commit();
      await engine.setRetention({ maxAgeMs: 30 * DAY });
      await expireAll(engine);
      expect(await times(opened)).toEqual([NOW - HOUR, Date.UTC(2099, 0, 1)]);
    });

    it('is measured from the newest sample where nothing arrives any more, or the clock has not been set', async () => {
      const opened = await rig.open();
      const { feed, engine } = opened;
      const level = feed.define('level');
      for (const age of [0, 1, 9]) feed.add(level, NOW - age * DAY, age);
      await feed.commit();
      await engine.setRetention({ maxAgeMs: 30 * DAY });
      for (const nowMs of [NOW + 1_000 * DAY, 0]) {
        rig.setNow(nowMs);
        await expireAll(engine);
        expect((await times(opened)).length).toBe(3);
      }
    });

    it('goes in steps while new data arrives, and changes go on behind what is gone', async () => {
      rig.setNow(NOW);
      const { feed, engine } = await rig.open({ slots: 1 << 16 });
      const level = feed.define('level');
      for (let index = 0; index < 25_000; index++) feed.add(level, NOW - 100 * DAY + index * 1_000, index);
      await feed.commit();
      const { next } = await engine.changes(null, 10);
      feed.add(level, NOW, -1);
      await feed.commit();
      await engine.setRetention({ maxAgeMs: DAY });
      let added = 0;
      for (let more = true; more; ) {
        more = await engine.expire();
        feed.add(level, NOW - ++added, -1);
        await feed.commit();
      }
      const { columns } = await engine.changes(next, 1_000);
      expect(rowsOf(columns).map(({ timeMs }) => timeMs)).toEqual(Array.from({ length: added + 1 }, (_, index) => NOW - index));
    });
  });
}

async function times({ engine, feed }: Opened): Promise<number[]> {
  const { columns } = await engine.raw({ series: everySeries(feed), range: ALWAYS, limit: 100_000 });
  return [...columns.timeMs];
}

async function expireAll(engine: Opened['engine']): Promise<void> {
  for (let more = true; more; ) more = await engine.expire();
}
