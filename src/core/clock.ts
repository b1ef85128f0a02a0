/** The only door to time: everything that asks "what time is it" or waits takes a Clock, so that tests can turn the hands. */
import { setTimeout as delay } from 'node:timers/promises';
import type { UnixMs } from './time.ts';

export interface Clock {
  /** Wall time, UTC. */
  now(): UnixMs;
  /** Milliseconds from an arbitrary start; never steps, never runs backwards. For intervals and rates. */
  monotonicMs(): number;
  /** Resolves after `durationMs`; rejects with the signal's reason when it aborts first. */
  sleep(durationMs: number, signal?: AbortSignal): Promise<void>;
}

/** The machine's own clock. */
export const systemClock: Clock = {
  now: () => Date.now() as UnixMs,
  monotonicMs: () => performance.now(),
  sleep: async (durationMs, signal) => {
    try {
      await delay(durationMs, undefined, signal ? { signal } : {});
    } catch (error) {
      throw signal?.aborted ? signal.reason : error; // Node hides the reason in the cause of an AbortError
    }
  },
};

/** Resolves when the signal aborts; for loops that end only by being told to. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/** True when the act ended in time, false when it hangs. Rejects as the act does, in time. */
export async function endsWithin(clock: Clock, limitMs: number, act: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController();
  const late = clock.sleep(limitMs, timer.signal).then(
    () => false,
    () => true,
  );
  try {
    return await Promise.race([act.then(() => true), late]);
  } finally {
    timer.abort();
  }
}
