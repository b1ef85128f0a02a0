/** The watchdog on a clock that runs as fast as it is asked. */
import { describe, expect, it } from 'vitest';
import type { Clock } from '../../../src/core/clock.ts';
import { isGatewayError } from '../../../src/core/errors.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { watch } from '../../../src/drivers/opcua/watch.ts';

const KEEP_ALIVE_MS = 5_000;
const END_MS = 3_600_000;

/** Time passes only by sleeping; `pauseAtMs` once takes a minute, as a suspended machine does. */
function fastClock(pauseAtMs = Number.POSITIVE_INFINITY): Clock & { elapsedMs: number } {
  const clock = {
    elapsedMs: 0,
    now: () => clock.elapsedMs as UnixMs,
    monotonicMs: () => clock.elapsedMs,
    async sleep(durationMs: number) {
      clock.elapsedMs += durationMs;
      if (clock.elapsedMs >= pauseAtMs) {
        clock.elapsedMs += 60_000;
        pauseAtMs = Number.POSITIVE_INFINITY;
      }
      await new Promise((resolve) => setImmediate(resolve));
      if (clock.elapsedMs > END_MS) throw new Error('the hour is over');
    },
  };
  return clock;
}

const silent = () => new Promise(() => {});
const running = new AbortController().signal;

describe('watchdog', () => {
  it('gives up a server that answers nothing, within 15 s', async () => {
    const clock = fastClock();
    const error = await watch({ ask: silent, clock, heardMs: () => 0, keepAliveMs: KEEP_ALIVE_MS }, running).catch((cause) => cause);
    expect(isGatewayError(error, 'not_connected')).toBe(true);
    expect(clock.elapsedMs).toBeGreaterThan(10_000);
    expect(clock.elapsedMs).toBeLessThanOrEqual(15_000);
  });

  it('gives up a server whose questions fail at once, within 15 s', async () => {
    const clock = fastClock();
    const refuse = () => Promise.reject(new Error('Invalid Channel'));
    await expect(watch({ ask: refuse, clock, heardMs: () => 0, keepAliveMs: KEEP_ALIVE_MS }, running)).rejects.toThrow('not answered');
    expect(clock.elapsedMs).toBeLessThanOrEqual(15_000);
  });

  it('gives up a subscription that is silent while the server answers', async () => {
    const clock = fastClock();
    await expect(watch({ ask: async () => 1, clock, heardMs: () => 0, keepAliveMs: KEEP_ALIVE_MS }, running)).rejects.toThrow('silent');
    expect(clock.elapsedMs).toBeGreaterThan(3 * KEEP_ALIVE_MS);
    expect(clock.elapsedMs).toBeLessThanOrEqual(40_000);
  });

  it('lets a healthy link be, asks nothing of it, and never minds while a full ring holds it up', async () => {
    const clock = fastClock();
    const heard = { ask: () => Promise.reject(new Error('not needed')), clock, heardMs: () => clock.elapsedMs, keepAliveMs: KEEP_ALIVE_MS };
    await expect(watch(heard, running)).rejects.toThrow('the hour is over');
    const held = fastClock();
    await expect(watch({ ...heard, clock: held, heardMs: () => undefined }, running)).rejects.toThrow('the hour is over');
  });

  it('does not blame the server for a minute in which this process stood still', async () => {
    const clock = fastClock(20_000);
    let heardMs = 0;
    const heard = () => {
      if (clock.elapsedMs < 20_000 || clock.elapsedMs > 83_000) heardMs = clock.elapsedMs;
      return heardMs;
    };
    await expect(watch({ ask: async () => 1, clock, heardMs: heard, keepAliveMs: 30_000 }, running)).rejects.toThrow('the hour is over');
  });
});
