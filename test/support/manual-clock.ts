/** A Clock whose hands the test turns: nothing passes by itself, and whoever sleeps wakes in the order of the hour. */
import type { Clock } from '../../src/core/clock.ts';
import type { UnixMs } from '../../src/core/time.ts';

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
}

/** 2026-01-06T10:00:00Z */
export const MORNING_MS = Date.UTC(2026, 0, 6, 10) as UnixMs;

export class ManualClock implements Clock {
  #wallMs: number;
  #monotonicMs = 0;
  /** By due time, and by arrival where that is the same. */
  #sleepers: Sleeper[] = [];

  constructor(wallMs: UnixMs = MORNING_MS) {
    this.#wallMs = wallMs;
  }

  /** How many wait now. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  now(): UnixMs {
    return this.#wallMs as UnixMs;
  }

  monotonicMs(): number {
    return this.#monotonicMs;
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const wake = () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      };
      const sleeper: Sleeper = { dueMs: this.#monotonicMs + Math.max(0, durationMs), wake };
      signal?.addEventListener('abort', onAbort, { once: true });
      const place = this.#sleepers.findIndex((other) => other.dueMs > sleeper.dueMs);
      this.#sleepers.splice(place < 0 ? this.#sleepers.length : place, 0, sleeper);
    });
  }

  /** Turns the hands: each sleeper wakes at its own moment and may act, and sleep again, before the hands go on. */
  async advance(durationMs: number): Promise<void> {
    await turn();
    const endMs = this.#monotonicMs + durationMs;
    for (let next = this.#sleepers[0]; next && next.dueMs <= endMs; next = this.#sleepers[0]) {
      this.#sleepers.shift();
      this.#moveTo(next.dueMs);
      next.wake();
      await turn();
    }
    this.#moveTo(endMs);
    await turn();
  }

  /** Time passes while the thread is busy: nobody wakes before the next `advance`. */
  busy(durationMs: number): void {
    this.#moveTo(this.#monotonicMs + durationMs);
  }

  /** The wall clock is set; intervals don't notice. */
  stepWall(byMs: number): void {
    this.#wallMs += byMs;
  }

  #moveTo(monotonicMs: number): void {
    const passedMs = Math.max(0, monotonicMs - this.#monotonicMs);
    this.#wallMs += passedMs;
    this.#monotonicMs += passedMs;
  }
}

/** Lets everything run that is ready: promises, and what waits for the next round of the event loop. */
export async function turn(): Promise<void> {
  for (let round = 0; round < 2; round++) await new Promise((resolve) => setImmediate(resolve));
}
