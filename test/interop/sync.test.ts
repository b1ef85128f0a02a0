/** A twin is synchronised with servers that this project did not write: both up, one down, one frozen, both gone. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';
import { leaveOut, libmodbus, open62541, type Peer } from './peers.ts';

const left = await leaveOut('libmodbus', 'open62541');
/** Polled so rarely that whatever changes has come by a sync. */
const RARELY_MS = 3_600_000;
/** Longer than the shortest sync: it is the caller's time that ends, not the driver's patience. */
const DEVICE_TIMEOUT_MS = 4_000;

const sensors = ['counter', 'temperature', 'double'];

describe.skipIf(left)('a twin with sensors at a Modbus and an OPC UA server', () => {
  let plc: Peer;
  let cell: Peer;
  let daemon: TestDaemon;

  const sync = (body: object = { force: true }) => daemon.post('/api/twins/line-1/sync', body);
  const states = async () => {
    const { body } = await daemon.get('/v1/data-sources');
    return Object.fromEntries(body.data.map(({ id, status }: { id: string; status: string }) => [id, status]));
  };
  const isState = (id: string, status: string) =>
    eventually(async () => ((await states())[id] === status ? true : undefined), { what: `${id} is ${status}`, timeoutMs: 30_000 });

  beforeAll(async () => {
    plc = await libmodbus();
    cell = await open62541();
    await Promise.all([plc.start(), cell.start()]);
    daemon = await TestDaemon.start({
      sources: [
        {
          id: 'plc',
          name: 'PLC',
          type: 'modbus',
          config: { host: '127.0.0.1', port: plc.port, polling_interval_ms: RARELY_MS, timeout_ms: DEVICE_TIMEOUT_MS },
          tags: [
            { tag_name: 'counter', asset_id: 'line-1', register_type: 'input', address: 0, data_type: 'uint32' },
            { tag_name: 'temperature', asset_id: 'line-1', register_type: 'holding', address: 0, data_type: 'float32' },
          ],
        },
        {
          id: 'cell',
          name: 'Cell',
          type: 'opcua',
          config: { endpoint: `opc.tcp://127.0.0.1:${cell.port}`, security_mode: 'None', allow_insecure: true },
          tags: [{ tag_name: 'double', asset_id: 'line-1', node_id: 'ns=1;s=Double' }],
        },
      ],
    });
    await isState('plc', 'connected');
    await isState('cell', 'connected');
    await eventually(async () => ((await daemon.get('/api/twins/line-1')).body.data?.sensor_count === 3 ? true : undefined), {
      what: 'three sensors',
      timeoutMs: 10_000,
    });
  });

  afterAll(async () => {
    plc?.thaw();
    cell?.thaw();
    await daemon?.dispose();
    await plc?.kill();
    await cell?.kill();
  });

  test('reads all of them, tells the one that differs, and what it tells is stored', async () => {
    const before = await daemon.get('/api/twins/line-1');
    expect(before.body.data.sensors.map(({ id }: { id: string }) => id).sort()).toEqual([...sensors].sort());
    const old = before.body.data.sensors.find(({ id }: { id: string }) => id === 'counter').current_value;
    await new Promise((resolve) => setTimeout(resolve, 250)); // the counter goes up every 100 ms
    const { status, body } = await sync();
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ id: 'line-1', sync_status: 'completed', sensors_updated: 3, actuators_updated: 0 });
    expect(Object.keys(body.data.changes)).toEqual(['counter']);
    const { old_value, new_value } = body.data.changes.counter;
    expect(old_value).toBe(old);
    expect(new_value).toBeGreaterThan(old);
    const history = await daemon.get('/api/twins/line-1/sensors/counter/history');
    expect(history.body.data.at(-1).value).toBe(new_value);
    expect((await sync({})).body.data).toMatchObject({ sync_status: 'skipped', sync_time: body.data.sync_time });
  });

  test('tells after a restart when the last one was', async () => {
    const { body } = await sync();
    expect(await daemon.stop()).toBe(0);
    await daemon.restart();
    expect((await sync({})).body.data).toMatchObject({ sync_status: 'skipped', sync_time: body.data.sync_time });
    await isState('plc', 'connected');
    await isState('cell', 'connected');
  });

  test('callers at the same time share one run', async () => {
    plc.freeze(); // so that the first run is not over before the others come
    const asked = [sync(), sync(), sync()];
    await new Promise((resolve) => setTimeout(resolve, DEVICE_TIMEOUT_MS / 4));
    plc.thaw();
    const answers = await Promise.all(asked);
    expect(new Set(answers.map(({ body }) => JSON.stringify(body))).size).toBe(1);
  });

  test('is partial while one peer is frozen, within the time that was asked for', async () => {
    plc.freeze();
    const { status, body } = await sync({ force: true, timeout: 1 });
    plc.thaw();
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ sync_status: 'partial', sensors_updated: 1 });
    expect(body.data.errors.map(({ id, code }: { id: string; code: string }) => [id, code])).toEqual([
      ['counter', 'timeout'],
      ['temperature', 'timeout'],
    ]);
    await isState('plc', 'connected');
  });

  test('is 504 while both are frozen', async () => {
    plc.freeze();
    cell.freeze();
    const { status, body } = await sync({ force: true, timeout: 1 });
    plc.thaw();
    cell.thaw();
    expect(status).toBe(504);
    expect(body.error.code).toBe('SYNC_FAILED');
    await isState('plc', 'connected');
    await isState('cell', 'connected');
  });

  test('is partial while one source is down, and 502 when both are', async () => {
    await cell.kill();
    await isState('cell', 'disconnected');
    const partial = await sync();
    expect(partial.body.data).toMatchObject({ sync_status: 'partial', sensors_updated: 2 });
    expect(partial.body.data.errors).toMatchObject([{ part: 'sensor', id: 'double', data_source_id: 'cell', code: 'not_connected' }]);
    await plc.kill();
    await eventually(async () => ((await sync()).status === 502 ? true : undefined), { what: 'a refusal', timeoutMs: 20_000 });
    const { body } = await sync();
    expect(body.error.code).toBe('SYNC_FAILED');
    expect(body.error.details.map(({ field }: { field: string }) => field).sort()).toEqual([...sensors].sort());
  });
});
