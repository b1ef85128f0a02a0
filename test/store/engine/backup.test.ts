/** A copy of the columnar engine's store, made while samples come in: it opens, and has all that was synced before. */
import { mkdirSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { SeriesId } from '../../../src/core/tag.ts';
import { range } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, FIRST_DAY_MS, MINUTE } from './days-rig.ts';

const newDir = useTempDirs();

async function withThreeDays(): Promise<DaysRig> {
  const rig = await new DaysRig(newDir()).open();
  await rig.fill(3);
  return rig;
}

function emptyDir(): string {
  const dir = join(newDir(), 'telemetry');
  mkdirSync(dir);
  return dir;
}

describe('a backup of a running store', () => {
  it('has everything that was synced before it began, and of what came later nothing but the beginning', async () => {
    const rig = await withThreeDays();
    for (let index = 0; index < 500; index++) rig.feed.add(rig.series[0] as SeriesId, rig.clock.now() + index, index);
    await rig.feed.commit();
    const before = await rig.raw();
    const dir = emptyDir();
    let isDone = false;
    const copying = rig.engine.backup(dir).then(() => {
      isDone = true;
    });
    const late = rig.clock.now() + 1_000;
    let written = 0;
    while (!isDone) {
      for (let index = 0; index < 100; index++) rig.feed.add(rig.series[1] as SeriesId, late + written++, written);
      await rig.feed.commit();
      await rig.engine.expire();
      await new Promise((resolve) => setImmediate(resolve));
    }
    await copying;
    expect(written).toBeGreaterThan(100);
    const after = await rig.raw();
    expect(after.length).toBe(before.length + written);

    const copy = await new DaysRig(dir, rig.clock).open();
    const kept = await copy.raw();
    expect(kept.length).toBeGreaterThanOrEqual(before.length);
    expect(kept).toEqual(after.slice(0, kept.length));
    const daily = (one: DaysRig) => one.aggregate({ range: range(0, FIRST_DAY_MS + 3 * DAY), step: { ms: DAY }, aggregation: 'sum' });
    expect(await daily(copy)).toEqual(await daily(rig));
    copy.feed.add(copy.series[0] as SeriesId, rig.clock.now() + 10 * MINUTE, 1);
    await copy.feed.commit();
    await copy.settle();
    expect(copy.reports).toEqual([]);
    await Promise.all([copy.engine.close(), rig.engine.close()]);
  });

  it('moves and removes nothing that is sealed meanwhile, and does afterwards', async () => {
    const rig = await withThreeDays();
    await rig.engine.setRetention({ maxAgeMs: DAY });
    rig.clock.busy(DAY);
    const dir = emptyDir();
    const copying = rig.engine.backup(dir);
    expect(await rig.engine.expire()).toBe(false);
    expect(rig.files().length).toBe(3);
    await expect(rig.engine.backup(emptyDir())).rejects.toMatchObject({ code: 'conflict' });
    await copying;
    rig.feed.add(rig.series[0] as SeriesId, rig.clock.now(), 1);
    await rig.feed.commit();
    await rig.settle();
    rig.clock.busy(2 * DAY);
    await rig.settle();
    expect(rig.files()).not.toContain('01-06');
    expect(readdirSync(join(dir, 'day')).length).toBe(3);
    const copy = await new DaysRig(dir, rig.clock).open();
    expect(await copy.daysWithSamples()).toEqual(['01-06', '01-07', '01-08', '01-09']);
    await Promise.all([copy.engine.close(), rig.engine.close()]);
  });

  it('does not begin where the file system has no room for it, and leaves the store as it was', async () => {
    const rig = await withThreeDays();
    rig.free = () => 10_000;
    await expect(rig.engine.backup(emptyDir())).rejects.toMatchObject({ code: 'disk_full' });
    rig.free = () => 2 ** 40;
    await rig.engine.backup(emptyDir());
    await rig.engine.close();
  });

  it('fails when the store is closed meanwhile', async () => {
    const rig = await withThreeDays();
    const copying = rig.engine.backup(emptyDir());
    const failure = expect(copying).rejects.toMatchObject({ code: 'store_failed' });
    await rig.engine.close();
    await failure;
  });
});
