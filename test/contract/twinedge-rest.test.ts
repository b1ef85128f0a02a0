/** The examples that the TwinEdge document prints, replayed. */
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { at } from '../support/fake-services.ts';
import { expectPrinted } from './printed.ts';

const POINT = { asset_id: 'Pump_001', tag_name: 'temperature', value: 65.5, timestamp: '2026-01-06T10:00:00Z' };

describe('the TwinEdge API, as printed', () => {
  it('lists data sources', async () => {
    const client = new ApiClient();
    client.services.addSource({
      id: 'ds-123',
      name: 'Factory OPC UA Server',
      type: 'opcua',
      endpoint: 'opc.tcp://192.168.1.100:4840',
      tagCount: 45,
      createdMs: at('2026-01-01T00:00:00Z'),
    });
    const { status, body } = await client.get('/v1/data-sources');
    expect(status).toBe(200);
    expectPrinted(body, {
      data: [
        {
          id: 'ds-123',
          name: 'Factory OPC UA Server',
          type: 'opcua',
          endpoint: 'opc.tcp://192.168.1.100:4840',
          status: 'connected',
          tag_count: 45,
          created_at: '2026-01-01T00:00:00Z',
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
    });
  });

  it('makes a data source, reads, changes, tests and deletes it', async () => {
    const client = new ApiClient();
    const printed = { name: 'Production Line PLC', type: 'modbus', config: { host: '192.168.1.50', port: 502, unit_id: 1 } };
    const created = await client.post('/v1/data-sources', printed);
    expect(created.status).toBe(201);
    expectPrinted(created.body, { data: { ...printed, endpoint: '192.168.1.50:502', tag_count: 0, managed_by: 'api' } });
    const path = created.headers.get('location') as string;
    expect(path).toMatch(/^\/v1\/data-sources\/ds-[a-z2-7]{12}$/);
    const read = await client.get(path);
    expect(read.status).toBe(200);
    expect(read.body).toEqual(created.body);
    const updated = await client.send(path, { method: 'PUT', json: { ...printed, name: 'Line 2' } });
    expect(updated.status).toBe(200);
    expectPrinted(updated.body, { data: { ...printed, name: 'Line 2' } });
    const tested = await client.send(`${path}/test`, { method: 'POST' });
    expect(tested.status).toBe(200);
    expectPrinted(tested.body, { data: { success: true } });
    const deleted = await client.send(path, { method: 'DELETE' });
    expect([deleted.status, deleted.body]).toEqual([204, undefined]);
    expect((await client.send(path, { method: 'DELETE' })).status).toBe(404);
  });

  it('filters the list by type and status', async () => {
    const client = new ApiClient();
    client.services.addSource({ id: 'a', type: 'opcua', state: 'connected' });
    client.services.addSource({ id: 'b', type: 'modbus', state: 'back_off' });
    const ids = async (query: string) => (await client.get(`/v1/data-sources?${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await ids('type=opcua')).toEqual(['a']);
    expect(await ids('status=disconnected')).toEqual(['b']);
    expect((await client.get('/v1/data-sources?page=2&per_page=1')).body).toMatchObject({
      data: [{ id: 'b' }],
      meta: { page: 2, per_page: 1, total: 2 },
    });
  });

  it('ingests telemetry and gives it back', async () => {
    const client = new ApiClient();
    const ingested = await client.post('/v1/telemetry', { data: [POINT] });
    expect(ingested.status).toBe(200);
    const { status, body } = await client.get('/v1/telemetry?asset_id=Pump_001&tag_name=temperature');
    expect(status).toBe(200);
    expectPrinted(body, {
      data: [{ timestamp: '2026-01-06T10:00:00Z', asset_id: 'Pump_001', tag_name: 'temperature', value: 65.5, quality: 'good' }],
    });
    const latest = await client.get('/v1/telemetry/latest?asset_id=Pump_001&tags=temperature');
    expectPrinted(latest.body, { data: [{ timestamp: '2026-01-06T10:00:00Z', value: 65.5, quality: 'good' }] });
  });

  it('makes, lists, shows, replaces, duplicates and deletes dashboards', async () => {
    const client = new ApiClient();
    const printed = { name: 'Pump Monitoring', description: 'Real-time pump health dashboard', layout: { columns: 24, widgets: [] } };
    const created = await client.post('/v1/dashboards', printed);
    expect(created.status).toBe(201);
    expectPrinted(created.body, { data: printed });
    const path = `/v1/dashboards/${created.body.data.id}`;
    expectPrinted((await client.get('/v1/dashboards')).body, { data: [{ name: printed.name }], meta: { page: 1, per_page: 20, total: 1 } });
    expectPrinted((await client.get(path)).body, { data: printed });
    const replaced = await client.send(path, { method: 'PUT', json: { ...printed, name: 'Pumps' } });
    expect(replaced.status).toBe(200);
    expectPrinted(replaced.body, { data: { ...printed, name: 'Pumps' } });
    const copy = await client.post(`${path}/duplicate`, undefined);
    expect(copy.status).toBe(201);
    expectPrinted(copy.body, { data: { ...printed, name: 'Pumps (copy)' } });
    expect((await client.send(path, { method: 'DELETE' })).status).toBe(204);
    expect((await client.get(path)).status).toBe(404);
  });

  it('answers a wrong body with the printed form of an error', async () => {
    const { status, body } = await new ApiClient().post('/v1/telemetry', { data: [{ ...POINT, value: undefined }] });
    expect(status).toBe(400);
    expectPrinted(body, { error: { code: 'validation_error', details: [{ field: 'data.0.value', message: 'is required' }] } });
    expect(body.error.message).toBe('data.0.value: is required');
  });
});

describe('alerts of the TwinEdge API, as printed', () => {
  const RULE = {
    name: 'High Temperature',
    severity: 'warning',
    data_source_id: 'ds-123',
    condition: { tag_name: 'temperature', operator: 'gt', value: 80, duration_seconds: 60 },
    notifications: ['email', 'slack'],
  };

  async function withRule() {
    const client = new ApiClient();
    client.services.addSource({ id: 'ds-123' });
    const created = await client.post('/v1/alert-rules', RULE);
    return { client, created, path: `/v1/alert-rules/${created.body.data.id}` };
  }

  /** The printed rule, and readings that fire it. */
  async function withAlert() {
    const { client, path } = await withRule();
    for (const minute of ['00', '01']) {
      client.services.hearReading({
        source: 'ds-123',
        asset: 'Pump_001',
        tag: 'temperature',
        timeMs: at(`2026-01-06T10:${minute}:00Z`),
        value: 92.5,
      });
    }
    const [alert] = (await client.get('/v1/alerts')).body.data;
    return { client, path, alert, at: `/v1/alerts/${alert?.id}` };
  }

  it('makes, lists, shows, replaces and deletes a rule', async () => {
    const { client, created, path } = await withRule();
    expect(created.status).toBe(201);
    expect(created.headers.get('location')).toBe(path);
    expectPrinted(created.body, { data: RULE, meta: { warnings: [] } });
    expectPrinted((await client.get('/v1/alert-rules')).body, { data: [RULE], meta: { page: 1, per_page: 20, total: 1 } });
    expectPrinted((await client.get(path)).body, { data: RULE });
    const replaced = await client.send(path, { method: 'PUT', json: { ...RULE, severity: 'critical' } });
    expect(replaced.status).toBe(200);
    expectPrinted(replaced.body, { data: { ...RULE, severity: 'critical' } });
    const deleted = await client.send(path, { method: 'DELETE' });
    expect([deleted.status, deleted.body]).toEqual([204, undefined]);
    expect((await client.get(path)).status).toBe(404);
  });

  it('enables and disables a rule', async () => {
    const { client, path } = await withRule();
    for (const [act, enabled] of [
      ['disable', false],
      ['disable', false],
      ['enable', true],
      ['enable', true],
    ] as const) {
      const { status, body } = await client.post(`${path}/${act}`, undefined);
      expect([status, body.data.enabled]).toEqual([200, enabled]);
    }
  });

  it('lists active alerts by status, severity and time', async () => {
    const { client, alert } = await withAlert();
    expectPrinted(alert, {
      rule_name: 'High Temperature',
      severity: 'warning',
      status: 'active',
      data_source_id: 'ds-123',
      asset_id: 'Pump_001',
      tag_name: 'temperature',
      value: 92.5,
      threshold: 80,
      triggered_at: '2026-01-06T10:01:00Z',
      acknowledged_at: null,
      acknowledged_by: null,
      resolved_at: null,
      resolved_by: null,
      resolution: null,
      notes: [],
      deliveries: [],
    });
    const count = async (query: string) => (await client.get(`/v1/alerts?${query}`)).body.meta.total;
    expect(await count('status=active')).toBe(1);
    expect(await count('status=resolved')).toBe(0);
    expect(await count('severity=critical')).toBe(0);
    expect(await count('start=2026-01-06T10:01:00Z&end=2026-01-06T10:01:01Z')).toBe(1);
    expect(await count('start=2026-01-06T10:01:01Z')).toBe(0);
  });

  it('acknowledges an alert with a note', async () => {
    const { client, at: path } = await withAlert();
    const { status, body } = await client.post(`${path}/acknowledge`, { note: 'Investigating the issue' });
    expect(status).toBe(200);
    expectPrinted(body, { data: { status: 'acknowledged', acknowledged_by: 'token-0', notes: [{ note: 'Investigating the issue' }] } });
  });

  it('resolves an alert without a body', async () => {
    const { client, at: path } = await withAlert();
    const { status, body } = await client.post(`${path}/resolve`, undefined);
    expect(status).toBe(200);
    expectPrinted(body, { data: { status: 'resolved', resolution: 'resolved', resolved_by: 'token-0' } });
  });
});
