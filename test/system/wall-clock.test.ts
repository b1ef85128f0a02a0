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

  it('of a machine that was set but never synchronised is that of the machine, whatever a stored sample says', () => {
    const noon = at('2026-11-22T12:00:00Z');
    for (const newest of ['2026-11-22T12:06:00Z', '2026-11-22T20:00:00Z', '2027-11-22T12:00:00Z', '2099-01-01T00:00:00Z'])
      expect(box(noon, at(newest), false).clock.now()).toBe(noon);
    expect(box(noon, at('2026-11-22T12:04:00Z'), false).clock.now()).toBe(at('2026-11-22T12:04:00Z'));
  });

  it('follows whoever sets the machine, though no time service is heard', () => {
    const { clock, state } = box(at('2026-11-22T12:00:00Z'), at('2026-11-22T11:59:59Z'), false);
    state.monotonicMs += 60_000;
    state.machineMs = at('2026-11-22T11:01:00Z');
    expect([clock.now(), clock.trusted]).toEqual([state.machineMs, false]);
    state.machineMs = at('2026-11-25T00:00:00Z');
    expect(clock.now()).toBe(state.machineMs);
  });

  it('does not go on from a sample of a year that no build lives to see', () => {
    expect(box(0 as UnixMs, at('2099-01-01T00:00:00Z')).clock.now()).toBe(BUILT_MS);
    expect(box(0 as UnixMs, at('2040-01-01T00:00:00Z')).clock.now()).toBe(at('2040-01-01T00:00:00Z'));
  });

  it.each([
    ['that has heard a time service, five minutes', at('2026-11-22T12:00:00Z'), null, true, '2026-11-22T12:05:00Z'],
    ['that is set and has heard none, half a year', at('2026-11-22T12:00:00Z'), null, false, '2027-05-21T12:00:00Z'],
    ['that woke up in 1970, half a year beyond what is stored', 0 as UnixMs, at('2026-11-22T12:00:00Z'), false, '2027-05-21T12:00:00Z'],
    ['that woke up in 1970 with nothing stored, twenty years', 0 as UnixMs, null, false, '2046-11-01T00:00:00Z'],
  ])('believes of a box %s ahead', (_name, machineMs, newestMs, synchronized, latest) => {
    expect(box(machineMs, newestMs, synchronized).clock.latestMs).toBe(at(latest));
  });

  it('does not follow a stored sample into the future', () => {
    expect(box(at('2026-11-22T12:00:00Z'), at('2099-01-01T00:00:00Z')).clock.now()).toBe(at('2026-11-22T12:00:00Z'));
  });
});
