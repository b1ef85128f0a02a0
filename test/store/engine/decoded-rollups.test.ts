/** Decoded rollups are kept, bounded, and never shown when the tables say something else by now. */
import { expect, it } from 'vitest';
import type { SeriesId } from '../../../src/core/tag.ts';
import { DecodedRollups } from '../../../src/store/engine/decoded-rollups.ts';
import { History } from '../../../src/store/engine/history.ts';
import type { RollupColumns } from '../../../src/store/engine/rollup.ts';
import type { Aggregation } from '../../../src/store/telemetry.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, FIRST_DAY_MS, HOUR, MINUTE } from './days-rig.ts';

const newDir = useTempDirs();
const AGGREGATIONS: readonly Aggregation[] = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last'];

/** Nine columns of so many rows, each of its own. */
function columnsOf(rows: number): RollupColumns {
  const column = () => new Float64Array(rows);
  const counts = { key: column(), count: column(), uncertain: column(), numbers: column() };
  return { rows, ...counts, min: column(), max: column(), sum: column(), first: column(), last: column() };
}

it('decodes once until the version is another', () => {
  const decoded = new DecodedRollups();
  let calls = 0;
  const decode = () => {
    calls++;
    return columnsOf(1);
  };
  decoded.follow(1);
  const first = decoded.get('a', decode);
  decoded.follow(1);
  expect(decoded.get('a', decode)).toBe(first);
  expect(calls).toBe(1);
  decoded.follow(2);
  expect(decoded.get('a', decode)).not.toBe(first);
  expect(calls).toBe(2);
});

it('keeps 8 MiB, what was used last, and does not remember that there was nothing', () => {
  const decoded = new DecodedRollups();
  const MIB_OF_ROWS = 2 ** 20 / 72;
  const isKept = (name: string) => {
    let wasAsked = false;
    decoded.get(name, () => {
      wasAsked = true;
      return undefined;
    });
    return !wasAsked;
  };
  for (let index = 0; index < 8; index++) decoded.get(`${index}`, () => columnsOf(MIB_OF_ROWS));
  expect(isKept('0')).toBe(true);
  decoded.get('8', () => columnsOf(MIB_OF_ROWS));
  expect([isKept('0'), isKept('1'), isKept('2'), isKept('8')]).toEqual([true, false, true, true]);
  decoded.get('huge', () => columnsOf(9 * MIB_OF_ROWS));
  expect([isKept('huge'), isKept('8')]).toEqual([false, false]);
});

it('the engine and the reader beside it answer anew when late samples, a compaction or a removal have changed a day', async () => {
  const rig = await new DaysRig(newDir()).open();
  await rig.fill(3, 5 * MINUTE);
  const history = new History({ dir: rig.dir, clock: rig.clock, report: (what) => rig.reports.push(what) });
  const query = { series: rig.series, range: ALWAYS, step: { ms: HOUR } };
  /** From rollups twice, so that the second comes from what is kept; and the same from a reader that keeps nothing yet. */
  const expectFresh = async () => {
    const fresh = new History({ dir: rig.dir, clock: rig.clock, report: (what) => rig.reports.push(what) });
    for (const aggregation of AGGREGATIONS) {
      const ask = (of: History) =>
        of.answer(rig.engine.unsealed(rig.series, ALWAYS), ALWAYS, (asked) => asked.aggregate({ ...query, aggregation }));
      const expected = ask(fresh);
      for (let turn = 0; turn < 2; turn++) {
        expect(await rig.engine.aggregate({ ...query, aggregation })).toEqual(expected);
        expect(ask(history)).toEqual(expected);
      }
    }
    fresh.close();
  };
  await expectFresh();
  for (let index = 0; index < 50; index++) rig.feed.add(rig.series[0] as SeriesId, FIRST_DAY_MS + HOUR + index, 1e6 + index);
  await rig.feed.commit();
  await expectFresh();
  for (let turn = 0; turn < 2; turn++) {
    rig.clock.busy(HOUR);
    await rig.settle(); // the first time sealed, the second time compacted
    await expectFresh();
  }
  const sums = await rig.aggregate({ step: { ms: DAY }, aggregation: 'max' });
  expect(Math.max(...sums.map(({ value }) => value as number))).toBe(1e6 + 49);
  await rig.retain({ maxAgeMs: DAY });
  await expectFresh();
  await rig.retain({ maxAgeMs: DAY, rollupMaxAgeMs: DAY });
  await expectFresh();
  expect((await rig.aggregate({ step: { ms: DAY }, aggregation: 'max' })).length).toBeLessThan(sums.length);
  expect(rig.reports).toEqual([]);
  history.close();
  await rig.engine.close();
});
