/** The store worker's clock: that of the machine, and what the main thread has told of it. */
import type { Clock } from '../core/clock.ts';
import type { UnixMs } from '../core/time.ts';

/** What is known of the box's time; see `system/wall-clock.ts`, which judges it. */
export interface ClockState {
  /** False while the machine's clock may be wrong by years. */
  readonly isTrusted: boolean;
  /** The box's time less the machine's. */
  readonly offsetMs: number;
}

/** Before anything is told. */
export const UNKNOWN_CLOCK: ClockState = { isTrusted: false, offsetMs: 0 };

export class ToldClock implements Clock {
  state: ClockState;
  readonly #machine: Clock;

  constructor(machine: Clock, state: ClockState) {
    this.#machine = machine;
    this.state = state;
  }

  now(): UnixMs {
    return (this.#machine.now() + this.state.offsetMs) as UnixMs;
  }

  monotonicMs(): number {
    return this.#machine.monotonicMs();
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return this.#machine.sleep(durationMs, signal);
  }
}
