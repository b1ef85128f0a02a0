/** The store's worker dies under load, again and again: nothing is lost, nothing comes twice, and whoever waited is served. */
import { existsSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { isGatewayError } from '../../src/core/errors.ts';
import type { SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { eventually, readKept, type Store, useStores } from './client-rig.ts';
import { useTempDirs } from './temp-dir.ts';

const ALWAYS = { from: -1e14 as UnixMs, to: 1e14 as UnixMs };
const DEATHS = 20;
const valueAt = (index: number) => Math.sin(index) * 1_000;

async function kill(store: Store): Promise<void> {
  await store.workers.at(-1)?.terminate();
}

describe('a store whose worker dies', () => {
  const tempDir = useTempDirs();
  const makeStore = useStores();

  it(`${DEATHS} times under load loses no record, has none twice, and acknowledges all in the end`, { timeout: 60_000 }, async () => {
    const dir = tempDir();
    const store = makeStore(dir);
    const { client, ring } = store;
    await client.start();
    const series = store.define();
    const acknowledged: Promise<void>[] = [];
    let pushed = 0;
    let running = true;
    const producing = (async () => {
      while (running) {
        for (let burst = 0; burst < 100; burst++) if (store.push(series, pushed, valueAt(pushed))) pushed++;
        ring.publish();
        acknowledged.push(client.durable(ring.head));
        await systemClock.sleep(1);
      }
    })();
    for (let death = 1; death <= DEATHS; death++) {
      const before = ring.durable;
      await eventually(() => client.health === 'ok' && ring.durable > before);
      await systemClock.sleep((death * 7) % 23);
      await kill(store);
      await eventually(() => store.workers.length === death + 1);
    }
    running = false;
    await producing;
    await Promise.all(acknowledged);
    await client.durable(ring.head);
    const { head } = ring;
    await client.stop();
    expect(store.workers.length).toBe(DEATHS + 1);

    const kept = await readKept(dir);
    const { rows, arrivals, next } = kept;
    expect(next).toBe(head);
    expect(rows.length).toBe(pushed);
    expect(rows.every(({ time, value }, index) => time === index && value === valueAt(index))).toBe(true);
    expect(new Set(arrivals).size).toBe(pushed);
    process.stdout.write(`${pushed} records and ${acknowledged.length} acknowledgements over ${DEATHS} deaths of the worker\n`);
    const again = makeStore(dir);
    expect((await again.client.start()).next).toBe(head);
  });

  it('rejects the calls in flight with store_failed and answers later ones', async () => {
    const store = makeStore(tempDir());
    const { client, ring } = store;
    await client.start();
    const series = store.define();
    for (let time = 0; time < 10_000; time++) store.push(series, time, time);
    await client.durable(ring.head);
    const calls = Array.from({ length: 20 }, () => client.telemetry.raw({ series: [series], range: ALWAYS, limit: 10_000 }));
    const outcomes = Promise.allSettled(calls);
    await kill(store);
    const failed = (await outcomes).filter((outcome) => outcome.status === 'rejected');
    expect(failed.length).toBeGreaterThan(0);
    for (const { reason } of failed) expect(isGatewayError(reason, 'store_failed')).toBe(true);
    await expect(client.telemetry.stats()).rejects.toMatchObject({ code: 'store_failed' });
    await eventually(() => client.health === 'ok');
    expect((await client.telemetry.stats()).samples).toBe(10_000);
    expect(store.logged).toEqual(['the store worker ended and is started again']);
  });

  it('gives the next worker the retention that was set last', async () => {
    const store = makeStore(tempDir());
    await store.client.start();
    await store.client.telemetry.setRetention({ maxAgeMs: 7 * 86_400_000 });
    await kill(store);
    await eventually(() => store.workers.length === 2);
    expect(store.given.map(({ retention }) => retention)).toEqual([{}, { maxAgeMs: 7 * 86_400_000 }]);
  });

  it('serves who came to wait while there was no worker', async () => {
    const dir = tempDir();
    const store = makeStore(dir);
    await store.client.start();
    const series = store.define();
    await kill(store);
    expect(store.client.health).not.toBe('ok');
    store.push(series, 1, 11);
    await store.client.durable(store.ring.head);
    const kept = await readKept(dir);
    expect(kept.valueAt(1)).toBe(11);
  });

  it('gives up on who waits when the next worker does not come up either, and recovers all the same', async () => {
    const store = makeStore(tempDir());
    const { client, ring } = store;
    await client.start();
    const series = store.define();
    store.push(series, 1, 1);
    const waiting = client.durable(ring.head).then(
      () => 'durable',
      (error: unknown) => (isGatewayError(error) ? error.code : error),
    );
    await kill(store);
    await eventually(() => store.workers.length === 2);
    await kill(store);
    expect(await waiting).toBe('store_failed');
    await client.durable(ring.head);
    expect(await client.telemetry.count({ series: [series], range: ALWAYS, atMost: 10 })).toBe(1);
  });

  it('commits everything published when it is stopped just then', async () => {
    for (const pauseMs of [0, 5, 60]) {
      const dir = tempDir();
      const store = makeStore(dir);
      await store.client.start();
      const series = store.define();
      for (let time = 0; time < 3_000; time++) store.push(series, time, time);
      store.ring.publish();
      await kill(store);
      if (pauseMs > 0) await systemClock.sleep(pauseMs);
      await store.client.stop();
      const kept = await readKept(dir);
      expect(kept.rows.length).toBe(3_000);
    }
  });

  it('commits everything published when it dies of being stopped', async () => {
    const dir = tempDir();
    const store = makeStore(dir);
    await store.client.start();
    const series = store.define();
    for (let time = 0; time < 10_000; time++) store.push(series as SeriesId, time, time);
    store.ring.publish();
    const stopped = store.client.stop();
    await kill(store);
    await stopped;
    const kept = await readKept(dir);
    expect(kept.rows.length).toBe(10_000);
  });

  it('tells who waits, and the books, of records that the log no longer has', async () => {
    const dir = tempDir();
    const store = makeStore(dir);
    const { client, ring } = store;
    const lost: number[][] = [];
    client.onLost = (from, to) => lost.push([from, to]);
    await client.start();
    const series = store.define();
    store.push(series, 1, 1);
    await client.durable(ring.head);
    const kept = ring.head;
    await eventually(() => existsSync(join(dir, 'telemetry', 'wal-00000001.log')));
    await kill(store);
    const log = join(dir, 'telemetry', 'wal-00000001.log');
    truncateSync(log, 0); // as if the disk had forgotten it
    await eventually(() => store.workers.length === 2 && client.health === 'ok');
    expect(lost).toEqual([[0, kept]]);
    store.define();
    store.push(series, 2, 2);
    await client.durable(ring.head);
    const { columns } = await client.telemetry.raw({ series: [series], range: ALWAYS, limit: 10 });
    expect([...columns.timeMs]).toEqual([2]);
  });
});
