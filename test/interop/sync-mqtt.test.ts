/** A twin is synchronised whose sensors hang at an MQTT broker that this project did not write: who speaks by itself cannot be asked. */
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { latest } from '../support/history.ts';
import { eventually } from '../support/wait.ts';
import { leaveOut, Mosquitto } from './peers.ts';

const left = await leaveOut('mosquitto');

describe.skipIf(left)('a twin with sensors at a broker', () => {
  let broker: Mosquitto;
  let device: MqttClient;
  let daemon: TestDaemon;

  const sync = () => daemon.post('/api/twins/tank-1/sync', { force: true });
  const isStatus = (status: string) =>
    eventually(async () => ((await daemon.get('/v1/data-sources/ds-tank')).body.data.status === status ? true : undefined), {
      what: `the source is ${status}`,
      timeoutMs: 30_000,
    });
  const say = async (tag: string, value: number) => {
    await device.publishAsync(`tank/${tag}`, String(value), { qos: 1 });
    await eventually(async () => ((await latest(daemon, 'tank-1')).get(tag)?.value === value ? true : undefined), {
      what: `${tag} is ${value}`,
      timeoutMs: 20_000,
    });
  };

  beforeAll(async () => {
    broker = await Mosquitto.create();
    await broker.start();
    device = mqtt.connect(broker.url, { reconnectPeriod: 100 });
    device.on('error', () => undefined); // a broker that is away is what the test is about
    const tags = ['level', 'flow', 'pressure'].map((name) => ({ tag_name: name, asset_id: 'tank-1', topic: `tank/${name}` }));
    const config = { broker_url: broker.url, keepalive_s: 1 };
    daemon = await TestDaemon.start({ sources: [{ id: 'ds-tank', name: 'Tank', type: 'mqtt', config, tags }] });
    await isStatus('connected');
  });

  afterAll(async () => {
    await device?.endAsync(true);
    await daemon?.dispose();
    await broker?.dispose();
  });

  test('says of one that never spoke that it cannot be asked, and claims to have read none of the others', async () => {
    await say('level', 1.5);
    await say('flow', 20);
    const made = await daemon.post('/api/twins/tank-1/sensors', { id: 'pressure', name: 'Pressure', unit: 'bar' });
    expect(made.status).toBe(201);
    const { status, body } = await sync();
    expect(status).toBe(200);
    expect(body.data).toMatchObject({ sync_status: 'partial', sensors_updated: 0, changes: {} });
    expect(body.data.errors).toMatchObject([{ part: 'sensor', id: 'pressure', data_source_id: 'ds-tank', code: 'not_supported' }]);
  });

  test('is complete when all have spoken within the minute', async () => {
    await say('pressure', 3);
    await say('level', 2.5);
    await say('flow', 21);
    const { status, body } = await sync();
    expect([status, body.data.sync_status]).toEqual([200, 'completed']);
  });

  test('is refused when the broker is gone, with a word for each sensor', async () => {
    await broker.kill();
    await isStatus('disconnected');
    const { status, body } = await sync();
    expect([status, body.error.code]).toEqual([502, 'SYNC_FAILED']);
    expect(body.error.details.map(({ field }: { field: string }) => field).sort()).toEqual(['flow', 'level', 'pressure']);
  });
});
