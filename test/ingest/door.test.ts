/** The door: what becomes of a reading on its way in. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Deadband } from '../../src/core/emit.ts';
import {
  BAD_NO_COMMUNICATION,
  BAD_OUT_OF_RANGE,
  BAD_SENSOR_FAILURE,
  GOOD,
  type StatusCode,
  UNCERTAIN,
  UNCERTAIN_CLOCK,
} from '../../src/core/status.ts';
import { MAX_SERIES_ID, type Sequence, type SeriesDef, type SeriesId } from '../../src/core/tag.ts';
import { MAX_AHEAD_MS, MAX_AHEAD_UNSET_MS, MAX_TIME_MS, type UnixMs } from '../../src/core/time.ts';
import type { Door } from '../../src/ingest/door.ts';
import { seriesLimits } from '../../src/ingest/series-limits.ts';
import { MORNING_MS, turn } from '../support/manual-clock.ts';
import { type Bench, bench, missingIn, open, type Sample } from './bench.ts';

const at = (offsetMs: number) => (MORNING_MS + offsetMs) as UnixMs;
const values = (samples: readonly Sample[]) => samples.map(({ value }) => value);

function counts(of: Bench, source = 'plc') {
  const found = of.account(source).counts();
  expect(missingIn(found)).toBe(0);
  return found;
}

describe('a number at the door', () => {
  it('is scaled and offset', () => {
    const b = bench();
    const door = b.door();
    door.number(open(door, 'flow', { scale: 0.1, offset: -40 }), at(0), 655, GOOD);
    door.number(open(door, 'level', { offset: 5 }), at(0), 1, GOOD);
    door.integer(open(door, 'count', { scale: 2 }), at(0), 21n, false, GOOD);
    expect(values(b.stored())).toEqual([25.5, 6, 42]);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('that is %d becomes a missing value, out of range', (value) => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), value, GOOD);
    door.number(series, at(1), value, BAD_SENSOR_FAILURE);
    expect(b.stored().map(({ value, status }) => [value, status])).toEqual([
      [Number.NaN, BAD_OUT_OF_RANGE],
      [Number.NaN, BAD_SENSOR_FAILURE],
    ]);
  });

  it('that leaves the range by its scale is out of range, whole numbers too', () => {
    const b = bench();
    const door = b.door();
    door.number(open(door, 'a', { scale: 1e300 }), at(0), 1e300, GOOD);
    door.integer(open(door, 'b', { scale: 1e300 }), at(0), 2n ** 62n, true, GOOD);
    expect(b.stored().map(({ value, status }) => [value, status])).toEqual([
      [Number.NaN, BAD_OUT_OF_RANGE],
      [Number.NaN, BAD_OUT_OF_RANGE],
    ]);
  });

  it('that is missing keeps its status and has no value, whatever the type', () => {
    const b = bench();
    const door = b.door();
    for (const valueType of ['f64', 'f32', 'i64', 'u64', 'bool', 'string'] as const) {
      door.missing(open(door, valueType, { valueType }), at(0), BAD_SENSOR_FAILURE);
    }
    const stored = b.stored();
    expect(stored.map(({ value, status }) => [value, status])).toEqual(stored.map(() => [Number.NaN, BAD_SENSOR_FAILURE]));
    expect([...b.store.definitions.values()].map(({ valueType }) => valueType)).toEqual(['f64', 'f32', 'i64', 'u64', 'bool', 'string']);
  });

  it('keeps 64-bit integers, booleans and text as they are', () => {
    const b = bench();
    const door = b.door();
    door.integer(open(door, 'a', { valueType: 'i64' }), at(0), -(2n ** 63n), true, GOOD);
    door.integer(open(door, 'b', { valueType: 'u64' }), at(0), 2n ** 64n - 1n, false, GOOD);
    door.boolean(open(door, 'c'), at(0), true, GOOD);
    door.text(open(door, 'd'), at(0), 'läuft 😀', UNCERTAIN);
    expect(values(b.stored())).toEqual([-(2n ** 63n), 2n ** 64n - 1n, 1, 'läuft 😀']);
  });
});

describe('the time of a reading', () => {
  it('is whole milliseconds, and the box time where the device gave none', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, (MORNING_MS - 0.5) as UnixMs, 1, GOOD);
    door.number(series, undefined, 2, GOOD);
    expect(b.stored().map(({ timeMs }) => timeMs)).toEqual([MORNING_MS - 1, MORNING_MS]);
  });

  it('is one and the same for all that come at once without one, though the clock goes on', () => {
    const b = bench();
    const door = b.door();
    for (const value of [1, 2, 3]) {
      door.number(open(door), undefined, value, GOOD);
      b.clock.busy(1);
    }
    expect(b.stored().map(({ timeMs }) => timeMs)).toEqual([MORNING_MS, MORNING_MS, MORNING_MS]);
  });

  it('that lies too far ahead of a trusted clock is replaced by ours, marked and counted', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(MAX_AHEAD_MS), 1, GOOD);
    door.number(open(door, 'b'), at(MAX_AHEAD_MS + 1), 2, GOOD);
    door.missing(open(door, 'c'), at(MAX_AHEAD_MS + 1), BAD_SENSOR_FAILURE);
    door.text(open(door, 'd'), at(MAX_AHEAD_MS + 1), 'x', GOOD);
    expect(b.stored().map(({ timeMs, status }) => [timeMs, status])).toEqual([
      [at(MAX_AHEAD_MS), GOOD],
      [MORNING_MS, UNCERTAIN_CLOCK],
      [MORNING_MS, BAD_SENSOR_FAILURE],
      [MORNING_MS, UNCERTAIN_CLOCK],
    ]);
    expect(counts(b).clockAhead).toBe(3);
  });

  it('may lie further ahead of a clock that is not to be trusted, but not as far as a wrong year', () => {
    const b = bench({ latestMs: () => at(MAX_AHEAD_UNSET_MS) });
    const door = b.door();
    door.number(open(door), at(MAX_AHEAD_UNSET_MS), 1, GOOD);
    door.number(open(door, 'b'), MAX_TIME_MS, 2, GOOD);
    expect(b.stored().map(({ timeMs, status }) => [timeMs, status])).toEqual([
      [at(MAX_AHEAD_UNSET_MS), GOOD],
      [MORNING_MS, UNCERTAIN_CLOCK],
    ]);
    expect(counts(b).clockAhead).toBe(1);
  });

  it.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, MAX_TIME_MS + 1, -1e15])('refuses %d', (timeMs) => {
    const b = bench();
    const door = b.door();
    door.number(open(door, 'a'), timeMs as UnixMs, 1, GOOD);
    door.text(open(door, 'b'), timeMs as UnixMs, 'x', GOOD);
    door.missing(open(door, 'c'), timeMs as UnixMs, GOOD);
    expect(b.stored()).toEqual([]);
    expect(counts(b).rejected).toEqual({ invalid_time: 3 });
  });

  it('before that of the newest one makes a reading historical, and not the newest', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    for (const [value, offsetMs] of [10, 5, 7, 10, 9, 11].entries()) door.number(series, at(offsetMs), value, GOOD);
    expect(b.stored().map(({ value, historical }) => [value, historical])).toEqual([
      [0, false],
      [1, true],
      [2, true],
      [3, false],
      [4, true],
      [5, false],
    ]);
  });
});

describe('a clock that is set back', () => {
  const HOUR_MS = 3_600_000;
  const shown = (of: Bench) => of.stored().map(({ value, historical }) => [value, historical]);

  it.each([60_000, HOUR_MS, 24 * HOUR_MS])('by %d ms holds back no value, whether the box or the driver stamps it', async (stepMs) => {
    const b = bench();
    const door = b.door();
    const given = open(door, 'polled');
    const none = open(door, 'stamped');
    const poll = async (value: number) => {
      door.number(given, (b.clock.now() - 3) as UnixMs, value, GOOD);
      door.number(none, undefined, value, GOOD);
      await b.clock.advance(1_000);
    };
    await poll(1);
    b.clock.stepWall(-stepMs);
    await poll(2);
    await poll(3);
    expect(shown(b)).toEqual([1, 1, 2, 2, 3, 3].map((value) => [value, false]));
    expect(b.tags.entry(given)?.seenMs).toBe(b.clock.now() - 1_003);
    expect(b.live.all.map(({ historical }) => historical)).toEqual(Array(6).fill(false));
  });

  it('makes no news of a backfill', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), 1, GOOD);
    await turn();
    b.clock.stepWall(-HOUR_MS);
    door.number(series, at(-24 * HOUR_MS), 2, GOOD);
    door.number(series, at(-HOUR_MS), 3, GOOD);
    expect(shown(b)).toEqual([
      [1, false],
      [2, true],
      [3, false],
    ]);
  });

  it('frees what was within the deadband too', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door, 'flow', { deadband: { type: 'absolute', value: 1 } });
    door.number(series, undefined, 10, GOOD);
    await b.clock.advance(HOUR_MS);
    door.number(series, undefined, 10, GOOD);
    await turn();
    b.clock.stepWall(-HOUR_MS / 2);
    door.number(series, undefined, 10, GOOD);
    expect(b.tags.entry(series)?.seenMs).toBe(b.clock.now());
  });

  it.each([60_000, HOUR_MS])('by %d ms over a restart holds back nothing either', (stepMs) => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    Object.assign(b.tags.entry(series) ?? {}, { typed: true, lastMs: at(stepMs), lastNumber: 1, lastStatus: GOOD });
    door.number(series, at(-3), 2, GOOD);
    expect(shown(b)).toEqual([[2, false]]);
  });

  it('while it is not to be trusted: a newest value that lies ahead gives way to one of the present alone', () => {
    const b = bench({ latestMs: () => at(MAX_AHEAD_UNSET_MS) });
    const door = b.door();
    const series = open(door);
    door.number(series, at(HOUR_MS), 1, GOOD);
    door.number(series, at(HOUR_MS / 2), 2, GOOD);
    door.number(series, at(-3), 3, GOOD);
    door.number(series, at(10), 4, GOOD);
    expect(shown(b)).toEqual([
      [1, false],
      [2, true],
      [3, false],
      [4, false],
    ]);
  });

  it('leaves a lost link lost once', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, undefined, 1, GOOD);
    await turn();
    b.clock.stepWall(-HOUR_MS);
    door.lost();
    door.lost();
    door.number(series, undefined, 2, GOOD);
    expect(b.stored().map(({ status, historical }) => [status, historical])).toEqual(
      [
        [BAD_NO_COMMUNICATION, false],
        [GOOD, false],
      ].toSpliced(0, 0, [GOOD, false]),
    );
  });
});

describe('a reading that says nothing new', () => {
  it('is left out when time, value and status are those of the last one', () => {
    const b = bench();
    const door = b.door();
    const number = open(door, 'a');
    const text = open(door, 'b');
    const wide = open(door, 'c');
    for (let time = 0; time < 3; time++) {
      door.number(number, at(0), 1, GOOD);
      door.text(text, at(0), 'x', GOOD);
      door.integer(wide, at(0), 7n, true, GOOD);
    }
    expect(values(b.stored())).toEqual([1, 'x', 7n]);
    expect(counts(b).deduplicated).toBe(6);
  });

  it('is kept when any of the three differs', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), 0, GOOD);
    door.number(series, at(0), -0, GOOD);
    door.number(series, at(0), -0, UNCERTAIN);
    door.number(series, at(1), -0, UNCERTAIN);
    door.missing(series, at(1), BAD_SENSOR_FAILURE);
    door.missing(series, at(1), BAD_SENSOR_FAILURE);
    expect(b.stored()).toHaveLength(5);
    expect(counts(b).deduplicated).toBe(1);
  });
});

describe('a reading whose record the store has lost', () => {
  it.each([
    ['a number', (door: Door, series: SeriesId) => door.number(series, at(0), 1, GOOD)],
    ['a text', (door: Door, series: SeriesId) => door.text(series, at(0), 'x', GOOD)],
    ['a whole number', (door: Door, series: SeriesId) => door.integer(series, at(0), 7n, true, GOOD)],
    ['a missing value', (door: Door, series: SeriesId) => door.missing(series, at(0), BAD_SENSOR_FAILURE)],
  ])('is stored when it is sent again: %s', (_name, send) => {
    const b = bench();
    const door = b.door();
    const series = open(door, 'flow', { deadband: { type: 'absolute', value: 5 } });
    send(door, series);
    b.stored();
    b.pipeline.lose(0 as Sequence, b.ring.head);
    send(door, series);
    send(door, series);
    expect(b.stored().map(({ historical }) => historical)).toEqual([false, false]);
    expect(counts(b)).toMatchObject({ deduplicated: 1, deadbanded: 0 });
  });

  it('leaves the newest time as it was: what is older stays late', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), 1, GOOD);
    b.stored();
    b.pipeline.lose(0 as Sequence, b.ring.head);
    door.number(series, at(-1), 2, GOOD);
    expect(b.stored().map(({ historical }) => historical)).toEqual([false, true]);
  });

  it('is said to be lost again when it was the bad one of a lost link', () => {
    const b = bench();
    const door = b.door();
    door.number(open(door), at(0), 1, GOOD);
    door.lost();
    b.stored();
    b.pipeline.lose(0 as Sequence, b.ring.head);
    door.lost();
    expect(b.stored().map(({ status }) => status)).toEqual([GOOD, BAD_NO_COMMUNICATION, BAD_NO_COMMUNICATION]);
  });
});

describe('a deadband', () => {
  const run = (deadband: Deadband, readings: readonly (readonly [number, number, StatusCode?])[]) => {
    const b = bench();
    const door = b.door();
    const series = open(door, 'flow', { deadband });
    for (const [offsetMs, value, status = GOOD] of readings) door.number(series, at(offsetMs), value, status);
    return { b, series, stored: values(b.stored()), deadbanded: counts(b).deadbanded };
  };

  it('in absolute terms leaves out what is no further than its width from the last stored value', () => {
    const { stored, deadbanded } = run({ type: 'absolute', value: 0.5 }, [
      [0, 10],
      [1, 10.5],
      [2, 10.25],
      [3, 10.75],
      [4, 10.5],
      [5, 9.75],
    ]);
    expect([stored, deadbanded]).toEqual([[10, 10.75, 9.75], 3]);
  });

  it('in percent measures by the last stored value', () => {
    const { stored, deadbanded } = run({ type: 'percent', value: 10 }, [
      [0, -100],
      [1, -110],
      [2, -111],
      [3, 0],
      [4, 0],
      [5, 0.001],
    ]);
    expect([stored, deadbanded]).toEqual([[-100, -111, 0, 0.001], 2]);
  });

  it('does not creep: many small steps are stored once they add up', () => {
    const { stored } = run(
      { type: 'absolute', value: 1 },
      Array.from({ length: 50 }, (_, index) => [index, index * 0.1] as const),
    );
    expect(stored.length).toBeGreaterThanOrEqual(4);
  });

  it('never hides a change of status or a missing value', () => {
    const { stored, deadbanded } = run({ type: 'absolute', value: 5 }, [
      [0, 1],
      [1, 1, UNCERTAIN],
      [2, Number.NaN, BAD_SENSOR_FAILURE],
      [3, 1],
      [4, 2],
    ]);
    expect([stored, deadbanded]).toEqual([[1, 1, Number.NaN, 1], 1]);
  });

  it('never hides a boolean that turns', () => {
    const b = bench();
    const door = b.door();
    const series = open(door, 'running', { deadband: { type: 'absolute', value: 5 } });
    for (const [offsetMs, value] of [false, true, true, false].entries()) door.boolean(series, at(offsetMs), value, GOOD);
    expect(values(b.stored()).filter((value, index, all) => value !== all[index - 1])).toEqual([0, 1, 0]);
  });

  it('holds for 64-bit integers as well', () => {
    const b = bench();
    const door = b.door();
    const series = open(door, 'energy', { valueType: 'u64', deadband: { type: 'absolute', value: 10 } });
    const start = 2n ** 63n;
    for (const [offsetMs, step] of [0n, 10n, 11n, 5n, 1n].entries()) door.integer(series, at(offsetMs), start + step, false, GOOD);
    expect(values(b.stored())).toEqual([start, start + 11n]);
    expect(counts(b).deadbanded).toBe(3);
  });

  it('does not judge a late reading by a value that came after it', () => {
    const { stored, series, b } = run({ type: 'absolute', value: 1 }, [
      [0, 10],
      [100, 20],
      [50, 20.5],
    ]);
    expect(stored).toEqual([10, 20, 20.5]);
    expect(b.tags.entry(series)?.seenMs).toBe(at(100));
  });

  it('remembers the newest time that was seen', () => {
    const { b, series } = run({ type: 'absolute', value: 1 }, [
      [0, 10],
      [100, 10],
      [50, 10],
    ]);
    expect(b.tags.entry(series)?.seenMs).toBe(at(100));
  });
});

describe('text at the door', () => {
  it('may have 1024 characters, not one more', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.text(series, at(0), '€'.repeat(1_024), GOOD);
    door.text(series, at(1), 'x'.repeat(1_025), GOOD);
    expect(values(b.stored())).toEqual(['€'.repeat(1_024)]);
    expect(counts(b).rejected).toEqual({ too_long: 1 });
  });

  it('has its half surrogates replaced, as nothing else can be stored', () => {
    const b = bench();
    const door = b.door();
    door.text(open(door), at(0), 'a\ud83db', GOOD);
    expect(values(b.stored())).toEqual(['a\ufffdb']);
  });
});

describe('a change of value type', () => {
  it('is a new generation of the same key, and back is the old one again', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), 1, GOOD);
    door.text(series, at(1), 'stopped', GOOD);
    door.boolean(series, at(2), true, GOOD);
    door.number(series, at(3), 4, GOOD);
    door.text(series, at(4), 'on', GOOD);
    const stored = b.stored();
    const defs = stored.map((sample) => b.store.definitions.get(sample.series));
    expect(defs.map((def) => [def?.valueType, def?.generation])).toEqual([
      ['f64', 0],
      ['string', 1],
      ['bool', 2],
      ['f64', 0],
      ['string', 1],
    ]);
    expect(new Set(defs.map((def) => `${def?.tenant} ${def?.source} ${def?.asset} ${def?.tag}`)).size).toBe(1);
  });

  it('keeps scale and deadband as the producer said them last', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), 1, GOOD);
    door.text(series, at(1), 'x', GOOD);
    const again = open(door, 'flow', { scale: 10, unit: 'l/h', deadband: { type: 'absolute', value: 100 } });
    door.number(again, at(2), 500, GOOD);
    door.number(again, at(3), 505, GOOD);
    expect(values(b.stored())).toEqual([1, 'x', 5_000]);
    expect(counts(b).deadbanded).toBe(1);
    const f64 = [...b.store.definitions.values()].find(({ valueType }) => valueType === 'f64');
    expect([f64?.unit, f64?.scale]).toEqual(['l/h', 10]);
  });

  it('of a series without values settles the type instead', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    expect(b.announced).toEqual([]);
    door.text(series, at(0), 'x', GOOD);
    expect(b.announced.map(([id, def]) => [id, def.valueType, def.generation])).toEqual([[series, 'string', 0]]);
    expect(b.stored().map((sample) => sample.series)).toEqual([series]);
  });

  it('that finds no more series is refused once, whatever else is wrong', () => {
    const b = bench();
    b.tags.restore([], MAX_SERIES_ID as SeriesId);
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), 1, GOOD);
    door.text(series, at(1), 'x', GOOD);
    door.text(series, Number.NaN as UnixMs, 'x', GOOD);
    door.boolean(series, at(MAX_AHEAD_MS + 9), true, GOOD);
    expect(door.series({ asset: 'pump', tag: 'other' })).toBeUndefined();
    b.stored();
    const { rejected, received, committed } = counts(b);
    expect([received, committed]).toEqual([5, 1]);
    expect(Object.values(rejected).reduce((sum, count) => sum + count, 0)).toBe(4);
  });
});

describe('who may pass the door', () => {
  it('are the tenants that the box knows', () => {
    const b = bench();
    const door = b.door();
    expect(door.series({ asset: 'a', tag: 't', tenant: 'nobody' })).toBeUndefined();
    const theirs = open(door, 'flow', { tenant: 'plant-2' });
    expect(b.tags.definition(theirs).tenant).toBe('plant-2');
    expect(b.tags.definition(open(door)).tenant).toBe('default');
    expect(counts(b).rejected).toEqual({ unknown_tenant: 1 });
  });

  it.each([
    ['', 't'],
    ['-a', 't'],
    ['a b', 't'],
    ['a'.repeat(129), 't'],
    ['a', ''],
    ['a', 'x'.repeat(129)],
    ['a', 'line\nbreak'],
    ['a', '\ud83d'],
  ])('are not asset %j with tag %j', (asset, tag) => {
    const b = bench();
    expect(b.door().series({ asset, tag })).toBeUndefined();
    expect(counts(b).rejected).toEqual({ invalid_tag: 1 });
  });

  it('is nobody once it is closed', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    door.number(series, at(0), 1, GOOD);
    door.close();
    door.number(series, at(1), 2, GOOD);
    door.integer(series, at(1), 2n, true, GOOD);
    door.boolean(series, at(1), true, GOOD);
    door.text(series, at(1), 'x', GOOD);
    door.missing(series, at(1), BAD_SENSOR_FAILURE);
    await turn();
    expect(values(b.live.all)).toEqual([1]);
    expect(values(b.stored())).toEqual([1]);
    expect(counts(b).dropped).toEqual({ closed: 5 });
  });

  it('is told of a unit that does not fit into a definition, and nothing breaks', () => {
    const b = bench();
    const door = b.door();
    const series = door.series({ asset: 'a', tag: 't', unit: '°'.repeat(5_000) });
    if (series !== undefined) door.number(series, at(0), 1, GOOD);
    expect(counts(b).received).toBe(1);
  });
});

describe('a link that is lost', () => {
  it('gives each series that has samples exactly one bad one, however often it is said', async () => {
    const b = bench();
    const door = b.door();
    door.number(open(door, 'a'), at(0), 1, GOOD);
    door.text(open(door, 'b'), at(0), 'x', GOOD);
    door.integer(open(door, 'c'), at(5_000), 9n, true, GOOD); // ahead of our clock, within what is believed
    open(door, 'never');
    b.door('other').number(open(b.door('other')), at(0), 1, GOOD);
    await b.clock.advance(1_000);
    door.lost();
    door.lost();
    b.door().lost();
    const lost = b.stored().filter(({ status }) => status === BAD_NO_COMMUNICATION);
    expect(lost.map(({ series, timeMs, value, historical }) => [b.tags.definition(series).tag, timeMs, value, historical])).toEqual([
      ['a', at(1_000), Number.NaN, false],
      ['b', at(1_000), Number.NaN, false],
      ['c', at(6_000), Number.NaN, false],
    ]);
    expect(counts(b).received).toBe(6);
  });

  it('happens at the time that the clock of the device shows, so that what a lagging one sends next is not late', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door, 'a');
    door.number(series, at(-3_600_000), 1, GOOD);
    await b.clock.advance(2_000);
    door.lost();
    await b.clock.advance(1_000);
    door.number(series, at(-3_597_000), 2, GOOD);
    expect(b.stored().map(({ timeMs, historical }) => [timeMs, historical])).toEqual([
      [at(-3_600_000), false],
      [at(-3_598_000), false],
      [at(-3_597_000), false],
    ]);
  });

  it('is said again after the next sample', () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    for (let round = 0; round < 3; round++) {
      door.number(series, at(round * 10), round, GOOD);
      b.clock.busy(5);
      door.lost();
      b.clock.busy(5);
    }
    expect(values(b.stored())).toEqual([0, Number.NaN, 1, Number.NaN, 2, Number.NaN]);
  });

  it('is said once though the clock was set back by an hour in between', async () => {
    const b = bench();
    const door = b.door();
    door.number(open(door), undefined, 1, GOOD);
    await turn();
    b.clock.stepWall(-3_600_000);
    for (let attempt = 0; attempt < 5; attempt++) {
      door.lost();
      await b.clock.advance(5_000);
    }
    expect(b.stored().filter(({ status }) => status === BAD_NO_COMMUNICATION)).toHaveLength(1);
  });

  it('is said again when the ring had no place for it', async () => {
    const b = bench();
    const door = b.door();
    const series = open(door);
    while (b.ring.hasRoom(1)) door.number(series, undefined, b.ring.head, GOOD);
    door.lost();
    expect(counts(b).dropped).toEqual({ store_full: 1 });
    await turn();
    expect(b.live.all.at(-1)?.status).toBe(BAD_NO_COMMUNICATION);
    b.stored();
    door.lost();
    door.lost();
    expect(b.stored().filter(({ status }) => status === BAD_NO_COMMUNICATION)).toHaveLength(1);
  });

  it('is not said twice over a restart that remembers the newest samples', () => {
    const before = bench();
    const door = before.door();
    for (const tag of ['a', 'b']) door.number(open(door, tag), at(0), 1, GOOD);
    door.lost();
    const stored = before.stored();

    const after = bench({ start: before.ring.head });
    const catalogue = [...before.store.definitions].map(([id, def]) => ({ id, def }));
    after.tags.restore(catalogue, (Math.max(...before.store.definitions.keys()) + 1) as SeriesId);
    for (const [id, def] of before.store.definitions) after.store.definitions.set(id, def);
    for (const { series, timeMs, status } of stored) {
      const entry = after.tags.entry(series);
      if (entry)
        Object.assign(entry, { lastMs: timeMs, lastStatus: status, lastNumber: Number.NaN, lost: status === BAD_NO_COMMUNICATION });
    }
    const next = after.door();
    next.lost();
    expect(after.stored()).toEqual([]);
    next.number(open(next, 'a'), at(50), 2, GOOD);
    next.lost();
    expect(after.stored().map(({ series, value }) => [after.tags.definition(series).tag, value])).toEqual([
      ['a', 2],
      ['a', Number.NaN],
    ]);
  });
});

describe('a definition', () => {
  it('goes before the first sample, once, and again when the unit changes', () => {
    const b = bench();
    const door = b.door();
    door.number(open(door), at(0), 1, GOOD);
    const first = b.ring.head;
    door.number(open(door), at(1), 2, GOOD);
    expect(b.ring.head).toBe(first + 1);
    door.number(open(door, 'flow', { unit: 'l/h' }), at(2), 3, GOOD);
    expect(b.ring.head).toBeGreaterThan(first + 3);
    expect(b.stored()).toHaveLength(3);
    expect([...b.store.definitions.values()].map(({ unit }) => unit)).toEqual(['l/h']);
    expect(b.announced.map(([, def]) => def.unit)).toEqual([undefined, 'l/h']);
  });

  it('is made good when the ring was full at the first sample', () => {
    const b = bench();
    const door = b.door();
    const filler = open(door, 'filler');
    while (b.ring.hasRoom(1)) door.number(filler, undefined, b.ring.head, GOOD);
    const late = open(door, 'late');
    door.number(late, at(0), 1, GOOD);
    b.stored();
    door.number(late, at(1), 2, GOOD);
    expect(b.stored().filter(({ series }) => series === late)).toHaveLength(1);
  });
});

describe('a place that was reserved', () => {
  type Kind = 'number' | 'text' | 'integer' | 'boolean' | 'missing';
  const kinds: readonly Kind[] = ['number', 'text', 'integer', 'boolean', 'missing'];
  const say = (door: Door, series: SeriesId, kind: Kind, text: string, offsetMs: number) => {
    if (kind === 'number') door.number(series, at(offsetMs), offsetMs, GOOD);
    else if (kind === 'integer') door.integer(series, at(offsetMs), BigInt(offsetMs), true, GOOD);
    else if (kind === 'boolean') door.boolean(series, at(offsetMs), true, GOOD);
    else if (kind === 'missing') door.missing(series, at(offsetMs), BAD_SENSOR_FAILURE);
    else door.text(series, at(offsetMs), text, GOOD);
  };
  interface Said {
    readonly tag: number;
    readonly text: string;
  }
  const short = fc.string({ unit: 'binary', maxLength: 12 });
  const text = fc.oneof(
    { weight: 5, arbitrary: short },
    fc.nat(1_024).map((length) => '€'.repeat(length)),
  );
  const round = fc.record({
    /** Whether the batch has series that no one has seen. */
    fresh: fc.boolean(),
    readings: fc.oneof<fc.Arbitrary<Said[]>[]>(
      fc.array(fc.record({ tag: fc.nat(60), text }), { maxLength: 20, size: 'max' }),
      fc.array(fc.record({ tag: fc.nat(60), text: short }), { minLength: 30, maxLength: 60, size: 'max' }),
      fc.array(fc.record({ tag: fc.constant(1), text: fc.string({ maxLength: 2 }) }), { minLength: 200, maxLength: 350, size: 'max' }),
    ),
  });

  it('holds every record of the batch, wherever the ring stands, with not a slot to spare', () => {
    let granted = 0;
    fc.assert(
      fc.property(fc.nat(1_023), fc.array(round, { minLength: 1, maxLength: 12, size: 'max' }), (start, rounds) => {
        const b = bench({ start, slots: 1_024 });
        const filler = b.door('filler');
        const filling = open(filler);
        const door = b.door();
        let offsetMs = 0;
        for (const [index, { fresh, readings }] of rounds.entries()) {
          while (b.ring.hasRoom(10)) filler.number(filling, at(++offsetMs), offsetMs, GOOD);
          const batch = readings.map(({ tag, text }) => {
            const kind = kinds[tag % kinds.length] as Kind;
            return { series: open(door, `${kind}-${tag}${fresh ? `-${index}` : ''}`), kind, text: text.toWellFormed() };
          });
          const textBytes = batch.reduce((sum, { kind, text }) => sum + (kind === 'text' ? Buffer.byteLength(text) : 0), 0);
          b.pipeline.publish();
          // One record after the other is written, so that the place is granted as soon as it is there.
          while (!door.reserve(batch.length, textBytes) && b.ring.backlog > 0) b.store.write(1);
          if (!door.reserve(batch.length, textBytes)) continue;
          granted++;
          for (const { series, kind, text } of batch) say(door, series, kind, text, ++offsetMs);
          expect(b.account('plc').counts().dropped).toEqual({});
        }
      }),
      { numRuns: 150 },
    );
    expect(granted).toBeGreaterThan(300);
  });

  it('is found in an empty ring for any batch that fits, however many series the producer knows', () => {
    const b = bench({ slots: 4_096 });
    const door = b.door();
    const series = Array.from({ length: 3_000 }, (_, index) => open(door, `tag-${index}`));
    for (let from = 0; from < series.length; from += 100) {
      expect(door.reserve(100)).toBe(true);
      for (const id of series.slice(from, from + 100)) door.number(id, at(0), from, GOOD);
      b.stored();
    }
    expect(counts(b).committed).toBe(3_000);
  });

  it('is not refused for series that another door has defined in the meantime', () => {
    const b = bench({ slots: 4_096 });
    const idle = b.door();
    const busy = b.door();
    for (let index = 0; index < 1_000; index++) {
      const tag = `tag-${index}`;
      open(idle, tag);
      busy.number(open(busy, tag), at(0), index, GOOD);
      if (index % 100 === 0) b.stored();
    }
    b.stored();
    expect(idle.reserve(200)).toBe(true);
  });

  it('does not wait for room by keeping the thread', async () => {
    const b = bench();
    const door = b.door();
    open(door);
    expect(door.reserve(10_000)).toBe(false);
    const stop = new AbortController();
    let resolved = 0;
    const waiting = (async () => {
      while (!door.reserve(10_000)) {
        await door.room(stop.signal);
        if (++resolved > 1_000) throw new Error('room resolves again and again, and nothing else can run');
      }
    })();
    const ended = expect(waiting).rejects.toThrow('enough');
    await b.clock.advance(200);
    stop.abort(new Error('enough'));
    await ended;
  });
});

describe('the catalogue', () => {
  const key = { tenant: 'default', source: 'plc', asset: 'pump' };
  const def = (tag: string, generation = 0): SeriesDef => ({ ...key, tag, valueType: 'f64', generation });

  it('gives each tag one id, never one that was given before', () => {
    const b = bench();
    b.tags.restore([{ id: 7 as SeriesId, def: def('a') }], 12 as SeriesId);
    const door = b.door();
    expect([open(door, 'a'), open(door, 'b'), open(door, 'b'), open(door, 'c')]).toEqual([7, 12, 12, 13]);
    expect(b.tags.entry(1 as SeriesId)).toBeUndefined();
    expect(() => b.tags.definition(1 as SeriesId)).toThrow(RangeError);
  });

  it('takes no more series than the box and each tenant may have, counts what it refuses, and goes on with those it has', () => {
    const b = bench({ limits: { box: 4, tenant: 3 } });
    b.tags.restore([{ id: 1 as SeriesId, def: def('a') }], 2 as SeriesId);
    const door = b.door();
    const wish = (tag: string, tenant = 'default') => door.series({ asset: 'pump', tag, tenant });
    expect([wish('b'), wish('c')]).toEqual([2, 3]);
    expect(wish('d')).toBeUndefined();
    expect(wish('a', 'plant-2')).toBe(4);
    expect(wish('b', 'plant-2')).toBeUndefined();
    expect([wish('a'), wish('c')]).toEqual([1, 3]);
    expect(b.account('plc').counts().rejected).toMatchObject({ series_limit: 2 });
  });

  it('has room for series by memory, a million at most', () => {
    expect(seriesLimits(512 * 2 ** 20)).toEqual({ box: 50_000, tenant: 37_500 });
    expect(seriesLimits(64 * 2 ** 30)).toEqual({ box: 1_000_000, tenant: 750_000 });
  });

  it('finds series by tenant, source, asset and tag', () => {
    const b = bench();
    const one = b.door('one');
    const two = b.door('two');
    const a = open(one, 'a');
    const other = open(two, 'a');
    const c = open(one, 'c', { asset: 'fan' });
    const theirs = open(one, 'a', { tenant: 'plant-2' });
    const find = (filter: Parameters<typeof b.tags.find>[0]) => b.tags.find(filter);
    expect(find({ tenant: 'default' })).toEqual([a, other, c]);
    expect(find({ tenant: 'default', sources: ['one'] })).toEqual([a, c]);
    expect(find({ tenant: 'default', assets: ['fan', 'pump'], tags: ['a'] })).toEqual([a, other]);
    expect(find({ tenant: 'plant-2' })).toEqual([theirs]);
    expect(find({ tenant: 'default', sources: [] })).toEqual([]);
    expect(find({ tenant: 'nobody' })).toEqual([]);
  });

  it('finds what a walk over all series finds, whatever lists are given', () => {
    const names = ['a', 'b', 'c'];
    const list = fc.option(fc.subarray([...names, 'none']), { nil: undefined });
    const b = bench();
    const all = names.flatMap((source) =>
      names.flatMap((asset) => names.map((tag) => ({ tenant: asset === 'c' ? 'plant-2' : 'default', source, asset, tag }))),
    );
    b.tags.restore(
      all.map((each, index) => ({ id: (index + 1) as SeriesId, def: { ...each, valueType: 'f64', generation: 0 } })),
      100 as SeriesId,
    );
    fc.assert(
      fc.property(fc.constantFrom('default', 'plant-2'), list, list, list, (tenant, sources, assets, tags) => {
        const isFound = (each: (typeof all)[number]) =>
          each.tenant === tenant &&
          [
            [sources, each.source],
            [assets, each.asset],
            [tags, each.tag],
          ].every(([of, name]) => of?.includes(name as string) ?? true);
        const found = b.tags.find({ tenant, ...(sources && { sources }), ...(assets && { assets }), ...(tags && { tags }) });
        expect(found).toEqual(all.flatMap((each, index) => (isFound(each) ? [index + 1] : [])));
      }),
    );
  });

  it('finds fifty thousand names among as many series', () => {
    const b = bench();
    const names = Array.from({ length: 50_000 }, (_, n) => `tag-${n}`);
    b.tags.restore(
      names.map((tag, n) => ({ id: (n + 1) as SeriesId, def: { ...key, asset: `asset-${n}`, tag, valueType: 'f64', generation: 0 } })),
      60_000 as SeriesId,
    );
    const assets = names.map((_, n) => `asset-${n}`);
    expect(b.tags.find({ tenant: 'default', tags: names.toReversed() })).toHaveLength(50_000);
    expect(b.tags.find({ tenant: 'default', assets, tags: names })).toHaveLength(50_000);
  });
});
