/** What a query worker remembers of days, when these go and come again under the same name. */
import { describe, expect, it } from 'vitest';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { History } from '../../../src/store/engine/history.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, FIRST_DAY_MS, HOUR } from './days-rig.ts';

const newDir = useTempDirs();

describe('a day that was removed and has got samples again', () => {
  it('is read from its new file, although that is of the first generation too', async () => {
    const rig = await new DaysRig(newDir()).open();
    await rig.fill(3, HOUR);
    const [level] = rig.series as [SeriesId];
    const reports: string[] = [];
    const history = new History({ dir: rig.dir, clock: rig.clock, report: (what) => reports.push(what) });
    const range = { from: FIRST_DAY_MS as UnixMs, to: (FIRST_DAY_MS + DAY) as UnixMs };
    const values = () =>
      history.answer(rig.engine.unsealed([level], range), range, (query) => [
        ...query.raw({ series: [level], range, limit: 1_000 }).columns.numbers,
      ]);
    expect(values()).toHaveLength(24);
    rig.clock.busy(2 * HOUR);
    await rig.retain({ maxAgeMs: DAY });
    expect(rig.files()).not.toContain('01-06');
    await rig.retain({});
    for (const at of [1, 2, 3]) rig.feed.add(level, FIRST_DAY_MS + at * HOUR, at);
    await rig.feed.commit();
    for (let turn = 0; turn < 3; turn++) {
      rig.clock.busy(HOUR);
      await rig.settle();
    }
    expect(rig.files()).toContain('01-06');
    expect(values()).toEqual([1, 2, 3]);
    expect(reports).toEqual([]);
    history.close();
    await rig.engine.close();
  });
});
