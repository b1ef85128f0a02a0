/** What the Twin API's document prints, on the built daemon with its own store, pipeline and alerts, and a Modbus device behind the twin. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { expectPrinted } from '../contract/printed.ts';
import { startWriteDevice, type WriteDevice } from '../drivers/modbus/write-server.ts';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';

const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{3})?Z$/;
/** Polled so rarely that whatever changes has come by a sync. */
const RARELY_MS = 3_600_000;

const METADATA = { manufacturer: 'FlowTech Industries', model: 'FT-3000', installation_date: '2024-05-15' };
const SENSORS = [
  { id: 'temperature', name: 'Temperature', unit: '°C', min_value: -10, max_value: 100 },
  { id: 'pressure', name: 'Pressure', unit: 'bar', min_value: 0, max_value: 10 },
  { id: 'flow_rate', name: 'Flow Rate', unit: 'L/min', min_value: 0, max_value: 500 },
];
const ACTUATORS = [
  { id: 'power', name: 'Power Switch', type: 'binary' },
  { id: 'speed_control', name: 'Speed Control', type: 'continuous' },
];
const register = (address: number, scale: number, more: object = {}) => ({
  register_type: 'holding',
  address,
  data_type: 'int16',
  scale,
  ...more,
});
const TAGS = [
  { tag_name: 'temperature', unit: '°C', ...register(0, 0.1) },
  { tag_name: 'pressure', unit: 'bar', ...register(1, 0.1) },
  { tag_name: 'flow_rate', unit: 'L/min', ...register(2, 1) },
  { tag_name: 'power', register_type: 'coil', address: 0, writable: true },
  { tag_name: 'speed_control', ...register(3, 0.01, { writable: true }) },
].map((tag) => ({ ...tag, asset_id: 'pump-101' }));

describe('the Twin API of the daemon, as printed', () => {
  let device: WriteDevice;
  let daemon: TestDaemon;

  beforeAll(async () => {
    device = await startWriteDevice();
    device.registers.set([655, 25, 150, 75]);
    device.coils[0] = 1;
    const config = { host: '127.0.0.1', port: device.port, polling_interval_ms: RARELY_MS };
    daemon = await TestDaemon.start({ sources: [{ id: 'plc', name: 'PLC', type: 'modbus', config, tags: TAGS }] });
    await eventually(
      async () => ((await daemon.get('/v1/telemetry/latest?asset_id=pump-101')).body.data?.length === 5 ? true : undefined),
      {
        what: 'all tags are read',
        timeoutMs: 20_000,
      },
    );
    const pump = {
      name: 'Main Cooling Pump',
      description: 'Primary cooling pump for reactor system',
      type: 'equipment',
      metadata: METADATA,
    };
    expect((await daemon.patch('/api/twins/pump-101', pump)).status).toBe(200);
    for (const actuator of ACTUATORS) expect((await daemon.post('/api/twins/pump-101/actuators', actuator)).status).toBe(201);
    for (const { id, ...fields } of SENSORS) expect((await daemon.patch(`/api/twins/pump-101/sensors/${id}`, fields)).status).toBe(200);
  });

  afterAll(async () => {
    await daemon?.dispose();
    await device?.close();
  });

  it('gets a twin', async () => {
    const { data } = (await daemon.get('/api/twins/pump-101')).body;
    expectPrinted(data, { id: 'pump-101', name: 'Main Cooling Pump', type: 'equipment', status: 'active', metadata: METADATA });
    const byId = (parts: readonly { readonly id: string }[]) => Object.fromEntries(parts.map((part) => [part.id, part]));
    const [temperature, pressure, flow] = SENSORS;
    expectPrinted(byId(data.sensors), {
      temperature: { ...temperature, current_value: 65.5 },
      pressure: { ...pressure, current_value: 2.5 },
      flow_rate: { ...flow, current_value: 150 },
    });
    expectPrinted(byId(data.actuators), { power: { ...ACTUATORS[0], current_state: true }, speed_control: { current_state: 0.75 } });
    for (const time of [data.created_at, data.updated_at, ...[...data.sensors, ...data.actuators].map((part) => part.last_updated)]) {
      expect(time).toMatch(TIME);
    }
  });

  it('synchronizes it, and tells what differs', async () => {
    const condition = { tag_name: 'temperature', asset_id: 'pump-101', operator: 'gt', value: 66, duration_seconds: 0 };
    const rule = { name: 'Routine maintenance', severity: 'info', condition };
    expect((await daemon.post('/v1/alert-rules', rule)).status).toBe(201);
    device.registers.set([662, 26]);
    const { status, body } = await daemon.post('/api/twins/pump-101/sync', { force: true, timeout: 30 });
    expect(status).toBe(200);
    expectPrinted(body, {
      data: {
        id: 'pump-101',
        sync_status: 'completed',
        sensors_updated: 3,
        actuators_updated: 2,
        changes: { temperature: { old_value: 65.5, new_value: 66.2 }, pressure: { old_value: 2.5, new_value: 2.6 } },
      },
    });
    expect(Object.keys(body.data.changes).sort()).toEqual(['pressure', 'temperature']);
    expect(body.data.sync_time).toMatch(TIME);
  });

  it('gets its status, with the alert that was raised', async () => {
    const alerts = await eventually(
      async () => {
        const { data } = (await daemon.get('/v1/alerts')).body;
        return data.length > 0 ? data : undefined;
      },
      { what: 'the alert', timeoutMs: 10_000 },
    );
    const { data } = (await daemon.get('/api/twins/pump-101/status')).body;
    expectPrinted(data, {
      id: 'pump-101',
      name: 'Main Cooling Pump',
      status: 'active',
      health: 'good',
      sensors: { total: 3, healthy: 3, warning: 0, error: 0 },
      actuators: { total: 2, operational: 2, error: 0 },
    });
    expect(data.last_sync).toMatch(TIME);
    const [{ id, message, triggered_at }] = alerts;
    expect(data.alerts).toEqual([{ id, severity: 'info', message, created_at: triggered_at }]);
    expect(id).toMatch(/^alert-/);
    expect(message).not.toBe('');
    expect(triggered_at).toMatch(TIME);
  });

  it('gets the history of a sensor', async () => {
    const values = [150, 152.5, 155.5];
    const points = Array.from({ length: 60 }, (_, minute) => ({
      asset_id: 'pump-101',
      tag_name: 'flow_rate',
      timestamp: `2025-11-17T04:${String(minute).padStart(2, '0')}:00Z`,
      value: values[minute] ?? 156,
    }));
    expect((await daemon.post('/v1/telemetry', { data: points })).body).toMatchObject({ data: { accepted: 60 } });
    const range = 'start_date=2025-11-17T04:00:00Z&end_date=2025-11-17T05:00:00Z&interval=1m';
    const { body } = await daemon.get(`/api/twins/pump-101/sensors/flow_rate/history?${range}`);
    expectPrinted(body, {
      data: [
        { timestamp: '2025-11-17T04:00:00Z', value: 150 },
        { timestamp: '2025-11-17T04:01:00Z', value: 152.5 },
        { timestamp: '2025-11-17T04:02:00Z', value: 155.5 },
      ],
      meta: {
        pagination: { total_items: 60, total_pages: 1, current_page: 1, per_page: 100 },
        aggregation: { interval: '1m', start_date: '2025-11-17T04:00:00Z', end_date: '2025-11-17T05:00:00Z' },
      },
    });
  });

  it('updates an actuator at its device', async () => {
    const { status, body } = await daemon.patch('/api/twins/pump-101/actuators/speed_control', { current_state: 0.85 });
    expect(status).toBe(200);
    expectPrinted(body, { data: { id: 'speed_control', name: 'Speed Control', type: 'continuous', current_state: 0.85 } });
    expect(device.registers[3]).toBe(85);
  });
});
