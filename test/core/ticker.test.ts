/** The absolute schedule: no drift, missed ticks counted, ends on abort. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ticks } from '../../src/core/ticker.ts';
import { ManualClock, turn } from '../support/manual-clock.ts';

interface Seen {
  readonly atMs: number;
  readonly missed: number;
}

/** Takes ticks, each of which keeps the loop busy for the next of `workMs`, and returns when they came. */
async function record(periodMs: number, workMs: readonly number[], startMs = 0): Promise<Seen[]> {
  const clock = new ManualClock();
  clock.busy(startMs);
  const stop = new AbortController();
  const seen: Seen[] = [];
  const loop = (async () => {
    for await (const { missed } of ticks(clock, periodMs, stop.signal)) {
      seen.push({ atMs: clock.monotonicMs() - startMs, missed });
      clock.busy(workMs[seen.length - 1] ?? 0);
      if (seen.length === workMs.length) stop.abort();
    }
  })();
  while (!stop.signal.aborted) await clock.advance(periodMs);
  await loop;
  return seen;
}

describe('ticks', () => {
  it('come at once and then on the grid, however long the work within a period takes', async () => {
    expect(await record(100, [3, 99, 50, 1, 0])).toEqual([0, 100, 200, 300, 400].map((atMs) => ({ atMs, missed: 0 })));
  });

  it('that pass while the loop is busy are skipped and counted, and the grid stays', async () => {
    const seen = await record(100, [0, 350, 0, 0]);
    expect(seen).toEqual([
      { atMs: 0, missed: 0 },
      { atMs: 100, missed: 0 },
      { atMs: 450, missed: 2 },
      { atMs: 500, missed: 0 },
    ]);
  });

  it('neither drift nor go missing uncounted, for any period and work', async () => {
    const work = fc.array(fc.oneof(fc.nat(40), fc.nat(900)), { minLength: 2, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), work, fc.nat(10_000), async (periodMs, workMs, startMs) => {
        const seen = await record(periodMs, workMs, startMs);
        let due = -1;
        for (const { atMs, missed } of seen) {
          due += missed + 1;
          expect(atMs).toBeGreaterThanOrEqual(due * periodMs);
          expect(atMs).toBeLessThan((due + 1) * periodMs);
        }
      }),
      { numRuns: 100 },
    );
  });

  it('whose work always takes longer than the period leave others a turn before each', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    let count = 0;
    const loop = (async () => {
      for await (const _ of ticks(clock, 100, stop.signal)) {
        clock.busy(150);
        if (++count === 10) stop.abort();
      }
    })();
    await turn();
    expect(count).toBe(1); // the next one sleeps, if only for nothing
    await clock.advance(0);
    expect(count).toBe(2);
    stop.abort();
    await loop;
  });

  it('end when the signal aborts during the wait', async () => {
    const clock = new ManualClock();
    const stop = new AbortController();
    let count = 0;
    const loop = (async () => {
      for await (const _ of ticks(clock, 1_000, stop.signal)) count++;
    })();
    await clock.advance(1_500);
    expect(count).toBe(2);
    stop.abort();
    await loop;
    expect(clock.sleeping).toBe(0);
  });

  it('never begin under a signal that has aborted', async () => {
    for await (const _ of ticks(new ManualClock(), 1_000, AbortSignal.abort())) throw new Error('a tick came');
  });

  it('do not swallow a fault of the clock', async () => {
    const broken = Object.assign(new ManualClock(), { sleep: () => Promise.reject(new Error('the clock stands still')) });
    const take = async () => {
      for await (const _ of ticks(broken, 10, new AbortController().signal));
    };
    await expect(take()).rejects.toThrow('the clock stands still');
  });
});
