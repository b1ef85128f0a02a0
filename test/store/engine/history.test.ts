/** Reading history beside the engine that writes: files that are replaced under a query, damage, queries that take too long. */
import { existsSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { GOOD } from '../../../src/core/status.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import { History } from '../../../src/store/engine/history.ts';
import type { Query } from '../../../src/store/engine/query.ts';
import type { UnsealedSamples } from '../../../src/store/engine/unsealed.ts';
import { Feed } from '../contract/feed.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const START = Date.UTC(2026, 4, 4);
const newDir = useTempDirs();

class Store {
  readonly dir = newDir();
  readonly damage: string[] = [];
  nowMs = START + 3 * DAY;
  monotonicMs = 0;
  /** The reader's own monotonic clock. */
  readingMs = 0;
  readonly clock: Clock = { ...systemClock, now: () => this.nowMs as UnixMs, monotonicMs: () => this.monotonicMs };
  readonly engine = new ColumnarEngine({ dir: this.dir, clock: this.clock, report: (what) => this.damage.push(what) });
  readonly reported: string[] = [];
  #feed: Feed | undefined;
  series = 0 as SeriesId;

  async open(): Promise<History> {
    this.#feed = new Feed(this.engine, await this.engine.open());
    this.series = this.#feed.define('level');
    this.#feed.add(this.#feed.define('newer'), START + 2 * DAY, 1); // else the day would not be over
    await this.write(START, 100, 0);
    await this.settle();
    return new History({
      dir: this.dir,
      clock: { ...systemClock, monotonicMs: () => this.readingMs },
      report: (what) => this.reported.push(what),
    });
  }

  /** Samples at each second, the index plus `offset` their value. */
  async write(fromMs: number, count: number, offset: number): Promise<void> {
    const feed = this.#feed as Feed;
    for (let index = 0; index < count; index++) feed.add(this.series, fromMs + index * 1_000, index + offset, GOOD);
    await feed.commit();
  }

  /** Seals and compacts everything. */
  async settle(): Promise<void> {
    for (let round = 0; round < 2; round++) {
      this.monotonicMs += 3_600_000;
      while (await this.engine.expire());
    }
  }

  unsealed(): UnsealedSamples {
    return this.engine.unsealed([this.series], ALWAYS);
  }

  readonly values = (query: Query): number[] => [...query.raw({ series: [this.series], range: ALWAYS, limit: 1_000 }).columns.numbers];

  dayFiles(): string[] {
    return readdirSync(join(this.dir, 'day'));
  }
}

const numbers = (count: number, offset = 0) => Array.from({ length: count }, (_, index) => index + offset);

describe('History', () => {
  it('follows a day to its next file, also when that is switched while it reads', async () => {
    const store = new Store();
    const history = await store.open();
    expect(store.dayFiles()).toEqual([`${START / DAY}-1.db`]);
    expect(history.answer(store.unsealed(), ALWAYS, store.values)).toEqual(numbers(100));
    const unsealed = store.unsealed();
    let asked = 0;
    await store.write(START + 100_000, 20, 100);
    await store.settle();
    expect(store.dayFiles()).toEqual([`${START / DAY}-2.db`]);
    const values = history.answer(unsealed, ALWAYS, (query) => {
      asked++;
      return store.values(query);
    });
    expect(values).toEqual(numbers(120));
    expect(asked).toBe(1);
    expect(store.reported).toEqual([]);
    history.close();
    await store.engine.close();
  });

  it('keeps the file of a day for a query that has begun, although a newer one has taken its place', async () => {
    const store = new Store();
    const history = await store.open();
    await store.write(START + 100_000, 20, 100);
    await store.engine.expire(); // from now on the late samples rest
    const settled: Promise<void>[] = [];
    const values = history.answer(store.unsealed(), ALWAYS, (query) => {
      store.monotonicMs += 3_600_000;
      for (let step = 0; step < 200; step++) settled.push(store.engine.expire().then(() => undefined));
      return store.values(query);
    });
    await Promise.all(settled);
    expect(values).toEqual(numbers(120));
    expect(store.dayFiles()).toEqual([`${START / DAY}-1.db`, `${START / DAY}-2.db`]);
    for (let step = 0; step < 5; step++) await store.engine.expire();
    expect(store.dayFiles()).toEqual([`${START / DAY}-2.db`]);
    expect(history.answer(store.unsealed(), ALWAYS, store.values)).toEqual(numbers(120));
    expect(store.reported).toEqual([]);
    history.close();
    await store.engine.close();
  });

  it('reads a fresh store.db when a damaged one was replaced under it', async () => {
    const store = new Store();
    const history = await store.open();
    writeFileSync(join(store.dir, 'store.db.suspect'), ''); // as another reader leaves it that has met a bad page
    await store.engine.expire();
    await store.write(START + DAY, 10, 500);
    expect(history.answer(store.unsealed(), ALWAYS, store.values)).toEqual([...numbers(100), ...numbers(10, 500)]);
    expect(store.dayFiles()).toEqual([`${START / DAY}-1.db`]);
    expect(existsSync(join(store.dir, 'store.db.damaged-1'))).toBe(true);
    history.close();
    await store.engine.close();
  });

  it('asks again when the file of a day is gone because a newer one has taken its place', async () => {
    const store = new Store();
    const history = await store.open();
    await store.write(START + 100_000, 20, 100);
    await store.engine.expire(); // from now on the late samples rest
    let asked = 0;
    const settled: Promise<void>[] = [];
    const values = history.answer(store.unsealed(), ALWAYS, (query) => {
      // The engine's steps are synchronous up to their first await: all of the first round is done when this returns.
      if (asked++ === 0) {
        store.monotonicMs += 3_600_000;
        for (let step = 0; step < 200; step++) settled.push(store.engine.expire().then(() => undefined));
        rmSync(join(store.dir, 'day', `${START / DAY}-1.db`)); // as a start sweeps it
      }
      return store.values(query);
    });
    await Promise.all(settled);
    expect(store.dayFiles()).toEqual([`${START / DAY}-2.db`]);
    expect(existsSync(join(store.dir, 'day', `${START / DAY}-1.db`))).toBe(false);
    expect(values).toEqual(numbers(120));
    expect(asked).toBe(2);
    expect(store.reported).toEqual([]);
    history.close();
    await store.engine.close();
  });

  it('reports a damaged file once a query, and answers with the rest', async () => {
    const store = new Store();
    const history = await store.open();
    await store.write(START + DAY, 10, 500);
    truncateSync(join(store.dir, 'day', `${START / DAY}-1.db`), 100);
    expect(history.answer(store.unsealed(), ALWAYS, store.values)).toEqual(numbers(10, 500));
    expect(store.reported).toEqual([join(store.dir, 'day', `${START / DAY}-1.db`)]);
    history.close();
    await store.engine.close();
  });

  it('gives up on an aggregate that takes too long, also where rollups answer it', async () => {
    const store = new Store();
    const history = await store.open();
    const slow = (query: Query) => {
      store.readingMs += 31_000;
      return query.aggregate({ series: [store.series], range: ALWAYS, aggregation: 'avg' });
    };
    expect(() => history.answer(store.unsealed(), ALWAYS, slow)).toThrow(expect.objectContaining({ code: 'range_too_large' }));
    history.close();
    await store.engine.close();
  });

  it('gives up on a query that takes too long, and answers the next', async () => {
    const store = new Store();
    const history = await store.open();
    const slow = (query: Query) => {
      store.readingMs += 31_000;
      return store.values(query);
    };
    expect(() => history.answer(store.unsealed(), ALWAYS, slow)).toThrow(expect.objectContaining({ code: 'range_too_large' }));
    expect(history.answer(store.unsealed(), ALWAYS, store.values)).toEqual(numbers(100));
    history.close();
    await store.engine.close();
  });

  it('ends at the next block where nobody waits for the answer any more, and answers the next', async () => {
    const store = new Store();
    const history = await store.open();
    for (let hour = 1; hour < 10; hour++) await store.write(START + hour * HOUR, 10, 0);
    await store.settle();
    let blocks = 0;
    const whole = history.answer(store.unsealed(), ALWAYS, store.values, () => blocks++);
    expect(whole).toHaveLength(190);
    expect(blocks).toBeGreaterThan(2);
    blocks = 0;
    const withdrawn = () => {
      if (++blocks === 2) throw new GatewayError('cancelled', 'gone');
    };
    const asked = () => history.answer(store.unsealed(), ALWAYS, store.values, withdrawn);
    expect(asked).toThrow(expect.objectContaining({ code: 'cancelled' }));
    expect(blocks).toBe(2);
    expect(history.answer(store.unsealed(), ALWAYS, store.values)).toEqual(whole);
    history.close();
    await store.engine.close();
  });

  it('takes a part that has got the number of a swept one for what it is', async () => {
    const store = new Store();
    const history = await store.open();
    const newer = (store.series + 1) as SeriesId; // alone in the first window of the third day
    await store.write(START + 2 * DAY + HOUR, 200, 0);
    await store.settle();
    const range = { from: (START + 2 * DAY) as UnixMs, to: (START + 2 * DAY + HOUR) as UnixMs };
    const rowsOf = (series: SeriesId) => {
      const unsealed = store.engine.unsealed([series], range);
      return history.answer(unsealed, range, (query) => query.raw({ series: [series], range, limit: 10 }).columns.rows);
    };
    expect([rowsOf(store.series), rowsOf(newer)]).toEqual([0, 1]);
    store.nowMs += 2 * DAY;
    await store.write(START + 4 * DAY, 1, 0);
    await store.settle();
    await store.write(START + 2 * DAY + 1_000, 1, 0);
    await store.settle();
    expect([rowsOf(newer), rowsOf(store.series)]).toEqual([1, 1]);
    expect(store.reported).toEqual([]);
  });

  it('says why it cannot open a folder that no engine has opened', () => {
    const open = () => new History({ dir: newDir(), clock: systemClock, report: () => {} });
    expect(open).toThrow(expect.objectContaining({ code: 'store_failed', message: expect.stringContaining('store.db') }));
  });
});
