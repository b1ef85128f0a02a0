/** What the TwinEdge document prints, on the built daemon with its own store, pipeline and alerts, and a Modbus device that it is pointed at over REST. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectPrinted } from '../contract/printed.ts';
import { startWriteDevice, type WriteDevice } from '../drivers/modbus/write-server.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';

const SECOND_MS = 1_000;

describe('the TwinEdge API of the daemon, as printed', () => {
  let device: WriteDevice;
  let daemon: TestDaemon;

  beforeAll(async () => {
    device = await startWriteDevice();
    device.registers.set([655]);
    daemon = await TestDaemon.start({ security: { egress: { allow: ['127.0.0.0/8', '192.168.0.0/16'] } } });
  });
  afterAll(async () => {
    await daemon?.dispose();
    await device?.close();
  });

  const point = (value: number, timeMs: number) => ({
    ...{ asset_id: 'Pump_001', tag_name: 'temperature', value },
    timestamp: new Date(timeMs).toISOString(),
  });

  it('makes, lists, tests, changes, rolls back and deletes a data source', async () => {
    const printed = { name: 'Production Line PLC', type: 'modbus', config: { host: '192.168.1.50', port: 502, unit_id: 1 } };
    const created = await daemon.post('/v1/data-sources', printed);
    expect(created.status).toBe(201);
    expectPrinted(created.body, { data: { ...printed, endpoint: '192.168.1.50:502', tag_count: 0, managed_by: 'api' } });
    const path = `/v1/data-sources/${created.body.data.id}`;
    const tags = [{ tag_name: 'speed', asset_id: 'line-1', register_type: 'holding', address: 0 }];
    const here = { ...printed, config: { host: '127.0.0.1', port: device.port, unit_id: 1 }, tags };
    expect((await daemon.put(path, here)).status).toBe(200);
    await eventually(async () => ((await daemon.get(path)).body.data.status === 'connected' ? true : undefined), {
      what: 'the source is connected',
      timeoutMs: 30_000,
    });
    expectPrinted((await daemon.get('/v1/data-sources?type=modbus&status=connected')).body, {
      data: [{ id: created.body.data.id, name: printed.name, type: 'modbus', status: 'connected', tag_count: 1 }],
      meta: { page: 1, per_page: 20, total: 1 },
    });
    expectPrinted((await daemon.post(`${path}/test`, undefined)).body, { data: { success: true, sample: { value: 655 } } });
    const { body } = await daemon.get(`${path}/revisions`);
    expect(body.data.map(({ revision }: { revision: number }) => revision)).toEqual([2, 1]);
    expectPrinted((await daemon.post(`${path}/rollback`, { revision: 1 })).body, { data: { ...printed, revision: 3 } });
    expect((await daemon.delete(path)).status).toBe(204);
    expect((await daemon.get(path)).status).toBe(404);
  });

  it('ingests telemetry and gives it back, as it is, in buckets and as the latest', async () => {
    const startMs = Math.floor(Date.now() / 60_000) * 60_000 - 300_000;
    const printed = point(65.5, startMs);
    expectPrinted((await daemon.post('/v1/telemetry', { data: [printed] })).body, { data: { accepted: 1 } });
    expect((await daemon.post('/v1/telemetry/ingest', { data: [point(66.5, startMs + SECOND_MS)] })).status).toBe(200);
    const query = `/v1/telemetry?asset_id=Pump_001&tag_name=temperature&start=${printed.timestamp}`;
    const seen = { asset_id: 'Pump_001', tag_name: 'temperature', quality: 'good' };
    const ascending = (await daemon.get(query)).body.data.toSorted((a: { value: number }, b: { value: number }) => a.value - b.value);
    expectPrinted(ascending, [
      { ...seen, value: 65.5 },
      { ...seen, value: 66.5 },
    ]);
    expectPrinted((await daemon.get(`${query}&aggregation=avg&interval=5m`)).body, { data: [{ ...seen, value: 66, count: 2 }] });
    expectPrinted((await daemon.get('/v1/telemetry/latest?asset_id=Pump_001&tags=temperature')).body, { data: [{ ...seen, value: 66.5 }] });
  });

  it('makes, lists, shows, replaces, duplicates and deletes dashboards', async () => {
    const printed = { name: 'Pump Monitoring', description: 'Real-time pump health dashboard', layout: { columns: 24, widgets: [] } };
    const created = await daemon.post('/v1/dashboards', printed);
    expect(created.status).toBe(201);
    const path = `/v1/dashboards/${created.body.data.id}`;
    expectPrinted((await daemon.get('/v1/dashboards')).body, { data: [{ name: printed.name }], meta: { total: 1 } });
    expectPrinted((await daemon.get(path)).body, { data: printed });
    expectPrinted((await daemon.put(path, { ...printed, name: 'Pumps' })).body, { data: { ...printed, name: 'Pumps' } });
    expectPrinted((await daemon.post(`${path}/duplicate`, undefined)).body, { data: { ...printed, name: 'Pumps (copy)' } });
    expect((await daemon.delete(path)).status).toBe(204);
    expect((await daemon.get(path)).status).toBe(404);
  });

  it('makes a rule, which raises an alert that is acknowledged, shelved and resolved; and deletes it', async () => {
    const condition = { tag_name: 'temperature', operator: 'gt', value: 80, duration_seconds: 60 };
    const printed = { name: 'High Temperature', severity: 'warning', condition };
    const created = await daemon.post('/v1/alert-rules', printed);
    expect(created.status).toBe(201);
    expectPrinted(created.body, { data: printed });
    const path = `/v1/alert-rules/${created.body.data.id}`;
    const quick = { ...printed, condition: { ...condition, duration_seconds: 0 } };
    expectPrinted((await daemon.put(path, quick)).body, { data: quick });
    expectPrinted((await daemon.post(`${path}/disable`, undefined)).body, { data: { enabled: false } });
    expectPrinted((await daemon.post(`${path}/enable`, undefined)).body, { data: { enabled: true } });
    expect((await daemon.post('/v1/telemetry', { data: [point(92.5, Date.now())] })).status).toBe(200);
    const alert = await eventually(async () => (await daemon.get('/v1/alerts?status=active')).body.data[0], {
      what: 'an alert',
      timeoutMs: 20_000,
    });
    const shown = { rule_name: 'High Temperature', severity: 'warning', asset_id: 'Pump_001', tag_name: 'temperature' };
    expectPrinted(alert, { ...shown, status: 'active', value: 92.5, threshold: 80 });
    const at = `/v1/alerts/${alert.id}`;
    const note = 'Investigating the issue';
    expectPrinted((await daemon.post(`${at}/acknowledge`, { note })).body, { data: { status: 'acknowledged', notes: [{ note }] } });
    expect((await daemon.post(`${at}/shelve`, { minutes: 5 })).body.data.shelved_until).toEqual(expect.any(String));
    expectPrinted((await daemon.post(`${at}/unshelve`, undefined)).body, { data: { shelved_until: null } });
    expectPrinted((await daemon.post(`${at}/resolve`, undefined)).body, { data: { status: 'resolved', resolution: 'resolved' } });
    expect((await daemon.delete(path)).status).toBe(204);
    expectPrinted((await daemon.get(at)).body, { data: { ...shown, status: 'resolved' } });
  });
});
