/** The box's time, before and after the machine's clock was set. */
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../src/core/time.ts';
import { WallClock } from '../../src/system/wall-clock.ts';

const at = (text: string) => Date.parse(text) as UnixMs;
const BUILT_MS = at('2026-11-01T00:00:00Z');

function box(machineMs: UnixMs, newestMs: UnixMs | null, synchronized = true) {
  const state = { machineMs, monotonicMs: 0, synchronized };
  const machine = { now: () => state.machineMs, monotonicMs: () => state.monotonicMs, sleep: async () => undefined };
  return { state, clock: new WallClock({ machine, builtMs: BUILT_MS, newestMs, isSynchronized: () => state.synchronized }) };
}

describe('the clock of the box', () => {
  it('is that of the machine once it has been set', () => {
    const { clock } = box(at('2026-11-22T12:00:00Z'), at('2026-11-22T11:00:00Z'));
    expect([clock.trusted, clock.now()]).toEqual([true, at('2026-11-22T12:00:00Z')]);
  });

  it('goes on from the newest sample on a board that woke up in 1970, and is not trusted', () => {
    const { clock, state } = box(0 as UnixMs, at('2026-11-22T11:00:00Z'));
    expect([clock.trusted, clock.now()]).toEqual([false, at('2026-11-22T11:00:00Z')]);
    state.monotonicMs += 60_000;
    expect(clock.now()).toBe(at('2026-11-22T11:01:00Z'));
    expect(box(0 as UnixMs, null).clock.now()).toBe(BUILT_MS);
  });

  it('is not trusted while a time service has not set it, and asks again', () => {
    const { clock, state } = box(at('2026-11-22T12:00:00Z'), null, false);
    expect(clock.trusted).toBe(false);
    state.synchronized = true;
    expect(clock.trusted).toBe(false);
    state.monotonicMs += 10_000;
    expect(clock.trusted).toBe(true);
  });

  it('does not follow a stored sample into the future', () => {
    expect(box(at('2026-11-22T12:00:00Z'), at('2099-01-01T00:00:00Z')).clock.now()).toBe(at('2026-11-22T12:00:00Z'));
  });
});
