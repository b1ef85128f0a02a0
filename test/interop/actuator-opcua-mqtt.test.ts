/** Actuators over HTTP to an OPC UA server and an MQTT broker that this project did not write: taken, refused, not confirmed, not answered. */
import mqtt, { type MqttClient } from 'mqtt';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { eventually } from '../support/wait.ts';
import { leaveOut, Mosquitto, open62541, type Peer } from './peers.ts';

const left = await leaveOut('open62541', 'mosquitto');
const WRITE_TIMEOUT_MS = 1_000;

describe.skipIf(left)('a twin of a cell and a hall', () => {
  let cell: Peer;
  let broker: Mosquitto;
  let device: MqttClient;
  let daemon: TestDaemon;

  const cellSource = () => ({
    id: 'ds-cell',
    name: 'Cell',
    type: 'opcua',
    config: {
      endpoint: `opc.tcp://127.0.0.1:${cell.port}`,
      security_mode: 'None',
      allow_insecure: true,
      subscription: { publishing_interval_ms: 100 },
    },
    tags: ['Double', 'Float'].map((name) => ({ tag_name: name, asset_id: 'line-1', node_id: `ns=1;s=${name}`, writable: true })),
  });
  const hallSource = () => ({
    id: 'ds-hall',
    name: 'Hall',
    type: 'mqtt',
    config: { broker_url: broker.url, keepalive_s: 1 },
    tags: ['valve', 'limited', 'dead'].map((name) => ({
      ...{ tag_name: name, asset_id: 'line-1', topic: `state/${name}`, write_topic: `cmd/${name}` },
      ...{ writable: true, write_timeout_ms: WRITE_TIMEOUT_MS },
    })),
  });

  beforeAll(async () => {
    cell = await open62541();
    broker = await Mosquitto.create();
    await Promise.all([cell.start(), broker.start()]);
    device = mqtt.connect(broker.url, { reconnectPeriod: 100 });
    device.on('error', () => undefined); // a broker that is away is what the test is about
    device.on('message', (topic, payload) => {
      if (topic === 'cmd/valve') device.publish('state/valve', payload, { qos: 1, retain: true });
      if (topic === 'cmd/limited') device.publish('state/limited', String(Math.min(50, Number(payload.toString()))), { qos: 1 });
    });
    await device.subscribeAsync('cmd/#', { qos: 1 });
    daemon = await TestDaemon.start({ sources: [cellSource(), hallSource()] });
    await eventually(
      async () => {
        const { body } = await daemon.get('/v1/data-sources');
        return body.data.every(({ status }: { status: string }) => status === 'connected') || undefined;
      },
      { what: 'both are connected', timeoutMs: 30_000 },
    );
    await eventually(async () => ((await daemon.get('/api/twins/line-1')).status === 200 ? true : undefined), {
      what: 'the twin',
      timeoutMs: 20_000,
    });
    const add = async (id: string, type: string, tag: string) => {
      const source = tag === 'Double' || tag === 'Float' ? 'ds-cell' : 'ds-hall';
      const binding = { data_source_id: source, tag_name: tag };
      expect((await daemon.post('/api/twins/line-1/actuators', { id, name: id, type, binding })).status).toBe(201);
    };
    await add('torque', 'continuous', 'Double');
    await add('ratio', 'continuous', 'Float');
    await add('valve', 'binary', 'valve');
    await add('limited', 'continuous', 'limited');
    await add('dead', 'continuous', 'dead');
  });

  afterAll(async () => {
    await device?.endAsync(true);
    await daemon?.dispose();
    await broker?.dispose();
    await cell?.kill();
  });

  const set = (id: string, state: unknown) => daemon.patch(`/api/twins/line-1/actuators/${id}`, { current_state: state });
  const actuator = async (id: string) =>
    (await daemon.get('/api/twins/line-1')).body.data.actuators.find((each: { id: string }) => each.id === id);
  const failureOf = ({ status, body }: Awaited<ReturnType<typeof set>>) => [status, body.error.code, body.error.details[0].message];
  const settles = (id: string, state: unknown) =>
    eventually(async () => ((await set(id, state)).status === 200 ? true : undefined), {
      what: `${id} takes a value again`,
      timeoutMs: 30_000,
      everyMs: 200,
    });

  it('moves a node of the OPC UA server, and shows what the server reads', async () => {
    expect((await set('torque', 42.125)).body.data.current_state).toBe(42.125);
    await eventually(async () => ((await actuator('torque')).current_state === 42.125 ? true : undefined), {
      what: 'the twin shows it',
      timeoutMs: 5_000,
    });
  });

  it('says that the OPC UA server refuses', async () => {
    expect(failureOf(await set('ratio', 1))).toEqual([409, 'ACTUATOR_READ_ONLY', 'not_writable']);
  });

  it('says that the OPC UA server does not answer', async () => {
    cell.freeze();
    try {
      const [status, code, reason] = failureOf(await set('torque', 1));
      expect([502, 504]).toContain(status);
      expect(code).toBe('ACTUATOR_WRITE_FAILED');
      expect(['timeout', 'not_connected']).toContain(reason);
    } finally {
      cell.thaw();
    }
    await settles('torque', 2);
  });

  it('commands an MQTT device, which confirms', async () => {
    expect((await set('valve', 1)).body.data.current_state).toBe(true);
    expect(await actuator('valve')).toMatchObject({ current_state: true });
    expect((await set('valve', false)).body.data.current_state).toBe(false);
  });

  it('says that an MQTT device does otherwise, or nothing', async () => {
    expect(failureOf(await set('limited', 80))).toEqual([502, 'ACTUATOR_WRITE_FAILED', 'write_not_confirmed']);
    expect(await actuator('limited')).toMatchObject({ current_state: 50, desired_state: 80 });
    const dead = await set('dead', 1);
    expect([502, 504]).toContain(dead.status);
    expect(dead.body.error.code).toBe('ACTUATOR_WRITE_FAILED');
  });

  it('says that the broker does not answer', async () => {
    broker.freeze();
    try {
      const [status, code, reason] = failureOf(await set('valve', true));
      expect([502, 504]).toContain(status);
      expect(code).toBe('ACTUATOR_WRITE_FAILED');
      expect(['timeout', 'not_connected', 'write_not_confirmed']).toContain(reason);
    } finally {
      broker.thaw();
    }
    await settles('valve', true);
  });
});
