/** The machine's clock, and the one whose hands tests turn: both keep the promises of Clock. */
import { describe, expect, it } from 'vitest';
import { aborted, type Clock, systemClock } from '../../src/core/clock.ts';
import { ManualClock, turn } from '../support/manual-clock.ts';

describe.each<[string, () => Clock]>([
  ['the machine', () => systemClock],
  ['the test', () => new ManualClock()],
])('the clock of %s', (_name, make) => {
  it('rejects a sleep with the reason of the signal', async () => {
    const stop = new AbortController();
    const reason = new Error('enough');
    const asleep = make().sleep(60_000, stop.signal);
    stop.abort(reason);
    await expect(asleep).rejects.toBe(reason);
  });

  it('rejects a sleep whose signal has aborted already', async () => {
    const reason = new Error('enough');
    await expect(make().sleep(60_000, AbortSignal.abort(reason))).rejects.toBe(reason);
  });

  it('never runs backwards', () => {
    const clock = make();
    const first = clock.monotonicMs();
    expect(clock.monotonicMs()).toBeGreaterThanOrEqual(first);
    expect(Number.isInteger(clock.now())).toBe(true);
  });
});

describe('the machine', () => {
  it('sleeps about as long as asked', async () => {
    const startMs = systemClock.monotonicMs();
    await systemClock.sleep(20);
    expect(systemClock.monotonicMs() - startMs).toBeGreaterThan(15);
  });
});

describe('the manual clock', () => {
  it('wakes sleepers in the order of the hour, each at its own moment', async () => {
    const clock = new ManualClock();
    const woken: string[] = [];
    const sleeper = async (name: string, durationMs: number) => {
      await clock.sleep(durationMs);
      woken.push(`${name} at ${clock.monotonicMs()}`);
    };
    const all = Promise.all([sleeper('c', 30), sleeper('a', 10), sleeper('b', 20), sleeper('d', 30)]);
    await clock.advance(29);
    expect(woken).toEqual(['a at 10', 'b at 20']);
    await clock.advance(1);
    expect(woken).toEqual(['a at 10', 'b at 20', 'c at 30', 'd at 30']);
    await all;
  });

  it('lets who wakes sleep again within one turn of the hands', async () => {
    const clock = new ManualClock();
    const moments: number[] = [];
    const stop = new AbortController();
    const loop = (async () => {
      while (!stop.signal.aborted) {
        await clock.sleep(100, stop.signal).catch(() => undefined);
        moments.push(clock.monotonicMs());
      }
    })();
    await clock.advance(350);
    expect(moments).toEqual([100, 200, 300]);
    stop.abort();
    await loop;
    expect(clock.sleeping).toBe(0);
  });

  it('steps its wall time without a sleeper noticing', async () => {
    const clock = new ManualClock();
    const startMs = clock.now();
    let woken = false;
    void clock.sleep(50).then(() => {
      woken = true;
    });
    clock.stepWall(3_600_000);
    await turn();
    expect([clock.now() - startMs, clock.monotonicMs(), woken]).toEqual([3_600_000, 0, false]);
    await clock.advance(50);
    expect(woken).toBe(true);
  });
});

describe('aborted', () => {
  it('resolves at once for a signal that has aborted, else when it does', async () => {
    await aborted(AbortSignal.abort());
    const stop = new AbortController();
    let done = false;
    const waiting = aborted(stop.signal).then(() => {
      done = true;
    });
    await turn();
    expect(done).toBe(false);
    stop.abort();
    await waiting;
    expect(done).toBe(true);
  });
});
