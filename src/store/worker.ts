/**
 * The store worker: drains the ring into the engine, on a 100 ms timer and at once when somebody waits, and answers reads
 * and record calls. An event loop, not a blocking one: a worker that sleeps in Atomics.wait does not hear its messages.
 */
import { join } from 'node:path';
import { parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { Ring } from '../core/ring.ts';
import type { Sequence } from '../core/tag.ts';
import type { Engine } from './engine.ts';
import { ENGINE_CALLS, type Fault, type FromWorker, RECORD_CALLS, type StoreWorkerData, type ToWorker } from './protocol.ts';
import { RowsEngine } from './rows/engine.ts';
import { sqliteError } from './sqlite/database.ts';
import { RecordsDatabase } from './sqlite/records.ts';

const WRITE_INTERVAL_MS = 100; // what kill -9 may take of polled data
const EXPIRE_INTERVAL_MS = 60_000;
/** One commit takes at most this many slots: half a second of a slow disk, and what it wrote is not lost by the failure of the next. */
const MAX_WRITE_SLOTS = 1 << 15;

class StoreWorker {
  readonly #ring: Ring;
  readonly #engine: Engine;
  readonly #records: RecordsDatabase;
  readonly #post: (message: FromWorker) => void;
  #read = 0 as Sequence;
  #failing = false;

  constructor(data: StoreWorkerData, post: (message: FromWorker) => void) {
    this.#ring = new Ring(data.slots, data.ring);
    this.#engine = new RowsEngine(join(data.dataDir, 'telemetry.db'), systemClock);
    this.#records = new RecordsDatabase(join(data.dataDir, 'records.db'));
    this.#post = post;
  }

  /** After a crash of the worker the ring goes on where the disk stands; slots below `resumeAt` are free and may hold newer records. */
  async open(data: StoreWorkerData): Promise<void> {
    const report = await this.#engine.open();
    await this.#engine.setRetention(data.retention);
    if (data.resumeAt === null) this.#ring.startAt(report.next);
    this.#read = Math.max(report.next, data.resumeAt ?? 0) as Sequence;
    this.#ring.setWritten(this.#read);
    this.#ring.setDurable(this.#read);
    this.#post({ kind: 'opened', report });
  }

  /** Writes and syncs what is published now. Throws what the engine throws; the ring keeps the records. */
  async drain(): Promise<void> {
    const to = this.#ring.publishedFrom(this.#read);
    while (this.#read < to) {
      const end = Math.min(to, this.#read + MAX_WRITE_SLOTS) as Sequence;
      this.#read = await this.#engine.write(this.#ring, this.#read, end);
      this.#ring.setWritten(this.#read);
      this.#ring.setDurable(await this.#engine.sync());
    }
    if (this.#failing) this.#post({ kind: 'writing' });
    this.#failing = false;
  }

  async onTimer(): Promise<void> {
    try {
      await this.drain();
    } catch (error) {
      if (!this.#failing) this.#post({ kind: 'writing', fault: toFault(error) });
      this.#failing = true;
    }
  }

  /** One step; true when there is more. */
  async expire(): Promise<boolean> {
    try {
      return await this.#engine.expire();
    } catch (error) {
      this.#post({ kind: 'writing', fault: toFault(error) });
      this.#failing = true;
      return false;
    }
  }

  async answer(message: ToWorker): Promise<void> {
    if (message.kind === 'flush') {
      try {
        await this.drain();
        this.#post({ kind: 'flushed' });
      } catch (error) {
        this.#failing = true;
        this.#post({ kind: 'flushed', fault: toFault(error) });
      }
    } else if (message.kind === 'call') {
      try {
        this.#post({ kind: 'answer', id: message.id, value: await this.#call(message.method, message.args) });
      } catch (error) {
        this.#post({ kind: 'refused', id: message.id, fault: toFault(error) });
      }
    }
  }

  async stop(): Promise<void> {
    await this.onTimer();
    await this.#engine.close();
    this.#records.close();
    this.#post({ kind: 'stopped' });
  }

  #call(method: string, args: readonly unknown[]): unknown {
    const target: unknown = isOneOf(ENGINE_CALLS, method) ? this.#engine : isOneOf(RECORD_CALLS, method) ? this.#records : undefined;
    const callee = (target as Record<string, (...given: readonly unknown[]) => unknown> | undefined)?.[method];
    if (!callee) throw new GatewayError('not_supported', `the store has no call ${method}`);
    return callee.apply(target, [...args]);
  }
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

function toFault(error: unknown): Fault {
  const { code, message } = sqliteError(error, 'the store');
  return { code, message };
}

/** Undefined, after telling why, when the files can't be opened. */
async function openWorker(data: StoreWorkerData, post: (message: FromWorker) => void): Promise<StoreWorker | undefined> {
  try {
    const worker = new StoreWorker(data, post);
    await worker.open(data);
    return worker;
  } catch (error) {
    post({ kind: 'unopened', fault: toFault(error) });
    return undefined;
  }
}

/** One act at a time, in the order of arrival: SQLite is synchronous anyway, and a flush must not overtake a write. */
async function main(): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error('this file is the start of a worker thread');
  const worker = await openWorker(workerData as StoreWorkerData, (message) => port.postMessage(message));
  if (!worker) return;
  let last: Promise<void> = Promise.resolve();
  let stopping = false;
  const enqueue = (act: () => Promise<void>) => {
    if (stopping) return;
    last = last.then(act);
    last.catch((error) => {
      throw error; // an unforeseen fault ends the worker; the main thread starts a new one
    });
  };
  const expire = () =>
    enqueue(async () => {
      if (await worker.expire()) setImmediate(expire); // behind the commits and calls that came meanwhile
    });
  const writing = setInterval(() => enqueue(() => worker.onTimer()), WRITE_INTERVAL_MS);
  const expiring = setInterval(expire, EXPIRE_INTERVAL_MS);
  port.on('message', (message: ToWorker) => {
    if (message.kind !== 'stop') {
      enqueue(() => worker.answer(message));
      return;
    }
    clearInterval(writing);
    clearInterval(expiring);
    enqueue(async () => {
      await worker.stop();
      port.close();
    });
    stopping = true;
  });
}

await main();
