/** Sources of derived tags: computed from what apply hears, in the round after, with the inputs' time and quality, on the books. */
import { describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/log.ts';
import { Ring } from '../../src/core/ring.ts';
import { BAD_NO_COMMUNICATION, BAD_OUT_OF_RANGE, BAD_TYPE_MISMATCH, GOOD, type StatusCode, UNCERTAIN } from '../../src/core/status.ts';
import type { Scalar, SeriesDef, SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import * as derived from '../../src/drivers/derived/driver.ts';
import type { DriverModule } from '../../src/drivers/driver.ts';
import { DRIVERS } from '../../src/drivers/registry.ts';
import type { Door } from '../../src/ingest/door.ts';
import { InputFeed } from '../../src/ingest/input-feed.ts';
import { type Consumer, Pipeline } from '../../src/ingest/pipeline.ts';
import type { SourceSpec } from '../../src/ingest/source.ts';
import type { LedgerCounts } from '../../src/ingest/source-state.ts';
import { testSource } from '../../src/ingest/source-test.ts';
import { Supervisor } from '../../src/ingest/supervisor.ts';
import { TagTable } from '../../src/ingest/tag-table.ts';
import { ManualClock, MORNING_MS, turn } from '../support/manual-clock.ts';
import { ModelStore, missingIn } from './bench.ts';

type TagWish = { readonly tag_name: string; readonly expression: string } & Readonly<Record<string, unknown>>;

interface Heard {
  readonly tag: string;
  /** Milliseconds after the morning's start. */
  readonly ms: number;
  readonly value: Scalar | null;
  readonly status: number;
}

const WIDE = { asset: 'boiler' };

/** A box with a door for each source, and sources of derived tags. `known`: a tag table of an earlier run. */
function box(known: readonly { readonly id: SeriesId; readonly def: SeriesDef }[] = []) {
  const clock = new ManualClock();
  const ring = new Ring(512);
  const store = new ModelStore(ring);
  const heard: Heard[] = [];
  const tags = new TagTable((series, def) => feed.define(series, def));
  const feed = new InputFeed(tags);
  const note = (series: SeriesId, timeMs: UnixMs, value: Scalar, status: StatusCode) => {
    const { tag, valueType } = tags.definition(series);
    const shown = typeof value === 'number' && Number.isNaN(value) ? null : valueType === 'bool' ? value !== 0 : value;
    heard.push({ tag, ms: timeMs - MORNING_MS, value: shown, status });
  };
  const consumer: Consumer = {
    number: (series, timeMs, value, status, historical) => {
      note(series, timeMs, value, status);
      feed.number(series, timeMs, value, status, historical);
    },
    integer: (series, timeMs, value, signed, status, historical) => {
      note(series, timeMs, value, status);
      feed.integer(series, timeMs, value, signed, status, historical);
    },
    text: (series, timeMs, value, status, historical) => {
      note(series, timeMs, value, status);
      feed.text(series, timeMs, value, status, historical);
    },
  };
  tags.restore(known, known.length as SeriesId);
  const pipeline = new Pipeline({ ring, tags, clock, committer: store, consumer, onApplied: () => feed.settled() });
  const supervisor = new Supervisor({
    pipeline,
    feed,
    drivers: {
      endpoint: ({ config }) => DRIVERS.derived.endpoint(config),
      load: async () => derived as unknown as DriverModule<unknown, unknown>,
    },
    clock,
    log: silentLog,
    random: () => 0.5,
    isTenant: () => true,
    latestMs: () => Number.MAX_SAFE_INTEGER as UnixMs,
    stateDir: () => '/nowhere',
  });
  const doors = new Map<string, Door>();
  const doorOf = (source: string, tenant: string) => {
    const key = `${source} ${tenant}`;
    const door = doors.get(key) ?? supervisor.openDoor(source, tenant);
    doors.set(key, door);
    return door;
  };
  const specOf = (id: string, wishes: readonly TagWish[], tenant = 'default'): SourceSpec => ({
    id,
    tenant,
    name: id,
    type: 'derived',
    enabled: true,
    managedBy: 'config',
    config: {},
    tags: wishes.map((wish) => DRIVERS.derived.tagSchema.parse({ asset_id: 'boiler', ...wish }) as unknown as SourceSpec['tags'][number]),
  });
  const rest = async () => {
    for (let round = 0; round < 4; round++) await turn();
  };
  return {
    clock,
    ring,
    store,
    tags,
    heard,
    supervisor,
    rest,
    specOf,
    of: (tag: string) => heard.filter((one) => one.tag === tag),
    view: (id: string) => supervisor.list().find((source) => source.id === id),
    derive: async (id: string, wishes: readonly TagWish[], tenant?: string) => {
      supervisor.add(specOf(id, wishes, tenant), MORNING_MS);
      await rest();
    },
    /** A reading at the door of a source. */
    read: (
      tag: string,
      ms: number,
      value: Scalar | null,
      { status = GOOD, source = 'plc', tenant = 'default', asset = WIDE.asset } = {},
    ) => {
      const door = doorOf(source, tenant);
      const series = door.series({ asset, tag });
      if (series === undefined) throw new Error(`the door refused ${tag}`);
      const timeMs = (MORNING_MS + ms) as UnixMs;
      if (value === null) door.missing(series, timeMs, status);
      else if (typeof value === 'number') door.number(series, timeMs, value, status);
      else if (typeof value === 'bigint') door.integer(series, timeMs, value, true, status);
      else if (typeof value === 'boolean') door.boolean(series, timeMs, value, status);
      else door.text(series, timeMs, value, status);
    },
  };
}

const HEAT: TagWish = { tag_name: 'heat', expression: '(supply - return) * flow', unit: 'kW' };

describe('a derived tag', () => {
  it('is computed once all inputs are there, with the time of the newest, once for the readings of one poll', async () => {
    const b = box();
    await b.derive('calc', [HEAT]);
    b.read('supply', 0, 70);
    b.read('return', 0, 50);
    await b.rest();
    expect(b.of('heat')).toEqual([]);
    b.read('flow', 10, 2);
    await b.rest();
    for (const [tag, value] of [
      ['supply', 80],
      ['return', 60],
      ['flow', 3],
    ] as const)
      b.read(tag, 1_000, value);
    await b.rest();
    expect(b.of('heat')).toEqual([
      { tag: 'heat', ms: 10, value: 40, status: GOOD },
      { tag: 'heat', ms: 1_000, value: 60, status: GOOD },
    ]);
    expect(b.tags.definition(b.tags.find({ tenant: 'default', tags: ['heat'] })[0] as SeriesId)).toMatchObject({
      source: 'calc',
      unit: 'kW',
    });
  });

  it('has a value for each instant of a burst, and of one instant the last', async () => {
    const b = box();
    await b.derive('calc', [{ tag_name: 'double', expression: 'x * 2' }]);
    for (const [ms, value] of [
      [0, 1],
      [10, 2],
      [20, 3],
      [20, 4],
    ] as const)
      b.read('x', ms, value);
    await b.rest();
    expect(b.of('double').map(({ ms, value }) => [ms, value])).toEqual([
      [0, 2],
      [10, 4],
      [20, 8],
    ]);
  });

  it('is as good as the worst of its inputs', async () => {
    const b = box();
    await b.derive('calc', [{ tag_name: 'sum', expression: 'x + y' }]);
    b.read('x', 0, 1);
    b.read('y', 0, 2, { status: UNCERTAIN });
    await b.rest();
    b.read('x', 1, null, { status: BAD_NO_COMMUNICATION });
    await b.rest();
    b.read('x', 2, 5);
    b.read('y', 2, 5);
    await b.rest();
    expect(b.of('sum').map(({ value, status }) => [value, status])).toEqual([
      [3, UNCERTAIN],
      [null, BAD_NO_COMMUNICATION],
      [10, GOOD],
    ]);
  });

  it('that is no number is bad without a value, and so is one whose inputs have the wrong type, which the source says', async () => {
    const b = box();
    await b.derive('calc', [{ tag_name: 'ratio', expression: 'x / y' }]);
    b.read('x', 0, 1);
    b.read('y', 0, 0);
    await b.rest();
    expect(b.view('calc')).toMatchObject({ state: 'connected', reason: null });
    b.read('y', 1, 'open');
    await b.rest();
    expect(b.view('calc')).toMatchObject({ state: 'degraded', reason: expect.stringMatching(/^boiler\/ratio: .*number.*text/) });
    b.read('y', 2, 4);
    await b.rest();
    expect(b.view('calc')).toMatchObject({ state: 'connected', reason: null });
    expect(b.of('ratio').map(({ value, status }) => [value, status])).toEqual([
      [null, BAD_OUT_OF_RANGE],
      [null, BAD_TYPE_MISMATCH],
      [0.25, GOOD],
    ]);
  });

  it('may be a switch or a text, and takes them, and large integers as numbers', async () => {
    const b = box();
    await b.derive('calc', [
      { tag_name: 'alarm', expression: 'running and count > 10' },
      { tag_name: 'word', expression: 'if state == "on" then "running" else state' },
    ]);
    b.read('running', 0, true);
    b.read('count', 0, 2n ** 60n);
    b.read('state', 0, 'on');
    await b.rest();
    expect(b.of('alarm')).toMatchObject([{ value: true, status: GOOD }]);
    expect(b.of('word')).toMatchObject([{ value: 'running' }]);
  });

  it('follows other assets, other names and one source alone, and no other tenant', async () => {
    const b = box();
    const inputs = { room: { asset_id: 'hall', tag_name: 'temp. °C' }, own: { tag_name: 't', data_source_id: 'plc-2' } };
    await b.derive('calc', [{ tag_name: 'delta', expression: "own - room + 'a b'", inputs }]);
    b.read('temp. °C', 0, 20, { asset: 'hall' });
    b.read('a b', 0, 0);
    b.read('t', 0, 99);
    await b.rest();
    expect(b.of('delta')).toEqual([]);
    b.read('t', 0, 50, { source: 'plc-2' });
    b.read('t', 5, 1, { source: 'plc-2', tenant: 'northwind' });
    await b.rest();
    expect(b.of('delta')).toMatchObject([{ value: 30, ms: 0 }]);
  });

  it('merges the sources of an input by time, and is not moved by late readings', async () => {
    const b = box();
    await b.derive('calc', [{ tag_name: 'copy', expression: 'x + 0' }]);
    b.read('x', 100, 1, { source: 'a' });
    b.read('x', 50, 2, { source: 'b' });
    b.read('x', 40, 3, { source: 'a' });
    await b.rest();
    b.read('x', 200, 4, { source: 'b' });
    await b.rest();
    expect(b.of('copy').map(({ ms, value }) => [ms, value])).toEqual([
      [100, 1],
      [200, 4],
    ]);
  });

  it('may be computed from derived tags, of its own source and of others', async () => {
    const b = box();
    await b.derive('second', [{ tag_name: 'four', expression: 'two * 2' }]);
    await b.derive('first', [
      { tag_name: 'five', expression: 'four + one' },
      { tag_name: 'two', expression: 'one * 2' },
    ]);
    b.read('one', 0, 1);
    await b.rest();
    b.read('one', 10, 10);
    await b.rest();
    expect(b.of('five').at(-1)).toEqual({ tag: 'five', ms: 10, value: 50, status: GOOD });
  });

  it('is there at once when the source starts, from what the inputs were last', async () => {
    const b = box();
    b.read('x', 0, 1);
    b.read('running', 0, true);
    await b.rest();
    await b.derive('calc', [{ tag_name: 'y', expression: 'if running then x + 1 else 0' }]);
    expect(b.of('y')).toMatchObject([{ ms: 0, value: 2 }]);
  });

  it('is read on demand as it is', async () => {
    const b = box();
    await b.derive('calc', [{ tag_name: 'y', expression: 'x + 1' }]);
    b.read('x', 7, 1);
    await b.rest();
    const refs = ['y', 'none'].map((tagName) => ({ sourceId: 'calc', assetId: 'boiler', tagName }));
    const outcomes = await b.supervisor.readNow(refs, new AbortController().signal);
    expect(outcomes).toMatchObject([
      { ok: true, reading: { value: 2, status: GOOD, timeMs: MORNING_MS + 7 } },
      { ok: true, reading: { value: null } },
    ]);
    const written = await b.supervisor.write('calc', { assetId: 'boiler', tagName: 'y' }, 1, new AbortController().signal);
    expect(written).toMatchObject({ ok: false, code: 'not_writable' });
  });

  it('is tried with what its inputs were last, though another source computes it', async () => {
    const b = box();
    b.read('x', 7, 1);
    await b.rest();
    await b.derive('calc', [{ tag_name: 'y', expression: 'x + 1' }]);
    const draft = b.specOf('ds-test', [
      { tag_name: 'y', expression: 'x * 10' },
      { tag_name: 'z', expression: 'w' },
    ]);
    const { success, message, sample } = await testSource(draft, { supervisor: b.supervisor, clock: b.clock });
    expect({ success, message, sample }).toMatchObject({ success: false, message: 'no value for z', sample: { tagName: 'y', value: 10 } });
    expect(b.of('y')).toHaveLength(1);
  });
});

describe('after a restart', () => {
  it('what was computed already is computed again and not stored again; what was not is', async () => {
    const before = box();
    await before.derive('calc', [{ tag_name: 'y', expression: 'x + 1' }]);
    before.read('x', 0, 1);
    await before.rest();
    const ids = before.tags.find({ tenant: 'default' });
    for (const [newestX, stored] of [
      [0, 1],
      [5, 2],
    ] as const) {
      const after = box(ids.map((id) => ({ id, def: before.tags.definition(id) })));
      for (const id of ids) {
        const entry = after.tags.entry(id);
        const known = before.tags.entry(id);
        if (!entry || !known) throw new Error('the table was not restored');
        const isInput = known.def.tag === 'x';
        entry.lastMs = known.lastMs + (isInput ? newestX : 0);
        entry.lastNumber = known.lastNumber;
        entry.lastStatus = known.lastStatus;
      }
      await after.derive('calc', [{ tag_name: 'y', expression: 'x + 1' }]);
      expect(after.of('y')).toHaveLength(stored - 1);
      expect(after.view('calc')?.ledger).toMatchObject({ received: 1, deduplicated: 2 - stored });
    }
  });
});

describe('the books of a derived source', () => {
  it('hold, and it stops with its source', async () => {
    const b = box();
    await b.derive('calc', [HEAT, { tag_name: 'flat', expression: 'flow * 0', deadband: { type: 'absolute', value: 1 } }]);
    for (let ms = 0; ms < 50; ms++) {
      for (const tag of ['supply', 'return', 'flow']) b.read(tag, ms, ms * 2);
      await turn();
      b.store.drain();
    }
    await b.rest();
    expect(b.of('heat')).toHaveLength(50);
    const { ledger } = b.view('calc') ?? {};
    expect(ledger).toMatchObject({ received: 100, deadbanded: 49 });
    expect(ledger && missingIn(ledger)).toBe(0);
    await b.supervisor.remove('calc');
    b.read('flow', 1_000, 1);
    await b.rest();
    expect(b.of('heat').slice(50)).toMatchObject([{ value: null, status: BAD_NO_COMMUNICATION }]);
  });

  it('have what was read right before the end', async () => {
    const b = box();
    await b.derive('calc', [{ tag_name: 'y', expression: 'x + 1' }]);
    await b.derive('more', [{ tag_name: 'z', expression: 'y * 10' }]);
    b.read('x', 0, 4);
    await b.supervisor.stop();
    expect([...b.of('y'), ...b.of('z')].map(({ value }) => value)).toEqual([5, 50]);
  });

  it('say what found no room in the three quarters of the ring that it may fill, which is live all the same', async () => {
    const b = box();
    await b.derive('calc', [{ tag_name: 'y', expression: 'x + 1' }]);
    b.read('x', 0, 0);
    await b.rest();
    for (let ms = 1; ms < 450; ms++) {
      b.read('x', ms, ms);
      if (ms % 20 === 0) await b.rest();
    }
    await b.rest();
    expect(b.of('y').at(-1)).toMatchObject({ value: 450 });
    expect(b.of('y')).toHaveLength(450);
    const { ledger } = b.view('calc') ?? {};
    expect(ledger?.dropped['derived_full']).toBeGreaterThan(100);
    expect(ledger?.dropped['store_full']).toBeUndefined();
    expect(ledger && missingIn(ledger)).toBe(0);
    const inputs = b.supervisor.account('plc', 'default').counts();
    expect(b.ring.backlog).toBeGreaterThan(b.ring.slots * 0.75);
    expect(missingIn(inputs)).toBe(0);
  });
});

describe('a change of tags', () => {
  const TWICE: TagWish = { tag_name: 'twice', expression: 'x * 2' };
  const MORE: TagWish = { tag_name: 'more', expression: 'x + 1' };

  it('takes no reading from a tag that goes on, not even from one whose inputs wait to be heard, and ends the others', async () => {
    const b = box();
    await b.derive('calc', [TWICE, MORE]);
    b.read('x', 0, 1);
    await b.rest();
    for (const ms of [10, 20, 30]) b.read('x', ms, ms);
    await b.supervisor.change(b.specOf('calc', [TWICE, { ...MORE, tag_name: 'new' }]));
    b.read('x', 40, 40);
    await b.rest();
    expect(b.of('twice').map(({ ms, value, status }) => [ms, value, status])).toEqual(
      [0, 10, 20, 30, 40].map((ms) => [ms, ms === 0 ? 2 : ms * 2, GOOD]),
    );
    expect(b.of('more').map(({ value }) => value)).toEqual([2, 11, 21, 31, null]);
    expect(b.of('new').map(({ ms, value }) => [ms, value])).toEqual([
      [30, 31],
      [40, 41],
    ]);
    expect(b.view('calc')).toMatchObject({ state: 'connected', tagCount: 2, errors: 0 });
    expect(missingIn(b.view('calc')?.ledger as LedgerCounts)).toBe(0);
  });

  it('to a circle leaves the source faulted, as at a start', async () => {
    const b = box();
    await b.derive('calc', [TWICE]);
    await b.supervisor.change(b.specOf('calc', [{ ...TWICE, tag_name: 'x' }]));
    await b.rest();
    expect(b.view('calc')).toMatchObject({ state: 'faulted', reason: expect.stringContaining('x') });
  });
});

describe('a circle', () => {
  it('is refused, named, and forgotten when it is mended', async () => {
    const b = box();
    await b.derive('one', [{ tag_name: 'a', expression: 'b + 1' }]);
    await b.derive('two', [{ tag_name: 'b', expression: 'c + 1' }]);
    await b.derive('three', [{ tag_name: 'c', expression: 'a + x' }]);
    expect(b.view('one')?.state).toBe('connected');
    const circle = b.view('three');
    expect(circle?.state).toBe('faulted');
    expect(circle?.reason).toMatch(/computed from itself: boiler\/\w from boiler\/\w from boiler\/\w from boiler\/\w/);
    await b.supervisor.change(b.specOf('three', [{ tag_name: 'c', expression: 'x + 1' }]));
    b.read('x', 0, 1);
    await b.rest();
    expect(b.view('three')?.state).toBe('connected');
    expect(b.of('a')).toMatchObject([{ value: 4 }]);
  });

  it('is one tag that names itself, but not one that takes another source’s values of its own name', async () => {
    const b = box();
    await b.derive('self', [{ tag_name: 'x', expression: 'x + 1' }]);
    expect(b.view('self')).toMatchObject({ state: 'faulted', reason: 'is computed from itself: boiler/x from boiler/x' });
    await b.derive('fine', [{ tag_name: 'y', expression: 'y * 2', inputs: { y: { tag_name: 'y', data_source_id: 'plc' } } }]);
    b.read('y', 0, 1);
    await b.rest();
    expect(b.of('y').map(({ value }) => value)).toEqual([1, 2]);
  });

  it('has no more than one owner for each tag', async () => {
    const b = box();
    await b.derive('one', [{ tag_name: 'a', expression: 'x + 1' }]);
    await b.derive('two', [{ tag_name: 'a', expression: 'x + 2' }]);
    expect(b.view('two')).toMatchObject({ state: 'faulted', reason: 'boiler/a is computed by the source "one" already' });
    await b.derive('theirs', [{ tag_name: 'a', expression: 'x + 2' }], 'northwind');
    expect(b.view('theirs')?.state).toBe('connected');
  });
});
