/** A clock that may be wrong by years, as that of a box whose battery is empty: nothing is removed for its age by it. */
import { afterEach, describe, expect, it } from 'vitest';
import type { UnixMs } from '../../src/core/time.ts';
import { watchClock } from '../../src/store/clock-watch.ts';
import { type ClockState, ToldClock, UNKNOWN_CLOCK } from '../../src/store/told-clock.ts';
import { WallClock } from '../../src/system/wall-clock.ts';
import { ManualClock, turn } from '../support/manual-clock.ts';
import { DAY, DaysRig, FIRST_DAY_MS, HOUR } from './engine/days-rig.ts';
import { useTempDirs } from './temp-dir.ts';

const YEARS_44 = 44 * 365 * DAY;

const newDir = useTempDirs();
let watching = new AbortController();

afterEach(() => {
  watching.abort();
  watching = new AbortController();
});

describe('an untrusted clock', () => {
  it.each([YEARS_44, 2 * HOUR, -YEARS_44])(
    'that is %i ms off removes no day for its age, and neither does its correction',
    async (offMs) => {
      const rig = await new DaysRig(newDir()).open();
      await rig.fill(3, HOUR / 2);
      const days = await rig.daysWithSamples();
      rig.isClockTrusted = false;
      rig.clock.stepWall(offMs);
      await rig.reopen();
      await rig.engine.setRetention({ maxAgeMs: 30 * DAY });
      for (let hour = 0; hour < 6; hour++) {
        for (const id of rig.series) rig.feed.add(id, rig.clock.now(), hour); // samples of that time, too
        await rig.feed.commit();
        rig.clock.busy(HOUR);
        await rig.settle();
      }
      expect(await rig.daysWithSamples()).toEqual(expect.arrayContaining(days));
      rig.clock.stepWall(-offMs);
      rig.isClockTrusted = true;
      for (let hour = 0; hour < 6; hour++) {
        rig.clock.busy(HOUR);
        await rig.settle();
      }
      expect(await rig.daysWithSamples()).toEqual(expect.arrayContaining(days));
      await rig.engine.close();
    },
  );

  it('removes nothing by age as long as it is not trusted, and what is too old when it is', async () => {
    const rig = await new DaysRig(newDir()).open();
    await rig.fill(3, HOUR / 2);
    rig.isClockTrusted = false;
    rig.clock.busy(2 * HOUR);
    await rig.retain({ maxAgeMs: DAY });
    expect(rig.files()).toHaveLength(3);
    rig.isClockTrusted = true;
    await rig.settle();
    expect(rig.files().length).toBeLessThan(3);
    await rig.engine.close();
  });
});

describe('what the store worker is told of the time', () => {
  it('is nothing to trust at first, then the offset of the box, then that the machine is right', async () => {
    const machine = new ManualClock(0 as UnixMs);
    let isSynchronized = false;
    const wall = new WallClock({
      machine,
      builtMs: (FIRST_DAY_MS - DAY) as UnixMs,
      newestMs: FIRST_DAY_MS as UnixMs,
      isSynchronized: () => isSynchronized,
    });
    const told: ClockState[] = [];
    const clock = new ToldClock(machine, UNKNOWN_CLOCK);
    expect(clock.now()).toBe(0);
    const tell = (state: ClockState) => {
      told.push(state);
      clock.state = state;
    };
    const watched = watchClock(machine, wall, tell, watching.signal);
    await turn();
    expect(told).toEqual([{ isTrusted: false, offsetMs: FIRST_DAY_MS }]);
    expect(clock.now()).toBe(FIRST_DAY_MS);
    await machine.advance(60_000);
    expect(told).toHaveLength(1); // nothing has changed
    expect(clock.now()).toBe(FIRST_DAY_MS + 60_000);
    machine.stepWall(FIRST_DAY_MS + DAY);
    isSynchronized = true;
    await machine.advance(20_000);
    expect(told.at(-1)).toEqual({ isTrusted: true, offsetMs: 0 });
    expect(clock.now()).toBe(machine.now());
    watching.abort();
    await watched;
  });
});
