/** The examples that the Twin API's document prints, replayed. */
import { describe, expect, it } from 'vitest';
import type { Scalar } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { ApiClient } from '../support/api-client.ts';
import { at, FakeServices, sensor } from '../support/fake-services.ts';
import { expectPrinted } from './printed.ts';
import {
  EXCHANGER,
  EXCHANGER_CREATED,
  EXCHANGER_PATCH,
  EXCHANGER_UPDATED,
  FLOW,
  FLOW_PATCH,
  SPEED,
  SPEED_PATCH,
} from './twin-api-examples.ts';

const ASSET = 'pump-101';

/** pump-101 as the document prints it (three sensors and two actuators, of which it shows two and one), and 44 younger twins. */
function plant(now: string): ApiClient {
  const services = new FakeServices(now);
  const binding = (tag: string) => ({ asset: ASSET, tag });
  services.addTwin({
    id: ASSET,
    name: 'Main Cooling Pump',
    description: 'Primary cooling pump for reactor system',
    createdMs: at('2025-10-01T12:00:00Z'),
    updatedMs: at('2025-10-15T09:30:00Z'),
    metadata: { manufacturer: 'FlowTech Industries', model: 'FT-3000', installation_date: '2024-05-15' },
    sensors: [
      sensor(ASSET, 'temperature', { name: 'Temperature', unit: '°C', minValue: -10, maxValue: 100 }),
      sensor(ASSET, 'pressure', { name: 'Pressure', unit: 'bar', minValue: 0, maxValue: 10 }),
      sensor(ASSET, 'flow_rate', { name: 'Flow Rate', unit: 'L/min', minValue: 0, maxValue: 500 }),
    ],
    actuators: [
      { id: 'power', name: 'Power Switch', type: 'binary', binding: binding('power') },
      { id: 'speed_control', name: 'Speed Control', type: 'continuous' },
    ],
  });
  for (let index = 1; index < 45; index++) services.addTwin({ id: `other-${index}`, createdMs: at('2025-11-01') });
  const values: Record<string, Scalar> = { temperature: 65.5, pressure: 2.5, flow_rate: 150, power: true, speed_control: 0.75 };
  for (const [tag, value] of Object.entries(values)) services.addSample({ asset: ASSET, tag, timeMs: at('2025-11-17T03:57:00Z'), value });
  return new ApiClient(services);
}

describe('the Twin API, as printed', () => {
  it('lists twins', async () => {
    const { status, body } = await plant('2025-11-17T03:57:30Z').get('/api/twins');
    expect(status).toBe(200);
    expectPrinted(body, {
      data: [
        {
          id: 'pump-101',
          name: 'Main Cooling Pump',
          description: 'Primary cooling pump for reactor system',
          type: 'equipment',
          status: 'active',
          sensor_count: 3,
          actuator_count: 2,
          created_at: '2025-10-01T12:00:00Z',
          updated_at: '2025-10-15T09:30:00Z',
        },
      ],
      meta: { pagination: { total_items: 45, total_pages: 3, current_page: 1, per_page: 20 } },
      links: { self: '/api/twins?page=1&per_page=20', next: '/api/twins?page=2&per_page=20' },
    });
  });

  it('gets a twin', async () => {
    const { status, body } = await plant('2025-11-17T03:57:30Z').get('/api/twins/pump-101');
    expect(status).toBe(200);
    expectPrinted(body, {
      data: {
        id: 'pump-101',
        name: 'Main Cooling Pump',
        description: 'Primary cooling pump for reactor system',
        type: 'equipment',
        status: 'active',
        sensors: [
          {
            id: 'temperature',
            name: 'Temperature',
            unit: '°C',
            current_value: 65.5,
            min_value: -10.0,
            max_value: 100.0,
            last_updated: '2025-11-17T03:57:00Z',
          },
          {
            id: 'pressure',
            name: 'Pressure',
            unit: 'bar',
            current_value: 2.5,
            min_value: 0.0,
            max_value: 10.0,
            last_updated: '2025-11-17T03:57:00Z',
          },
        ],
        actuators: [{ id: 'power', name: 'Power Switch', type: 'binary', current_state: true, last_updated: '2025-11-17T03:57:00Z' }],
        metadata: { manufacturer: 'FlowTech Industries', model: 'FT-3000', installation_date: '2024-05-15' },
        created_at: '2025-10-01T12:00:00Z',
        updated_at: '2025-10-15T09:30:00Z',
      },
    });
  });

  it('gets the history of a sensor', async () => {
    const client = plant('2025-11-17T05:00:00Z');
    const printed = [150.0, 152.5, 155.5];
    for (let minute = 0; minute < 60; minute++) {
      const timeMs = (at('2025-11-17T04:00:00Z') + minute * 60_000) as UnixMs;
      client.services.addSample({ asset: ASSET, tag: 'flow_rate', timeMs, value: printed[minute] ?? 156 });
    }
    const range = 'start_date=2025-11-17T04:00:00Z&end_date=2025-11-17T05:00:00Z&interval=1m';
    const { status, body } = await client.get(`/api/twins/pump-101/sensors/flow_rate/history?${range}`);
    expect(status).toBe(200);
    expectPrinted(body, {
      data: [
        { timestamp: '2025-11-17T04:00:00Z', value: 150.0 },
        { timestamp: '2025-11-17T04:01:00Z', value: 152.5 },
        { timestamp: '2025-11-17T04:02:00Z', value: 155.5 },
      ],
      meta: {
        pagination: { total_items: 60, total_pages: 1, current_page: 1, per_page: 100 },
        aggregation: { interval: '1m', start_date: '2025-11-17T04:00:00Z', end_date: '2025-11-17T05:00:00Z' },
      },
    });
  });

  it('runs the printed curl line for the history of the last 24 hours', async () => {
    const client = plant('2025-11-17T04:05:00Z');
    client.services.addTwin({ id: 'compressor-1', sensors: [sensor('compressor-1', 'temperature')] });
    client.services.addSample({ asset: 'compressor-1', tag: 'temperature', timeMs: at('2025-11-17T01:30:00Z'), value: 45 });
    const { status, body } = await client.get(
      '/api/twins/compressor-1/sensors/temperature/history?start_date=2025-11-16T04:05:00Z&end_date=2025-11-17T04:05:00Z&interval=1h',
    );
    expect(status).toBe(200);
    expectPrinted(body.data, [{ timestamp: '2025-11-17T01:00:00Z', value: 45 }]);
  });

  it('gets the status of a twin', async () => {
    const { status, body } = await plant('2025-11-17T03:57:30Z').get('/api/twins/pump-101/status');
    expect(status).toBe(200);
    expectPrinted(body, {
      data: {
        id: 'pump-101',
        name: 'Main Cooling Pump',
        status: 'active',
        health: 'good',
        last_sync: '2025-11-17T03:57:00Z',
        sensors: { total: 3, healthy: 3, warning: 0, error: 0 },
        actuators: { total: 2, operational: 2, error: 0 },
        alerts: [],
      },
    });
  });

  it('creates a twin', async () => {
    const { status, headers, body } = await plant('2025-11-17T03:58:00Z').post('/api/twins', EXCHANGER);
    expect(status).toBe(201);
    expect(headers.get('location')).toBe('/api/twins/heat-exchanger-1');
    expectPrinted(body, { data: { ...EXCHANGER_CREATED, created_at: '2025-11-17T03:58:00Z', updated_at: '2025-11-17T03:58:00Z' } });
  });

  it('updates a twin', async () => {
    const client = plant('2025-11-17T03:58:00Z');
    await client.post('/api/twins', EXCHANGER);
    for (const id of ['inlet', 'outlet']) await client.post('/api/twins/heat-exchanger-1/sensors', { id, name: id, unit: '°C' });
    await client.post('/api/twins/heat-exchanger-1/actuators', { id: 'valve', name: 'Valve', type: 'binary' });
    client.services.advance(120_000);
    const { status, body } = await client.send('/api/twins/heat-exchanger-1', { method: 'PATCH', json: EXCHANGER_PATCH });
    expect(status).toBe(200);
    expectPrinted(body, { data: { ...EXCHANGER_UPDATED, created_at: '2025-11-17T03:58:00Z', updated_at: '2025-11-17T04:00:00Z' } });
    expect(Object.keys(body.data.metadata)).toEqual(Object.keys(EXCHANGER_PATCH.metadata));
  });

  it('deletes a twin', async () => {
    const client = plant('2025-11-17T03:58:00Z');
    const { status, body } = await client.send('/api/twins/pump-101', { method: 'DELETE' });
    expect([status, body]).toEqual([204, undefined]);
    expect((await client.send('/api/twins/pump-101', { method: 'DELETE' })).status).toBe(404);
  });

  it('adds, updates and removes a sensor', async () => {
    const client = plant('2025-11-17T04:00:00Z');
    await client.send('/api/twins/pump-101/sensors/flow_rate', { method: 'DELETE' });
    const added = await client.post('/api/twins/pump-101/sensors', FLOW);
    expect(added.status).toBe(201);
    expect(added.headers.get('location')).toBe('/api/twins/pump-101/sensors/flow_rate');
    expectPrinted(added.body, { data: { ...FLOW, last_updated: '2025-11-17T04:00:00Z' } });
    client.services.advance(60_000);
    const updated = await client.send('/api/twins/pump-101/sensors/flow_rate', { method: 'PATCH', json: FLOW_PATCH });
    expect(updated.status).toBe(200);
    expectPrinted(updated.body, { data: { ...FLOW, ...FLOW_PATCH, last_updated: '2025-11-17T04:01:00Z' } });
    const removed = await client.send('/api/twins/pump-101/sensors/flow_rate', { method: 'DELETE' });
    expect([removed.status, removed.body]).toEqual([204, undefined]);
    expect((await client.get('/api/twins/pump-101')).body.data.sensor_count).toBe(2);
  });

  it('adds, updates and removes an actuator', async () => {
    const client = plant('2025-11-17T04:02:00Z');
    await client.send('/api/twins/pump-101/actuators/speed_control', { method: 'DELETE' });
    const added = await client.post('/api/twins/pump-101/actuators', SPEED);
    expect(added.status).toBe(201);
    expect(added.headers.get('location')).toBe('/api/twins/pump-101/actuators/speed_control');
    expectPrinted(added.body, { data: { ...SPEED, last_updated: '2025-11-17T04:02:00Z' } });
    client.services.advance(60_000);
    const updated = await client.send('/api/twins/pump-101/actuators/speed_control', { method: 'PATCH', json: SPEED_PATCH });
    expect(updated.status).toBe(200);
    expectPrinted(updated.body, { data: { ...SPEED, ...SPEED_PATCH, last_updated: '2025-11-17T04:03:00Z' } });
    const removed = await client.send('/api/twins/pump-101/actuators/speed_control', { method: 'DELETE' });
    expect([removed.status, removed.body]).toEqual([204, undefined]);
    expect((await client.get('/api/twins/pump-101')).body.data.actuator_count).toBe(1);
  });

  it('runs the printed curl lines for a twin with two sensors', async () => {
    const client = plant('2025-11-17T04:05:00Z');
    const created = await client.post('/api/twins', {
      id: 'compressor-1',
      name: 'Air Compressor Unit 1',
      description: 'Main air compressor for production line',
      type: 'equipment',
      metadata: { manufacturer: 'CompressAir Inc', model: 'CA-2000', installation_date: '2024-03-15' },
    });
    expect(created.status).toBe(201);
    const sensors = [
      { id: 'temperature', name: 'Temperature', unit: '°C', current_value: 45.0, min_value: 0.0, max_value: 80.0 },
      { id: 'pressure', name: 'Pressure', unit: 'bar', current_value: 8.5, min_value: 0.0, max_value: 12.0 },
    ];
    for (const json of sensors) expect((await client.post('/api/twins/compressor-1/sensors', json)).status).toBe(201);
    expectPrinted((await client.get('/api/twins/compressor-1')).body, { data: { sensor_count: 2, sensors } });
  });

  it('synchronizes a twin', async () => {
    const client = plant('2025-11-17T04:05:00Z');
    const { services } = client;
    services.syncDevices.tagsOf = (_tenant, { asset, tag }) => [{ sourceId: 'plc', assetId: asset, tagName: tag }];
    services.syncDevices.committed = async () => {
      for (const [tag, value] of [['temperature', 66.2] as const, ['pressure', 2.6] as const])
        services.addSample({ asset: ASSET, tag, timeMs: services.nowMs, value });
    };
    const { status, body } = await client.post('/api/twins/pump-101/sync', { force: false, timeout: 30 });
    expect(status).toBe(200);
    expectPrinted(body, {
      data: {
        id: 'pump-101',
        sync_status: 'completed',
        sync_time: '2025-11-17T04:05:00Z',
        sensors_updated: 3,
        actuators_updated: 2,
        changes: { temperature: { old_value: 65.5, new_value: 66.2 }, pressure: { old_value: 2.5, new_value: 2.6 } },
      },
    });
    expect(Object.keys(body.data.changes)).toEqual(['temperature', 'pressure']);
  });

  it('answers with the error codes of its table', async () => {
    const client = plant('2025-11-17T03:57:30Z');
    const codeOf = async (path: string) => (await client.get(path)).body.error.code;
    expect(await codeOf('/api/twins/none')).toBe('TWIN_NOT_FOUND');
    expect(await codeOf('/api/twins/pump-101/sensors/none/history')).toBe('SENSOR_NOT_FOUND');
    expect(await codeOf('/api/twins?type=none')).toBe('INVALID_TWIN_TYPE');
    const refusal = async (path: string, method: string, json: unknown) => (await client.send(path, { method, json })).body.error.code;
    expect(await refusal('/api/twins', 'POST', { ...EXCHANGER, type: 'none' })).toBe('INVALID_TWIN_TYPE');
    expect(await refusal('/api/twins/none', 'PATCH', {})).toBe('TWIN_NOT_FOUND');
    expect(await refusal('/api/twins/pump-101/sensors', 'POST', FLOW)).toBe('SENSOR_EXISTS');
    expect(await refusal('/api/twins/pump-101/sensors/none', 'PATCH', {})).toBe('SENSOR_NOT_FOUND');
    expect(await refusal('/api/twins/pump-101/actuators', 'POST', SPEED)).toBe('ACTUATOR_EXISTS');
    expect(await refusal('/api/twins/pump-101/actuators/none', 'PATCH', {})).toBe('ACTUATOR_NOT_FOUND');
    client.services.syncDevices.tagsOf = (_tenant, { asset, tag }) => [{ sourceId: 'plc', assetId: asset, tagName: tag }];
    client.services.syncDevices.read = async (tags) => tags.map(() => ({ ok: false, code: 'not_connected', message: 'down' }));
    expect((await client.post('/api/twins/pump-101/sync', {})).body.error.code).toBe('SYNC_FAILED');
  });
});
