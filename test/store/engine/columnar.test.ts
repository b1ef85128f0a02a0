/** The columnar engine against the plain one, with sealing, compaction and restarts between any two steps; crashes and damage. */
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import { History } from '../../../src/store/engine/history.ts';
import type { UnsealedSamples } from '../../../src/store/engine/unsealed.ts';
import type { Engine } from '../../../src/store/engine.ts';
import { RowsEngine } from '../../../src/store/rows/engine.ts';
import type { AggregateColumns, Aggregation, Step } from '../../../src/store/telemetry.ts';
import { Feed } from '../contract/feed.ts';
import { defineAll, type Step as Sample, steps } from '../contract/histories.ts';
import { merged, type Row, rowsOf } from '../contract/model.ts';
import { ALWAYS, range } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Two hours before the end of a local day in Berlin, on the day before its clocks change. */
const START = Date.UTC(2026, 2, 28, 21);
/** Segments of a few frames, so that the log gives back what is sealed. */
const SMALL_LOG = { segmentBytes: 16 << 10 };
const AGGREGATIONS: readonly Aggregation[] = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last'];
const STEPS: readonly Step[] = [
  { ms: MINUTE },
  { ms: 5 * MINUTE },
  { ms: HOUR },
  { ms: DAY },
  { calendar: '1d', tz: 'UTC' },
  { calendar: '1d', tz: 'Europe/Berlin' },
];

const newDir = useTempDirs();

/** Hands that only the test turns; in a hurry, each look at the monotonic clock finds a step of work to be over. */
class TestClock implements Clock {
  nowMs = START;
  isHurried = false;
  #monotonicMs = 1_000;

  now(): UnixMs {
    return this.nowMs as UnixMs;
  }

  monotonicMs(): number {
    if (this.isHurried) this.#monotonicMs += 10;
    return this.#monotonicMs;
  }

  advance(ms: number): void {
    this.nowMs += ms;
    this.#monotonicMs += ms;
  }

  sleep = systemClock.sleep;
}

function columnar(dir: string, clock: Clock, report: (what: string) => void = fail): ColumnarEngine {
  return new ColumnarEngine({ dir, clock, report, log: SMALL_LOG });
}

function fail(what: string): never {
  throw new Error(`damage reported: ${what}`);
}

async function settle(engine: Engine, atMost = 100_000): Promise<void> {
  for (let step = 0; step < atMost; step++) if (!(await engine.expire())) return;
}

/** Times of three days that collide: few of few windows, the last ones just before the clock's start. */
const times = fc
  .record({ day: fc.nat(2), window: fc.constantFrom(0, 1, 7, 40, 95), at: fc.constantFrom(0, 1, 299_999, 300_000, 450_000, 899_999) })
  .map(({ day, window, at }) => START - 3 * DAY + day * DAY + window * 15 * MINUTE + at);

type Action =
  | { readonly kind: 'write'; readonly samples: readonly Sample[] }
  | { readonly kind: 'wait'; readonly ms: number }
  | { readonly kind: 'work'; readonly steps: number; readonly isHurried: boolean }
  | { readonly kind: 'follow'; readonly limit: number; readonly pages: number }
  | { readonly kind: 'reopen' };

const write = steps(times, 30).map((samples): Action => ({ kind: 'write', samples }));
const wait = fc.constantFrom(MINUTE, 10 * MINUTE, DAY).map((ms): Action => ({ kind: 'wait', ms }));
const work = fc
  .constantFrom(1, 2, 5, 20, 100_000)
  .chain((count) => fc.boolean().map((isHurried): Action => ({ kind: 'work', steps: count, isHurried })));
const follow = fc
  .record({ limit: fc.integer({ min: 1, max: 20 }), pages: fc.integer({ min: 1, max: 4 }) })
  .map((some): Action => ({ kind: 'follow', ...some }));
const actions = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: write },
    { weight: 2, arbitrary: wait },
    { weight: 4, arbitrary: work },
    { weight: 2, arbitrary: follow },
    {
      weight: 1,
      arbitrary: fc.constant<Action>({ kind: 'reopen' }),
    },
  ),
  { minLength: 6, maxLength: 16, size: 'max' },
);

const keyOf = ({ series, timeMs }: Row) => `${series} ${timeMs}`;

/** Both engines, fed alike, and a follower of the columnar one's changes. */
class Twins {
  readonly clock = new TestClock();
  readonly dir = newDir();
  readonly oracle = new RowsEngine(join(newDir(), 'rows.db'), this.clock);
  engine: ColumnarEngine = columnar(this.dir, this.clock);
  series: SeriesId[] = [];
  #feed: Feed | undefined;
  #cursor: string | null = null;
  #beside: History | undefined;
  readonly #followed = new Map<string, Row>();

  async start(): Promise<void> {
    await this.oracle.open();
    this.#feed = await this.#open();
    this.series = defineAll(this.#feed, 'default');
    await this.#feed.commit();
  }

  async act(action: Action): Promise<void> {
    const feed = this.#feed as Feed;
    if (action.kind === 'wait') this.clock.advance(action.ms);
    if (action.kind === 'follow') for (let page = 0; page < action.pages; page++) await this.#follow(action.limit);
    if (action.kind === 'write') {
      for (const { which, timeMs, value, status, commit } of action.samples) {
        feed.add(this.series[which] as SeriesId, timeMs, value, status);
        if (commit) await feed.commit();
      }
      await feed.commit();
    }
    if (action.kind === 'work') {
      const unsealed = this.engine.unsealed(this.series, ALWAYS);
      this.clock.isHurried = action.isHurried;
      await settle(this.engine, action.steps);
      this.clock.isHurried = false;
      await this.#compareBeside(unsealed);
    }
    if (action.kind === 'reopen') {
      this.#beside?.close();
      this.#beside = undefined;
      await this.engine.close();
      this.engine = columnar(this.dir, this.clock);
      this.#feed = await this.#open();
    }
  }

  async compare(): Promise<void> {
    const { engine, oracle, series } = this;
    const cut = range(START - 2 * DAY - 7 * MINUTE, START - DAY + 5 * HOUR);
    const pair = series.slice(0, 2);
    for (const query of [
      { series, range: ALWAYS },
      { series: [series[2], series[0]] as SeriesId[], range: cut },
      { series: pair, range: ALWAYS },
    ]) {
      const whole = { ...query, limit: 100_000 };
      expect(rowsOf((await engine.raw(whole)).columns)).toEqual(rowsOf((await oracle.raw(whole)).columns));
      expect(await engine.count({ ...query, atMost: 100_000 })).toBe(await oracle.count({ ...query, atMost: 100_000 }));
      for (const [index, step] of STEPS.entries()) {
        const aggregate = { ...query, step, aggregation: AGGREGATIONS[(index + query.series.length) % AGGREGATIONS.length] as Aggregation };
        expectSame(await engine.aggregate(aggregate), await oracle.aggregate(aggregate));
      }
      expectSame(await engine.aggregate({ ...query, aggregation: 'sum' }), await oracle.aggregate({ ...query, aggregation: 'sum' }));
    }
    for (const [tag, within] of [
      [series.slice(0, 3), ALWAYS],
      [series.slice(3, 4), cut],
    ] as const) {
      const query = { series: tag, range: within, limit: 1_000 };
      expect(await engine.gaps(query)).toEqual(await oracle.gaps(query));
    }
    for (const which of ['newest', 'usable'] as const) {
      expect(rowsOf(await engine.latest(series, which))).toEqual(rowsOf(await oracle.latest(series, which)));
    }
    const [mine, its] = [await engine.stats(), await oracle.stats()];
    expect([mine.oldestMs, mine.newestMs]).toEqual([its.oldestMs, its.newestMs]);
  }

  /** Whoever applied all changes has what the store has. */
  async compareFollower(): Promise<void> {
    while ((await this.#follow(7)) > 0);
    const last = new Map<string, Row>();
    for (const id of this.series) {
      const { columns } = await this.oracle.raw({ series: [id], range: ALWAYS, limit: 100_000 });
      for (const row of rowsOf(columns)) last.set(keyOf(row), row);
    }
    expect(this.#followed).toEqual(last);
  }

  /** A reader in another thread asks for what is not sealed, and reads the files some work later. */
  async #compareBeside(unsealed: UnsealedSamples): Promise<void> {
    this.#beside ??= new History({ dir: this.dir, clock: systemClock, report: fail });
    const { series } = this;
    const all = { series, range: ALWAYS, limit: 100_000 };
    const daily = { series, range: ALWAYS, step: { ms: DAY }, aggregation: 'avg' } as const;
    const [raw, aggregate] = this.#beside.answer(unsealed, ALWAYS, (query) => [query.raw(all), query.aggregate(daily)] as const);
    expect(rowsOf(raw.columns)).toEqual(rowsOf((await this.oracle.raw(all)).columns));
    expectSame(aggregate, await this.oracle.aggregate(daily));
  }

  async close(): Promise<void> {
    this.#beside?.close();
    await this.engine.close();
    await this.oracle.close();
  }

  async #open(): Promise<Feed> {
    const { oracle, engine } = this;
    const report = await engine.open();
    const both: Pick<Engine, 'write' | 'sync'> = {
      write: async (ring, from, to) => oracle.write(ring, from, await engine.write(ring, from, to)),
      sync: () => engine.sync(),
    };
    return new Feed(both as Engine, report);
  }

  async #follow(limit: number): Promise<number> {
    const { columns, next } = await this.engine.changes(this.#cursor, limit);
    expect(columns.rows).toBeLessThanOrEqual(limit);
    this.#cursor = next;
    for (const row of rowsOf(columns)) this.#followed.set(keyOf(row), row);
    return columns.rows;
  }
}

/** Sums may differ in their last digits: buckets are added up in another order. */
function expectSame(mine: AggregateColumns, its: AggregateColumns): void {
  for (const column of ['series', 'timeMs', 'count', 'uncertain'] as const) expect([...mine[column]]).toEqual([...its[column]]);
  for (const [index, value] of mine.values.entries()) {
    const expected = its.values[index] as number;
    if (Number.isNaN(expected)) expect(value).toBeNaN();
    else expect(Math.abs(value - expected)).toBeLessThanOrEqual(1e-12 * Math.max(Math.abs(expected), 2 ** 64));
  }
}

describe('the columnar engine', () => {
  it('answers as plain rows do, whatever is sealed, compacted or being so, after restarts too', async () => {
    await fc.assert(
      fc.asyncProperty(actions, async (history) => {
        const twins = new Twins();
        try {
          await twins.start();
          for (const action of history) {
            await twins.act(action);
            if (action.kind !== 'wait') await twins.compare();
          }
          const newest: Sample = { which: 4, timeMs: START + 3 * DAY, value: 1, status: 0, commit: true };
          const inTheEnd: readonly Action[] = [
            { kind: 'write', samples: [newest] }, // all days before it are over
            { kind: 'wait', ms: 5 * DAY },
            { kind: 'work', steps: 100_000, isHurried: true },
            { kind: 'wait', ms: HOUR }, // late samples have rested then
            { kind: 'work', steps: 100_000, isHurried: true },
            { kind: 'reopen' },
          ];
          for (const action of inTheEnd) {
            await twins.act(action);
            await twins.compare();
          }
          expect((await twins.engine.stats()).samples).toBe((await twins.oracle.stats()).samples);
          await twins.compareFollower();
        } finally {
          await twins.close();
        }
      }),
      { numRuns: 12 },
    );
  }, 120_000);

  it('has all that was written when the process is killed at any moment, and all that was synced when the tail is torn', async () => {
    await fc.assert(
      fc.asyncProperty(actions, fc.infiniteStream(fc.nat()), async (history, random) => {
        const clock = new TestClock();
        const dir = newDir();
        const engine = columnar(dir, clock);
        const feed = new Feed(engine, await engine.open());
        const series = defineAll(feed, 'default');
        let synced = await feed.commit();
        for (const action of history) {
          if (action.kind === 'wait') clock.advance(action.ms);
          if (action.kind === 'work') {
            clock.isHurried = true;
            await settle(engine, Math.min(action.steps, 7));
            clock.isHurried = false;
          }
          if (action.kind !== 'write') {
            await expectAfterCrash(copyOf(dir), clock, feed);
            continue;
          }
          const before = copyOf(dir);
          for (const { which, timeMs, value, status } of action.samples) feed.add(series[which] as SeriesId, timeMs, value, status);
          feed.ring.publish();
          await engine.write(feed.ring, synced, feed.ring.head);
          const torn = copyOf(dir);
          tear(before, torn, random.next().value);
          await expectAfterCrash(torn, clock, feed);
          const killed = copyOf(dir);
          synced = await feed.commit();
          await expectAfterCrash(killed, clock, feed);
        }
        await engine.close();
      }),
      { numRuns: 8 },
    );
  }, 120_000);

  it('does not bring back from its log what was removed for its age, but takes what is as old and comes later', async () => {
    const clock = new TestClock();
    const dir = newDir();
    const engine = columnar(dir, clock);
    const feed = new Feed(engine, await engine.open());
    const [level, silent] = [feed.define('level'), feed.define('silent')];
    const old = START - 9 * DAY;
    for (const at of [old, old + 3 * DAY, START - DAY, START]) feed.add(level, at, at);
    feed.add(silent, old, 1);
    await feed.commit();
    await engine.setRetention({ maxAgeMs: 2 * DAY });
    clock.advance(DAY / 24);
    await settle(engine);
    await engine.close();

    const again = columnar(dir, clock);
    const later = new Feed(again, await again.open());
    const series = [level, silent];
    const times = async () => [...(await again.raw({ series, range: ALWAYS, limit: 10 })).columns.timeMs];
    const changed = async () => [...(await again.changes(null, 10)).columns.timeMs];
    expect(await times()).toEqual([START - DAY, START]);
    expect(await changed()).toEqual([START - DAY, START]);
    expect(rowsOf(await again.latest(series, 'usable')).map(({ timeMs }) => timeMs)).toEqual([START]);
    later.add(silent, old, 2);
    await later.commit();
    expect(await times()).toEqual([old, START - DAY, START]);
    expect(await changed()).toEqual([START - DAY, START, old]);
    expect(rowsOf(await again.latest([silent], 'newest')).map(({ value }) => value)).toEqual([2]);
    await again.close();
  });

  it('removes a day file that no switch was made to', async () => {
    const { dir, clock, feed } = await fourDays();
    const [file] = readdirSync(join(dir, 'day'));
    const stray = join(dir, 'day', (file as string).replace('-1.db', '-2.db'));
    cpSync(join(dir, 'day', file as string), stray);
    await expectAfterCrash(dir, clock, feed);
    expect(readdirSync(join(dir, 'day'))).not.toContain(basename(stray));
  });

  it('reports what is damaged and answers with the rest', async () => {
    const { dir, clock, feed, series } = await fourDays();
    const [hurt, sound] = series;
    const days = readdirSync(join(dir, 'day')).sort();
    expect(days.length).toBe(3);
    damage(join(dir, 'day', days[0] as string), 'UPDATE blk SET data = ? WHERE id = (SELECT min(id) FROM blk)', 'SELECT data FROM blk');
    const firstChunk = '(SELECT min(id) FROM chunk WHERE series = 1)';
    damage(join(dir, 'store.db'), `UPDATE chunk SET data = ? WHERE id = ${firstChunk}`, 'SELECT data FROM chunk');
    damage(join(dir, 'store.db'), 'UPDATE day_rollup SET data = ?', 'SELECT data FROM day_rollup');

    const reports: string[] = [];
    const engine = columnar(dir, clock, (what) => reports.push(what));
    await engine.open();
    const raw = async (id: SeriesId | undefined) =>
      rowsOf((await engine.raw({ series: [id as SeriesId], range: ALWAYS, limit: 10_000 })).columns);
    expect(await raw(sound)).toEqual(merged(feed, [sound as SeriesId], ALWAYS));
    expect(reports).toEqual([]);
    const whole = merged(feed, [hurt as SeriesId], ALWAYS);
    const left = await raw(hurt);
    expect(reports.length).toBe(2);
    expect(left.length).toBeLessThan(whole.length);
    expect(left.length).toBeGreaterThan(whole.length / 2);
    const kept = new Set(left.map(keyOf));
    expect(left).toEqual(whole.filter((row) => kept.has(keyOf(row))));
    const query = { series: [sound as SeriesId], range: ALWAYS };
    const counted = await engine.aggregate({ ...query, step: { ms: DAY }, aggregation: 'count' });
    expect([...counted.values].reduce((sum, count) => sum + count, 0)).toBe(await engine.count({ ...query, atMost: 10_000 }));
    expect(reports.length).toBeGreaterThan(2);
    await engine.close();
  });

  it('answers with the other days when pages of a day file are bad', async () => {
    const { dir, clock, feed, series } = await fourDays();
    const file = join(dir, 'day', readdirSync(join(dir, 'day')).sort()[1] as string);
    const bytes = readFileSync(file);
    bytes.fill(0xff, 1_024); // all but the first page
    writeFileSync(file, bytes);
    const reports: string[] = [];
    const engine = columnar(dir, clock, (what) => reports.push(what));
    await engine.open();
    const bad = Math.floor(START / DAY - 2) * DAY;
    const { columns } = await engine.raw({ series, range: ALWAYS, limit: 10_000 });
    const outside = ({ timeMs }: Row) => timeMs < bad || timeMs >= bad + DAY;
    expect(rowsOf(columns).filter(outside)).toEqual(merged(feed, series, ALWAYS).filter(outside));
    expect(reports).toContain(file);
    expect(reports.filter((what) => what === file).length).toBe(1);
    await engine.close();
  });

  it('leaves a day file alone that it cannot read, although newer samples wait to join it', async () => {
    const { dir, clock, series } = await fourDays();
    const [first] = readdirSync(join(dir, 'day'))
      .sort()
      .map((name) => join(dir, 'day', name));
    writeFileSync(first as string, 'no database');
    const reports: string[] = [];
    const engine = columnar(dir, clock, (what) => reports.push(what));
    const again = new Feed(engine, await engine.open());
    for (let index = 0; index < 100; index++) again.add(series[1] as SeriesId, START - 3 * DAY + index, index);
    await again.commit();
    for (const _ of ['late samples rest', 'and are sealed']) {
      clock.advance(HOUR);
      await settle(engine);
    }
    expect(reports).toEqual([first]);
    expect(readFileSync(first as string, 'utf8')).toBe('no database');
    expect(readdirSync(join(dir, 'day')).length).toBe(3);
    const late = range(START - 3 * DAY, START - 3 * DAY + 100);
    expect(await engine.count({ series: [series[1] as SeriesId], range: late, atMost: 1_000 })).toBe(100);
    await engine.close();
  });
});

/** A closed store with three days in files, one in parts, and nothing in the log that is not sealed. */
async function fourDays() {
  const clock = new TestClock();
  const dir = newDir();
  const engine = columnar(dir, clock);
  const feed = new Feed(engine, await engine.open());
  const series = [feed.define('one'), feed.define('two', 'i64')];
  for (let at = START - 3 * DAY; at < START - 15 * MINUTE; at += 7 * MINUTE) {
    feed.add(series[0] as SeriesId, at, at / 1_000);
    feed.add(series[1] as SeriesId, at + 1, BigInt(at));
  }
  await feed.commit();
  await settle(engine);
  await engine.close();
  return { dir, clock, feed, series };
}

function copyOf(dir: string): string {
  const copy = newDir();
  cpSync(dir, copy, { recursive: true });
  return copy;
}

/** Spoils one byte of the log among those that the last write has changed: it was not synced. */
function tear(before: string, after: string, random: number): void {
  for (const name of readdirSync(after).filter((file) => file.startsWith('wal-'))) {
    const bytes = readFileSync(join(after, name));
    const old = readdirSync(before).includes(name) ? readFileSync(join(before, name)) : Buffer.alloc(bytes.length);
    const changed = [...bytes.keys()].filter((at) => bytes[at] !== old[at]);
    if (changed.length === 0) continue;
    const at = changed[random % changed.length] as number;
    bytes.writeUInt8((bytes[at] as number) ^ 0x55, at);
    writeFileSync(join(after, name), bytes);
    return;
  }
}

function damage(file: string, update: string, select: string): void {
  const database = new Database(file);
  const blob = Buffer.from(database.prepare(select).pluck().get() as Uint8Array);
  const middle = blob.length >> 1;
  blob.writeUInt8((blob[middle] as number) ^ 0x55, middle);
  database.prepare(update).run(blob);
  database.close();
}

/** What was committed is there, at once and when all work in the background is done; nothing else is, but what came in the last write. */
async function expectAfterCrash(dir: string, clock: TestClock, feed: Feed): Promise<void> {
  const series = [...feed.defs.keys()];
  const engine = columnar(dir, clock);
  const { catalogue } = await engine.open();
  expect(new Map(catalogue.map(({ id, def }) => [id, def]))).toEqual(feed.defs);
  const later = Object.assign(new TestClock(), { nowMs: clock.nowMs });
  const expectAll = async (opened: Engine) => {
    expect(rowsOf((await opened.raw({ series, range: ALWAYS, limit: 100_000 })).columns)).toEqual(merged(feed, series, ALWAYS));
  };
  await expectAll(engine);
  await engine.close();
  const again = columnar(dir, later);
  await again.open();
  later.advance(5 * DAY);
  await settle(again);
  await expectAll(again);
  await again.close();
}
