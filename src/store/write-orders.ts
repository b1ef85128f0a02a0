/** What the store worker has been ordered to write and has not answered yet, and the fault that it told of last. */
import type { Clock } from '../core/clock.ts';
import type { Log } from '../core/log.ts';
import { STALLED_AFTER_MS } from './pending-calls.ts';
import type { Fault } from './protocol.ts';

export class WriteOrders {
  readonly #clock: Clock;
  readonly #log: Log;
  #flushSinceMs: number | undefined;
  #writeSinceMs: number | undefined;
  #fault: Fault | undefined;

  constructor(clock: Clock, log: Log) {
    this.#clock = clock;
    this.#log = log;
  }

  /** `ok`, or why a worker that runs does not take data now. */
  get health(): 'ok' | 'store_failed' | 'disk_full' | 'store_stalled' {
    if (this.#isLate(this.#flushSinceMs)) return 'store_stalled';
    if (this.#fault) return this.#fault.code === 'disk_full' ? 'disk_full' : 'store_failed'; // it answers, if only that
    return this.#isLate(this.#writeSinceMs) ? 'store_stalled' : 'ok';
  }

  /** False when one is under way. */
  beginFlush(): boolean {
    if (this.#flushSinceMs !== undefined) return false;
    this.#flushSinceMs = this.#clock.monotonicMs();
    return true;
  }

  /** False when one is under way, or a flush, which writes too. */
  beginWrite(): boolean {
    if (this.#writeSinceMs !== undefined || this.#flushSinceMs !== undefined) return false;
    this.#writeSinceMs = this.#clock.monotonicMs();
    return true;
  }

  flushed(fault: Fault | undefined): void {
    this.#flushSinceMs = undefined;
    this.#setFault(fault);
  }

  wrote(fault: Fault | undefined): void {
    this.#writeSinceMs = undefined;
    this.#setFault(fault);
  }

  /** A new worker stands. */
  begin(): void {
    this.#fault = undefined;
  }

  /** The worker is gone, and with it what it was ordered. */
  end(): void {
    this.#flushSinceMs = undefined;
    this.#writeSinceMs = undefined;
  }

  #isLate(sinceMs: number | undefined): boolean {
    return sinceMs !== undefined && this.#clock.monotonicMs() - sinceMs > STALLED_AFTER_MS;
  }

  #setFault(fault: Fault | undefined): void {
    if (fault && !this.#fault) this.#log.error({ code: fault.code }, `the store cannot write: ${fault.message}`);
    if (!fault && this.#fault) this.#log.info({}, 'the store writes again');
    this.#fault = fault;
  }
}
