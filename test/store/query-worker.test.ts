/** The query worker through the client: it answers what was durable when it was asked, comes and goes, and dies without harm. */
import { MessageChannel, type Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import type { SeriesDef } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { UnsealedSamples } from '../../src/store/engine/unsealed.ts';
import type { FromQueryWorker, FromStore, QueryWorkerData, ToQueryWorker, ToStore } from '../../src/store/protocol.ts';
import { startBuiltQueryWorker } from './built.ts';
import { eventually, useStores } from './client-rig.ts';
import { useTempDirs } from './temp-dir.ts';

const ALWAYS = { from: -1e14 as UnixMs, to: 1e14 as UnixMs };

/** Query workers, the present one last. */
function watched(): { readonly workers: Worker[]; readonly startQueryWorker: (data: QueryWorkerData) => Worker } {
  const workers: Worker[] = [];
  return {
    workers,
    startQueryWorker: (data) => {
      const worker = startBuiltQueryWorker(data);
      workers.push(worker);
      return worker;
    },
  };
}

describe('the query worker', () => {
  const tempDir = useTempDirs();
  const makeStore = useStores();

  it('starts at the first question, and rests after a minute without one', async () => {
    const { workers, startQueryWorker } = watched();
    const { client, ring, define, push } = makeStore(tempDir(), { startQueryWorker, minuteMs: 300 });
    await client.start();
    const series = define();
    push(series, 1, 5);
    await client.durable(ring.head);
    expect((await client.telemetry.latest([series], 'newest')).rows).toBe(1);
    expect(workers.length).toBe(0);
    const count = () => client.telemetry.count({ series: [series], range: ALWAYS, atMost: 10 });
    expect(await count()).toBe(1);
    expect(await count()).toBe(1);
    expect(workers.length).toBe(1);
    let exited = false;
    workers[0]?.on('exit', () => {
      exited = true;
    });
    await eventually(() => exited);
    expect(await count()).toBe(1);
    expect(workers.length).toBe(2);
  });

  it('sees everything that was durable when it was asked, while windows are sealed and days compacted', async () => {
    const { client, ring, define, push } = makeStore(tempDir());
    await client.start();
    const series = define();
    let pushed = 0;
    let asked = 0;
    const endMs = systemClock.monotonicMs() + 3_000;
    while (systemClock.monotonicMs() < endMs) {
      // Times of long ago, a quarter of an hour apart: each window is sealed as soon as it is written.
      for (let burst = 0; burst < 20; burst++) if (push(series, pushed * 900_000, pushed)) pushed++;
      await client.durable(ring.head);
      const [{ columns }, count, newest] = await Promise.all([
        client.telemetry.raw({ series: [series], range: ALWAYS, limit: 1e6 }),
        client.telemetry.count({ series: [series], range: ALWAYS, atMost: 1e6 }),
        client.telemetry.asOf({ series: [series], range: ALWAYS }),
      ]);
      expect(columns.rows).toBe(pushed);
      expect(columns.numbers.every((value, index) => value === index)).toBe(true);
      expect(count).toBe(pushed);
      expect([...newest.numbers]).toEqual([pushed - 1]);
      asked++;
    }
    expect(asked).toBeGreaterThan(5);
    expect((await client.telemetry.stats()).oldestMs).toBe(0);
  });

  it('refuses questions while too many wait, and takes others afterwards', async () => {
    const { client, ring, define, push } = makeStore(tempDir());
    await client.start();
    const series = define();
    push(series, 1, 5);
    await client.durable(ring.head);
    const count = () => client.telemetry.count({ series: [series], range: ALWAYS, atMost: 10 });
    const outcomes = await Promise.allSettled(Array.from({ length: 40 }, count));
    const failed = outcomes.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason.code] : []));
    expect(failed).toEqual(Array.from({ length: 8 }, () => 'overloaded'));
    expect(await count()).toBe(1);
  });

  /** A query worker for a store of one series, with the test in the place of the store worker. */
  const alone = async (withdrawn: SharedArrayBuffer) => {
    const dataDir = tempDir();
    const { client, define } = makeStore(dataDir);
    await client.start();
    const series = define();
    await client.stop();
    const { port1: store, port2 } = new MessageChannel();
    const worker = startBuiltQueryWorker({ dataDir, store: port2, withdrawn });
    /** Ids of the questions for what is not sealed. */
    const asked: number[] = [];
    store.on('message', ({ id }: ToStore) => asked.push(id));
    const question = { call: 'count', query: { series: [series], range: ALWAYS, atMost: 10 } } as const;
    return { series, worker, store, asked, question };
  };

  it('asks for what is not sealed when it is the turn of a question, not before', async () => {
    const { worker, store, asked, question } = await alone(new SharedArrayBuffer(4));
    const answered: number[] = [];
    worker.on('message', ({ id }: { id: number }) => answered.push(id));
    for (const id of [1, 2, 3]) worker.postMessage({ id, place: 0, question } satisfies ToQueryWorker);
    for (const id of [1, 2, 3]) {
      await eventually(() => asked.length === id);
      await systemClock.sleep(20);
      expect([asked.length, answered.length]).toEqual([id, id - 1]);
      store.postMessage({
        kind: 'refused',
        id: asked.at(-1) as number,
        fault: { code: 'store_failed', message: 'not now' },
      } satisfies FromStore);
    }
    await eventually(() => answered.length === 3);
    store.close();
    await worker.terminate();
  });

  it('drops a question that is withdrawn before its turn, and ends one that is withdrawn in it', async () => {
    const withdrawn = new Int32Array(new SharedArrayBuffer(12));
    const { series, worker, store, asked, question } = await alone(withdrawn.buffer);
    const answers: FromQueryWorker[] = [];
    worker.on('message', (message: FromQueryWorker) => answers.push(message));
    const run = { count: 1, timeMs: Float64Array.of(1), numbers: Float64Array.of(5) };
    const def: SeriesDef = { tenant: 'default', source: 'api', asset: 'a', tag: 't', valueType: 'f64', generation: 0 };
    const samples: UnsealedSamples = {
      definitions: new Map([[series, def]]),
      frozen: [],
      open: [{ window: 0, runs: new Map([[series, run]]) }],
    };
    const tell = () => store.postMessage({ kind: 'unsealed', id: asked.at(-1) as number, samples } satisfies FromStore);
    for (const place of [0, 1, 2]) worker.postMessage({ id: place + 1, place, question } satisfies ToQueryWorker);
    await eventually(() => asked.length === 1);
    Atomics.store(withdrawn, 0, 1); // it reads as soon as it knows what is not sealed
    Atomics.store(withdrawn, 1, 1);
    tell();
    await eventually(() => asked.length === 2);
    expect(answers).toMatchObject([
      { kind: 'refused', id: 1, fault: { code: 'cancelled' } },
      { kind: 'refused', id: 2, fault: { code: 'cancelled' } },
    ]);
    tell();
    await eventually(() => answers.length === 3);
    expect(answers[2]).toEqual({ kind: 'answer', id: 3, value: 1 });
    store.close();
    await worker.terminate();
  });

  it('rejects a withdrawn question at once, and has room for others again', async () => {
    const { client, ring, define, push } = makeStore(tempDir());
    await client.start();
    const series = define();
    push(series, 1, 5);
    await client.durable(ring.head);
    const query = { series: [series], range: ALWAYS, atMost: 10 };
    const ask = (signal?: AbortSignal): Promise<unknown> => client.telemetry.count(query, signal).catch(({ code }) => code);
    const clients = Array.from({ length: 32 }, () => new AbortController());
    expect(await Promise.all(clients.map(({ signal }) => ask(signal)))).toEqual(clients.map(() => 1));
    const asked = clients.map(({ signal }) => ask(signal));
    for (const leaving of clients) leaving.abort();
    expect(await Promise.all(asked)).toEqual(clients.map(() => 'cancelled'));
    expect(await ask(clients[0]?.signal)).toBe('cancelled');
    let counted: unknown = 'overloaded';
    while (counted === 'overloaded') {
      await systemClock.sleep(2); // until the worker has seen that they are gone
      counted = await ask();
    }
    expect(counted).toBe(1);
  });

  it('is started again after it died, and who waited is told so', async () => {
    const { workers, startQueryWorker } = watched();
    const { client, ring, define, push, logged } = makeStore(tempDir(), { startQueryWorker });
    await client.start();
    const series = define();
    for (let time = 0; time < 5_000; time++) push(series, time, time);
    await client.durable(ring.head);
    const raw = () => client.telemetry.raw({ series: [series], range: ALWAYS, limit: 5_000 });
    await raw();
    const asked = Promise.allSettled([raw(), raw(), raw()]);
    await workers[0]?.terminate();
    const failed = (await asked).filter((outcome) => outcome.status === 'rejected');
    for (const { reason } of failed) expect(reason).toMatchObject({ code: 'store_failed' });
    expect(failed.length).toBeGreaterThan(0);
    expect((await raw()).columns.rows).toBe(5_000);
    expect(workers.length).toBe(2);
    expect(logged).toEqual(['the query worker ended']);
    expect(client.health).toBe('ok');
  });
});
