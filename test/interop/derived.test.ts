/** Derived tags of the built daemon, of the file and made over the API: values, units, quality, history, books, and what a restart makes of them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { allSamples, expectBalancedBooks, latest } from '../support/history.ts';
import { eventually } from '../support/wait.ts';

const POLLED_MS = 100;
const PATIENCE = { timeoutMs: 20_000 };

const SIMULATED = {
  id: 'ds-sim',
  name: 'Press',
  type: 'simulator',
  config: { polling_interval_ms: POLLED_MS },
  tags: [
    { tag_name: 'strokes', asset_id: 'press-1', waveform: 'counter', period_ms: POLLED_MS },
    { tag_name: 'mode', asset_id: 'press-1', waveform: 'text', texts: ['auto'] },
  ],
};

const OF_THE_FILE = {
  id: 'ds-calc',
  name: 'Calculations',
  type: 'derived',
  tags: [
    { tag_name: 'parts', asset_id: 'press-1', unit: 'pcs', expression: 'strokes * 4' },
    { tag_name: 'automatic', asset_id: 'press-1', unit: '', expression: 'mode == "auto"' },
    {
      tag_name: 'difference',
      asset_id: 'boiler-1',
      unit: 'K',
      expression: "'supply temp.' - room",
      inputs: { room: { asset_id: 'hall-1', tag_name: 'temperature', data_source_id: 'api' } },
    },
  ],
};

const OVER_THE_API = {
  name: 'More calculations',
  type: 'derived',
  tags: [{ tag_name: 'pallets', asset_id: 'press-1', unit: 'pallets', expression: 'floor(parts / 48)' }],
};

describe('derived tags', () => {
  let daemon: TestDaemon;
  let path: string;

  beforeAll(async () => {
    daemon = await TestDaemon.start({ auto_twins: true, sources: [SIMULATED, OF_THE_FILE] });
    const { status, body } = await daemon.post('/v1/data-sources', OVER_THE_API);
    expect(status, JSON.stringify(body)).toBe(201);
    path = `/v1/data-sources/${body.data.id}`;
  });

  afterAll(() => daemon?.dispose());

  const newest = (asset: string, tag: string) =>
    eventually(async () => (await latest(daemon, asset)).get(tag), { what: `a value of ${asset}/${tag}`, ...PATIENCE });

  /** What an asset's tag was in a stretch of time, by time. */
  const history = async (asset: string, tag: string, fromMs: number, toMs: number) => {
    const found = await allSamples(daemon, { asset, tag, fromMs, toMs });
    return found.map(({ timeMs, value, quality }) => [timeMs, value, quality] as const);
  };

  /** Waits until a later reading than `timeMs` has gone all the way to what is computed of the computed. */
  const pallets = (afterMs: number) =>
    eventually(
      async () => {
        const found = (await latest(daemon, 'press-1')).get('pallets');
        return found && found.timeMs > afterMs ? found : undefined;
      },
      { what: `pallets after ${afterMs}`, ...PATIENCE, explain: () => daemon.log() },
    );

  /** Asserts that each stroke of the range has its parts and pallets, at its time and once. Returns how many there are. */
  const expectComputed = async (fromMs: number, toMs: number): Promise<number> => {
    const strokes = await history('press-1', 'strokes', fromMs, toMs);
    const of = (compute: (strokes: number) => number) => strokes.map(([timeMs, value]) => [timeMs, compute(Number(value)), 'good']);
    expect(await history('press-1', 'parts', fromMs, toMs)).toEqual(of((value) => value * 4));
    expect(await history('press-1', 'pallets', fromMs, toMs)).toEqual(of((value) => Math.floor((value * 4) / 48)));
    return strokes.length;
  };

  test('have a stored value for each reading of their inputs, of the file and of the API alike, with its time and quality', async () => {
    const from = await newest('press-1', 'pallets');
    const to = await pallets(from.timeMs + 10 * POLLED_MS);
    expect(await expectComputed(from.timeMs, to.timeMs)).toBeGreaterThan(1);
    expect(await newest('press-1', 'automatic')).toMatchObject({ value: true, quality: 'good' });
  });

  test('stand in the twin with their units, and say what they are computed from', async () => {
    await newest('press-1', 'pallets');
    const { body } = await daemon.get('/api/twins/press-1');
    const units = new Map(body.data.sensors.map(({ id, unit }: { id: string; unit: string | null }) => [id, unit]));
    expect([units.get('parts'), units.get('pallets')]).toEqual(['pcs', 'pallets']);
    const calc = await daemon.get('/v1/data-sources/ds-calc');
    expect(calc.body.data).toMatchObject({ type: 'derived', status: 'connected', state: 'connected', managed_by: 'config' });
    expect(calc.body.data.tags[0].expression).toBe('strokes * 4');
  });

  test('are as good as their inputs, and a restart says again what it knew without storing it again', async () => {
    const startMs = Date.now() - 60_000;
    const readings = [
      { asset_id: 'boiler-1', tag_name: 'supply temp.', value: 60.5, at: 0 },
      { asset_id: 'hall-1', tag_name: 'temperature', value: 20.5, at: 1 },
      { asset_id: 'hall-1', tag_name: 'temperature', value: 21.5, at: 2, quality: 'uncertain' },
      { asset_id: 'hall-1', tag_name: 'temperature', value: 0, at: 3, quality: 'bad' },
      { asset_id: 'boiler-1', tag_name: 'supply temp.', value: 61, at: 4 },
      { asset_id: 'hall-1', tag_name: 'temperature', value: 20, at: 5 },
    ];
    for (const { at, ...reading } of readings) {
      const point = { ...reading, timestamp: new Date(startMs + at).toISOString() };
      const { status, body } = await daemon.post('/v1/telemetry', { data: [point] });
      expect([status, body.data.accepted]).toEqual([200, 1]);
    }
    const difference = () => history('boiler-1', 'difference', startMs, startMs + 1_000);
    const expected = [
      [startMs + 1, 40, 'good'],
      [startMs + 2, 39, 'uncertain'],
      [startMs + 3, null, 'bad'],
      [startMs + 4, null, 'bad'],
      [startMs + 5, 41, 'good'],
    ];
    await eventually(async () => ((await difference()).length >= expected.length ? true : undefined), {
      what: 'the stored differences',
      ...PATIENCE,
    });
    expect(await difference()).toEqual(expected);
    await expectBalancedBooks(daemon);

    const before = await pallets(0);
    expect(await daemon.stop()).toBe(0);
    await daemon.restart();
    const first = await pallets(before.timeMs);
    const after = await pallets((await pallets(first.timeMs)).timeMs);
    expect(await difference()).toEqual(expected);
    expect(await newest('boiler-1', 'difference')).toMatchObject({ value: 41, quality: 'good', timeMs: startMs + 5 });
    const { body } = await daemon.get('/v1/data-sources/ds-calc');
    expect(body.data.stats.deduplicated).toBeGreaterThanOrEqual(1);
    expect(await expectComputed(before.timeMs - 5 * POLLED_MS, before.timeMs)).toBeGreaterThan(1);
    expect(await expectComputed(first.timeMs, after.timeMs)).toBeGreaterThan(1); // between them the sources stop and start
    await expectBalancedBooks(daemon);
  });

  test('that go in a circle are refused with the circle, and the source goes on as it was', async () => {
    const { status, body } = await daemon.post('/v1/data-sources', {
      name: 'Round',
      type: 'derived',
      tags: [
        { tag_name: 'a', asset_id: 'press-1', expression: 'pallets + b' },
        { tag_name: 'b', asset_id: 'press-1', expression: 'a / 2' },
      ],
    });
    expect([status, body.error.code]).toEqual([400, 'validation_error']);
    expect(body.error.details).toEqual([
      { field: 'tags.1.expression', message: 'is computed from itself: press-1/b from press-1/a from press-1/b' },
    ]);
    expect((await daemon.get('/v1/data-sources')).body.data).toHaveLength(3);
    expect((await daemon.get(path)).body.data).toMatchObject({ state: 'connected', revision: 1 });
  });
});
