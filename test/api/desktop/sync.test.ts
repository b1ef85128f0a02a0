/** POST /api/twins/{id}/sync as the document prints it, and where the document is silent. */
import { describe, expect, it } from 'vitest';
import { ERRORS } from '../../../src/core/errors.ts';
import type { Scalar } from '../../../src/core/tag.ts';
import { ApiClient } from '../../support/api-client.ts';
import { at, FakeServices, sensor } from '../../support/fake-services.ts';

const PATH = '/api/twins/pump-101/sync';

/** Two sensors at the PLC, whose reading brings these values. */
function plant(values: Readonly<Record<string, Scalar>> = { temperature: 66.2, pressure: 2.6 }): ApiClient {
  const services = new FakeServices('2025-11-17T04:05:00Z');
  services.addTwin({
    id: 'pump-101',
    createdMs: at('2025-10-01'),
    sensors: [sensor('pump-101', 'temperature'), sensor('pump-101', 'pressure')],
  });
  services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs: at('2025-11-17T04:00:00Z'), value: 65.5 });
  services.addSample({ asset: 'pump-101', tag: 'pressure', timeMs: at('2025-11-17T04:00:00Z'), value: 2.5 });
  services.syncDevices.tagsOf = (_tenant, { asset, tag }) => [{ sourceId: 'plc', assetId: asset, tagName: tag }];
  services.syncDevices.committed = async () => {
    for (const [tag, value] of Object.entries(values)) services.addSample({ asset: 'pump-101', tag, timeMs: services.nowMs, value });
  };
  return new ApiClient(services);
}

describe('the body', () => {
  it.each([
    ['none', {}],
    ['an empty one that says it is JSON', { headers: { 'Content-Type': 'application/json' } }],
    ['an empty object', { json: {} }],
    ['the printed one', { json: { force: false, timeout: 30 } }],
  ])('may be %s', async (_what, options) => {
    const { status, body } = await plant().send(PATH, { method: 'POST', ...options });
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ id: 'pump-101', sync_status: 'completed', sync_time: '2025-11-17T04:05:00Z' });
  });

  it.each([
    [{ timeout: 0 }, 'timeout'],
    [{ timeout: 300.5 }, 'timeout'],
    [{ timeout: '30' }, 'timeout'],
    [{ force: 'yes' }, 'force'],
    [{ forced: true }, 'forced'],
    [[], 'body'],
  ])('%j is refused', async (json, field) => {
    const { status, body } = await plant().post(PATH, json);
    expect(status).toBe(422);
    expect(body.error).toMatchObject({ code: 'VALIDATION_ERROR', details: [{ field }] });
  });

  it('must be JSON where there is one', async () => {
    expect((await plant().send(PATH, { method: 'POST', raw: '{' })).body.error.code).toBe('INVALID_JSON');
    const plain = await plant().send(PATH, { method: 'POST', raw: 'force', headers: { 'Content-Type': 'text/plain' } });
    expect(plain.status).toBe(415);
  });
});

describe('the answer', () => {
  it('is skipped with the same keys within a minute, and status tells the time of the sync', async () => {
    const client = plant();
    await client.post(PATH, {});
    client.services.advance(30_000);
    const { body } = await client.post(PATH, {});
    expect(body).toEqual({
      data: {
        id: 'pump-101',
        sync_status: 'skipped',
        sync_time: '2025-11-17T04:05:00Z',
        sensors_updated: 0,
        actuators_updated: 0,
        changes: {},
      },
    });
    expect((await client.post(PATH, { force: true })).body.data).toMatchObject({
      sync_status: 'completed',
      sync_time: '2025-11-17T04:05:30Z',
    });
    expect((await client.get('/api/twins/pump-101/status')).body.data.last_sync).toBe('2025-11-17T04:05:30Z');
  });

  it('is all zeros where no tag is bound', async () => {
    const client = plant();
    client.services.syncDevices.tagsOf = () => [];
    expect((await client.post(PATH, {})).body.data).toEqual({
      id: 'pump-101',
      sync_status: 'completed',
      sync_time: '2025-11-17T04:05:00Z',
      sensors_updated: 0,
      actuators_updated: 0,
      changes: {},
    });
  });

  it('is refused for an archived twin, which is read-only, and reads nothing', async () => {
    const client = plant();
    let reads = 0;
    client.services.syncDevices.read = async (tags) => {
      reads++;
      return tags.map(() => ({ ok: true }));
    };
    await client.send('/api/twins/pump-101', { method: 'PATCH', json: { status: 'archived' } });
    for (const body of [{}, { force: true }]) {
      expect(await client.post(PATH, body)).toMatchObject({ status: 409, body: { error: { code: 'TWIN_ARCHIVED' } } });
    }
    expect(reads).toBe(0);
    await client.send('/api/twins/pump-101', { method: 'PATCH', json: { status: 'active' } });
    expect((await client.post(PATH, {})).status).toBe(200);
  });

  it('names what could not be read', async () => {
    const client = plant();
    client.services.syncDevices.read = async (tags) =>
      tags.map(({ tagName }) => (tagName === 'pressure' ? { ok: false, code: 'protocol', message: '10.9.8.7 refused' } : { ok: true }));
    expect((await client.post(PATH, {})).body.data).toMatchObject({
      sync_status: 'partial',
      sensors_updated: 1,
      errors: [{ part: 'sensor', id: 'pressure', data_source_id: 'plc', code: 'protocol', message: ERRORS.protocol }],
    });
  });

  it.each([
    ['not_connected', 502],
    ['timeout', 504],
  ] as const)('is SYNC_FAILED when every read ends with %s', async (code, expected) => {
    const client = plant();
    client.services.syncDevices.read = async (tags) => tags.map(() => ({ ok: false, code, message: '10.9.8.7:502 is silent' }));
    const { status, body } = await client.post(PATH, {});
    expect(status).toBe(expected);
    expect(body.error).toMatchObject({
      code: 'SYNC_FAILED',
      details: [{ field: 'temperature', message: ERRORS[code] }, { field: 'pressure' }],
    });
    expect(JSON.stringify(body)).not.toContain('10.9.8.7');
  });

  it('is TWIN_NOT_FOUND for a twin that is not there', async () => {
    expect((await plant().post('/api/twins/none/sync', {})).body.error.code).toBe('TWIN_NOT_FOUND');
  });
});
