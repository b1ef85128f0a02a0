/** Contract: gaps are the stretches in which a tag was bad. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BAD, GOOD, UNCERTAIN } from '../../../src/core/status.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import { GAP_LOOK_BACK_MS } from '../../../src/store/telemetry.ts';
import { gapsOf } from './model.ts';
import { type Rig, range } from './rig.ts';

export function gapsContract(rig: Rig): void {
  describe('gaps', () => {
    it('go from the first bad sample to the next that is not, cut to the range', async () => {
      const { feed, engine } = await rig.open();
      const series = [feed.define('level')];
      const history = [
        [10, GOOD],
        [20, BAD],
        [25, BAD],
        [30, UNCERTAIN],
        [40, BAD],
        [50, GOOD],
        [60, BAD],
      ] as const;
      for (const [time, status] of history) feed.add(series[0] as SeriesId, time, time, status);
      await feed.commit();
      const gaps = async (from: number, to: number, limit = 10) =>
        (await engine.gaps({ series, range: range(from, to), limit })).map((gap) => [gap.from, gap.to]);
      expect(await gaps(0, 100)).toEqual([
        [20, 30],
        [40, 50],
        [60, 100],
      ]);
      expect(await gaps(22, 45)).toEqual([
        [22, 30],
        [40, 45],
      ]);
      expect(await gaps(0, 100, 2)).toEqual([
        [20, 30],
        [40, 50],
      ]);
      expect(await gaps(26, 29)).toEqual([[26, 29]]);
      expect(await gaps(30, 40)).toEqual([]);
      expect(await gaps(70, 80)).toEqual([[70, 80]]);
      expect(await gaps(0, 20)).toEqual([]);
    });

    it('follow the later arrival where two sources speak at the same time', async () => {
      const { feed, engine } = await rig.open();
      const [plc, api] = [feed.define('level'), feed.define('level', 'f64', { source: 'api' })];
      feed.add(api, 10, null, BAD);
      feed.add(plc, 10, 1, GOOD);
      feed.add(plc, 20, null, BAD);
      feed.add(api, 20, 2, GOOD);
      feed.add(plc, 30, 3, GOOD);
      feed.add(api, 30, null, BAD);
      await feed.commit();
      const gaps = async (from: number, to: number) => await engine.gaps({ series: [api, plc], range: range(from, to), limit: 10 });
      expect(await gaps(0, 30)).toEqual([]);
      expect(await gaps(15, 30)).toEqual([]);
      expect(await gaps(25, 30)).toEqual([]);
      expect(await gaps(35, 40)).toEqual([{ from: 35, to: 40 }]);
    });

    it('are open at the start where the newest sample of a month before was bad, and no older one speaks', async () => {
      const { feed, engine } = await rig.open();
      const level = feed.define('level');
      feed.add(level, 0, null, BAD);
      await feed.commit();
      const gaps = (from: number) => engine.gaps({ series: [level], range: range(from, from + 10), limit: 10 });
      expect(await gaps(GAP_LOOK_BACK_MS)).toEqual([{ from: GAP_LOOK_BACK_MS, to: GAP_LOOK_BACK_MS + 10 }]);
      expect(await gaps(GAP_LOOK_BACK_MS + 1)).toEqual([]);
    });

    it('equal the model for any history of one tag', async () => {
      const { feed, engine } = await rig.open();
      let run = 0;
      const sample = fc.record({ which: fc.nat(1), time: fc.nat(30), status: fc.constantFrom(GOOD, UNCERTAIN, BAD, 0xc000_0000) });
      await fc.assert(
        fc.asyncProperty(fc.array(sample, { maxLength: 40 }), fc.nat(30), fc.nat(30), async (history, from, length) => {
          const tenant = `run${run++}`;
          const series = [feed.define('level', 'f64', { tenant }), feed.define('level', 'f64', { tenant, source: 'api' })];
          for (const { which, time, status } of history) feed.add(series[which] as SeriesId, time, 1, status);
          await feed.commit();
          const query = { series, range: range(from, from + length) };
          expect(await engine.gaps({ ...query, limit: 100 })).toEqual(gapsOf(feed, series, query.range));
        }),
        { numRuns: 60 },
      );
    });
  });
}
