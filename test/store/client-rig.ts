/** A StoreClient with the real worker in a folder of its own, and a view of its messages, its workers and its file. */
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { afterEach } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Log, silentLog } from '../../src/core/log.ts';
import { Ring } from '../../src/core/ring.ts';
import { GOOD } from '../../src/core/status.ts';
import type { Sequence, SeriesDef, SeriesId, ValueType } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { StoreClient } from '../../src/store/client.ts';
import type { StoreWorkerData, ToWorker } from '../../src/store/protocol.ts';
import { startBuiltWorker } from './built.ts';

export interface Store {
  readonly client: StoreClient;
  readonly ring: Ring;
  /** Every worker that was started, the present one last. */
  readonly workers: readonly Worker[];
  /** What each of them was given. */
  readonly given: readonly StoreWorkerData[];
  /** The kinds of all messages that went to a worker. */
  readonly sent: readonly ToWorker['kind'][];
  readonly logged: readonly string[];
  /** Defines series 1 and publishes nothing. */
  define(valueType?: ValueType): SeriesId;
  /** Pushes one sample; false when the ring is full. Published only by `publish` or `durable`. */
  push(series: SeriesId, timeMs: number, value: number | string): boolean;
}

export interface StoreOptions {
  readonly slots?: number;
  readonly startWorker?: (workerData: StoreWorkerData) => Worker;
}

/** All stores are stopped after each test. The pause before a restart is cut short. */
export function useStores(): (dataDir: string, options?: StoreOptions) => Store {
  const clients: StoreClient[] = [];
  afterEach(async () => {
    for (const client of clients.splice(0)) await client.stop();
  });
  return (dataDir, options) => {
    const store = makeStore(dataDir, options);
    clients.push(store.client);
    return store;
  };
}

export function makeStore(dataDir: string, { slots = 1 << 14, startWorker = startBuiltWorker }: StoreOptions = {}): Store {
  const ring = new Ring(slots);
  const workers: Worker[] = [];
  const given: StoreWorkerData[] = [];
  const sent: ToWorker['kind'][] = [];
  const logged: string[] = [];
  const log: Log = { ...silentLog, error: (_fields, message) => logged.push(message) };
  const client = new StoreClient({
    dataDir,
    ring,
    retention: {},
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms < 1_000 ? ms / 20 : ms, signal) },
    log,
    spawn: (workerData) => {
      const worker = startWorker(workerData);
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: ToWorker) => {
        sent.push(message.kind);
        post(message);
      };
      workers.push(worker);
      given.push(workerData);
      return worker;
    },
  });
  return {
    client,
    ring,
    workers,
    given,
    sent,
    logged,
    define: (valueType = 'f64') => {
      const def: SeriesDef = { tenant: 'default', source: 'plc', asset: 'press', tag: 'level', valueType, generation: 1 };
      if (!ring.pushDefinition(1 as SeriesId, def)) throw new Error('the ring of this test is full');
      return 1 as SeriesId;
    },
    push: (series, timeMs, value) =>
      typeof value === 'string'
        ? ring.pushText(series, timeMs as UnixMs, value, GOOD)
        : ring.pushNumber(series, timeMs as UnixMs, value, GOOD),
  };
}

/** Looks into the file from outside, as a power cut would leave it for the next start. */
export function openFile(dataDir: string) {
  const database = new Database(join(dataDir, 'telemetry.db'), { readonly: true });
  const valueAt = database.prepare('SELECT value FROM sample WHERE series = 1 AND time = ?').pluck();
  return {
    /** Undefined where there is no sample. */
    valueAt: (timeMs: number) => valueAt.get(timeMs) as number | string | undefined,
    rows: () =>
      database.prepare('SELECT time, value, seq FROM sample ORDER BY time').all() as { time: number; value: number; seq: number }[],
    next: () => database.prepare('SELECT next FROM progress').pluck().get() as Sequence,
    close: () => database.close(),
  };
}

/** Resolves when `holds` does; rejects after five seconds. */
export async function eventually(holds: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 5_000;
  while (!holds()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`still not: ${holds}`);
    await systemClock.sleep(2);
  }
}
