/** Day files that cannot be read for a while: who asks is told so, and nothing is answered with less; afterwards all is there again. */
import { mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { DayFile } from '../../../src/store/engine/day-file.ts';
import { History } from '../../../src/store/engine/history.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, FIRST_DAY_MS, HOUR, MINUTE } from './days-rig.ts';

const EVERY_MS = 10 * MINUTE;
const REFUSED = { code: 'store_failed', message: expect.stringContaining('cannot be read now') };

const newDir = useTempDirs();

afterEach(() => vi.restoreAllMocks());

/** Three days in files, the handles closed; a start has opened none of them. */
async function threeDays(): Promise<DaysRig> {
  const rig = await new DaysRig(newDir()).open();
  await rig.fill(3, EVERY_MS);
  await rig.reopen();
  expect(rig.files()).toHaveLength(3);
  return rig;
}

/** Late samples rest for a while before they are sealed and their day is written anew. */
async function restedAndSettled(rig: DaysRig): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    rig.clock.busy(HOUR);
    await rig.settle();
  }
}

/** Lets the file of a day fail to open, as EMFILE or EACCES would: until the call of what is returned. */
function block(rig: DaysRig, day: number, generation = 1): () => void {
  const file = join(rig.dir, 'day', `${FIRST_DAY_MS / DAY + day}-${generation}.db`);
  renameSync(file, `${rig.dir}.kept`);
  symlinkSync(file, file); // ELOOP, of which SQLite says SQLITE_CANTOPEN
  return () => {
    rmSync(file);
    renameSync(`${rig.dir}.kept`, file);
  };
}

describe('a day file that cannot be opened now', () => {
  it('is an error for each question that needs it, and none for the others', async () => {
    const rig = await threeDays();
    const { series } = rig;
    const whole = await rig.raw();
    await rig.reopen();
    const unblock = block(rig, 0);
    const minutely = { series, range: ALWAYS, step: { ms: MINUTE }, aggregation: 'avg' } as const;
    for (let turn = 0; turn < 2; turn++) {
      await expect(rig.raw()).rejects.toMatchObject(REFUSED);
      await expect(rig.engine.count({ series, range: ALWAYS, atMost: 1e6 })).rejects.toMatchObject(REFUSED);
      await expect(rig.engine.aggregate(minutely)).rejects.toMatchObject(REFUSED);
      await expect(rig.engine.gaps({ series: [series[0] as SeriesId], range: ALWAYS, limit: 10 })).rejects.toMatchObject(REFUSED);
    }
    const later = { from: (FIRST_DAY_MS + DAY) as UnixMs, to: ALWAYS.to };
    expect((await rig.engine.raw({ series, range: later, limit: 1e6 })).columns.rows).toBe(whole.length - (2 * DAY) / EVERY_MS);
    expect(rig.reports).toEqual([]); // it is no damage
    unblock();
    expect(await rig.raw()).toEqual(whole);
    expect(await rig.engine.count({ series, range: ALWAYS, atMost: 1e6 })).toBe(whole.length);
    expect((await rig.engine.aggregate(minutely)).rows).toBe(whole.length);
    await rig.engine.close();
  });

  it('is an error for who asks for the newest usable sample in it, which is found afterwards', async () => {
    const rig = await new DaysRig(newDir()).open();
    const [level] = rig.series as [SeriesId];
    await rig.fill(1, EVERY_MS);
    rig.feed.add(level, rig.clock.now(), null, 0x8000_0000); // the newest usable one was at the same time
    await rig.feed.commit();
    const unblock = block(rig, 0);
    await rig.reopen();
    await expect(rig.engine.latest([level], 'usable')).rejects.toMatchObject(REFUSED);
    expect((await rig.engine.latest([level], 'newest')).rows).toBe(1);
    unblock();
    expect([...(await rig.engine.latest([level], 'usable')).timeMs]).toEqual([FIRST_DAY_MS + DAY - EVERY_MS]);
    await rig.engine.close();
  });

  it('is not written anew without what is in it, but as soon as it can be read again', async () => {
    const rig = await threeDays();
    const [level] = rig.series as [SeriesId];
    const unblock = block(rig, 0);
    for (let at = 0; at < 50; at++) rig.feed.add(level, FIRST_DAY_MS + HOUR + at, at);
    await rig.feed.commit();
    await restedAndSettled(rig);
    expect(readdirSync(join(rig.dir, 'day'))).toHaveLength(3);
    unblock();
    const whole = await rig.raw();
    expect(whole).toHaveLength(3 * 2 * (DAY / EVERY_MS) + 2 + 49); // one of them overwrites
    await restedAndSettled(rig);
    expect(readdirSync(join(rig.dir, 'day'))).toContain(`${FIRST_DAY_MS / DAY}-2.db`);
    expect(await rig.raw()).toEqual(whole);
    expect(rig.reports).toEqual([]);
    await rig.engine.close();
  });

  it('lets its compaction be tried again when it fails in the middle', async () => {
    const rig = await threeDays();
    const [level] = rig.series as [SeriesId];
    for (let at = 0; at < 50; at++) rig.feed.add(level, FIRST_DAY_MS + HOUR + at, at);
    await rig.feed.commit();
    const whole = await rig.raw();
    await rig.reopen(); // nothing is decoded yet
    const failing = vi.spyOn(DayFile.prototype, 'block').mockImplementation(() => {
      throw new Database.SqliteError('disk I/O error', 'SQLITE_IOERR_READ');
    });
    await expect(restedAndSettled(rig)).rejects.toMatchObject(REFUSED);
    failing.mockRestore();
    await restedAndSettled(rig);
    expect(readdirSync(join(rig.dir, 'day'))).toContain(`${FIRST_DAY_MS / DAY}-2.db`);
    expect(await rig.raw()).toEqual(whole);
    expect(rig.reports).toEqual([]);
    await rig.engine.close();
  });

  it('does not keep its day from going when it is too old', async () => {
    const rig = await threeDays();
    rig.clock.busy(2 * HOUR); // after a start nothing goes for its age for an hour
    block(rig, 0);
    await rig.retain({ maxAgeMs: DAY });
    expect(await rig.daysWithSamples()).not.toContain('01-06');
    expect(readdirSync(join(rig.dir, 'day'))).not.toContain(`${FIRST_DAY_MS / DAY}-1.db`);
    await rig.engine.close();
  });

  it('is no damage for the query worker either, which finds it again without a restart', async () => {
    const rig = await threeDays();
    const whole = await rig.raw();
    const reports: string[] = [];
    const history = new History({ dir: rig.dir, clock: rig.clock, report: (what) => reports.push(what) });
    const { series } = rig;
    const rows = () =>
      history.answer(rig.engine.unsealed(series, ALWAYS), ALWAYS, (query) => query.raw({ series, range: ALWAYS, limit: 1e6 }).columns.rows);
    const unblock = block(rig, 1);
    expect(rows).toThrow(expect.objectContaining(REFUSED));
    expect(rows).toThrow(expect.objectContaining(REFUSED));
    unblock();
    expect(rows()).toBe(whole.length);
    vi.spyOn(DayFile.prototype, 'block').mockImplementationOnce(() => {
      throw new Database.SqliteError('out of memory', 'SQLITE_NOMEM');
    });
    const again = new History({ dir: rig.dir, clock: rig.clock, report: (what) => reports.push(what) });
    const asked = () =>
      again.answer(rig.engine.unsealed(series, ALWAYS), ALWAYS, (query) => query.raw({ series, range: ALWAYS, limit: 1e6 }).columns.rows);
    expect(asked).toThrow(expect.objectContaining(REFUSED));
    expect(asked()).toBe(whole.length);
    expect(reports).toEqual([]);
    history.close();
    again.close();
    await rig.engine.close();
  });
});

describe('a file that counts no longer and cannot be removed', () => {
  it('is reported, and all other work goes on', async () => {
    const rig = await threeDays();
    const file = join(rig.dir, 'day', `${FIRST_DAY_MS / DAY}-1.db`);
    rmSync(file);
    mkdirSync(file);
    rig.clock.busy(2 * HOUR);
    await rig.retain({ maxAgeMs: DAY });
    expect(rig.reports).toEqual([file]);
    for (const id of rig.series) rig.feed.add(id, rig.clock.now(), 7);
    await rig.feed.commit();
    rig.clock.busy(HOUR);
    await rig.settle();
    expect((await rig.engine.stats()).unsealedRows).toBe(0);
    await rig.engine.close();
  });
});

describe('a day file that is gone', () => {
  it('is reported once, the rest is answered, and it counts again when it is back', async () => {
    const rig = await threeDays();
    const whole = await rig.raw();
    await rig.reopen();
    const file = join(rig.dir, 'day', `${FIRST_DAY_MS / DAY}-1.db`);
    renameSync(file, `${rig.dir}.kept`);
    for (let turn = 0; turn < 2; turn++) expect(await rig.raw()).toHaveLength(whole.length - (2 * DAY) / EVERY_MS);
    expect(rig.reports).toEqual([file]);
    renameSync(`${rig.dir}.kept`, file);
    expect(await rig.raw()).toEqual(whole);
    await rig.engine.close();
  });
});
