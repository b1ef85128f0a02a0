/** The twins of the box: made of tags and of the file, remembered in the records. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Log, type LogFields, silentLog } from '../../src/core/log.ts';
import { ID_PATTERN, type SeriesDef, TAG_NAME_PATTERN } from '../../src/core/tag.ts';
import { TwinRegistry, type TwinRegistryOptions, type TwinSpec } from '../../src/twin/registry.ts';
import { ManualClock, MORNING_MS } from '../support/manual-clock.ts';
import { MemoryRecords } from '../support/memory-records.ts';

interface Box {
  readonly registry: TwinRegistry;
  readonly clock: ManualClock;
  readonly records: MemoryRecords;
  readonly warnings: (readonly [LogFields, string])[];
}

function box(records = new MemoryRecords(), more: Partial<TwinRegistryOptions> = {}): Box {
  const clock = new ManualClock();
  const warnings: [LogFields, string][] = [];
  const log: Log = { ...silentLog, warn: (fields, message) => warnings.push([fields, message]) };
  const registry = new TwinRegistry({ clock, log, records, autoTwins: true, isPackSource: (source) => source === 'bms', ...more });
  return { registry, clock, records, warnings };
}

function tag(name: string, more: Partial<SeriesDef> = {}): SeriesDef {
  return { tenant: 'default', source: 'plc', asset: 'pump', tag: name, valueType: 'f64', generation: 0, ...more };
}

function spec(more: Partial<TwinSpec> = {}): TwinSpec {
  return { tenant: 'default', id: 'pump', name: 'Feed pump', type: 'device', metadata: {}, sensors: [], actuators: [], ...more };
}

const flowSensor = {
  id: 'flow',
  name: 'Flow',
  unit: 'l/h',
  maxValue: 900,
  binding: { asset: 'pump', tag: 'flow' },
  bindingExplicit: false,
};

describe('a twin made of tags', () => {
  it('appears with the first tag of its asset, one sensor a tag in the order of their making', () => {
    const { registry } = box();
    for (const [name, unit] of [
      ['speed', 'rpm'],
      ['flow', 'l/h'],
    ] as const)
      registry.define(tag(name, { unit }));
    registry.define(tag('speed', { unit: 'rpm', generation: 1, valueType: 'string' }));
    expect(registry.get('default', 'pump')).toEqual({
      tenant: 'default',
      id: 'pump',
      revision: 1,
      name: 'pump',
      type: 'equipment',
      status: 'active',
      managedBy: 'api',
      metadata: {},
      createdMs: MORNING_MS,
      updatedMs: MORNING_MS,
      sensors: [
        { id: 'speed', name: 'speed', unit: 'rpm', binding: { asset: 'pump', tag: 'speed' }, bindingExplicit: false, fromTag: true },
        { id: 'flow', name: 'flow', unit: 'l/h', binding: { asset: 'pump', tag: 'flow' }, bindingExplicit: false, fromTag: true },
      ],
      actuators: [],
      hiddenTags: [],
    });
  });

  it('shows a tag that was made and a unit that has changed since it was last asked for, among hundreds of others', () => {
    const { registry } = box();
    const sensors = () => registry.get('default', 'pump')?.sensors.map(({ id, unit }) => `${id} ${unit}`);
    registry.define(tag('flow', { unit: 'l/h' }));
    expect(sensors()).toEqual(['flow l/h']);
    expect(registry.get('default', 'pump')).toBe(registry.get('default', 'pump'));
    for (let index = 0; index < 300; index++) {
      registry.define(tag('speed', { asset: `fan-${index}`, unit: 'rpm' }));
      expect(registry.get('default', `fan-${index}`)?.sensors).toHaveLength(1);
    }
    registry.define(tag('flow', { unit: 'm3/h' }));
    registry.define(tag('speed', { unit: 'rpm' }));
    expect(sensors()).toEqual(['flow m3/h', 'speed rpm']);
    expect(registry.get('default', 'fan-0')?.sensors).toHaveLength(1);
  });

  it('is listed without the sensors of its tags, which it shows when it is asked for itself', () => {
    const { registry } = box();
    registry.define(tag('flow'));
    expect(registry.list('default').map(({ id, sensors }) => [id, sensors.length])).toEqual([['pump', 0]]);
    expect(registry.get('default', 'pump')?.sensors).toHaveLength(1);
  });

  it('is a battery pack when a pack source feeds it', () => {
    const { registry } = box();
    registry.define(tag('soc', { asset: 'pack-1', source: 'bms' }));
    expect(registry.get('default', 'pack-1')?.type).toBe('battery_pack');
  });

  it('belongs to its tenant alone', () => {
    const { registry } = box();
    registry.define(tag('flow', { tenant: 'plant-2' }));
    expect(registry.get('default', 'pump')).toBeUndefined();
    expect(registry.list('default')).toEqual([]);
    expect(registry.list('plant-2').map(({ id }) => id)).toEqual(['pump']);
  });

  it('is not made when the file forbids it', () => {
    const { registry } = box(undefined, { autoTwins: false });
    registry.define(tag('flow'));
    expect(registry.list('default')).toEqual([]);
  });

  it('no longer counts among the made ones once the file names it', async () => {
    const first = box();
    for (let index = 0; index < 10_000; index++) first.registry.define(tag('t', { asset: `asset-${index}` }));
    await first.registry.load([spec({ id: 'asset-0' })]);
    first.registry.define(tag('t', { asset: 'one-more' }));
    expect(first.registry.get('default', 'one-more')).toBeDefined();
    expect(first.warnings).toEqual([]);
  });

  it('is one of ten thousand at most, which is said once; those that exist still get sensors', () => {
    const { registry, warnings } = box();
    for (let index = 0; index < 10_050; index++) registry.define(tag('t', { asset: `asset-${index}` }));
    expect(registry.list('default')).toHaveLength(10_000);
    expect(warnings).toHaveLength(1);
    registry.define(tag('u', { asset: 'asset-7' }));
    expect(registry.get('default', 'asset-7')?.sensors.map(({ id }) => id)).toEqual(['t', 'u']);
  });
});

describe('a file that is read again', () => {
  it('makes, changes and ends its twins, and leaves those that say the same as they are', async () => {
    const { registry, records, clock } = box();
    await registry.load([spec(), spec({ id: 'fan', name: 'Fan' })]);
    await clock.advance(5);
    const writes = records.writes;
    await registry.takeFile([spec(), spec({ id: 'fan', name: 'Big fan' }), spec({ id: 'kiln', name: 'Kiln' })]);
    expect(records.writes).toBe(writes + 2);
    expect(registry.get('default', 'pump')).toMatchObject({ revision: 1, updatedMs: MORNING_MS });
    expect(registry.get('default', 'fan')).toMatchObject({
      name: 'Big fan',
      revision: 2,
      createdMs: MORNING_MS,
      updatedMs: MORNING_MS + 5,
    });
    expect(registry.get('default', 'kiln')).toMatchObject({ managedBy: 'config' });
    await registry.takeFile([spec()]);
    expect(registry.list('default').map(({ id }) => id)).toEqual(['pump']);
    expect(await records.documents('twin')).toHaveLength(1);
  });

  it('leaves a twin that its tags make where it names one no more, and takes one over that it names', async () => {
    const { registry } = box();
    registry.define(tag('flow', { unit: 'm3' }));
    await registry.takeFile([spec({ sensors: [flowSensor] })]);
    expect(registry.get('default', 'pump')).toMatchObject({ revision: 2, managedBy: 'config', sensors: [{ name: 'Flow', unit: 'l/h' }] });
    await registry.takeFile([]);
    expect(registry.get('default', 'pump')).toMatchObject({ name: 'pump', managedBy: 'api', sensors: [{ name: 'flow', unit: 'm3' }] });
  });

  it('waits for a change of the twin that is under way', async () => {
    const { registry, records } = box();
    await registry.create({ tenant: 'default', id: 'pump', name: 'Pump', type: 'device', metadata: {} });
    let open = () => {};
    records.gate = new Promise((resolve) => {
      open = resolve;
    });
    const change = registry.change({ tenant: 'default', id: 'pump' }, (twin) => ({ ...twin, name: 'Theirs' }));
    const taken = registry.takeFile([spec()]);
    open();
    await Promise.all([change, taken]);
    expect(registry.get('default', 'pump')).toMatchObject({ name: 'Feed pump', managedBy: 'config', revision: 3 });
  });
});

describe('the id of a sensor', () => {
  const sensorsOf = (names: readonly string[]) => {
    const { registry } = box();
    for (const name of names) registry.define(tag(name));
    return registry.get('default', 'pump')?.sensors ?? [];
  };

  it('is the name of its tag where that is an id, else the name made an id', () => {
    expect(sensorsOf(['a.b:c-d_1', 'Temp °C', '/x/y', '温度']).map(({ id, bindingExplicit }) => [id, bindingExplicit])).toEqual([
      ['a.b:c-d_1', false],
      ['Temp__C', true],
      ['0x_y', true],
      ['0_', true],
    ]);
  });

  it('is numbered where two names would become one', () => {
    expect(sensorsOf(['a b', 'a_b', 'a/b', 'a_b-2']).map(({ id }) => id)).toEqual(['a_b', 'a_b-2', 'a_b-3', 'a_b-2-2']);
  });

  it('is an id, and no other sensor has it, for any names of tags', () => {
    const name = fc
      .oneof(
        fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }),
        fc.array(fc.constantFrom('a', '_', '-', '2', ' ', '/', '😀'), { minLength: 1, maxLength: 128 }).map((parts) => parts.join('')),
        fc.integer({ min: 100, max: 128 }).map((length) => '😀'.repeat(length)),
        fc.integer({ min: 100, max: 128 }).map((length) => 'x'.repeat(length)),
        fc.integer({ min: 100, max: 127 }).map((length) => `${'x'.repeat(length)} `),
      )
      .filter((text) => TAG_NAME_PATTERN.test(text));
    fc.assert(
      fc.property(fc.uniqueArray(name, { minLength: 1, maxLength: 15 }), (names) => {
        const sensors = sensorsOf(names);
        expect(sensors.map(({ binding }) => binding.tag)).toEqual(names);
        expect(new Set(sensors.map(({ id }) => id)).size).toBe(names.length);
        for (const { id, name: shown, binding, bindingExplicit } of sensors) {
          expect(id).toMatch(ID_PATTERN);
          expect(shown).toBe(binding.tag);
          expect(bindingExplicit).toBe(id !== binding.tag);
        }
        expect(sensorsOf(names)).toEqual(sensors);
      }),
      { numRuns: 500 },
    );
  });
});

describe('a twin of the file', () => {
  it('adds names and limits to what the tags say, and keeps its own sensors first', async () => {
    const { registry } = box();
    await registry.load([spec({ sensors: [flowSensor] })]);
    for (const name of ['speed', 'flow']) registry.define(tag(name));
    const twin = registry.get('default', 'pump');
    expect(twin).toMatchObject({ name: 'Feed pump', type: 'device', managedBy: 'config', status: 'active' });
    expect(twin?.sensors).toEqual([
      flowSensor,
      { id: 'speed', name: 'speed', unit: '', binding: { asset: 'pump', tag: 'speed' }, bindingExplicit: false, fromTag: true },
    ]);
  });

  it('may bind a sensor to a tag of another asset; an own tag of that name gets its own sensor', async () => {
    const { registry } = box();
    const foreign = { ...flowSensor, binding: { asset: 'meter', tag: 'flow' }, bindingExplicit: true };
    await registry.load([spec({ sensors: [foreign] })]);
    registry.define(tag('flow'));
    expect(registry.get('default', 'pump')?.sensors.map(({ id, binding }) => [id, binding.asset])).toEqual([
      ['flow', 'meter'],
      ['flow-2', 'pump'],
    ]);
  });

  it('takes over a twin that was made of tags, which keeps its age', async () => {
    const first = box();
    first.registry.define(tag('flow'));
    await first.registry.load([]);
    const second = box(first.records);
    second.clock.busy(60_000);
    await second.registry.load([spec()]);
    expect(second.registry.get('default', 'pump')).toMatchObject({
      name: 'Feed pump',
      managedBy: 'config',
      createdMs: MORNING_MS,
      updatedMs: MORNING_MS + 60_000,
    });
  });

  it('is not changed by a restart with the same file', async () => {
    const whole = spec({ description: 'in hall 3', metadata: { hall: 3, tags: ['a'] }, sensors: [flowSensor] });
    const first = box();
    await first.registry.load([whole]);
    const { writes } = first.records;
    const second = box(first.records);
    second.clock.busy(60_000);
    await second.registry.load([whole]);
    expect(second.registry.get('default', 'pump')).toEqual(first.registry.get('default', 'pump'));
    expect(first.records.writes).toBe(writes);
  });

  it.each<[string, Partial<TwinSpec>, Partial<TwinSpec>]>([
    ['name', { name: 'A' }, { name: 'B' }],
    ['description', { description: 'A' }, { description: 'B' }],
    ['description that went', { description: 'A' }, {}],
    ['metadata', { metadata: { a: 1 } }, { metadata: {} }],
    ['sensors', { sensors: [flowSensor] }, { sensors: [] }],
    ['type', { type: 'device' }, { type: 'custom' }],
  ])('is changed by another %s in the file', async (_what, before, after) => {
    const first = box();
    await first.registry.load([spec(before)]);
    const second = box(first.records);
    second.clock.busy(60_000);
    await second.registry.load([spec(after)]);
    const twin = second.registry.get('default', 'pump');
    expect(twin).toEqual({
      ...spec(after),
      revision: 2,
      status: 'active',
      managedBy: 'config',
      hiddenTags: [],
      createdMs: MORNING_MS,
      updatedMs: MORNING_MS + 60_000,
    });
    const third = box(first.records);
    await third.registry.load([spec(after)]);
    expect(third.registry.get('default', 'pump')).toEqual(twin);
  });

  it('goes when it leaves the file and has no tag, and stays as a plain twin when it has one', async () => {
    const first = box();
    await first.registry.load([spec(), spec({ id: 'gone' })]);
    const second = box(first.records);
    await second.registry.load([]);
    second.registry.define(tag('flow'));
    expect(second.registry.list('default').map(({ id, name, managedBy }) => [id, name, managedBy])).toEqual([['pump', 'pump', 'api']]);
    expect((await first.records.documents('twin')).map(({ id }) => id)).not.toContain('gone');
  });
});

describe('the memory of the twins', () => {
  it('holds new ones within a second, in one write, and shows them after a restart', async () => {
    const first = box();
    const stop = new AbortController();
    const running = first.registry.run(stop.signal);
    for (const asset of ['a', 'b', 'c']) first.registry.define(tag('t', { asset }));
    await first.clock.advance(1_000);
    expect((await first.records.documents('twin')).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
    await first.clock.advance(10_000);
    expect(first.records.writes).toBe(3);
    stop.abort();
    await running;

    const second = box(first.records);
    second.clock.busy(60_000);
    await second.registry.load([]);
    expect(second.registry.get('default', 'a')).toMatchObject({ createdMs: MORNING_MS, sensors: [] });
    second.registry.define(tag('t', { asset: 'a' }));
    expect(second.registry.get('default', 'a')).toMatchObject({ createdMs: MORNING_MS, updatedMs: MORNING_MS, sensors: [{ id: 't' }] });
  });

  it('holds what came last when the run ends', async () => {
    const { registry, records } = box();
    const stop = new AbortController();
    const running = registry.run(stop.signal);
    registry.define(tag('t'));
    stop.abort();
    await running;
    expect(await records.documents('twin')).toHaveLength(1);
  });

  it('tries again after a failure, which leaves a line a minute, and loses nothing', async () => {
    const { registry, records, clock, warnings } = box();
    const stop = new AbortController();
    const running = registry.run(stop.signal);
    registry.define(tag('t'));
    records.failing = true;
    await clock.advance(120_500);
    expect(warnings.length).toBeGreaterThanOrEqual(1);
    expect(warnings.length).toBeLessThanOrEqual(3);
    expect(registry.get('default', 'pump')).toBeDefined();
    records.failing = false;
    await clock.advance(1_000);
    expect(await records.documents('twin')).toHaveLength(1);
    stop.abort();
    await running;
  });
});
