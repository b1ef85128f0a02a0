/** The engine with little memory: what is written faster than it is sealed is refused, and taken when it has been. */
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { Feed } from '../contract/feed.ts';
import { ALWAYS } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';

const WINDOW_MS = 900_000;
const START = Date.UTC(2026, 0, 6);
const MEBIBYTE = 1 << 20;

const newDir = useTempDirs();

function engineIn(dir: string, maxUnsealedBytes: number): ColumnarEngine {
  const report = (what: string, error: unknown) => {
    throw new Error(what, { cause: error });
  };
  const clock = new ManualClock((START + 40 * WINDOW_MS) as UnixMs);
  return new ColumnarEngine({ dir, clock, report, maxUnsealedBytes, log: { segmentBytes: 64 << 10 } });
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
