/** Changes of twins: saved before they are seen, one at a time, and the same after any restart. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.ts';
import type { SeriesDef } from '../../src/core/tag.ts';
import {
  addActuator,
  addSensor,
  editTwin,
  MAX_PARTS,
  removeActuator,
  removeSensor,
  replaceActuator,
  replaceSensor,
  sensorOf,
} from '../../src/twin/edit.ts';
import { TwinRegistry, type TwinSpec } from '../../src/twin/registry.ts';
import type { Actuator, Sensor, Twin } from '../../src/twin/twin.ts';
import { ManualClock, MORNING_MS } from '../support/manual-clock.ts';
import { MemoryRecords } from '../support/memory-records.ts';
import { twinOf } from '../support/twin.ts';

const AT = { tenant: 'default', id: 'pump' };
const NEW = { ...AT, name: 'Pump', type: 'device', metadata: { hall: 3 } };

function box(records = new MemoryRecords()) {
  const clock = new ManualClock();
  const registry = new TwinRegistry({ clock, log: silentLog, records, autoTwins: true, isPackSource: () => false });
  return { registry, clock, records, get: (id = 'pump') => registry.get('default', id) };
}

async function restarted(before: ReturnType<typeof box>, specs: readonly TwinSpec[] = []) {
  const after = box(before.records);
  await after.registry.load(specs);
  return after;
}

function tag(name: string, asset = 'pump'): SeriesDef {
  return { tenant: 'default', source: 'plc', asset, tag: name, valueType: 'f64', generation: 0 };
}

function sensor(id: string, more: Partial<Sensor> = {}): Sensor {
  return { id, name: id, unit: '', binding: { asset: 'pump', tag: id }, bindingExplicit: false, ...more };
}

const fieldsOf = ({ name, description, type, status, metadata }: Twin) => ({ name, description, type, status, metadata });
const rename = (name: string) => (twin: Twin) => editTwin(twin, { ...fieldsOf(twin), name });
const idsOf = (twin: Twin | undefined) => twin?.sensors.map(({ id }) => id);

describe('a change of a twin', () => {
  it('is not seen before it is saved, and adds one to the revision', async () => {
    const one = box();
    await one.registry.create(NEW);
    let open = () => {};
    one.records.gate = new Promise((resolve) => {
      open = resolve;
    });
    const changing = one.registry.change(AT, rename('Feed pump'));
    await new Promise((resolve) => setImmediate(resolve));
    expect(one.get()).toMatchObject({ name: 'Pump', revision: 1 });
    open();
    expect(await changing).toMatchObject({ name: 'Feed pump', revision: 2 });
    expect((await restarted(one)).get()).toEqual(one.get());
  });

  it('changes nothing when it cannot be saved', async () => {
    const one = box();
    await one.registry.create(NEW);
    const before = one.get();
    one.records.failing = true;
    await expect(one.registry.change(AT, rename('X'))).rejects.toMatchObject({ code: 'disk_full' });
    await expect(one.registry.remove(AT, () => undefined)).rejects.toMatchObject({ code: 'disk_full' });
    await expect(one.registry.create({ ...NEW, id: 'other' })).rejects.toMatchObject({ code: 'disk_full' });
    expect(one.registry.list('default')).toEqual([before]);
    one.records.failing = false;
    expect(await one.registry.change(AT, rename('Y'))).toMatchObject({ name: 'Y', revision: 2 });
  });

  it('that changes nothing is not saved', async () => {
    const one = box();
    await one.registry.create(NEW);
    expect(await one.registry.change(AT, rename('Pump'))).toMatchObject({ revision: 1 });
    expect(one.records.writes).toBe(1);
  });

  it('sees what every earlier one made', async () => {
    const one = box();
    await one.registry.create(NEW);
    await Promise.all(
      Array.from({ length: 20 }, (_, index) =>
        one.registry.change(AT, (twin) => editTwin(twin, { ...fieldsOf(twin), metadata: { ...twin.metadata, [`k${index}`]: index } })),
      ),
    );
    expect(Object.keys(one.get()?.metadata ?? {})).toHaveLength(21);
    expect(one.get()?.revision).toBe(21);
  });

  it('gives a twin that a reading made a revision of its own, saved or not', async () => {
    const one = box();
    one.registry.define(tag('flow'));
    expect(one.get()?.revision).toBe(1);
    expect((await one.registry.change(AT, rename('X'))).revision).toBe(2);
    expect((await one.records.documents('twin')).map(({ revision }) => revision)).toEqual([2]);
  });

  it('is not undone by the saving of twins that readings made', async () => {
    const one = box();
    const stop = new AbortController();
    const running = one.registry.run(stop.signal);
    let open = () => {};
    one.records.gate = new Promise((resolve) => {
      open = resolve;
    });
    const making = one.registry.create(NEW);
    await new Promise((resolve) => setImmediate(resolve));
    one.registry.define(tag('flow'));
    await one.clock.advance(3_000);
    open();
    await making;
    await one.clock.advance(3_000);
    stop.abort();
    await running;
    expect(one.get()).toMatchObject({ name: 'Pump', sensors: [{ id: 'flow' }] });
    expect((await restarted(one)).get()?.name).toBe('Pump');
  });
});

describe('a deleted twin', () => {
  it('stays deleted over restarts, whatever reads in, until it is made again; then it is new', async () => {
    const one = box();
    one.registry.define(tag('flow'));
    await one.registry.remove(AT, () => undefined);
    one.registry.define(tag('flow'));
    expect(one.get()).toBeUndefined();
    const two = await restarted(one);
    two.registry.define(tag('flow'));
    two.registry.define(tag('speed'));
    expect(two.registry.list('default')).toEqual([]);
    await expect(two.registry.change(AT, rename('X'))).rejects.toMatchObject({ code: 'twin_not_found' });
    two.clock.busy(60_000);
    expect(await two.registry.create(NEW)).toMatchObject({
      revision: 2,
      createdMs: MORNING_MS + 60_000,
      sensors: [{ id: 'flow' }, { id: 'speed' }],
    });
    expect((await restarted(two)).get()).toMatchObject({ name: 'Pump', createdMs: MORNING_MS + 60_000 });
  });

  it('comes back when the file names it', async () => {
    const one = box();
    await one.registry.create(NEW);
    await one.registry.remove(AT, () => undefined);
    const two = await restarted(one, [{ ...NEW, sensors: [], actuators: [] }]);
    expect(two.get()).toMatchObject({ managedBy: 'config', revision: 3 });
    expect((await restarted(two)).get()).toBeUndefined();
  });
});

describe('a twin of the file', () => {
  it('takes no change and is not deleted', async () => {
    const one = await restarted(box(), [{ ...NEW, sensors: [sensor('flow')], actuators: [] }]);
    const managed = { code: 'managed_by_config' };
    await expect(one.registry.change(AT, rename('X'))).rejects.toMatchObject(managed);
    await expect(one.registry.change(AT, (twin) => addSensor(twin, sensor('new')))).rejects.toMatchObject(managed);
    await expect(one.registry.change(AT, (twin) => removeSensor(twin, 'flow'))).rejects.toMatchObject(managed);
    await expect(one.registry.remove(AT, () => undefined)).rejects.toMatchObject(managed);
    await expect(one.registry.create(NEW)).rejects.toMatchObject({ code: 'twin_exists' });
  });

  it('is active again when it was archived before the file named it', async () => {
    const one = box();
    await one.registry.create(NEW);
    await one.registry.change(AT, (twin) => editTwin(twin, { ...fieldsOf(twin), status: 'archived' }));
    expect((await restarted(one, [{ ...NEW, sensors: [], actuators: [] }])).get()?.status).toBe('active');
  });
});

describe('the bounds', () => {
  const full = twinOf({
    ...NEW,
    sensors: Array.from({ length: MAX_PARTS }, (_, index) => sensor(`s${index}`)),
    actuators: Array.from({ length: MAX_PARTS }, (_, index): Actuator => ({ id: `a${index}`, name: 'a', type: 'binary' })),
  });

  it('let no twin have more than a thousand described sensors and as many actuators', () => {
    const limit = expect.objectContaining({ code: 'limit_reached' });
    expect(() => addSensor(full, sensor('more'))).toThrow(limit);
    expect(() => addActuator(full, { id: 'more', name: 'm', type: 'binary' })).toThrow(limit);
    const tagged = { ...full, sensors: [...full.sensors, sensor('t', { fromTag: true })] };
    expect(() => replaceSensor(tagged, sensor('t', { name: 'T' }))).toThrow(limit);
    expect(addSensor(removeSensor(full, 's7'), sensor('more')).sensors).toHaveLength(MAX_PARTS);
  });

  it('let no tenant have more than ten thousand twins', async () => {
    const one = box();
    for (let index = 0; index < 10_000; index++) one.registry.define(tag('t', `asset-${index}`));
    await expect(one.registry.create(NEW)).rejects.toMatchObject({ code: 'limit_reached' });
    await one.registry.remove({ ...AT, id: 'asset-3' }, () => undefined);
    expect(await one.registry.create(NEW)).toMatchObject({ id: 'pump' });
    expect(await one.registry.create({ ...NEW, tenant: 'northwind' })).toMatchObject({ id: 'pump' });
  });
});

// ── any sequence of edits, against a model that is a few lists ───────────────────────────────────────────────────────────

interface ModelTwin {
  name: string;
  archived: boolean;
  /** Described sensors, id → name, in order. */
  sensors: Map<string, string>;
  actuators: Map<string, string>;
  hidden: Set<string>;
}

class Model {
  readonly twins = new Map<string, ModelTwin>();
  readonly dead = new Set<string>();
  readonly tags = new Map<string, Set<string>>();

  tag(id: string, name: string): void {
    this.tags.set(id, (this.tags.get(id) ?? new Set()).add(name));
    if (!this.twins.has(id) && !this.dead.has(id)) this.make(id, id);
  }

  make(id: string, name: string): void {
    this.dead.delete(id);
    this.twins.set(id, { name, archived: false, sensors: new Map(), actuators: new Map(), hidden: new Set() });
  }

  /** Names of tags here are ids, so that a tag's sensor has its name. */
  view(id: string) {
    const twin = this.twins.get(id);
    if (!twin) return undefined;
    const fromTags = [...(this.tags.get(id) ?? [])].filter(
      (each) => !twin.sensors.has(each) && !twin.actuators.has(each) && !twin.hidden.has(each),
    );
    return {
      name: twin.name,
      status: twin.archived ? 'archived' : 'active',
      sensors: [...twin.sensors, ...fromTags.map((each) => [each, each] as const)],
      actuators: [...twin.actuators],
    };
  }
}

const place = fc.constantFrom('a', 'b');
const part = fc.constantFrom('x', 'y', 'z');
const step = fc.record({
  op: fc.constantFrom('tag', 'create', 'remove', 'archive', 'revive', 'rename', '+s', '~s', '-s', '+a', '~a', '-a', 'restart'),
  id: place,
  part,
  failing: fc.boolean().chain((first) => (first ? fc.boolean() : fc.constant(false))),
});
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

/** What the step makes of the model; false when it is refused. */
function onModel(model: Model, { op, id, part: name, failing }: Step, label: string): boolean {
  const twin = model.twins.get(id);
  if (op === 'tag') model.tag(id, name);
  if (op === 'tag' || op === 'restart') return true;
  if (op === 'create') {
    if (twin || failing) return false;
    model.make(id, label);
    return true;
  }
  if (!twin) return false;
  if (op === 'archive' || op === 'revive') {
    const same = twin.archived === (op === 'archive');
    if (!same && failing) return false;
    if (op === 'archive' && twin.archived) return false; // an archived twin is changed only by setting another status
    twin.archived = op === 'archive';
    return true;
  }
  if (op === 'remove') {
    if (failing) return false;
    model.twins.delete(id);
    model.dead.add(id);
    return true;
  }
  const sensors = new Map(model.view(id)?.sensors);
  const there = op.endsWith('s') ? sensors.has(name) : twin.actuators.has(name);
  if (op !== 'rename' && there === op.startsWith('+')) return false;
  if (twin.archived || failing) return false;
  if (op === 'rename') twin.name = label;
  else if (op === '-s') {
    twin.sensors.delete(name);
    twin.hidden.add(name);
  } else if (op.endsWith('s')) {
    twin.sensors.set(name, label);
    twin.hidden.delete(name);
  } else if (op === '-a') {
    twin.actuators.delete(name);
    if (!twin.sensors.has(name)) twin.hidden.add(name);
  } else twin.actuators.set(name, label);
  return true;
}

function editOf(op: Step['op'], name: string, label: string): (twin: Twin) => Twin {
  switch (op) {
    case 'archive':
      return (twin) => editTwin(twin, { ...fieldsOf(twin), status: 'archived' });
    case 'revive':
      return (twin) => editTwin(twin, { ...fieldsOf(twin), status: 'active' });
    case '+s':
      return (twin) => addSensor(twin, sensor(name, { name: label, binding: { asset: twin.id, tag: name } }));
    case '~s':
      return (twin) => {
        const { fromTag: _, ...known } = sensorOf(twin, name);
        return replaceSensor(twin, { ...known, name: label });
      };
    case '-s':
      return (twin) => removeSensor(twin, name);
    case '+a':
      return (twin) => addActuator(twin, { id: name, name: label, type: 'binary' });
    case '~a':
      return (twin) => {
        if (!twin.actuators.some(({ id }) => id === name)) throw new Error('none');
        return replaceActuator(twin, { id: name, name: label, type: 'binary' });
      };
    case '-a':
      return (twin) => removeActuator(twin, name, true);
    default:
      return rename(label);
  }
}

describe('any sequence of edits', () => {
  it('leaves what a simple model says, over restarts and failed saves', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        let one = box();
        const model = new Model();
        for (const [index, each] of steps.entries()) {
          const { op, id, part: name, failing } = each;
          const label = `n${index}`;
          const expected = onModel(model, each, label);
          const at = { tenant: 'default', id };
          one.records.failing = failing;
          let done = true;
          const settle = (work: Promise<unknown>) =>
            work.catch(() => {
              done = false;
            });
          const before = one.get(id)?.revision ?? 0;
          if (op === 'tag') one.registry.define(tag(name, id));
          else if (op === 'create') await settle(one.registry.create({ ...NEW, id, name: label }));
          else if (op === 'remove') await settle(one.registry.remove(at, () => undefined));
          else if (op === 'restart') {
            one.records.failing = false;
            one = await restarted(one);
            for (const [asset, names] of model.tags) for (const known of names) one.registry.define(tag(known, asset));
          } else await settle(one.registry.change(at, editOf(op, name, label)));
          expect(done).toBe(expected);
          if (expected && ['rename', '+s', '~s', '-s', '+a', '~a', '-a'].includes(op))
            expect(one.get(id)?.revision).toBeGreaterThan(before);
          for (const every of ['a', 'b']) {
            const twin = one.get(every);
            const shown = twin && {
              name: twin.name,
              status: twin.status,
              sensors: twin.sensors.map((known) => [known.id, known.name]),
              actuators: twin.actuators.map((known) => [known.id, known.name]),
            };
            expect(shown).toEqual(model.view(every));
          }
        }
      }),
      { numRuns: 400 },
    );
  });
});

it('a sensor that was deleted stays away while its tag reads on, and keeps its id from the others', async () => {
  const one = box();
  for (const name of ['a b', 'a_b', 'c']) one.registry.define(tag(name));
  expect(idsOf(one.get())).toEqual(['a_b', 'a_b-2', 'c']);
  await one.registry.change(AT, (twin) => removeSensor(twin, 'a_b'));
  expect(idsOf(one.get())).toEqual(['a_b-2', 'c']);
  const two = await restarted(one);
  for (const name of ['a b', 'a_b', 'c']) two.registry.define(tag(name));
  expect(idsOf(two.get())).toEqual(['a_b-2', 'c']);
});

it('a tag that an actuator has is no sensor', async () => {
  const one = box();
  for (const name of ['power', 'flow']) one.registry.define(tag(name));
  await one.registry.change(AT, (twin) => addActuator(twin, { id: 'power', name: 'Power', type: 'binary' }));
  expect(idsOf(one.get())).toEqual(['flow']);
  await one.registry.change(AT, (twin) => removeActuator(twin, 'power', false));
  expect(idsOf(one.get())).toEqual(['power', 'flow']);
});
