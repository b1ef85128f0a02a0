/** What a store does with files that are damaged, gone or another's: it comes up, keeps what was, and says what is lost. */
import { readdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import { keepDamaged } from '../../../src/store/engine/damaged-copy.ts';
import { crc32Start, findIdentity } from '../../../src/store/engine/wal/identity.ts';
import { readLog } from '../../../src/store/engine/wal/recovery.ts';
import { Feed } from '../contract/feed.ts';
import { merged, rowsOf } from '../contract/model.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 4, 4);

const newDir = useTempDirs();

/** A folder with an engine in it whose clock stands three days behind the start. */
class Store {
  readonly reports: string[] = [];
  readonly dir: string;
  engine: ColumnarEngine;
  feed: Feed | undefined;
  /** Each look at the clock costs a step all its time. */
  isHurried = false;
  #monotonicMs = 0;
  #nowMs = START + 3 * DAY;

  constructor(dir = newDir()) {
    this.dir = dir;
    const clock: Clock = { ...systemClock, now: () => this.#nowMs as UnixMs, monotonicMs: () => this.#look() };
    const report = (what: string, error: unknown) =>
      this.reports.push(`${what}: ${error instanceof Error ? error.message : JSON.stringify(error)}`);
    this.engine = new ColumnarEngine({ dir, clock, report, log: { segmentBytes: 16 << 10 } });
  }

  #look(): number {
    if (this.isHurried) this.#monotonicMs += MINUTE;
    return this.#monotonicMs;
  }

  async open(): Promise<Feed> {
    this.feed = new Feed(this.engine, await this.engine.open());
    return this.feed;
  }

  async settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      this.#monotonicMs += HOUR;
      for (let step = 0; step < 10_000; step++) if (!(await this.engine.expire())) break;
    }
  }

  async rows(series: readonly SeriesId[]) {
    return rowsOf((await this.engine.raw({ series, range: ALWAYS, limit: 100_000 })).columns);
  }

  identity(): number {
    const database = new Database(join(this.dir, 'store.db'), { readonly: true });
    try {
      return Number(database.prepare('SELECT identity FROM progress').pluck().get());
    } finally {
      database.close();
    }
  }
}

/** All rows of the rollups of days. */
function rollupsIn(dir: string): readonly unknown[] {
  const database = new Database(join(dir, 'store.db'), { readonly: true });
  try {
    return ['day_rollup', 'rollup_day'].flatMap((table) => database.prepare(`SELECT * FROM ${table}`).raw().all());
  } finally {
    database.close();
  }
}

/** Two days in files, the third sealed, some samples in the log alone; closed. */
async function filled(): Promise<{ store: Store; feed: Feed; series: SeriesId[] }> {
  const store = new Store();
  const feed = await store.open();
  const series = [feed.define('level'), feed.define('state', 'string')];
  for (let at = START; at < START + 3 * DAY; at += 20 * MINUTE) {
    feed.add(series[0] as SeriesId, at, at / 1_000);
    feed.add(series[1] as SeriesId, at + 1, `state ${at % 7}`);
  }
  await feed.commit();
  await store.settle();
  for (let index = 0; index < 50; index++) {
    feed.add(series[0] as SeriesId, START + 3 * DAY + index, index);
    await feed.commit();
  }
  await store.engine.close();
  return { store, feed, series };
}

describe('a store whose store.db is gone', () => {
  it('finds its series, days, log and newest samples again, and says what may be lost', async () => {
    const { store, feed, series } = await filled();
    for (const name of readdirSync(store.dir)) if (name.startsWith('store.db')) rmSync(join(store.dir, name));
    const again = new Store(store.dir);
    const { catalogue, next } = await again.engine.open();
    expect(new Map(catalogue.map(({ id, def }) => [id, def]))).toEqual(feed.defs);
    expect(next).toBe(feed.ring.head);
    expect(await again.rows(series)).toEqual(merged(feed, series, ALWAYS)); // the log has not yet used its old segments again
    expect(again.reports.length).toBeGreaterThan(0);
    const newest = rowsOf(await again.engine.latest(series, 'newest'));
    expect(newest[0]).toMatchObject({ series: series[0], timeMs: START + 3 * DAY + 49, value: 49 });
    await again.engine.close();
    const third = new Store(store.dir);
    await third.open();
    expect(third.reports).toEqual([]);
    await third.engine.close();
  });

  it('folds the rollups of its days again from their files, bit by bit the same, in short steps', async () => {
    const { store } = await filled();
    const rollups = rollupsIn(store.dir);
    expect(rollups.length).toBe(2 * 2 + 2); // two days of two series, and what says that they are there
    for (const name of readdirSync(store.dir)) if (name.startsWith('store.db')) rmSync(join(store.dir, name));
    const again = new Store(store.dir);
    await again.open();
    expect(rollupsIn(store.dir)).toEqual([]);
    again.isHurried = true;
    let steps = 0;
    while (await again.engine.expire()) steps++;
    expect(steps).toBeGreaterThan(2 * 2 * 6); // a block of four hours is the most that a step takes
    expect(rollupsIn(store.dir)).toEqual(rollups);
    await again.engine.close();
  });

  it('leaves a day without rollups when some of its file cannot be read', async () => {
    const { store, feed, series } = await filled();
    for (const name of readdirSync(store.dir)) if (name.startsWith('store.db')) rmSync(join(store.dir, name));
    const [file] = readdirSync(join(store.dir, 'day')).sort() as [string];
    const database = new Database(join(store.dir, 'day', file));
    database.prepare('UPDATE blk SET sum = sum + 1 WHERE id = (SELECT min(id) FROM blk)').run();
    database.close();
    const again = new Store(store.dir);
    await again.open();
    await again.settle();
    expect(rollupsIn(store.dir).length).toBe(3);
    expect(again.reports.filter((report) => report.includes('block')).length).toBe(1);
    const whole = merged(feed, series, ALWAYS);
    expect((await again.rows(series)).length).toBe(whole.length - 12);
    await again.engine.close();
  });

  it('does not take an empty folder for a store that was lost', async () => {
    const store = new Store();
    await store.open();
    expect(store.reports).toEqual([]);
    await store.engine.close();
  });
});

describe('the log of a store', () => {
  it('is not believed when it is that of another store', async () => {
    const { store, feed, series } = await filled();
    const other = await filled();
    for (const { path } of readLog(other.store.dir, other.store.identity()).files) {
      writeFileSync(join(store.dir, path.split('/').at(-1) as string), readFileSync(path));
    }
    const again = new Store(store.dir);
    await again.open();
    const rows = await again.rows(series);
    expect(rows).toEqual(merged(feed, series, ALWAYS).slice(0, rows.length));
    expect(rows.length).toBe(merged(feed, series, ALWAYS).length - 50);
    await again.engine.close();
  });

  it('tells its identity to who has lost it', async () => {
    const { store } = await filled();
    expect(findIdentity(store.dir)).toBe(store.identity());
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1 }), fc.nat(2 ** 32 - 1), (bytes, start) => crc32Start(bytes, crc32(bytes, start)) === start),
    );
  });

  it('is followed on behind a frame that has gone bad while the store is open, which is reported once', async () => {
    const { store, series } = await filled();
    const again = new Store(store.dir);
    await again.open();
    const frames = readLog(store.dir, store.identity()).frames;
    const bad = frames.at(-20);
    if (!bad) throw new Error('the log has few frames');
    const bytes = readFileSync(bad.path);
    bytes.writeUInt8((bytes[bad.at + 33] as number) ^ 0x10, bad.at + 33);
    writeFileSync(bad.path, bytes);
    for (let turn = 0; turn < 2; turn++) {
      const seen = new Set<number>();
      let cursor: string | null = null;
      for (;;) {
        const page: Awaited<ReturnType<ColumnarEngine['changes']>> = await again.engine.changes(cursor, 7);
        cursor = page.next;
        if (page.columns.rows === 0) break;
        for (const { series: id, timeMs } of rowsOf(page.columns)) if (id === series[0]) seen.add(timeMs - START - 3 * DAY);
      }
      expect([...seen].filter((index) => index >= 0).length).toBe(49); // each of the fifty was a frame
    }
    expect(again.reports.length).toBe(1);
    expect(again.reports[0]).toContain('cannot be read any more');
    await again.engine.close();
  });

  it('leaves nothing open when it cannot be opened', async () => {
    const { store } = await filled();
    const [frame] = readLog(store.dir, store.identity()).frames;
    if (!frame) throw new Error('the log is empty');
    const bytes = readFileSync(frame.path);
    bytes.writeUInt8(9, frame.at + 12); // a version to come
    const body = crc32(bytes.subarray(frame.at + 32, frame.at + frame.bytes), store.identity());
    bytes.writeUInt32LE(crc32(bytes.subarray(frame.at + 12, frame.at + 32), body), frame.at + 8);
    writeFileSync(frame.path, bytes);
    await expect(new Store(store.dir).open()).rejects.toMatchObject({ code: 'store_failed' });
    expect(openFiles().filter((path) => path.startsWith(store.dir))).toEqual([]);
  });
});

describe('a day with a damaged block', () => {
  it('is not written anew from what is left of it', async () => {
    const { store, series } = await filled();
    const [name] = readdirSync(join(store.dir, 'day')).sort();
    const file = join(store.dir, 'day', name as string);
    const database = new Database(file);
    database.prepare('UPDATE blk SET times = times + 1 WHERE id = (SELECT min(id) FROM blk)').run();
    database.close();
    const again = new Store(store.dir);
    const feed = await again.open();
    for (let index = 0; index < 100; index++) feed.add(series[0] as SeriesId, START + DAY / 2 + index, index);
    await feed.commit();
    await again.settle();
    await again.settle();
    expect(readdirSync(join(store.dir, 'day'))).toContain(name);
    expect(again.reports.some((report) => report.includes('left as it is'))).toBe(true);
    expect(
      (await again.rows([series[0] as SeriesId])).filter(({ timeMs }) => timeMs >= START + DAY / 2 && timeMs < START + DAY / 2 + 100)
        .length,
    ).toBe(100);
    await again.engine.close();
  });
});

describe('copies of damaged files', () => {
  it('are few, the youngest ones', () => {
    const dir = newDir();
    const file = join(dir, 'wal-00000001.log');
    for (let index = 1; index <= 12; index++) {
      writeFileSync(file, `content ${index}`);
      expect(keepDamaged(file, 'copy')).toBe(`wal-00000001.log.damaged-${index}`);
    }
    const copies = readdirSync(dir).filter((name) => name.includes('damaged'));
    expect(copies.length).toBe(8);
    expect(readFileSync(join(dir, 'wal-00000001.log.damaged-12'), 'utf8')).toBe('content 12');
  });
});

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(`/proc/self/fd/${fd}`)];
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []; // the folder's own
      throw error;
    }
  });
}
