/** Work in the background that fails for another reason than the disk: what failed is done again, and nothing else waits for it. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { Blobs } from '../../../src/store/engine/blobs.ts';
import { Catalogue } from '../../../src/store/engine/catalogue.ts';
import { merged } from '../contract/model.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, HOUR, MINUTE } from './days-rig.ts';

const RETRY_MS = 5_000;

const newDir = useTempDirs();

afterEach(() => vi.restoreAllMocks());

/** Windows of two series, due to be sealed. */
async function dueWindows(): Promise<DaysRig> {
  const rig = await new DaysRig(newDir()).open();
  for (let at = 0; at < HOUR; at += MINUTE) for (const id of rig.series) rig.feed.add(id, rig.clock.now() + at, at / 7);
  await rig.feed.commit();
  rig.clock.busy(2 * HOUR);
  return rig;
}

describe('sealing', () => {
  it('loses no series whose coding failed', async () => {
    const rig = await dueWindows();
    const { arrivals } = rig.feed;
    vi.spyOn(Blobs.prototype, 'encodeChunk').mockImplementationOnce(() => {
      throw new RangeError('Array buffer allocation failed');
    });
    await expect(rig.settle()).rejects.toThrow('Array buffer allocation failed');
    rig.clock.busy(RETRY_MS);
    await rig.settle();
    const expected = merged({ defs: rig.feed.defs, arrivals }, rig.series, ALWAYS);
    expect(expected).toHaveLength(120);
    expect(await rig.raw()).toEqual(expected);
    expect((await rig.aggregate({ aggregation: 'count' })).map(({ count }) => count)).toEqual([60, 60]);
    await rig.reopen();
    expect(await rig.raw()).toEqual(expected);
    await rig.engine.close();
  });

  it.each([0, 1])('goes on with a window whose part got no number, whether it is the first or not', async (before) => {
    const rig = await dueWindows();
    const { arrivals } = rig.feed;
    const { nextPart } = Catalogue.prototype;
    let calls = 0;
    vi.spyOn(Catalogue.prototype, 'nextPart').mockImplementation(function (this: Catalogue, window: number) {
      if (calls++ === before) throw new Error('database is locked');
      return nextPart.call(this, window);
    });
    await expect(rig.settle()).rejects.toThrow('database is locked');
    rig.clock.busy(RETRY_MS);
    await rig.settle();
    for (const id of rig.series) rig.feed.add(id, rig.clock.now(), 0); // the log is given back when these are sealed
    await rig.feed.commit();
    rig.clock.busy(2 * HOUR);
    await rig.settle();
    const expected = merged({ defs: rig.feed.defs, arrivals }, rig.series, ALWAYS);
    expect(await rig.raw()).toEqual(expected);
    await rig.reopen();
    expect(await rig.raw()).toEqual(expected);
    await rig.engine.close();
  });
});

describe('a day of which no file can be made', () => {
  it('stays in its parts, and the days after it get their files', async () => {
    const rig = await new DaysRig(newDir()).open();
    const { encodeValues } = Blobs.prototype;
    let calls = 0;
    vi.spyOn(Blobs.prototype, 'encodeValues').mockImplementation(function (this: Blobs, series, run, habit) {
      if (!habit && calls++ === 0) throw new RangeError('a block has 1 to 1048576 samples, not 1060000');
      return encodeValues.call(this, series, run, habit);
    });
    await rig.fill(3, 10 * MINUTE);
    expect(rig.files()).toEqual(['01-07', '01-08']);
    expect(rig.reports).toHaveLength(1);
    expect(await rig.daysWithSamples()).toEqual(['01-06', '01-07', '01-08', '01-09']);
    rig.clock.busy(DAY);
    await rig.reopen();
    await rig.settle();
    expect(rig.files()).toContain('01-06'); // a new start tries again
    await rig.engine.close();
  });
});
