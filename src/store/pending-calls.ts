/** Calls that the store worker has not answered yet, and the end of their patience when it answers none. */
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';

/** An SD card may think for a second or two; ten is a hang. */
export const STALLED_AFTER_MS = 10_000;
const CHECK_MS = 1_000;

interface Pending {
  readonly askedMs: number;
  /** Infinite for what may take minutes. */
  readonly patienceMs: number;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: GatewayError) => void;
}

export class PendingCalls {
  readonly #clock: Clock;
  /** By number, oldest first. */
  readonly #calls = new Map<number, Pending>();
  #next = 1;
  #watching: AbortController | undefined;
  #silent = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** True after a call was given up and while nothing has come from the worker since. */
  get silent(): boolean {
    return this.#silent;
  }

  /** `send` gets the number of the call; the promise rejects `store_stalled` when no answer comes within the time. */
  ask(isLong: boolean, send: (id: number) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = this.#next++;
      const patienceMs = isLong ? Number.POSITIVE_INFINITY : STALLED_AFTER_MS;
      this.#calls.set(id, { askedMs: this.#clock.monotonicMs(), patienceMs, resolve, reject });
      if (!isLong && !this.#watching) void this.#watch();
      send(id);
    });
  }

  /** The worker has said something. */
  heard(): void {
    this.#silent = false;
  }

  /** An answer to a call that was given up is dropped. */
  answered(id: number, value: unknown): void {
    this.#take(id)?.resolve(value);
  }

  refused(id: number, error: GatewayError): void {
    this.#take(id)?.reject(error);
  }

  /** The worker is gone, and with it what it would have answered. */
  rejectAll(error: GatewayError): void {
    for (const call of this.#calls.values()) call.reject(error);
    this.#calls.clear();
    this.#silent = false;
    this.#watching?.abort();
  }

  #take(id: number): Pending | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  /** As long as there are calls that do not wait for ever. */
  async #watch(): Promise<void> {
    const watching = new AbortController();
    this.#watching = watching;
    try {
      while ([...this.#calls.values()].some(({ patienceMs }) => Number.isFinite(patienceMs))) {
        await this.#clock.sleep(CHECK_MS, watching.signal);
        this.#giveUp();
      }
    } catch (error) {
      if (!watching.signal.aborted) throw error;
    } finally {
      if (this.#watching === watching) this.#watching = undefined;
    }
  }

  #giveUp(): void {
    const nowMs = this.#clock.monotonicMs();
    for (const [id, { askedMs, patienceMs, reject }] of this.#calls) {
      if (nowMs - askedMs < patienceMs) continue;
      this.#calls.delete(id);
      this.#silent = true;
      reject(stalled());
    }
  }
}

/** Why a call is not even tried. */
export function stalled(): GatewayError {
  return new GatewayError('store_stalled', 'the store does not answer');
}
