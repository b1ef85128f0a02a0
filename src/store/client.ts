/** The main thread's side of the store: calls to the worker, who waits for what to be durable, and a new worker when one dies. */
import type { MessagePort, Worker } from 'node:worker_threads';
import { type Clock, endsWithin } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { Ring } from '../core/ring.ts';
import type { StoreProfile } from '../core/store-profile.ts';
import type { Sequence } from '../core/tag.ts';
import { type WallTime, watchClock } from './clock-watch.ts';
import { DamageBook } from './damage-book.ts';
import type { DeliveryStore } from './deliveries.ts';
import { PendingCalls, stalled } from './pending-calls.ts';
import {
  BACKUP_CALL,
  ENGINE_CALLS,
  type Fault,
  type FromWorker,
  HISTORY_CALLS,
  type QueryWorkerData,
  RECORD_CALLS,
  type StoreCallName,
  type StoreCalls,
  type StoreWorkerData,
  type ToWorker,
} from './protocol.ts';
import { QueryClient } from './query-client.ts';
import type { AlertStore, AnswerStore, AuditStore, RecordStore } from './records.ts';
import type { Damage, RecoveryReport, RetentionPolicy, TelemetryReads, TelemetryStore } from './telemetry.ts';
import { type ClockState, UNKNOWN_CLOCK } from './told-clock.ts';
import { Waiters } from './waiters.ts';
import { WriteOrders } from './write-orders.ts';

const RESTART_DELAY_MS = 200; // at most five a second, and data back within one
const STOP_TIMEOUT_MS = 4_000;
const QUERY_END_MS = 500;

export interface StoreClientOptions {
  readonly dataDir: string;
  readonly ring: Ring;
  readonly retention: RetentionPolicy;
  readonly profile: StoreProfile;
  readonly clock: Clock;
  readonly log: Log;
  readonly spawn: (data: StoreWorkerData) => Worker;
  readonly spawnQuery: (data: QueryWorkerData) => Worker;
}

/** `ok`, or why the store does not take data now. */
export type StoreHealth = 'ok' | 'starting' | 'store_failed' | 'disk_full' | 'store_stalled' | 'stopped';

export class StoreClient {
  readonly telemetry: TelemetryStore;
  readonly records: RecordStore & AnswerStore & AuditStore & AlertStore & DeliveryStore;
  /** Hears of records [from, to) that were written but not found again by the next worker. */
  onLost: ((from: Sequence, to: Sequence) => void) | undefined;
  /** Copies telemetry and records into an empty folder, as `Engine.backup` does. */
  readonly backup: (dir: string) => Promise<void>;
  readonly #options: StoreClientOptions;
  #worker: Worker | undefined;
  #retention: RetentionPolicy;
  #clockState: ClockState = UNKNOWN_CLOCK;
  /** Whoever called `start`, until the first worker stands. */
  #starting: { readonly resolve: (report: RecoveryReport) => void; readonly reject: (error: unknown) => void } | undefined;
  #running = false;
  #stopping = false;
  /** No worker follows the present one. */
  #ended = false;
  #stopped: Promise<void> | undefined;
  readonly #orders: WriteOrders;
  readonly #query: QueryClient;
  readonly #damages = new DamageBook();
  readonly #waiters = new Waiters();
  readonly #calls: PendingCalls;
  #onStopped: (() => void) | undefined;

  constructor(options: StoreClientOptions) {
    this.#options = options;
    this.#calls = new PendingCalls(options.clock);
    this.#orders = new WriteOrders(options.clock, options.log);
    const { dataDir, clock, log, spawnQuery: spawn } = options;
    const introduce = (port: MessagePort) => this.#worker?.postMessage({ kind: 'reader', port } satisfies ToWorker, [port]);
    this.#query = new QueryClient({ dataDir, clock, log, spawn, introduce, damages: this.#damages });
    const calls = this.#remotes();
    this.#retention = options.retention;
    this.telemetry = {
      ...calls,
      ...this.#history(),
      durable: (sequence, signal) => this.durable(sequence, signal),
      setRetention: (policy) => {
        this.#retention = policy; // for the worker that may follow
        return calls.setRetention(policy);
      },
    };
    this.records = calls;
    this.backup = calls.backup;
  }

  /** Starts the worker; resolves with what recovery found, the ring standing ready. Rejects when the store can't be opened. */
  start(): Promise<RecoveryReport> {
    return new Promise((resolve, reject) => {
      this.#starting = { resolve, reject };
      this.#spawn(null);
    });
  }

  get profile(): StoreProfile {
    return this.#options.profile;
  }

  get damage(): Damage {
    return this.#damages.damage;
  }

  get health(): StoreHealth {
    if (this.#stopping) return 'stopped';
    return this.#running ? this.#orders.health : 'starting';
  }

  /**
   * See TelemetryStore. Publishes what was pushed, for a record that the worker can't see would be waited for in vain.
   * Waits are served in one flush after the other: what arrives during one joins the next.
   */
  durable(sequence: Sequence, signal?: AbortSignal): Promise<void> {
    const { ring } = this.#options;
    if (ring.durable >= sequence) return Promise.resolve();
    if (this.#stopping) return Promise.reject(new GatewayError('stopped', 'the store is stopping'));
    if (sequence > ring.head) return Promise.reject(new RangeError(`record ${sequence} has not been pushed, the next is ${ring.head}`));
    ring.publish();
    const durable = this.#waiters.add(sequence, signal);
    this.#flush();
    return durable;
  }

  /**
   * Tells the worker of the box's time until the signal: before that, and while that time is not to be trusted, nothing is removed for its
   * age.
   */
  followClock(wall: WallTime, signal: AbortSignal): Promise<void> {
    const tell = (state: ClockState) => {
      this.#clockState = state; // for the worker that may follow
      if (this.#running) this.#send({ kind: 'clock', state });
    };
    return watchClock(this.#options.clock, wall, tell, signal);
  }

  /** Asks for what is published to be written now, so that its slots become free: nobody waits for it to be safe. One at a time. */
  relieve(): void {
    if (this.#running && this.#orders.beginWrite()) this.#send({ kind: 'write' });
  }

  /** Commits what is published, closes the files, ends the worker. Goes on trying over a death of the worker, for four seconds. */
  stop(): Promise<void> {
    this.#stopped ??= this.#stop();
    return this.#stopped;
  }

  /** Asks for a commit now; one at a time. */
  #flush(): void {
    if (this.#running && this.#orders.beginFlush()) this.#send({ kind: 'flush' });
  }

  async #stop(): Promise<void> {
    const { clock, log } = this.#options;
    this.#stopping = true;
    if (!this.#worker || this.#ended) return;
    const closed = new Promise<void>((resolve) => {
      this.#onStopped = resolve;
    });
    const error = new GatewayError('stopped', 'the store has stopped');
    await endsWithin(clock, QUERY_END_MS, this.#query.end(error)); // a query that hangs must not cost the last commit
    if (this.#running) this.#send({ kind: 'stop' });
    const timeout = new AbortController();
    const late = clock.sleep(STOP_TIMEOUT_MS, timeout.signal).then(
      () => log.error({}, 'the store did not stop in time'),
      () => undefined,
    );
    await Promise.race([closed, late]);
    timeout.abort();
    this.#ended = true;
    this.#waiters.settle(this.#options.ring.durable);
    this.#waiters.rejectAll(error);
    this.#calls.rejectAll(error);
    await this.#worker.terminate();
  }

  #spawn(resumeAt: Sequence | null): void {
    const { dataDir, ring, profile } = this.#options;
    const worker = this.#options.spawn({
      dataDir,
      ring: ring.buffer,
      slots: ring.slots,
      retention: this.#retention,
      profile,
      resumeAt,
      clock: this.#clockState,
    });
    this.#worker = worker;
    let failure: unknown;
    worker.on('message', (message: FromWorker) => {
      if (message.kind === 'unopened') failure = new GatewayError(message.fault.code, message.fault.message);
      else this.#onMessage(message);
    });
    worker.on('error', (error) => {
      failure = error;
    });
    worker.on('exit', (code) => this.#onExit(code, failure));
  }

  /** Who waits for durability goes on waiting over one restart: the ring still holds the records. Calls are lost. */
  #onExit(code: number, failure: unknown): void {
    const wasRunning = this.#running;
    this.#running = false;
    this.#orders.end();
    if (this.#ended) return;
    const error = failure instanceof GatewayError ? failure : workerEnded(code, failure);
    if (this.#starting) {
      this.#stopping = true;
      this.#ended = true;
      this.#onStopped?.();
      this.#starting.reject(error);
      return;
    }
    this.#options.log.error({ err: failure, code }, 'the store worker ended and is started again');
    this.#calls.rejectAll(error);
    void this.#query.end(error); // it knows the old one's files and has no line to the next
    if (!wasRunning) this.#waiters.rejectAll(error);
    void this.#respawn();
  }

  async #respawn(): Promise<void> {
    await this.#options.clock.sleep(RESTART_DELAY_MS);
    if (!this.#ended) this.#spawn(this.#options.ring.written);
  }

  #onMessage(message: Exclude<FromWorker, { readonly kind: 'unopened' }>): void {
    this.#calls.heard();
    switch (message.kind) {
      case 'opened':
        this.#onOpened(message.report, message.lost);
        break;
      case 'flushed':
        this.#onFlushed(message.fault);
        break;
      case 'writing':
        this.#orders.wrote(message.fault);
        break;
      case 'background':
        if (message.fault)
          this.#options.log.warn({ code: message.fault.code }, `the store cannot put data in order: ${message.fault.message}`);
        else this.#options.log.info({}, 'the store puts data in order again');
        break;
      case 'damage':
        this.#damages.note(message.what, message.reason);
        this.#options.log.error({ what: message.what, reason: message.reason }, 'the store found damage');
        break;
      case 'answer':
        this.#calls.answered(message.id, message.value);
        break;
      case 'refused':
        this.#calls.refused(message.id, new GatewayError(message.fault.code, message.fault.message));
        break;
      case 'stopped':
        this.#ended = true;
        this.#onStopped?.();
        break;
    }
  }

  #onOpened(report: RecoveryReport, lost: { readonly from: Sequence; readonly to: Sequence } | null): void {
    this.#running = true;
    if (lost) this.#onLost(lost);
    this.#orders.begin();
    if (this.#starting) {
      this.#options.ring.startAt(report.next);
      this.#starting.resolve(report);
      this.#starting = undefined;
    }
    if (this.#waiters.any) this.#flush();
    if (this.#stopping) this.#send({ kind: 'stop' });
  }

  /** Only where somebody took the log's file away, or the disk did: what was written a moment ago is not there. */
  #onLost({ from, to }: { readonly from: Sequence; readonly to: Sequence }): void {
    this.#options.log.error({ from, to }, 'records that were written are no longer on the disk');
    this.onLost?.(from, to);
    this.#waiters.rejectBetween(
      from,
      to,
      new GatewayError('store_failed', 'the record was written, and then it was no longer on the disk'),
    );
  }

  #onFlushed(fault: Fault | undefined): void {
    this.#orders.flushed(fault);
    this.#waiters.settle(this.#options.ring.durable);
    if (fault) this.#waiters.rejectAll(new GatewayError(fault.code, fault.message));
    if (this.#waiters.any) this.#flush();
  }

  #refusal(): GatewayError | undefined {
    if (this.#stopping) return new GatewayError('stopped', 'the store has stopped');
    if (!this.#running) return new GatewayError('store_failed', 'the store is being started again');
    return this.#calls.silent || this.health === 'store_stalled' ? stalled() : undefined;
  }

  #history(): Pick<TelemetryReads, (typeof HISTORY_CALLS)[number]> {
    const ask = (call: (typeof HISTORY_CALLS)[number]) => (query: never, signal?: AbortSignal) => {
      const refusal = this.#refusal();
      return refusal ? Promise.reject(refusal) : this.#query.ask({ call, query }, signal);
    };
    return Object.fromEntries(HISTORY_CALLS.map((call) => [call, ask(call)])) as never;
  }

  #call(method: StoreCallName, args: readonly unknown[]): Promise<unknown> {
    const refusal = this.#refusal();
    if (refusal) return Promise.reject(refusal);
    const isLong = !(RECORD_CALLS as readonly StoreCallName[]).includes(method); // the newest samples of all series, a backup
    return this.#calls.ask(isLong, (id) => this.#send({ kind: 'call', id, method, args }));
  }

  #send(message: ToWorker): void {
    this.#worker?.postMessage(message);
  }

  #remotes(): StoreCalls {
    const remote = (method: StoreCallName) => [method, (...args: readonly unknown[]) => this.#call(method, args)] as const;
    return Object.fromEntries(([...ENGINE_CALLS, ...RECORD_CALLS, BACKUP_CALL] as const).map(remote)) as unknown as StoreCalls;
  }
}

function workerEnded(code: number, failure: unknown): GatewayError {
  const why = failure === undefined ? `with ${code}` : `by ${messageOf(failure)}`;
  return new GatewayError('store_failed', `the store worker ended ${why}`, { cause: failure });
}
