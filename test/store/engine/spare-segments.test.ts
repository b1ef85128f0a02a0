/** Segments of the log that nothing needs any more: they give their room back, before any data goes. */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, HOUR, MINUTE } from './days-rig.ts';

const SEGMENT_BYTES = 256 << 10;

const newDir = useTempDirs();

function segments(rig: DaysRig): number {
  return readdirSync(rig.dir).filter((name) => /^wal-\d+\.log$/.test(name)).length;
}

/** Brings more in one quarter of an hour than some segments hold, all of it sealed then. */
async function backlog(rig: DaysRig): Promise<void> {
  const note = [...rig.feed.defs].find(([, { valueType }]) => valueType === 'string')?.[0] ?? rig.feed.define('note', 'string');
  for (let at = 0; at < 10_000; at++) {
    rig.feed.add(note, rig.clock.now() + at, `${at} `.padEnd(200, 'x'));
    if (at % 100 === 0) await rig.feed.commit();
  }
  await rig.feed.commit();
  rig.clock.busy(HOUR);
  await rig.settle();
}

/** Little, for so many hours. */
async function quiet(rig: DaysRig, hours: number): Promise<void> {
  for (let quarter = 0; quarter < 4 * hours; quarter++) {
    for (const id of rig.series) rig.feed.add(id, rig.clock.now(), 1);
    await rig.feed.commit();
    rig.clock.busy(15 * MINUTE);
    await rig.settle();
  }
}

describe('spare segments of the log', () => {
  it('stay for an hour after they were needed, then all but two go', async () => {
    const rig = await new DaysRig(newDir()).open();
    await backlog(rig);
    const many = segments(rig);
    expect(many).toBeGreaterThan(5);
    rig.clock.busy(20 * MINUTE);
    await rig.settle();
    expect(segments(rig)).toBe(many);
    await quiet(rig, 3);
    expect(segments(rig)).toBeLessThanOrEqual(4); // two that are live at most, and two spare ones
    expect((await rig.engine.stats()).logBytes).toBe(segments(rig) * SEGMENT_BYTES);
    const { series } = rig;
    const before = await rig.raw();
    await rig.reopen();
    rig.series = series; // without the notes
    expect(rig.reports).toEqual([]);
    expect(await rig.raw()).toEqual(before);
    await rig.engine.close();
  });

  it('go before a day does when all takes more than it may, or the disk has too little left', async () => {
    const rig = await new DaysRig(newDir()).open();
    await rig.fill(2);
    await backlog(rig);
    const many = segments(rig);
    const days = await rig.daysWithSamples();
    expect(many).toBeGreaterThan(5);
    const { fileBytes } = await rig.engine.stats();
    await rig.retain({ maxBytes: fileBytes - 1 });
    expect(segments(rig)).toBeLessThan(many);
    expect(await rig.daysWithSamples()).toEqual(days);
    await rig.retain({});
    rig.clock.busy(DAY);
    await backlog(rig);
    const again = segments(rig);
    rig.free = () => (segments(rig) < again ? 2 ** 40 : 1);
    await rig.retain({ reserveBytes: 1_000 });
    expect(segments(rig)).toBeLessThan(again);
    expect(await rig.daysWithSamples()).toEqual(expect.arrayContaining(days));
    await rig.engine.close();
  });
});
