/** Tells the store worker of the box's time whenever what is known of it changes. */
import type { Clock } from '../core/clock.ts';
import type { ClockState } from './told-clock.ts';

/** As often as a time service is asked whether it has set the clock. */
const LOOK_MS = 10_000;
/** An untrusted clock that is held creeps by some milliseconds between two readings. */
const OFFSET_STEP_MS = 1_000;

/** The box's clock. */
export interface WallTime {
  now(): number;
  readonly trusted: boolean;
}

/** Tells at once, and then each change, until the signal. `machine` is the clock that the worker has too. */
export async function watchClock(machine: Clock, wall: WallTime, tell: (state: ClockState) => void, signal: AbortSignal): Promise<void> {
  let told: ClockState | undefined;
  while (!signal.aborted) {
    const state = { isTrusted: wall.trusted, offsetMs: wall.now() - machine.now() };
    if (told?.isTrusted !== state.isTrusted || Math.abs(told.offsetMs - state.offsetMs) > OFFSET_STEP_MS) {
      told = state;
      tell(state);
    }
    try {
      await machine.sleep(LOOK_MS, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
    }
  }
}
