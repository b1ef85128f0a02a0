/** GET /api/twins/{id}?at=TIME: the twin's values as of that time. */
import { describe, expect, it } from 'vitest';
import { BAD, UNCERTAIN } from '../../../src/core/status.ts';
import { ApiClient } from '../../support/api-client.ts';
import { at, FakeServices, sensor } from '../../support/fake-services.ts';

function plant(): ApiClient {
  const services = new FakeServices('2026-01-06T12:00:00Z');
  services.addTwin({
    id: 'pump',
    metadata: { maker: 'x' },
    sensors: [
      sensor('pump', 'level'),
      sensor('pump', 'mode'),
      sensor('pump', 'never'),
      sensor('pump', 'plc-level', { binding: { source: 'plc', asset: 'pump', tag: 'level' }, bindingExplicit: true }),
    ],
    actuators: [
      { id: 'power', name: 'Power', type: 'binary', binding: { asset: 'pump', tag: 'power' } },
      { id: 'free', name: 'Free', type: 'continuous' },
    ],
  });
  const add = (tag: string, time: string, value: number | string | boolean | null, more = {}) =>
    services.addSample({ asset: 'pump', tag, timeMs: at(`2026-01-06T${time}Z`), value, ...more });
  add('level', '10:00:00', 1, { source: 'plc' });
  add('level', '10:10:00', 2, { status: UNCERTAIN });
  add('level', '10:20:00', null, { status: BAD });
  add('level', '10:30:00', 4);
  add('mode', '10:05:00', 'auto');
  add('power', '10:00:00', true);
  add('power', '10:15:00', false);
  services.addSample({ asset: 'pump', tag: 'level', timeMs: at('2025-11-01'), value: -1 });
  services.addSample({ tenant: 'northwind', asset: 'pump', tag: 'level', timeMs: at('2026-01-06T10:11:00Z'), value: 99 });
  return new ApiClient(services);
}

const valuesAt = async (client: ApiClient, time: string) => {
  const { status, body } = await client.get(`/api/twins/pump?at=${time}`);
  expect(status).toBe(200);
  const sensors = body.data.sensors.map((one: { id: string; current_value: unknown; quality: string; last_updated: string | null }) => [
    one.id,
    one.current_value,
    one.quality,
    one.last_updated?.slice(11) ?? null,
  ]);
  const [power, free] = body.data.actuators;
  return { sensors, power: power.current_state, free: free.current_state };
};

describe('a twin at a time', () => {
  it('has the newest usable value at or before it, with its time and quality', async () => {
    const client = plant();
    expect(await valuesAt(client, '2026-01-06T10:29:59Z')).toEqual({
      sensors: [
        ['level', 2, 'uncertain', '10:10:00Z'],
        ['mode', 'auto', 'good', '10:05:00Z'],
        ['never', null, 'bad', null],
        ['plc-level', 1, 'good', '10:00:00Z'],
      ],
      power: false,
      free: null,
    });
    expect((await valuesAt(client, '2026-01-06T10:30:00Z')).sensors[0]).toEqual(['level', 4, 'good', '10:30:00Z']);
    expect((await valuesAt(client, '2026-01-06T10:00:00Z')).power).toBe(true);
  });

  it('has no value before the first one, nor from more than a month before', async () => {
    const { sensors, power } = await valuesAt(plant(), '2026-01-06T09:59:59Z');
    expect(sensors.map(([, value]: unknown[]) => value)).toEqual([null, null, null, null]);
    expect(power).toBeNull();
    expect((await valuesAt(plant(), '2025-12-02T00:00:00Z')).sensors[0]).toEqual(['level', -1, 'good', '00:00:00Z']);
  });

  it('has what is set once and rarely, however long ago, as the present twin has it', async () => {
    const client = plant();
    const { services } = client;
    services.addSample({ asset: 'pump', tag: 'free', timeMs: at('2025-10-01'), value: 7 });
    services.addSample({ asset: 'pump', tag: 'never', timeMs: at('2025-10-01'), value: 3 });
    services.addSample({ asset: 'pump', tag: 'never', timeMs: at('2026-01-06T11:00:00Z'), value: null, status: BAD });
    const now = await valuesAt(client, '2026-01-06T12:00:00Z');
    expect(now.free).toBe(7);
    expect(now.sensors[2]).toEqual(['never', 3, 'uncertain', '00:00:00Z']);
    expect((await valuesAt(client, '2025-10-01T00:00:00Z')).free).toBe(7);
    expect((await valuesAt(client, '2025-09-30T23:59:59Z')).free).toBeNull();
  });

  it('says what is of then and what is of now', async () => {
    const { body } = await plant().get('/api/twins/pump?at=2026-01-06T11:00:00%2B01:00');
    expect(body.data).toMatchObject({ status: 'active', metadata: { maker: 'x' } });
    expect(body.meta).toMatchObject({ at: '2026-01-06T10:00:00Z', looked_back_to: '2025-12-06T10:00:00Z' });
    expect(body.meta.past).toContain('current_value');
    expect(body.meta.present).toEqual(expect.arrayContaining(['status', 'metadata']));
    expect((await plant().get('/api/twins/pump')).body.meta).toBeUndefined();
  });

  it('shows an actuator without a binding by the tag of its id, and nothing of what is asked of the device now', async () => {
    const client = plant();
    const { services } = client;
    services.addSample({ asset: 'pump', tag: 'free', timeMs: at('2026-01-06T10:00:00Z'), value: 40 });
    for (const tag of ['power', 'free']) {
      services.owners.set(`pump/${tag}`, { source: 'plc', writable: true });
      services.lastCommands.set(`pump/${tag}`, { value: 70, failure: null, pending: true });
    }
    const [power, free] = (await client.get('/api/twins/pump?at=2026-01-06T11:00:00Z')).body.data.actuators;
    expect(free.current_state).toBe(40);
    expect([power, free].map((one) => Object.hasOwn(one, 'desired_state'))).toEqual([false, false]);
    expect((await client.get('/api/twins/pump')).body.data.actuators[1].desired_state).toBe(70);
  });

  it.each(['2026-01-06T12:00:00.001Z', 'yesterday', ''])('refuses %j', async (time) => {
    const { status, body } = await plant().get(`/api/twins/pump?at=${time}`);
    expect(status).toBe(422);
    expect(body.error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field: 'at' }] });
  });

  it('is history, which needs its scope, and shows nothing to another tenant', async () => {
    const client = plant();
    const assets = client.services.addToken(['read:assets']);
    expect((await client.get('/api/twins/pump', { token: assets })).status).toBe(200);
    expect((await client.get('/api/twins/pump?at=2026-01-06', { token: assets })).status).toBe(403);
    const foreign = client.services.addToken(['admin'], { tenant: 'northwind' });
    expect((await client.get('/api/twins/pump?at=2026-01-06', { token: foreign })).status).toBe(404);
  });
});
