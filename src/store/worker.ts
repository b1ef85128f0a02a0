/**
 * The store worker: drains the ring into the engine at the pace of its profile and at once when somebody waits, and answers reads
 * and record calls. An event loop, not a blocking one: a worker that sleeps in Atomics.wait does not hear its messages.
 */
import { accessSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { systemClock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import { Ring } from '../core/ring.ts';
import type { Sequence } from '../core/tag.ts';
import { ColumnarEngine } from './engine/columnar.ts';
import { buffersOf } from './engine/unsealed.ts';
import { PACES, type Pace } from './pace.ts';
import {
  BACKUP_CALL,
  ENGINE_CALLS,
  type Fault,
  type FromStore,
  type FromWorker,
  RECORD_CALLS,
  type StoreWorkerData,
  type ToStore,
  type ToWorker,
} from './protocol.ts';
import { faultOf } from './sqlite/database.ts';
import { isDamage } from './sqlite/file-fault.ts';
import { openRecords, rescueRecords } from './sqlite/open-records.ts';
import type { RecordsDatabase } from './sqlite/records.ts';
import type { RecoveryReport } from './telemetry.ts';
import { ToldClock } from './told-clock.ts';

/** How often the engine is asked whether it has something to do in the background. */
const BACKGROUND_INTERVAL_MS = 200;
/** One write takes at most this many slots: what it wrote is not lost by the failure of the next, and its slots are free. */
const MAX_WRITE_SLOTS = 1 << 15;

class StoreWorker {
  readonly pace: Pace;
  readonly #ring: Ring;
  readonly #engine: ColumnarEngine;
  readonly #clock: ToldClock;
  readonly #recordsFile: string;
  readonly #report: (what: string, error: unknown) => void;
  #records: RecordsDatabase;
  /** Its damage was met once: a disk that goes on spoiling it is not helped by another new one. */
  #hasRescued = false;
  readonly #post: (message: FromWorker) => void;
  #read = 0 as Sequence;
  #syncedMs = 0;
  /** The last write that nobody waited for failed. */
  #failing = false;
  /** The last step in the background did. */
  #stuck = false;

  private constructor(data: StoreWorkerData, post: (message: FromWorker) => void, engine: ColumnarEngine, clock: ToldClock) {
    this.pace = PACES[data.profile];
    this.#ring = new Ring(data.slots, data.ring);
    this.#engine = engine;
    this.#clock = clock;
    this.#recordsFile = join(data.dataDir, 'records.db');
    this.#report = (what, error) => post({ kind: 'damage', what, reason: messageOf(error) });
    this.#records = openRecords(this.#recordsFile, this.#report);
    this.#post = post;
  }

  static async open(data: StoreWorkerData, post: (message: FromWorker) => void): Promise<StoreWorker> {
    accessSync(data.dataDir); // a folder that is not there is a mistake, nothing to begin anew in
    const clock = new ToldClock(systemClock, data.clock);
    const engine = new ColumnarEngine({
      dir: join(data.dataDir, 'telemetry'),
      clock,
      isClockTrusted: () => clock.state.isTrusted,
      report: (what, error) => post({ kind: 'damage', what, reason: messageOf(error) }),
    });
    const report = await engine.open(); // first, because it makes room for both on a full disk
    const worker = new StoreWorker(data, post, engine, clock);
    await worker.#begin(data, report);
    return worker;
  }

  /** After a crash of the worker the ring goes on where the disk stands; slots below `resumeAt` are free and may hold newer records. */
  async #begin(data: StoreWorkerData, report: RecoveryReport): Promise<void> {
    await this.#engine.setRetention(data.retention);
    if (data.resumeAt === null) this.#ring.startAt(report.next);
    const resumeAt = Math.max(report.next, data.resumeAt ?? 0) as Sequence;
    this.#read = resumeAt;
    this.#ring.setWritten(resumeAt);
    this.#ring.setDurable(report.next); // what is lost is passed at the next commit, when the main thread has been told
    this.#post({ kind: 'opened', report, lost: report.next < resumeAt ? { from: report.next, to: resumeAt } : null });
  }

  /** Writes and syncs what is published now. Throws what the engine throws; the ring keeps the records. */
  async commit(): Promise<void> {
    await this.#write();
    await this.#sync();
    this.#recovered();
  }

  /** Writes what is published now, and syncs when it is time to; returns why that failed. */
  onTimer(): Promise<Fault | undefined> {
    return this.#attempt(async () => {
      await this.#write();
      const due = systemClock.monotonicMs() - this.#syncedMs >= this.pace.syncIntervalMs;
      if (due && this.#ring.durable < this.#read) await this.#sync();
      this.#recovered();
    });
  }

  /** One step of the engine's work in the background; true when there is more. */
  async work(): Promise<boolean> {
    try {
      const more = await this.#engine.expire();
      if (this.#stuck) this.#post({ kind: 'background' });
      this.#stuck = false;
      return more;
    } catch (error) {
      if (!this.#stuck) this.#post({ kind: 'background', fault: faultOf(error) });
      this.#stuck = true;
      return false;
    }
  }

  async answer(message: ToWorker): Promise<void> {
    if (message.kind === 'flush') {
      try {
        await this.commit();
        this.#post({ kind: 'flushed' });
      } catch (error) {
        this.#failing = true;
        this.#post({ kind: 'flushed', fault: faultOf(error) });
      }
    } else if (message.kind === 'write') {
      const fault = await this.onTimer();
      this.#post({ kind: 'writing', ...(fault ? { fault } : {}) }); // also when the fault was told before: the client takes silence for a hang
    } else if (message.kind === 'clock') {
      this.#clock.state = message.state;
    } else if (message.kind === 'reader') {
      this.#serve(message.port);
    } else if (message.kind === 'call') {
      const answered = this.#answerCall(message);
      if (message.method !== BACKUP_CALL) await answered; // a copy takes minutes, and commits must not wait for it
    }
  }

  async #answerCall({ id, method, args }: Extract<ToWorker, { readonly kind: 'call' }>): Promise<void> {
    try {
      this.#post({ kind: 'answer', id, value: await this.#call(method, args) });
    } catch (error) {
      this.#post({ kind: 'refused', id, fault: faultOf(error) });
    }
  }

  async #backup(dir: string): Promise<void> {
    mkdirSync(join(dir, 'telemetry'));
    await this.#engine.backup(join(dir, 'telemetry'));
    await this.#records.backup(join(dir, 'records.db'));
  }

  async stop(): Promise<void> {
    await this.#attempt(() => this.commit());
    await this.#engine.close();
    this.#records.close();
    this.#post({ kind: 'stopped' });
  }

  async #write(): Promise<void> {
    const to = this.#ring.publishedFrom(this.#read);
    while (this.#read < to) {
      const end = Math.min(to, this.#read + MAX_WRITE_SLOTS) as Sequence;
      this.#read = await this.#engine.write(this.#ring, this.#read, end);
      this.#ring.setWritten(this.#read);
    }
  }

  async #sync(): Promise<void> {
    this.#syncedMs = systemClock.monotonicMs();
    this.#ring.setDurable(await this.#engine.sync());
  }

  /** Tells a query worker what is not sealed. */
  #serve(reader: MessagePort): void {
    reader.on('message', ({ id, series, range }: ToStore) => {
      const post = (message: FromStore, handOver: readonly ArrayBuffer[] = []) => reader.postMessage(message, [...handOver]);
      try {
        const samples = this.#engine.unsealed(series, range);
        post({ kind: 'unsealed', id, samples }, buffersOf(samples));
      } catch (error) {
        post({ kind: 'refused', id, fault: faultOf(error) });
      }
    });
    reader.unref(); // it does not keep this worker alive
  }

  #recovered(): void {
    if (this.#failing) this.#post({ kind: 'writing' });
    this.#failing = false;
  }

  /** Of what nobody waits for the first failure is told, and when it is over. Returns the failure. */
  async #attempt(act: () => Promise<void>): Promise<Fault | undefined> {
    try {
      await act();
      return undefined;
    } catch (error) {
      const fault = faultOf(error);
      if (!this.#failing) this.#post({ kind: 'writing', fault });
      this.#failing = true;
      return fault;
    }
  }

  #call(method: string, args: readonly unknown[]): unknown {
    if (method === BACKUP_CALL) return this.#backup(String(args[0]));
    if (isOneOf(ENGINE_CALLS, method)) return callOf(this.#engine, method, args);
    if (!isOneOf(RECORD_CALLS, method)) throw new GatewayError('not_supported', `the store has no call ${method}`);
    try {
      return callOf(this.#records, method, args);
    } catch (error) {
      if (this.#hasRescued || !(isDamage(error) || error instanceof SyntaxError)) throw error; // a body that is no JSON was not written so
      this.#hasRescued = true;
      this.#records.close();
      this.#records = rescueRecords(this.#recordsFile, error, this.#report);
      return callOf(this.#records, method, args);
    }
  }
}

function callOf(target: object, method: string, args: readonly unknown[]): unknown {
  return (target as Record<string, (...given: readonly unknown[]) => unknown>)[method]?.(...args);
}

function isOneOf(names: readonly string[], name: string): boolean {
  return names.includes(name);
}

/** Undefined, after telling why, when the files can't be opened. */
async function openWorker(data: StoreWorkerData, post: (message: FromWorker) => void): Promise<StoreWorker | undefined> {
  try {
    return await StoreWorker.open(data, post);
  } catch (error) {
    post({ kind: 'unopened', fault: faultOf(error) });
    return undefined;
  }
}

/** One act at a time, in the order of arrival: SQLite is synchronous anyway, and a flush must not overtake a write. */
async function main(): Promise<void> {
  const port = parentPort;
  if (!port) throw new Error('this file is the start of a worker thread');
  const worker = await openWorker(workerData as StoreWorkerData, (message) => port.postMessage(message));
  if (!worker) return;
  let last: Promise<unknown> = Promise.resolve();
  let stopping = false;
  const enqueue = (act: () => Promise<unknown>) => {
    if (stopping) return;
    last = last.then(act);
    last.catch((error) => {
      throw error; // an unforeseen fault ends the worker; the main thread starts a new one
    });
  };
  let working = false;
  const work = () =>
    enqueue(async () => {
      working = await worker.work();
      if (working) setImmediate(work); // behind the commits and calls that came meanwhile
    });
  const { writeIntervalMs, lingerMs } = worker.pace;
  const writing = setInterval(() => enqueue(() => worker.onTimer()), writeIntervalMs);
  const background = setInterval(() => {
    if (!working) work();
  }, BACKGROUND_INTERVAL_MS);
  port.on('message', (message: ToWorker) => {
    if (message.kind === 'flush' && lingerMs > 0) {
      setTimeout(() => enqueue(() => worker.answer(message)), lingerMs);
      return;
    }
    if (message.kind !== 'stop') {
      enqueue(() => worker.answer(message));
      return;
    }
    clearInterval(writing);
    clearInterval(background);
    enqueue(async () => {
      await worker.stop();
      port.close();
    });
    stopping = true;
  });
}

await main();
