/** A StoreClient with the real worker in a folder of its own, and a view of its messages, its workers and what it keeps. */
import { cpSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TransferListItem, Worker } from 'node:worker_threads';
import { afterEach } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { type Log, silentLog } from '../../src/core/log.ts';
import { Ring } from '../../src/core/ring.ts';
import { GOOD } from '../../src/core/status.ts';
import type { StoreProfile } from '../../src/core/store-profile.ts';
import type { Sequence, SeriesDef, SeriesId, ValueType } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { StoreClient } from '../../src/store/client.ts';
import { ColumnarEngine } from '../../src/store/engine/columnar.ts';
import type { QueryWorkerData, StoreWorkerData, ToWorker } from '../../src/store/protocol.ts';
import { startBuiltQueryWorker, startBuiltWorker } from './built.ts';

const ALWAYS = { from: -1e14 as UnixMs, to: 1e14 as UnixMs };

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
  readonly profile?: StoreProfile;
  readonly startWorker?: (workerData: StoreWorkerData) => Worker;
  readonly startQueryWorker?: (workerData: QueryWorkerData) => Worker;
  /** How long the client sleeps when it means a minute. */
  readonly minuteMs?: number;
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

export function makeStore(dataDir: string, options: StoreOptions = {}): Store {
  const { slots = 1 << 14, profile = 'balanced', minuteMs = 60_000 } = options;
  const { startWorker = startBuiltWorker, startQueryWorker = startBuiltQueryWorker } = options;
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
    profile,
    clock: { ...systemClock, sleep: (ms, signal) => systemClock.sleep(ms < 1_000 ? ms / 20 : ms === 60_000 ? minuteMs : ms, signal) },
    log,
    spawnQuery: startQueryWorker,
    spawn: (workerData) => {
      const worker = startWorker(workerData);
      const post = worker.postMessage.bind(worker);
      worker.postMessage = (message: ToWorker, handOver: readonly TransferListItem[] = []) => {
        sent.push(message.kind);
        post(message, handOver);
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

export interface Kept {
  /** Undefined where there is no sample. */
  valueAt(timeMs: number): number | string | undefined;
  readonly rows: readonly { readonly time: number; readonly value: number | string }[];
  /** Times in the order of arrival. */
  readonly arrivals: readonly number[];
  readonly next: Sequence;
}

/** What a start would find of series 1 if the process ended now: read from a copy of the folder. */
export async function readKept(dataDir: string): Promise<Kept> {
  const dir = mkdtempSync(join(tmpdir(), 'store-copy-'));
  try {
    cpSync(join(dataDir, 'telemetry'), dir, { recursive: true });
    const report = (what: string, error: unknown) => {
      throw new Error(`${what} is damaged`, { cause: error });
    };
    const engine = new ColumnarEngine({ dir, clock: systemClock, report });
    const { next } = await engine.open();
    const { columns } = await engine.raw({ series: [1 as SeriesId], range: ALWAYS, limit: 1e7 });
    const changes = await engine.changes(null, 1e7);
    await engine.close();
    const rows = Array.from(columns.timeMs, (time, row) => ({
      time,
      value: (columns.wide?.[row] ?? columns.numbers[row]) as number | string,
    }));
    const byTime = new Map(rows.map(({ time, value }) => [time, value]));
    return { valueAt: (timeMs) => byTime.get(timeMs), rows, arrivals: [...changes.columns.timeMs], next };
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** Resolves when `holds` does; rejects after five seconds. */
export async function eventually(holds: () => boolean): Promise<void> {
  const endMs = systemClock.monotonicMs() + 5_000;
  while (!holds()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`still not: ${holds}`);
    await systemClock.sleep(2);
  }
}
