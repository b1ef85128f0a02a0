/** Retention of the columnar engine: by age, by size, by the room that the file system has left; samples and rollups apart. */
import { describe, expect, it } from 'vitest';
import type { SeriesId } from '../../../src/core/tag.ts';
import { History } from '../../../src/store/engine/history.ts';
import type { Aggregation, Step } from '../../../src/store/telemetry.ts';
import { ALWAYS, range } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, FIRST_DAY_MS, HOUR, MINUTE } from './days-rig.ts';

const newDir = useTempDirs();
const MIB = 2 ** 20;
const AGGREGATIONS: readonly Aggregation[] = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last'];
const COMPOSED: readonly Step[] = [{ ms: 5 * MINUTE }, { ms: HOUR }, { ms: DAY }, { calendar: '1d', tz: 'Australia/Lord_Howe' }];

async function filled(days: number, everyMs?: number): Promise<DaysRig> {
  const rig = await new DaysRig(newDir()).open();
  await rig.fill(days, everyMs);
  return rig;
}

describe('by age', () => {
  it('takes the samples of whole days and leaves every aggregate that consists of five minutes as it was', async () => {
    const rig = await filled(5);
    const all = () => Promise.all(COMPOSED.flatMap((step) => AGGREGATIONS.map((aggregation) => rig.aggregate({ step, aggregation }))));
    const before = await all();
    const whole = await rig.aggregate({ aggregation: 'sum' });
    expect(rig.files()).toEqual(['01-06', '01-07', '01-08', '01-09', '01-10']);

    await rig.retain({ maxAgeMs: 2 * DAY });
    expect(rig.files()).toEqual(['01-09', '01-10']);
    expect(await rig.daysWithSamples()).toEqual(['01-09', '01-10', '01-11']);
    expect(await all()).toEqual(before);
    expect(await rig.aggregate({ aggregation: 'sum' })).toEqual(whole);
    const query = { series: rig.series, range: ALWAYS, step: { ms: DAY }, aggregation: 'sum' } as const;
    const history = new History({ dir: rig.dir, clock: rig.clock, report: (what) => rig.reports.push(what) });
    const beside = history.answer(rig.engine.unsealed(rig.series, ALWAYS), ALWAYS, (asked) => asked.aggregate(query));
    expect(beside).toEqual(await rig.engine.aggregate(query));
    expect(beside.rows).toBe(12);
    history.close();

    await rig.reopen();
    expect(await all()).toEqual(before);
    expect((await rig.engine.stats()).oldestMs).toBe(FIRST_DAY_MS + 3 * DAY);
    await rig.engine.close();
  });

  it('answers finer steps from samples alone, and leaves out the five minutes that a range cuts', async () => {
    const rig = await filled(3);
    const cut = range(FIRST_DAY_MS + 12 * HOUR + 2 * MINUTE, FIRST_DAY_MS + 13 * HOUR + 1 * MINUTE);
    await rig.retain({ maxAgeMs: DAY });
    expect(rig.files()).toEqual(['01-08']);
    for (const ms of [MINUTE, 7 * MINUTE]) {
      const fine = await rig.aggregate({ step: { ms }, aggregation: 'count' });
      expect(fine[0]?.at).toBeGreaterThan(FIRST_DAY_MS + 2 * DAY - ms);
    }
    const counted = await rig.aggregate({ range: cut, aggregation: 'count' });
    expect(counted.map(({ value }) => value)).toEqual([55, 55]); // of 59 minutes the 55 from 12:05 to 13:00
    await rig.engine.close();
  });

  it('takes rollups at their own age, never before their samples', async () => {
    const rig = await filled(6);
    const days = async () => (await rig.aggregate({ series: [rig.series[0] as SeriesId], step: { ms: DAY }, aggregation: 'count' })).length;
    await rig.retain({ rollupMaxAgeMs: DAY });
    expect(await days()).toBe(7);
    const { rollupBytes } = await rig.engine.stats();
    await rig.retain({ maxAgeMs: 2 * DAY, rollupMaxAgeMs: 4 * DAY });
    expect(rig.files()).toEqual(['01-10', '01-11']);
    expect(await days()).toBe(5);
    await rig.retain({ maxAgeMs: 2 * DAY, rollupMaxAgeMs: DAY });
    expect(await days()).toBe(3);
    expect((await rig.engine.stats()).rollupBytes).toBe(rollupBytes / 3);
    await rig.reopen();
    expect(await days()).toBe(3);
    expect((await rig.engine.stats()).rollupBytes).toBe(rollupBytes / 3);
    await rig.engine.close();
  });

  it('never puts what comes late in place of the rollups that are left of its day', async () => {
    const rig = await filled(4);
    const daily = () => rig.aggregate({ step: { ms: DAY }, aggregation: 'sum' });
    await rig.retain({ maxAgeMs: DAY });
    await rig.retain({});
    const before = await daily();
    const late = FIRST_DAY_MS + 10 * HOUR;
    for (let index = 0; index < 50; index++) rig.feed.add(rig.series[0] as SeriesId, late + index, 1e9);
    const other = rig.feed.define('other');
    rig.feed.add(other, late, 5);
    await rig.feed.commit();
    for (let round = 0; round < 3; round++) {
      expect((await rig.raw()).filter(({ timeMs }) => timeMs < FIRST_DAY_MS + DAY).length).toBe(50);
      expect(await daily()).toEqual(before);
      expect((await rig.aggregate({ series: [other], step: { ms: DAY }, aggregation: 'sum' })).map(({ value }) => value)).toEqual([5]);
      rig.clock.busy(DAY);
      await rig.settle();
    }
    expect(rig.files()).toContain('01-06');
    await rig.reopen();
    expect(await daily()).toEqual([...before, { at: FIRST_DAY_MS, value: 5, count: 1 }].sort((a, b) => a.at - b.at));
    await rig.engine.close();
  });

  it('rests for an hour after a step of the clock, or of the data', async () => {
    const rig = await filled(5);
    await rig.retain({});
    const later = async (ms: number) => {
      rig.clock.busy(ms);
      await rig.settle();
    };
    rig.clock.stepWall(400 * DAY);
    rig.feed.add(rig.series[0] as SeriesId, rig.clock.now(), 1);
    await rig.feed.commit();
    await rig.retain({ maxAgeMs: 30 * DAY });
    await later(59 * MINUTE);
    expect(rig.files().length).toBe(6);
    rig.clock.stepWall(-400 * DAY);
    await later(MINUTE);
    await later(59 * MINUTE);
    await later(2 * HOUR);
    expect(rig.files().length).toBe(6); // the sample lies in the future now
    rig.clock.busy(400 * DAY);
    rig.feed.add(rig.series[0] as SeriesId, rig.clock.now(), 1);
    await rig.feed.commit();
    await rig.settle();
    expect(rig.files().length).toBe(6);
    await later(HOUR);
    expect(rig.files()).toEqual([]);
    await rig.engine.close();
  });

  it('rests for an hour after a start, because the clock may have been wrong before it', async () => {
    const rig = await filled(3);
    rig.clock.stepWall(400 * DAY);
    rig.feed.add(rig.series[0] as SeriesId, rig.clock.now(), 1);
    await rig.feed.commit();
    rig.clock.busy(HOUR);
    for (let start = 0; start < 2; start++) {
      await rig.reopen();
      await rig.retain({ maxAgeMs: 30 * DAY, rollupMaxAgeMs: 30 * DAY });
      rig.clock.busy(59 * MINUTE);
      await rig.settle();
      expect(rig.files()).toEqual(expect.arrayContaining(['01-06', '01-07', '01-08']));
    }
    await rig.retain({ maxBytes: 1 });
    expect(rig.files()).not.toContain('01-06'); // what there is no room for goes at once
    await rig.engine.close();
  });

  it('does not bring removed samples back after a crash, nor loses what came in for their days afterwards', async () => {
    const rig = await filled(2);
    const old = FIRST_DAY_MS - 5 * DAY;
    const [first, second] = rig.series as [SeriesId, SeriesId];
    rig.feed.add(first, old, 1);
    rig.feed.add(first, rig.clock.now(), 2);
    await rig.feed.commit();
    await rig.retain({ maxAgeMs: 3 * DAY });
    await rig.retain({});
    const { next } = await rig.engine.changes(null, 100_000);
    rig.feed.add(second, old + 1, 3);
    await rig.feed.commit();
    rig.feed.add(second, old - DAY, 4);
    await rig.feed.commit();
    await rig.retain({ maxAgeMs: 6.5 * DAY }); // takes the older one alone
    const times = [old + 1];
    const crashed = await rig.crash(newDir());
    for (const { engine, raw } of [rig, crashed].map((one) => ({ engine: one.engine, raw: one.raw() }))) {
      expect((await raw).filter(({ timeMs }) => timeMs < FIRST_DAY_MS).map(({ timeMs }) => timeMs)).toEqual(times);
      expect([...(await engine.changes(next, 10)).columns.timeMs]).toEqual(times);
      await engine.close();
    }
  });
});

describe('by size', () => {
  it('takes the oldest day until all files fit, and leaves the present one whatever it has', async () => {
    const rig = await filled(6, 4_000);
    const { fileBytes, rawBytes } = await rig.engine.stats();
    const day = rawBytes / 6;
    await rig.retain({ maxBytes: fileBytes + MIB });
    expect(rig.files().length).toBe(6);
    await rig.retain({ maxBytes: fileBytes - 1.2 * day });
    const left = await rig.engine.stats();
    expect(left.fileBytes).toBeLessThanOrEqual(fileBytes - 1.2 * day);
    expect(rig.files().length).toBeLessThan(6);
    expect(rig.files().length).toBeGreaterThan(2);
    expect(rig.files().at(-1)).toBe('01-11');
    await rig.retain({ maxBytes: 1 });
    expect(await rig.daysWithSamples()).toEqual(['01-12']);
    expect((await rig.aggregate({ step: { ms: DAY }, aggregation: 'count' })).length).toBe(2); // rollups go last, but go
    await rig.engine.close();
  });

  it('counts on no clock: neither one that was never set nor one from the future makes the newest day go', async () => {
    const rig = await filled(3);
    for (const byMs of [-1_000 * DAY, 5_000 * DAY]) {
      rig.clock.stepWall(byMs);
      await rig.retain({ maxBytes: 1 });
      expect(await rig.daysWithSamples()).toEqual(['01-09']);
    }
    await rig.engine.close();
  });
});

describe('by the room that is left', () => {
  const RESERVE = 256 * MIB;

  it('takes the oldest day until the reserve is free again', async () => {
    const rig = await filled(6);
    rig.free = () => RESERVE - MIB + (6 - rig.files().length) * 400_000;
    await rig.retain({ reserveBytes: RESERVE });
    expect(rig.files()).toEqual(['01-09', '01-10', '01-11']);
    await rig.engine.close();
  });

  it('takes nothing in while a quarter of the reserve is not free and nothing may go, and goes on by itself', async () => {
    const rig = await filled(2);
    await rig.retain({ reserveBytes: RESERVE });
    let free = RESERVE / 4 - 1;
    rig.free = () => free;
    rig.clock.busy(1_000);
    rig.feed.add(rig.series[0] as SeriesId, rig.clock.now(), 1);
    await expect(rig.feed.commit()).rejects.toMatchObject({ code: 'disk_full' });
    await expect(rig.feed.commit()).rejects.toMatchObject({ code: 'disk_full' });
    expect(rig.files()).toEqual([]);
    expect((await rig.raw()).length).toBe(2);
    free = RESERVE / 4;
    rig.clock.busy(1_000);
    await rig.feed.commit();
    expect((await rig.raw()).length).toBe(3);
    await rig.engine.close();
  });

  it('makes room within a write when there is no time for anything else', async () => {
    const rig = await filled(4);
    await rig.engine.setRetention({ reserveBytes: RESERVE });
    rig.free = () => (rig.files().length > 2 ? 0 : RESERVE);
    rig.feed.add(rig.series[0] as SeriesId, rig.clock.now(), 1);
    await rig.feed.commit();
    expect(rig.files()).toEqual(['01-08', '01-09']);
    await rig.engine.close();
  });

  it('takes a day that has no file only while new samples may use the pages that it leaves', async () => {
    const rig = await new DaysRig(newDir()).open();
    await rig.retain({ reserveBytes: 8_000 });
    rig.free = () => 8_000; // too little for the file of a day
    await rig.fill(2, MINUTE / 2);
    expect(rig.files()).toEqual([]);
    rig.free = () => 1_999;
    rig.clock.busy(1_000);
    rig.feed.add(rig.series[0] as SeriesId, rig.clock.now(), 1);
    await expect(rig.feed.commit()).rejects.toMatchObject({ code: 'disk_full' });
    await rig.settle();
    expect(await rig.daysWithSamples()).toEqual(['01-06', '01-07', '01-08']);
    rig.free = () => 7_999;
    await rig.settle();
    expect(await rig.daysWithSamples()).toEqual(['01-07', '01-08']);
    await rig.engine.close();
  });

  it('makes room for the file of a day by the oldest one, and leaves a day in its parts where there is none', async () => {
    const rig = await filled(2);
    await rig.retain({ reserveBytes: 8_000 });
    const room = 2_000 + 2 * (2 * 24 * 60) + 1; // what the file of a day asks for
    rig.free = () => (rig.files().includes('01-06') ? room - 2 : room + 2_000);
    rig.clock.busy(DAY);
    await rig.fill(1);
    expect(rig.files()).toEqual(['01-07', '01-08', '01-09']);
    await rig.engine.close();
  });
});
