/** The engine with little memory: what is written faster than it is sealed is refused, and taken when it has been; a log that holds more than memory is read. */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import { OpenWindows } from '../../../src/store/engine/open-windows.ts';
import type { EngineHook } from '../../../src/store/engine/steps.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { Feed } from '../contract/feed.ts';
import { merged, rowsOf } from '../contract/model.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';

const WINDOW_MS = 900_000;
const START = Date.UTC(2026, 0, 6);
const MEBIBYTE = 1 << 20;

const newDir = useTempDirs();

afterEach(() => vi.restoreAllMocks());

function engineIn(dir: string, maxUnsealedBytes: number, hook: EngineHook = () => {}): ColumnarEngine {
  const report = (what: string, error: unknown) => {
    throw new Error(what, { cause: error });
  };
  const clock = new ManualClock((START + 40 * WINDOW_MS) as UnixMs);
  return new ColumnarEngine({ dir, clock, report, maxUnsealedBytes, log: { segmentBytes: 64 << 10 }, hook });
}

/** One sample a series and window, as a sparse backfill brings them, until all are written or the engine refuses. */
async function backfill(feed: Feed, series: number, windows: number): Promise<void> {
  const ids = Array.from({ length: series }, (_, index) => feed.define(`t${index}`));
  await feed.commit();
  for (let window = 0; window < windows; window++) {
    for (const id of ids) feed.add(id, START + window * WINDOW_MS + Number(id), window + Number(id) / 7);
    await feed.commit();
  }
}

describe('a sparse backfill', () => {
  it('is refused when it takes the memory there is, long before its samples alone would', async () => {
    const engine = engineIn(newDir(), 4 * MEBIBYTE);
    const feed = new Feed(engine, await engine.open());
    await expect(backfill(feed, 200, 40)).rejects.toMatchObject({ code: 'overloaded' });
    expect(feed.arrivals.length).toBeLessThan(6_000);
    while (await engine.expire());
    await feed.commit(); // what was refused is taken now
    expect(await engine.count({ series: [...feed.defs.keys()], range: ALWAYS, atMost: 10_000 })).toBe(feed.arrivals.length);
    await engine.close();
  });
});

/** A closed store whose log holds 30 windows of 200 series: some 6 MB of heads. */
async function unsealedStore(): Promise<{ dir: string; feed: Feed; series: Feed['defs'] }> {
  const dir = newDir();
  const engine = engineIn(dir, 64 * MEBIBYTE);
  const feed = new Feed(engine, await engine.open());
  await backfill(feed, 200, 30);
  await engine.close();
  return { dir, feed, series: feed.defs };
}

/** The most that open windows have taken, each time that they are asked. */
function watchedBytes(): () => number {
  const { takesMoreThan } = OpenWindows.prototype;
  let most = 0;
  vi.spyOn(OpenWindows.prototype, 'takesMoreThan').mockImplementation(function (this: OpenWindows, bytes: number) {
    const answer = takesMoreThan.call(this, bytes);
    most = Math.max(most, this.bytes);
    return answer;
  });
  return () => most;
}

describe('a log that holds more than memory does', () => {
  it('is sealed while it is read: memory keeps its bound, and everything is there', async () => {
    const { dir, feed, series } = await unsealedStore();
    const ids = [...series.keys()];
    const steps: string[] = [];
    const most = watchedBytes();
    const engine = engineIn(dir, 2 * MEBIBYTE, (step) => steps.push(step));
    const { next } = await engine.open();
    expect(next).toBe(feed.ring.head);
    expect(steps.filter((step) => step === 'frozen').length).toBeGreaterThan(3);
    expect(most()).toBeGreaterThan(0);
    expect(most()).toBeLessThan(2 * MEBIBYTE);
    const { columns } = await engine.raw({ series: ids, range: ALWAYS, limit: 10_000 });
    expect(rowsOf(columns)).toEqual(merged(feed, ids, ALWAYS));
    const newest = await engine.latest(ids, 'newest');
    expect([...newest.timeMs]).toEqual(ids.map((id) => START + 29 * WINDOW_MS + Number(id)));
    await engine.close();
  });

  it('does not come up when it cannot be sealed either, says why, and comes up when it can be', async () => {
    const { dir, feed, series } = await unsealedStore();
    const refuse: EngineHook = (step, what) => {
      if (step === 'commit' && what === 'sealing a window') throw new GatewayError('disk_full', 'the disk is full');
    };
    const most = watchedBytes();
    await expect(engineIn(dir, 2 * MEBIBYTE, refuse).open()).rejects.toMatchObject({ code: 'disk_full' });
    expect(most()).toBeLessThan(3 * MEBIBYTE);
    const engine = engineIn(dir, 2 * MEBIBYTE);
    await engine.open();
    const ids = [...series.keys()];
    expect(await engine.count({ series: ids, range: ALWAYS, atMost: 10_000 })).toBe(feed.arrivals.length);
    await engine.close();
  });

  it('is taken into memory where its sealing fails and there is room, and sealed afterwards', async () => {
    const { dir, feed, series } = await unsealedStore();
    let failures = 0;
    const refuse: EngineHook = (step, what) => {
      if (step === 'commit' && what === 'sealing a window' && failures++ === 0) throw new GatewayError('store_failed', 'not now');
    };
    const engine = engineIn(dir, 12 * MEBIBYTE, refuse);
    await engine.open();
    expect(failures).toBe(1);
    const ids = [...series.keys()];
    while (await engine.expire());
    expect((await engine.stats()).unsealedRows).toBe(0);
    const { columns } = await engine.raw({ series: ids, range: ALWAYS, limit: 10_000 });
    expect(rowsOf(columns)).toEqual(merged(feed, ids, ALWAYS));
    await engine.close();
  });
});
