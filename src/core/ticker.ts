/** An absolute schedule: ticks at start + n × period without drift, and the count of those that were missed. */
import type { Clock } from './clock.ts';

export interface Tick {
  /** Ticks that passed while the loop was busy since the last one; 0 in a healthy loop. */
  readonly missed: number;
}

/**
 * Yields at once and then every `periodMs` on a fixed grid until the signal aborts. A slow consumer does not shift the
 * grid: late ticks are skipped and counted. One whose work takes longer than the period, without waiting for anything,
 * leaves the event loop a turn before the next tick all the same: else nothing else would ever run again.
 */
export async function* ticks(clock: Clock, periodMs: number, signal: AbortSignal): AsyncGenerator<Tick, void, undefined> {
  const startMs = clock.monotonicMs();
  let index = 0;
  while (!signal.aborted) {
    const dueMs = startMs + index * periodMs;
    if (index > 0) {
      try {
        await clock.sleep(Math.max(0, dueMs - clock.monotonicMs()), signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
    }
    const late = Math.max(0, Math.floor((clock.monotonicMs() - dueMs) / periodMs));
    index += late + 1;
    yield { missed: late };
  }
}
