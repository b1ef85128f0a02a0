/** Simulated values depend on seed and time alone, and stay where their waveform says. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import type { Emit } from '../../../src/core/emit.ts';
import { silentLog } from '../../../src/core/log.ts';
import { BAD_NODE_ID_UNKNOWN, GOOD } from '../../../src/core/status.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import type { Leave } from '../../../src/drivers/driver.ts';
import { createDriver } from '../../../src/drivers/simulator/driver.ts';
import { configSchema, endpoint, type SimulatorTag, tagSchema, WAVEFORMS } from '../../../src/drivers/simulator/options.ts';
import { noise, tagSeed, valueAt } from '../../../src/drivers/simulator/waveform.ts';
import { ManualClock, turn } from '../../support/manual-clock.ts';
import { recordingEmit } from '../../support/recording-emit.ts';

const waves = fc.record({
  waveform: fc.constantFrom(...WAVEFORMS),
  amplitude: fc.integer({ min: -1_000, max: 1_000 }),
  mean: fc.integer({ min: -1_000, max: 1_000 }),
  period_ms: fc.integer({ min: 100, max: 86_400_000 }),
  texts: fc.array(fc.string(), { minLength: 1, maxLength: 5 }),
});
const times = fc.integer({ min: -1_000_000_000_000, max: 4_000_000_000_000 });
const seeds = fc.nat(0xffff_ffff);
const wave = (waveform: (typeof WAVEFORMS)[number]) => ({ waveform, amplitude: 2, mean: 10, period_ms: 1_000, texts: ['a', 'b', 'c'] });

describe('valueAt', () => {
  it('gives the same value for the same seed and time, within mean ± amplitude', () => {
    fc.assert(
      fc.property(waves, seeds, times, (some, seed, timeMs) => {
        const value = valueAt(some, seed, timeMs);
        expect(valueAt(some, seed, timeMs)).toBe(value);
        if (typeof value === 'string') expect(some.texts).toContain(value);
        else if (some.waveform === 'counter') expect(Number.isFinite(value)).toBe(true);
        else expect(Math.abs(value - some.mean)).toBeLessThanOrEqual(Math.abs(some.amplitude) + 1e-9);
      }),
    );
  });

  it.each([
    ['sine', [10, 12, 10, 8]],
    ['ramp', [8, 9, 10, 11]],
    ['square', [12, 12, 8, 8]],
    ['constant', [10, 10, 10, 10]],
  ] as const)('draws a %s', (waveform, quarters) => {
    for (const [quarter, value] of quarters.entries()) expect(valueAt(wave(waveform), 1, quarter * 250)).toBeCloseTo(value, 9);
  });

  it('counts and talks period by period', () => {
    expect([0, 999, 1_000, 5_500].map((timeMs) => valueAt(wave('counter'), 1, timeMs))).toEqual([10, 10, 12, 20]);
    expect([0, 999, 1_000, 5_500].map((timeMs) => valueAt(wave('text'), 1, timeMs))).toEqual(['a', 'a', 'b', 'c']);
  });

  it('wanders without jumps, differently for each seed', () => {
    fc.assert(
      fc.property(seeds, fc.double({ min: -1e6, max: 1e6, noNaN: true }), (seed, x) => {
        expect(Math.abs(noise(seed, x + 1e-4) - noise(seed, x))).toBeLessThan(0.02);
      }),
    );
    const line = (seed: number) => Array.from({ length: 50 }, (_, index) => noise(seed, index / 3));
    expect(line(tagSeed(1, 'a'))).not.toEqual(line(tagSeed(1, 'b')));
    expect(Math.max(...line(5)) - Math.min(...line(5))).toBeGreaterThan(0.5);
  });
});

/** Only when numbers came: `recordingEmit` looks a series up among all, which takes long for thousands. */
function countingEmit() {
  const times: (UnixMs | undefined)[] = [];
  let series = 0;
  const emit: Emit = {
    ...recordingEmit().emit,
    series: () => series++ as SeriesId,
    number: (_series, timeMs) => times.push(timeMs),
  };
  return { emit, times };
}

describe('the simulator driver', () => {
  const tags = [
    { tag_name: 'load', asset_id: 'motor', waveform: 'sine' as const, amplitude: 5, mean: 50, unit: '%', scale: 2, offset: 1 },
    { tag_name: 'state', waveform: 'text' as const, texts: ['idle', 'busy'], period_ms: 1_000 },
    { tag_name: 'walk', waveform: 'random_walk' as const, polling_interval_ms: 200 },
  ].map((tag) => tagSchema.parse(tag));
  const make = (clock: Clock, seed = 7) =>
    createDriver(
      { sourceId: 'sim', config: configSchema.parse({ polling_interval_ms: 100, seed }), tags },
      { log: silentLog, clock, stateDir: '', report: () => {} },
    );
  const frozen: Clock = { ...systemClock, now: () => 1_767_693_600_123 as UnixMs };

  it('emits every tag at its interval until it is told to stop', async () => {
    const { emit, readings, tags: declared } = recordingEmit();
    const stop = new AbortController();
    const driver = make(systemClock);
    await driver.connect(stop.signal);
    const ended = driver.run(emit, stop.signal);
    const deadlineMs = systemClock.monotonicMs() + 5_000;
    const count = (name: string) => readings.filter(({ tag }) => tag === name).length;
    while (count('walk') < 3 && systemClock.monotonicMs() < deadlineMs) await systemClock.sleep(5);
    stop.abort();
    await ended;
    await driver.close();
    expect(count('load')).toBeGreaterThan(count('walk'));
    expect(declared.get('motor/load')).toEqual({ asset: 'motor', tag: 'load', valueType: 'f64', unit: '%', scale: 2, offset: 1 });
    expect(declared.get('sim/state')?.valueType).toBe('string');
    for (const { tag, value, timeMs, status } of readings) {
      expect(status).toBe(GOOD);
      if (tag === 'load') expect(value).toBe(valueAt(tagSchema.parse(tags[0]), 0, Number(timeMs)));
    }
  });

  it('leaves others a turn within a round of many tags, all of which have the time of its beginning', async () => {
    const hands = new ManualClock();
    let looks = 0; // a millisecond passes at each
    const clock: Clock = {
      now: () => hands.now(),
      monotonicMs: () => hands.monotonicMs() + looks++,
      sleep: (durationMs, signal) => hands.sleep(durationMs, signal),
    };
    const many = Array.from({ length: 5_000 }, (_, n) => tagSchema.parse({ tag_name: `tag-${n}` }));
    const driver = createDriver(
      { sourceId: 'sim', config: configSchema.parse({ polling_interval_ms: 100 }), tags: many },
      { log: silentLog, clock, stateDir: '', report: () => {} },
    );
    const counted = countingEmit();
    const stop = new AbortController();
    const ended = driver.run(counted.emit, stop.signal);
    const startMs = clock.now();
    await new Promise((resolve) => setImmediate(resolve));
    expect(counted.times.length).toBeGreaterThan(0);
    expect(counted.times.length).toBeLessThan(5_000);
    hands.busy(50);
    while (counted.times.length < 5_000) await turn();
    expect(counted.times).toEqual(Array.from({ length: 5_000 }, () => startMs));
    stop.abort();
    await ended;
  });

  it('goes on with other tags when they change, and a tag that stays as it is stays at what was written', async () => {
    const clock = new ManualClock();
    const level = tagSchema.parse({ tag_name: 'level', writable: true });
    const others = ['goes', 'comes'].map((tag_name) => tagSchema.parse({ tag_name }));
    const driver = createDriver(
      { sourceId: 'sim', config: configSchema.parse({ polling_interval_ms: 100 }), tags: [level, others[0] as SimulatorTag] },
      { log: silentLog, clock, stateDir: '', report: () => {} },
    );
    const { emit, readings } = recordingEmit();
    const stop = new AbortController();
    const ended = driver.run(emit, stop.signal);
    const ref = (tagName: string) => ({ assetId: 'sim', tagName });
    await driver.write?.(ref('level'), 7, stop.signal);
    await clock.advance(250);
    const told: boolean[][] = [];
    const leave: Leave = (goesOn) => told.push([goesOn(ref('level')), goesOn(ref('goes')), goesOn(ref('comes'))]);
    await driver.retag?.([tagSchema.parse({ tag_name: 'level', writable: true }), others[1]], leave, stop.signal);
    expect(told).toEqual([[true, false, false]]);
    const before = readings.length;
    await clock.advance(250);
    const after = readings.slice(before);
    expect(new Set(after.map(({ tag }) => tag))).toEqual(new Set(['level', 'comes']));
    expect(new Set(after.flatMap(({ tag, value }) => (tag === 'level' ? [value] : [])))).toEqual(new Set([7]));
    stop.abort();
    await ended;
  });

  it('reads now what it would emit now, scaled, the same on every start', async () => {
    const signal = new AbortController().signal;
    const names = [{ assetId: 'motor', tagName: 'load' }, ...['state', 'walk', 'nobody'].map((tagName) => ({ assetId: 'sim', tagName }))];
    const [one, again, other] = [make(frozen), make(frozen), make(frozen, 8)];
    const readings = await one.readNow?.(names, signal);
    expect(await again.readNow?.(names, signal)).toEqual(readings);
    expect((await other.readNow?.([{ assetId: 'sim', tagName: 'walk' }], signal))?.[0]?.value).not.toBe(readings?.[2]?.value);
    const load = valueAt(tagSchema.parse(tags[0]), 0, frozen.now());
    expect(readings?.map(({ tagName, assetId, value, status }) => [tagName, assetId, value, status])).toEqual([
      ['load', 'motor', Number(load) * 2 + 1, GOOD],
      ['state', 'sim', 'idle', GOOD],
      ['walk', 'sim', expect.any(Number), GOOD],
      ['nobody', 'sim', null, BAD_NODE_ID_UNKNOWN],
    ]);
  });

  it('leads nowhere', () => {
    expect(endpoint({})).toBe('simulator');
  });

  it('asks for texts where they are needed, and only there', () => {
    const complaint = (tag: object) => tagSchema.safeParse({ tag_name: 't', ...tag }).error?.issues[0]?.path;
    expect(complaint({ waveform: 'text' })).toEqual(['texts']);
    expect(complaint({ waveform: 'sine', texts: ['a'] })).toEqual(['texts']);
    expect(complaint({ waveform: 'text', texts: ['a'] })).toBeUndefined();
  });
});

describe('writing', () => {
  const signal = new AbortController().signal;
  const power = { assetId: 'motor', tagName: 'power' };
  const make = (more: object) => {
    const tags = [tagSchema.parse({ tag_name: 'power', asset_id: 'motor', waveform: 'square', scale: 2, ...more })];
    const context = { log: silentLog, clock: systemClock, stateDir: '', report: () => {} };
    return createDriver({ sourceId: 'sim', config: configSchema.parse({}), tags }, context);
  };
  const one = () => make({ writable: true });

  it('keeps the tag at what was written, and its next reading says so at once', async () => {
    const driver = one();
    const { emit, readings } = recordingEmit();
    const stop = new AbortController();
    const ended = driver.run(emit, stop.signal);
    expect(await driver.write?.(power, 7, signal)).toMatchObject({ confirmed: true, reading: { value: 7, status: GOOD } });
    expect(readings.at(-1)).toMatchObject({ tag: 'power', value: 3.5 });
    expect((await driver.readNow?.([power], signal))?.[0]?.value).toBe(7);
    expect((await driver.write?.(power, false, signal))?.reading.value).toBe(0);
    stop.abort();
    await ended;
  });

  it('refuses text for a number, a tag that is not writable, and one that is not there', async () => {
    await expect(one().write?.(power, 'on', signal)).rejects.toMatchObject({ code: 'invalid_value' });
    await expect(one().write?.({ ...power, tagName: 'nobody' }, 1, signal)).rejects.toMatchObject({ code: 'unknown_tag' });
    await expect(make({}).write?.(power, 1, signal)).rejects.toMatchObject({ code: 'not_writable' });
  });
});
