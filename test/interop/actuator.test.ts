/** Actuators over HTTP to a Modbus server that this project did not write, and twins over kill -9. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';
import { leaveOut, libmodbus, type Peer } from './peers.ts';

const left = await leaveOut('libmodbus');

/** The server has eight coils: what lies beyond them it refuses. */
const TAGS = [
  { tag_name: 'temperature', register_type: 'holding', address: 0, data_type: 'float32', unit: '°C' },
  { tag_name: 'running', register_type: 'coil', address: 0 },
  { tag_name: 'power', register_type: 'coil', address: 1, writable: true },
  { tag_name: 'speed', register_type: 'holding', address: 7, data_type: 'int16', scale: 0.1, writable: true },
  { tag_name: 'missing', register_type: 'coil', address: 40, writable: true },
].map((tag) => ({ ...tag, asset_id: 'press-1' }));

describe.skipIf(left)('the twin of a Modbus device', () => {
  let peer: Peer;
  let daemon: TestDaemon;

  beforeAll(async () => {
    peer = await libmodbus();
    await peer.start();
    daemon = await TestDaemon.start({
      sources: [
        {
          id: 'ds-press',
          name: 'Press',
          type: 'modbus',
          config: { host: '127.0.0.1', port: peer.port, polling_interval_ms: 200, timeout_ms: 500 },
          tags: TAGS,
        },
      ],
    });
    await settled();
  });

  afterAll(async () => {
    await daemon?.dispose();
    await peer?.kill();
  });

  const settled = () =>
    eventually(
      async () => {
        const { body } = await daemon.get('/v1/telemetry/latest?asset_id=press-1&tags=power');
        return body.data[0]?.quality === 'good' ? true : undefined;
      },
      { what: 'the coil is read', timeoutMs: 20_000 },
    );
  const actuator = async (id: string) =>
    (await daemon.get('/api/twins/press-1')).body.data.actuators.find((each: { id: string }) => each.id === id);
  const set = (id: string, state: unknown) => daemon.patch(`/api/twins/press-1/actuators/${id}`, { current_state: state });

  it('gets actuators by name and by binding, and their tags are no sensors any more', async () => {
    const add = (json: object) => daemon.post('/api/twins/press-1/actuators', json);
    expect((await add({ id: 'power', name: 'Power', type: 'binary' })).status).toBe(201);
    expect((await add({ id: 'missing', name: 'Missing', type: 'binary' })).status).toBe(201);
    expect((await add({ id: 'running', name: 'Running', type: 'binary' })).status).toBe(201);
    const binding = { data_source_id: 'ds-press', tag_name: 'speed', min: 0, max: 50 };
    expect((await add({ id: 'setpoint', name: 'Setpoint', type: 'continuous', binding })).body.data.binding).toEqual({
      ...binding,
      asset_id: 'press-1',
    });
    const { sensors } = (await daemon.get('/api/twins/press-1')).body.data;
    expect(sensors.map(({ id }: { id: string }) => id)).toEqual(['temperature']);
  });

  it('writes to the device, which then reads so', async () => {
    expect((await set('power', 1)).body.data.current_state).toBe(true);
    expect((await set('setpoint', 12.5)).body.data.current_state).toBe(12.5);
    await eventually(async () => ((await actuator('setpoint')).current_state === 12.5 ? true : undefined), {
      what: 'the twin shows what the device reads',
      timeoutMs: 5_000,
    });
    expect(await actuator('power')).toMatchObject({ current_state: true });
    expect(await actuator('power')).not.toHaveProperty('desired_state');
    expect((await set('power', false)).body.data.current_state).toBe(false);
  });

  it('says why the device does not take a value', async () => {
    const refused = await set('missing', true);
    expect([refused.status, refused.body.error.code, refused.body.error.details[0].message]).toEqual([
      502,
      'ACTUATOR_WRITE_FAILED',
      'write_refused',
    ]);
    const { reasons } = (await daemon.get('/api/twins/press-1/status')).body.data;
    expect(reasons).toContainEqual(expect.objectContaining({ part: 'actuator', id: 'missing', code: 'write_failed' }));
    expect((await set('running', true)).body.error.code).toBe('ACTUATOR_READ_ONLY');
    expect((await set('setpoint', 50.1)).status).toBe(422);
    const uneven = await set('setpoint', 12.34);
    expect([uneven.status, uneven.body.error.message]).toEqual([422, expect.stringContaining('12.3 and 12.4')]);
    const value = await daemon.patch('/api/twins/press-1/sensors/temperature', { current_value: 1 });
    expect([value.status, value.body.error.code]).toEqual([409, 'SENSOR_BOUND']);
  });

  it('says when the device does not answer', async () => {
    peer.freeze();
    try {
      const frozen = await set('power', true);
      expect(frozen.body.error.code).toBe('ACTUATOR_WRITE_FAILED');
      expect([502, 504]).toContain(frozen.status);
      expect(['timeout', 'not_connected']).toContain(frozen.body.error.details[0].message);
    } finally {
      peer.thaw();
    }
    await settled();
    expect((await set('power', true)).body.data.current_state).toBe(true);
  });

  it('leaves a trace of every write', async () => {
    const { data } = (await daemon.get('/v1/audit?per_page=100')).body;
    const rows = data.filter(({ route }: { route: string }) => route === '/api/twins/:id/actuators/:actuatorId');
    expect(rows.length).toBeGreaterThanOrEqual(8);
    expect(rows.map(({ status }: { status: number }) => status)).toEqual(expect.arrayContaining([200, 409, 422, 502]));
  });

  it('keeps what was answered over kill -9: edits, values, states and deletions', async () => {
    await daemon.post('/v1/telemetry', { data: [{ asset_id: 'gone', tag_name: 't', value: 1 }] });
    expect((await daemon.delete('/api/twins/gone')).status).toBe(204);
    expect((await daemon.delete('/api/twins/press-1/sensors/temperature')).status).toBe(204);
    await daemon.post('/api/twins', { id: 'tank', name: 'Tank', metadata: { hall: 3 } });
    await daemon.post('/api/twins/tank/sensors', { id: 'level', name: 'Level', unit: 'm', current_value: 1.5, max_value: 2 });
    const mode = { id: 'mode', name: 'Mode', type: 'continuous', current_state: 0.75 };
    expect((await daemon.post('/api/twins/tank/actuators', mode)).body.data.current_state).toBe(0.75);
    expect((await daemon.patch('/api/twins/tank/actuators/mode', { current_state: 0.85 })).body.data.current_state).toBe(0.85);
    const tank = (await daemon.patch('/api/twins/tank/sensors/level', { current_value: 1.75 })).body.data;
    expect(tank).toMatchObject({ current_value: 1.75, max_value: 2 });
    const before = (await daemon.get('/api/twins/tank')).body.data;
    await daemon.kill();
    await daemon.restart();
    expect((await daemon.get('/api/twins/tank')).body.data).toEqual(before);
    await daemon.post('/v1/telemetry', { data: [{ asset_id: 'gone', tag_name: 't', value: 2 }] });
    expect((await daemon.get('/api/twins/gone')).status).toBe(404);
    await settled();
    expect((await daemon.get('/api/twins/press-1')).body.data.sensors).toEqual([]);
    expect((await daemon.post('/api/twins', { id: 'gone', name: 'Back' })).body.data.sensors).toMatchObject([
      { id: 't', current_value: 2 },
    ]);
  });
});
