/** Twins, sensors and actuators are changed over the API. */
import { describe, expect, it } from 'vitest';
import type { ErrorCode } from '../../../src/core/errors.ts';
import { GOOD } from '../../../src/core/status.ts';
import { ApiClient, type RequestOptions } from '../../support/api-client.ts';
import { sensor } from '../../support/fake-services.ts';

const OWN = { source: 'ds-press', writable: true };

/** A pump with a sensor of the press's PLC, one that is nobody's, a coil that may be written and a setpoint that is kept here. */
function plant(more: { readonly managedBy?: 'config' | 'api'; readonly status?: 'active' | 'archived' } = {}): ApiClient {
  const client = new ApiClient();
  const { services } = client;
  services.addSource({ id: 'ds-press', name: 'Press PLC' });
  services.owners.set('pump/temperature', { source: 'ds-press', writable: false });
  services.owners.set('pump/power', OWN);
  services.owners.set('pump/speed', OWN);
  services.addTwin({
    id: 'pump',
    name: 'Pump',
    description: 'Feeds',
    metadata: { hall: 3, deep: { a: 1, b: 2 } },
    sensors: [sensor('pump', 'temperature'), sensor('pump', 'level', { minValue: 0, maxValue: 10, description: 'of the tank' })],
    actuators: [
      { id: 'power', name: 'Power', type: 'binary' },
      { id: 'speed', name: 'Speed', type: 'continuous', binding: { source: 'ds-press', asset: 'pump', tag: 'speed', min: 0, max: 100 } },
      { id: 'mode', name: 'Mode', type: 'binary' },
      { id: 'lost', name: 'Lost', type: 'binary', binding: { asset: 'pump', tag: 'nowhere' } },
      { id: 'temperature', name: 'T', type: 'continuous' },
    ],
    ...more,
  });
  return client;
}

const patch = (client: ApiClient, path: string, json: unknown, options: RequestOptions = {}) =>
  client.send(`/api/twins/pump${path}`, { method: 'PATCH', json, ...options });
const remove = (client: ApiClient, path: string, options: RequestOptions = {}) =>
  client.send(`/api/twins/pump${path}`, { method: 'DELETE', ...options });
const post = (client: ApiClient, path: string, json: unknown) => client.post(`/api/twins/pump${path}`, json);
const pump = async (client: ApiClient) => (await client.get('/api/twins/pump')).body.data;

describe('PATCH of a twin', () => {
  it('merges: null takes away, metadata goes deep, what is absent stays', async () => {
    const client = plant();
    const { body } = await patch(client, '', { description: null, metadata: { deep: { a: null, c: 3 } } });
    expect(body.data).toMatchObject({ name: 'Pump', description: null, metadata: { hall: 3, deep: { b: 2, c: 3 } } });
    expect((await patch(client, '', { metadata: null })).body.data.metadata).toEqual({});
  });

  it('takes back what a GET gave, and changes nothing then', async () => {
    const client = plant();
    const read = await client.get('/api/twins/pump');
    const answer = await patch(client, '', read.body.data);
    expect(answer.status).toBe(200);
    expect(answer.headers.get('etag')).toBe(read.headers.get('etag'));
    expect(await pump(client)).toEqual(read.body.data);
  });

  it.each<[string, object, string]>([
    ['an unknown key', { nmae: 'x' }, 'nmae'],
    ['another id', { id: 'other' }, 'id'],
    ['an empty name', { name: '' }, 'name'],
    ['no name', { name: null }, 'name'],
    ['an unknown status', { status: 'asleep' }, 'status'],
    ['metadata that is no object', { metadata: [1] }, 'metadata'],
    ['metadata that grows beyond 16 KiB', { metadata: { note: 'x'.repeat(16_380) } }, 'metadata'],
  ])('refuses %s by the name of its field', async (_what, json, field) => {
    const client = plant();
    const before = await pump(client);
    const { status, body } = await patch(client, '', json);
    expect([status, body.error.code, body.error.details[0].field]).toEqual([422, 'VALIDATION_ERROR', field]);
    expect(await pump(client)).toEqual(before);
  });

  it('wants the present revision where If-Match names one', async () => {
    const client = plant();
    const etag = (await client.get('/api/twins/pump')).headers.get('etag') as string;
    const first = await patch(client, '', { name: 'A' }, { headers: { 'If-Match': etag } });
    expect([first.status, first.headers.get('etag')]).toEqual([200, '"2"']);
    for (const stale of [
      patch(client, '', { name: 'B' }, { headers: { 'If-Match': etag } }),
      patch(client, '/sensors/level', { name: 'B' }, { headers: { 'If-Match': etag } }),
      patch(client, '/actuators/power', { current_state: true }, { headers: { 'If-Match': etag } }),
      remove(client, '/sensors/level', { headers: { 'If-Match': etag } }),
      remove(client, '/actuators/power', { headers: { 'If-Match': etag } }),
      remove(client, '', { headers: { 'If-Match': etag } }),
    ])
      expect((await stale).status).toBe(412);
    expect(client.services.commands).toEqual([]);
    expect((await pump(client)).name).toBe('A');
  });
});

describe('what comes from the file', () => {
  it('is not changed over the API', async () => {
    const client = plant({ managedBy: 'config' });
    const before = await pump(client);
    const answers = await Promise.all([
      patch(client, '', { name: 'X' }),
      remove(client, ''),
      post(client, '/sensors', { id: 'new', name: 'New', unit: '' }),
      patch(client, '/sensors/level', { max_value: 11 }),
      remove(client, '/sensors/level'),
      post(client, '/actuators', { id: 'new', name: 'New', type: 'binary' }),
      patch(client, '/actuators/power', { name: 'X' }),
      remove(client, '/actuators/power'),
    ]);
    for (const { status, body } of answers) expect([status, body.error.code]).toEqual([409, 'MANAGED_BY_CONFIG']);
    expect(await pump(client)).toEqual(before);
  });

  it('takes values all the same', async () => {
    const client = plant({ managedBy: 'config' });
    expect((await patch(client, '/sensors/level', { current_value: 7 })).body.data.current_value).toBe(7);
    expect((await patch(client, '/actuators/power', { current_state: 1 })).body.data.current_state).toBe(true);
  });
});

describe('an archived twin', () => {
  it('is read-only until its status is set', async () => {
    const client = plant({ status: 'archived' });
    for (const { status, body } of await Promise.all([
      patch(client, '', { name: 'X' }),
      patch(client, '', { name: 'X', status: 'archived' }),
      post(client, '/sensors', { id: 'new', name: 'New', unit: '' }),
      patch(client, '/sensors/level', { current_value: 1 }),
      patch(client, '/actuators/power', { current_state: true }),
      remove(client, '/sensors/level'),
    ]))
      expect([status, body.error.code]).toEqual([409, 'TWIN_ARCHIVED']);
    expect(client.services.commands).toEqual([]);
    expect((await patch(client, '', { status: 'active', name: 'X' })).body.data).toMatchObject({ status: 'active', name: 'X' });
    expect((await patch(client, '', { status: 'archived' })).status).toBe(200);
    expect((await remove(client, '')).status).toBe(204);
  });
});

describe('a sensor', () => {
  it('keeps a current_value as a reading of now, which history has', async () => {
    const client = plant();
    const { body } = await patch(client, '/sensors/level', { current_value: 4.5 });
    expect(body.data).toMatchObject({ current_value: 4.5, last_updated: '2026-01-06T10:30:00Z', quality: 'good', max_value: 10 });
    client.services.advance(1_000);
    const history = await client.get('/api/twins/pump/sensors/level/history');
    expect(history.body.data).toEqual([{ timestamp: '2026-01-06T10:30:00Z', value: 4.5, quality: 'good' }]);
    expect((await client.get('/v1/telemetry?asset_id=pump&tag_name=level')).body.data).toMatchObject([{ data_source_id: 'api' }]);
  });

  it('is refused a current_value where a device gives it, at its making too, and then nothing is made', async () => {
    const client = plant();
    const bound = await patch(client, '/sensors/temperature', { current_value: 1, name: 'X' });
    expect([bound.status, bound.body.error.code]).toEqual([409, 'SENSOR_BOUND']);
    const binding = { tag_name: 'temperature' };
    const made = await post(client, '/sensors', { id: 't2', name: 'T', unit: '', current_value: 1, binding });
    expect([made.status, made.body.error.code]).toEqual([409, 'SENSOR_BOUND']);
    const elsewhere = await post(client, '/sensors', {
      id: 't3',
      name: 'T',
      unit: '',
      current_value: 1,
      binding: { data_source_id: 'ds-press', tag_name: 'x' },
    });
    expect([elsewhere.status, elsewhere.body.error.code]).toEqual([409, 'SENSOR_BOUND']);
    expect((await pump(client)).sensors.map(({ id, name }: { id: string; name: string }) => [id, name])).toEqual([
      ['temperature', 'temperature'],
      ['level', 'level'],
    ]);
    expect(client.services.samples).toEqual([]);
  });

  it('is changed in part, and takes back what a GET gave', async () => {
    const client = plant();
    const { body } = await patch(client, '/sensors/level', { max_value: null, description: null, binding: { tag_name: 'height' } });
    expect(body.data).toMatchObject({
      min_value: 0,
      max_value: null,
      description: null,
      binding: { asset_id: 'pump', tag_name: 'height' },
    });
    expect((await patch(client, '/sensors/level', { binding: { asset_id: 'tank' } })).body.data.binding).toEqual({
      asset_id: 'tank',
      tag_name: 'height',
    });
    expect((await patch(client, '/sensors/level', { binding: null })).body.data.binding).toBeUndefined();
    const [, shown] = (await pump(client)).sensors;
    const same = await patch(client, '/sensors/level', shown);
    expect([same.status, same.body.data]).toEqual([200, shown]);
  });

  it.each<[string, object, string]>([
    ['limits the wrong way round', { min_value: 11 }, 'min_value'],
    ['an unknown source', { binding: { tag_name: 'x', data_source_id: 'none' } }, 'binding.data_source_id'],
    ['a binding without a tag', { binding: { asset_id: 'x' } }, 'binding.tag_name'],
    ['no unit', { unit: null }, 'unit'],
    ['an object as its value', { current_value: {} }, 'current_value'],
    ['an unknown key', { maximum: 1 }, 'maximum'],
  ])('refuses %s', async (_what, json, field) => {
    const { status, body } = await patch(plant(), '/sensors/level', json);
    expect([status, body.error.details[0].field]).toEqual([422, field]);
  });

  it.each<[ErrorCode, number, string]>([
    ['disk_full', 507, 'STORAGE_FULL'],
    ['store_failed', 503, 'STORE_FAILED'],
  ])('is not made when the records say %s', async (code, status, spelled) => {
    const client = plant();
    client.services.saveError = code;
    const answer = await post(client, '/sensors', { id: 'new', name: 'New', unit: '', current_value: 1 });
    expect([answer.status, answer.body.error.code]).toEqual([status, spelled]);
    expect(JSON.stringify(answer.body)).not.toContain('secret-path');
    expect((await pump(client)).sensor_count).toBe(2);
    expect(client.services.samples).toEqual([]);
  });

  it('is not made with a value that the ring has no room for', async () => {
    const client = plant();
    client.services.hasRoom = false;
    expect((await post(client, '/sensors', { id: 'new', name: 'New', unit: '', current_value: 1 })).status).toBe(503);
    expect((await pump(client)).sensor_count).toBe(2);
  });

  it('is made once for one Idempotency-Key', async () => {
    const client = plant();
    const json = { id: 'new', name: 'New', unit: '', current_value: 1 };
    const send = () => client.post('/api/twins/pump/sensors', json, { headers: { 'Idempotency-Key': 'k1' } });
    const first = await send();
    const second = await send();
    expect([second.status, second.body, second.headers.get('location')]).toEqual([201, first.body, '/api/twins/pump/sensors/new']);
    expect(second.headers.get('idempotent-replayed')).toBe('true');
    expect(client.services.samples).toHaveLength(1);
  });
});

describe('an actuator that a device has', () => {
  it('is written, bound by its name or by a binding, and shows what the device reports', async () => {
    const client = plant();
    const power = await patch(client, '/actuators/power', { current_state: 1 });
    expect(power.body.data).toMatchObject({ current_state: true, last_updated: '2026-01-06T10:30:00Z' });
    client.services.outcome = { ok: true, value: 49.5, timeMs: client.services.nowMs };
    expect((await patch(client, '/actuators/speed', { current_state: 49.4 })).body.data.current_state).toBe(49.5);
    expect(client.services.commands).toEqual([
      { source: 'ds-press', asset: 'pump', tag: 'power', value: true },
      { source: 'ds-press', asset: 'pump', tag: 'speed', value: 49.4 },
    ]);
  });

  it.each<[string, string, unknown]>([
    ['a number for a switch', 'power', 2],
    ['text for a switch', 'power', 'on'],
    ['true for a number', 'speed', true],
    ['less than its minimum', 'speed', -1],
    ['more than its maximum', 'speed', 100.5],
  ])('is not sent %s', async (_what, id, state) => {
    const client = plant();
    const { status, body } = await patch(client, `/actuators/${id}`, { current_state: state });
    expect([status, body.error.details[0].field]).toEqual([422, 'current_state']);
    expect(client.services.commands).toEqual([]);
  });

  it.each<[ErrorCode, number, string]>([
    ['not_writable', 409, 'ACTUATOR_READ_ONLY'],
    ['not_supported', 409, 'ACTUATOR_READ_ONLY'],
    ['invalid_value', 422, 'VALIDATION_ERROR'],
    ['not_connected', 502, 'ACTUATOR_WRITE_FAILED'],
    ['write_refused', 502, 'ACTUATOR_WRITE_FAILED'],
    ['write_not_confirmed', 502, 'ACTUATOR_WRITE_FAILED'],
    ['protocol', 502, 'ACTUATOR_WRITE_FAILED'],
    ['unknown_tag', 502, 'ACTUATOR_WRITE_FAILED'],
    ['overloaded', 503, 'OVERLOADED'],
    ['stopped', 503, 'STOPPED'],
    ['timeout', 504, 'ACTUATOR_WRITE_FAILED'],
  ])('whose write ends as %s is answered %i %s', async (code, status, spelled) => {
    const client = plant();
    client.services.outcome = { ok: false, code, message: 'connect ECONNREFUSED 10.9.8.7:502' };
    const answer = await patch(client, '/actuators/power', { current_state: true });
    expect([answer.status, answer.body.error.code]).toEqual([status, spelled]);
    if (code === 'not_connected') expect(JSON.stringify(answer.body)).not.toContain('10.9.8.7');
    if (code === 'timeout') expect(answer.body.error.details).toEqual([{ field: 'current_state', message: 'timeout' }]);
  });

  it('shows what was asked for while the device shows another, and is an error until it shows it', async () => {
    const client = plant();
    const reported = { assetId: 'pump', tagName: 'power', value: false, status: GOOD, timeMs: undefined };
    client.services.outcome = { ok: false, code: 'write_not_confirmed', message: 'shows false', reported };
    await patch(client, '/actuators/power', { current_state: true });
    const power = async () => (await pump(client)).actuators[0];
    expect(await power()).toMatchObject({ current_state: false, desired_state: true });
    const status = (await client.get('/api/twins/pump/status')).body.data;
    expect(status.actuators).toEqual({ total: 5, operational: 4, error: 1 });
    expect(status.reasons.filter(({ part }: { part: string }) => part === 'actuator')).toEqual([
      {
        part: 'actuator',
        id: 'power',
        level: 'error',
        code: 'write_failed',
        message: 'Power did not take the last write (write_not_confirmed): The device took the write, but did not show the value in time.',
      },
    ]);
    client.services.advance(1_000);
    client.services.addSample({ source: 'ds-press', asset: 'pump', tag: 'power', timeMs: client.services.nowMs, value: true });
    expect(await power()).not.toHaveProperty('desired_state');
    expect((await client.get('/api/twins/pump/status')).body.data.actuators.error).toBe(0);
  });

  it('shows a number where it is continuous, behind a coil too, and is content with it', async () => {
    const client = plant();
    client.services.addSample({ source: 'ds-press', asset: 'pump', tag: 'speed', timeMs: client.services.nowMs, value: true });
    client.services.lastCommands.set('pump/speed', { value: 1, failure: 'write_not_confirmed', pending: false });
    const speed = (await pump(client)).actuators[1];
    expect([speed.current_state, Object.hasOwn(speed, 'desired_state')]).toEqual([1, false]);
  });

  it('is an error while its source is down', async () => {
    const client = plant();
    const index = client.services.allSources.findIndex(({ id }) => id === 'ds-press');
    client.services.allSources.splice(index, 1);
    client.services.addSource({ id: 'ds-press', state: 'back_off', reason: 'no answer' });
    const { reasons } = (await client.get('/api/twins/pump/status')).body.data;
    const down = reasons.filter(({ part, code }: { part: string; code: string }) => part === 'actuator' && code === 'source_down');
    expect(down.map(({ id }: { id: string }) => id)).toEqual(['power', 'speed', 'temperature']);
  });

  it('is not moved by its making', async () => {
    const client = plant();
    await remove(client, '/actuators/power');
    const made = await post(client, '/actuators', { id: 'power', name: 'Power', type: 'binary', current_state: true });
    expect([made.status, made.body.error.details[0].field]).toEqual([422, 'current_state']);
    expect((await post(client, '/actuators', { id: 'power', name: 'Power', type: 'binary' })).status).toBe(201);
    expect(client.services.commands).toEqual([]);
  });

  it('is read-only where its tag may not be written, or where its binding leads nowhere', async () => {
    const client = plant();
    for (const id of ['temperature', 'lost']) {
      const { status, body } = await patch(client, `/actuators/${id}`, { current_state: 1 });
      expect([status, body.error.code]).toEqual([409, 'ACTUATOR_READ_ONLY']);
    }
    expect([client.services.commands, client.services.samples]).toEqual([[], []]);
  });

  it('is not written by a token that may only describe', async () => {
    const client = plant();
    const token = client.services.addToken(['write:assets', 'write:telemetry']);
    expect((await patch(client, '/actuators/power', { current_state: true }, { token })).status).toBe(403);
    expect(client.services.commands).toEqual([]);
  });
});

describe('an actuator of no device', () => {
  it('keeps its state with its time', async () => {
    const client = plant();
    expect((await patch(client, '/actuators/mode', { current_state: 0 })).body.data).toMatchObject({
      current_state: false,
      last_updated: '2026-01-06T10:30:00Z',
    });
    expect((await pump(client)).actuators[2]).toMatchObject({ id: 'mode', current_state: false });
    expect(client.services.commands).toEqual([]);
  });

  it('is renamed without being moved', async () => {
    const client = plant();
    const { body } = await patch(client, '/actuators/power', { name: 'Main switch', description: 'red' });
    expect(body.data).toMatchObject({ name: 'Main switch', description: 'red', current_state: null });
    expect(client.services.commands).toEqual([]);
  });

  it.each<[string, object, string]>([
    ['an unknown type', { type: 'rotary' }, 'type'],
    ['limits the wrong way round', { binding: { tag_name: 'x', min: 2, max: 1 } }, 'binding.min'],
    ['an unknown source', { binding: { tag_name: 'x', data_source_id: 'none' } }, 'binding.data_source_id'],
    ['a state of the other type', { current_state: 0.5 }, 'current_state'],
    ['an id that is none', { id: 'a b' }, 'id'],
  ])('is not made with %s', async (_what, json, field) => {
    const { status, body } = await post(plant(), '/actuators', { id: 'new', name: 'New', type: 'binary', ...json });
    expect([status, body.error.details[0].field]).toEqual([422, field]);
  });
});
