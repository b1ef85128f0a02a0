/** The hands of a plant whose days pass in a fraction of a second: they stand where the last record was made. */
import { type Clock, systemClock } from '../../src/core/clock.ts';
import type { UnixMs } from '../../src/core/time.ts';

export class PlantClock implements Clock {
  /** True: each look at the monotonic clock finds a step of work to be over. */
  isHurried = false;
  #wallMs: number;
  #monotonicMs = 1_000;

  constructor(wallMs: number) {
    this.#wallMs = wallMs;
  }

  now(): UnixMs {
    return this.#wallMs as UnixMs;
  }

  monotonicMs(): number {
    if (this.isHurried) this.#monotonicMs += 5;
    return this.#monotonicMs;
  }

  /** Goes on to a later hour; never back. */
  moveTo(wallMs: number): void {
    this.#monotonicMs += Math.max(0, wallMs - this.#wallMs);
    this.#wallMs = Math.max(this.#wallMs, wallMs);
  }

  sleep = systemClock.sleep;
}
