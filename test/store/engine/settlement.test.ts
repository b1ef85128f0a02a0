/** Files that the catalogue names no longer: they go when `store.db` itself says so, whatever becomes of SQLite's own log. */
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { expect, it } from 'vitest';
import type { SeriesId } from '../../../src/core/tag.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig, FIRST_DAY_MS, HOUR } from './days-rig.ts';

const newDir = useTempDirs();

async function filled(days: number): Promise<DaysRig> {
  const rig = await new DaysRig(newDir()).open();
  await rig.fill(days, 5 * 60_000);
  return rig;
}

/** What is there when SQLite's log is lost at this moment. */
function withoutSqliteLog(dir: string): string {
  const copy = newDir();
  cpSync(dir, copy, { recursive: true, filter: (path) => !/store\.db-(wal|shm)$/.test(path) });
  return copy;
}

/** Reads the catalogue as it is now, until it is closed. */
function readerOf(dir: string): Database.Database {
  const reader = new Database(join(dir, 'store.db'), { readonly: true });
  reader.exec('BEGIN');
  reader.prepare('SELECT count(*) FROM day').get();
  return reader;
}

/** Copies, without SQLite's log, at each step that begins so, while `act` works. */
async function copiesAt(rig: DaysRig, begin: string, act: () => Promise<void>): Promise<readonly string[]> {
  const copies: string[] = [];
  rig.hook = (step, what) => {
    if (`${step} ${what}`.startsWith(begin)) copies.push(withoutSqliteLog(rig.dir));
  };
  await act();
  rig.hook = () => {};
  return copies;
}

/** Opens what is left and reads all of it; nothing is damaged, and the samples of days from `firstDay` on are as in `whole`. */
async function expectSound(dir: string, whole: DaysRig, firstDay: number): Promise<void> {
  const left = await new DaysRig(dir, whole.clock).open();
  const keptMs = FIRST_DAY_MS + firstDay * DAY;
  const kept = (rows: Awaited<ReturnType<DaysRig['raw']>>) => rows.filter(({ timeMs }) => timeMs >= keptMs);
  expect(kept(await left.raw())).toEqual(kept(await whole.raw()));
  await left.settle();
  expect(left.reports).toEqual([]);
  await left.engine.close();
}

it('an expired file is removed after the catalogue has forgotten it for good', async () => {
  const rig = await filled(5);
  const copies = await copiesAt(rig, 'discarded', () => rig.retain({ maxAgeMs: 2 * DAY }));
  expect(copies.length).toBe(3);
  for (const dir of copies) await expectSound(dir, rig, 3);
  expect(rig.files()).toEqual(['01-09', '01-10']);
  await rig.engine.close();
});

it('what a crash has left of a removal goes at the next start, in the same order', async () => {
  const rig = await filled(4);
  let dir = '';
  rig.hook = (step, what) => {
    if (dir !== '' || step !== 'committed' || what !== 'removing a day') return;
    dir = newDir();
    cpSync(rig.dir, dir, { recursive: true });
  };
  await rig.retain({ maxAgeMs: DAY });
  const again = new DaysRig(dir, rig.clock);
  await again.open();
  expect(again.files()).toEqual(['01-06', '01-07', '01-08', '01-09']);
  const copies = await copiesAt(again, 'discarded a stray', () => again.settle());
  expect(again.files()).toEqual(['01-07', '01-08', '01-09']);
  expect(copies.length).toBe(1);
  for (const copy of copies) await expectSound(copy, again, 1);
  await again.engine.close();
  await rig.engine.close();
});

it('a name that has come again is not taken for what it was', async () => {
  const rig = await filled(2);
  await rig.engine.close();
  const [first] = readdirSync(join(rig.dir, 'day')).sort() as [string];
  const second = first.replace('-1.db', '-2.db');
  cpSync(join(rig.dir, 'day', first), join(rig.dir, 'day', second));
  await rig.reopen();
  const reader = readerOf(rig.dir);
  const writer = new Database(join(rig.dir, 'store.db'));
  writer.exec('INSERT INTO gone VALUES (1, 1, 1); DELETE FROM gone WHERE day = 1'); // which the reader keeps from being settled
  writer.close();
  for (let index = 0; index < 20; index++) rig.feed.add(rig.series[0] as SeriesId, FIRST_DAY_MS + 2 * HOUR + index, index);
  await rig.feed.commit();
  for (let turn = 0; turn < 2; turn++) {
    rig.clock.busy(HOUR);
    await rig.settle(); // the day is compacted again, over the stray
  }
  const before = await rig.raw();
  expect(rig.files()).toEqual(['01-06', '01-06', '01-07']);
  reader.close();
  rig.clock.busy(HOUR);
  await rig.settle();
  await rig.reopen();
  expect(readdirSync(join(rig.dir, 'day')).sort()[0]).toBe(second);
  expect(await rig.raw()).toEqual(before);
  expect(rig.reports).toEqual([]);
  await rig.engine.close();
});

it('while a reader keeps the catalogue from settling the file stays, and no second day goes for the same room', async () => {
  const rig = await filled(4);
  const reader = readerOf(rig.dir);
  rig.free = () => (rig.files().length < 4 ? 2_000 : 0);
  await rig.retain({ reserveBytes: 1_000 });
  expect(rig.files().length).toBe(4);
  expect((await rig.engine.stats()).days).toBe(3);
  reader.close();
  await rig.settle();
  expect(rig.files()).toEqual(['01-07', '01-08', '01-09']);
  expect((await rig.engine.stats()).days).toBe(3);
  await rig.engine.close();
});
