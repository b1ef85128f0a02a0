/** The driver against a real broker: payloads, topics, and how links come and go. */
import { createServer } from 'node:net';
import { afterEach, describe, expect, test } from 'vitest';
import { isRefused } from '../../../src/core/errors.ts';
import { BAD, BAD_DECODING_ERROR, BAD_OUT_OF_RANGE, GOOD } from '../../../src/core/status.ts';
import { startBroker, type TestBroker } from './aedes-broker.ts';
import { type Harness, harness, until } from './harness.ts';
import { startRawBroker } from './raw-broker.ts';

const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function broker(options: Parameters<typeof startBroker>[0] = {}): Promise<TestBroker> {
  const started = await startBroker(options);
  closers.push(() => started.close());
  return started;
}

function bench(port: number, tags: readonly Record<string, unknown>[], config: Record<string, unknown> = {}): Harness {
  const made = harness({ broker_url: `mqtt://127.0.0.1:${port}`, ...config }, tags);
  closers.push(() => made.stop());
  return made;
}

const values = (made: Harness) => made.recording.readings.map(({ asset, tag, value, status }) => [`${asset}/${tag}`, value, status]);

test('the broker tells whether it kept the session, and the driver which version they speak', async () => {
  const { port } = await broker();
  for (const [clean, kept] of [
    [false, false],
    [false, true],
    [true, false],
  ] as const) {
    const made = bench(port, [{ topic: 'plant/{asset}/{tag}' }], { client_id: 'box', clean_session: clean });
    await made.start();
    expect(await made.driver.identify?.(new AbortController().signal)).toEqual({ protocol_version: '3.1.1', session_present: kept });
    await made.stop();
  }
});

test('a tag that names itself and the type of its values is told of before its first message, and no other', async () => {
  const { port } = await broker();
  const made = bench(port, [
    { topic: 'plant/a', tag_name: 'speed', asset_id: 'pump-1', data_type: 'number', unit: 'rpm' },
    { topic: 'plant/+/mode', tag_name: 'mode', data_type: 'string' },
    { topic: 'plant/b', tag_name: 'untyped' },
    { topic: 'plant/{asset}/heat', tag_name: 'heat', data_type: 'number' },
    { topic: '{tenant}/load', tag_name: 'load', data_type: 'number' },
  ]);
  await made.start();
  expect([...made.recording.tags]).toEqual([
    ['pump-1/speed', { asset: 'pump-1', tag: 'speed', valueType: 'f64', unit: 'rpm' }],
    ['ds-mqtt/mode', { asset: 'ds-mqtt', tag: 'mode', valueType: 'string' }],
  ]);
  expect([made.recording.readings, made.recording.rejected]).toEqual([[], []]);
});

describe('payloads', () => {
  test('a plain number, text or boolean becomes a reading without a time', async () => {
    const { port, publish } = await broker();
    const made = bench(port, [{ topic: 'plant/+/{tag}', asset_id: 'pump-1' }]);
    await made.start();
    await publish('plant/a/speed', ' 1450.5 ');
    await publish('plant/a/mode', 'auto');
    await publish('plant/a/running', 'true');
    await until(() => made.recording.readings.length === 3, 'three readings');
    expect(values(made)).toEqual([
      ['pump-1/speed', 1450.5, GOOD],
      ['pump-1/mode', 'auto', GOOD],
      ['pump-1/running', true, GOOD],
    ]);
    expect(made.recording.readings.every((reading) => reading.timeMs === undefined)).toBe(true);
  });

  test('of the newest message the piece that a tag reads is remembered, before anything was made of it', async () => {
    const { port, publish } = await broker();
    const topic = 'line/{asset}/state';
    const made = bench(port, [
      { topic, tag_name: 't', json_path: '$.t', timestamp_path: '$.ts', scale: 0.1 },
      { topic, tag_name: 'flow', json_path: '$.flow', data_type: 'number' },
      { topic: 'plain/+/{tag}', asset_id: 'pump' },
    ]);
    const raw = (assetId: string, tagName: string) => made.driver.raw?.({ assetId, tagName });
    await made.start();
    expect(raw('kiln-2', 't')).toBeUndefined();
    await publish('line/kiln-2/state', JSON.stringify({ ts: 1_767_693_600_123, t: '215', flow: {} }));
    await publish('plain/a/mode', ' auto ');
    await publish('plain/b/mode', 'x'.repeat(1_000));
    await until(() => made.recording.readings.length === 4, 'four readings');
    const times = { readMs: null, serverMs: null };
    expect(raw('kiln-2', 't')).toEqual({ words: { topic: 'line/kiln-2/state', payload: '"215"' }, sourceMs: 1_767_693_600_123, ...times });
    expect(raw('kiln-2', 'flow')).toEqual({ words: { topic: 'line/kiln-2/state' }, sourceMs: null, ...times });
    expect(raw('pump', 'mode')?.words).toEqual({ topic: 'plain/b/mode', payload: `"${'x'.repeat(1_000)}"` });
    await publish('plain/a/mode', ' auto ');
    await until(() => made.recording.readings.length === 5, 'one more');
    expect(raw('pump', 'mode')?.words).toEqual({ topic: 'plain/a/mode', payload: '" auto "' });
    expect(raw('nobody', 't')).toBeUndefined();
  });

  test('one JSON message carries many tags with the time inside it', async () => {
    const { port, publish } = await broker();
    const topic = 'line/{asset}/state';
    const made = bench(port, [
      { topic, tag_name: 'temperature', json_path: '$.data.t', timestamp_path: '$.ts', scale: 0.1, unit: '°C' },
      { topic, tag_name: 'recipe', json_path: '$.data.recipe', timestamp_path: '$.ts' },
      { topic, tag_name: 'absent', json_path: '$.data.nothing', timestamp_path: '$.ts' },
      { topic, tag_name: 'level', json_path: '$.data.level', timestamp_path: '$.ts', data_type: 'number', max: 100 },
      { topic, tag_name: 'flow', json_path: '$.data.flow', data_type: 'number' },
      { topic, tag_name: 'gone', json_path: '$.data.gone' },
    ]);
    await made.start();
    await publish(
      'line/kiln-2/state',
      JSON.stringify({ ts: 1_767_693_600_123, data: { t: 215, recipe: 'R7', level: '101', flow: {}, gone: null } }),
    );
    await until(() => made.recording.readings.length === 5, 'five readings');
    expect(values(made)).toEqual([
      ['kiln-2/temperature', 215, GOOD],
      ['kiln-2/recipe', 'R7', GOOD],
      ['kiln-2/level', null, BAD_OUT_OF_RANGE],
      ['kiln-2/flow', null, BAD_DECODING_ERROR],
      ['kiln-2/gone', null, BAD],
    ]);
    expect(made.recording.readings[0]?.timeMs).toBe(1_767_693_600_123);
    expect(made.recording.readings[3]?.timeMs).toBeUndefined();
    expect(made.recording.tags.get('kiln-2/temperature')).toEqual({ asset: 'kiln-2', tag: 'temperature', unit: '°C', scale: 0.1 });
  });

  test('a payload that is no JSON is counted once, warned of without its content, and the link stays up', async () => {
    const { port, publish } = await broker();
    const topic = 'line/a';
    const made = bench(port, [
      { topic, tag_name: 'x', json_path: '$.x' },
      { topic, tag_name: 'y', json_path: '$.y' },
    ]);
    await made.start();
    await publish(topic, '{"x": secret-token');
    await publish(topic, '[['.repeat(40));
    await publish(topic, '{"x": 1}');
    await until(() => made.recording.readings.length === 1, 'the good reading');
    expect(made.recording.rejected).toEqual(['malformed', 'malformed']);
    expect(made.warnings).toHaveLength(1);
    expect(made.warnings[0]?.fields).toMatchObject({ topic });
    expect(JSON.stringify(made.warnings)).not.toContain('secret');
  });

  test('a time that is none rejects the reading', async () => {
    const { port, publish } = await broker();
    const made = bench(port, [{ topic: 'a', tag_name: 'x', json_path: '$.x', timestamp_path: '$.t' }]);
    await made.start();
    await publish('a', '{"x": 1, "t": "yesterday"}');
    await until(() => made.recording.rejected.length === 1, 'the rejection');
    expect(made.recording.rejected).toEqual(['invalid_time']);
    expect(made.recording.readings).toEqual([]);
  });

  test('a retained message counts only when it says how old it is', async () => {
    const { port, publish } = await broker();
    await publish('a', '{"x": 1}', { retain: true });
    await publish('b', '{"x": 2, "t": 1700000000}', { retain: true });
    await publish('c', '3', { retain: true });
    const made = bench(port, [
      { topic: 'a', tag_name: 'a', json_path: '$.x', timestamp_path: '$.t' },
      { topic: 'b', tag_name: 'b', json_path: '$.x', timestamp_path: '$.t' },
      { topic: 'c', tag_name: 'c' },
    ]);
    await made.start();
    await publish('c', '4');
    await until(() => made.recording.readings.length >= 2, 'both readings');
    expect(values(made).sort()).toEqual([
      ['ds-mqtt/b', 2, GOOD],
      ['ds-mqtt/c', 4, GOOD],
    ]);
    expect(made.recording.readings.find((reading) => reading.tag === 'b')?.timeMs).toBe(1_700_000_000_000);
  });
});

describe('topics', () => {
  test('captures name tenant, asset and tag, and the series is asked for once', async () => {
    const { port, publish } = await broker();
    const made = bench(port, [{ topic: 'swap/{tenant}/packs/{asset}/{tag}', data_type: 'number' }]);
    await made.start();
    await publish('swap/northwind/packs/PK-1/soc', '50');
    await publish('swap/northwind/packs/PK-1/soc', '51');
    await publish('swap/southwind/packs/PK-1/soc', '12');
    await until(() => made.recording.readings.length === 3, 'three readings');
    expect(made.recording.tags.get('PK-1/soc')).toMatchObject({ tenant: 'southwind', valueType: 'f64' });
    expect(values(made).map(([, value]) => value)).toEqual([50, 51, 12]);
  });

  test('a message under two filters of one source is read by the tags of both, once', async () => {
    const { port, publish, aedes } = await broker();
    const filters: string[] = [];
    aedes.on('subscribe', (subscriptions) => filters.push(...subscriptions.map((subscription) => subscription.topic)));
    const made = bench(port, [
      { topic: 'hall/#', tag_name: 'any', data_type: 'number' },
      { topic: 'hall/1/temp', tag_name: 'temp', data_type: 'number' },
    ]);
    await made.start();
    await publish('hall/1/temp', '20');
    await publish('hall/2', '30');
    await until(() => made.recording.readings.length === 3, 'three readings');
    expect(filters).toEqual(['hall/#']);
    expect(values(made)).toEqual([
      ['ds-mqtt/temp', 20, GOOD],
      ['ds-mqtt/any', 20, GOOD],
      ['ds-mqtt/any', 30, GOOD],
    ]);
  });

  test('thousands of topics of one source are all subscribed to', async () => {
    const { port, publish } = await broker();
    const made = bench(
      port,
      Array.from({ length: 1_000 }, (_, index) => ({ topic: `t/${index}`, tag_name: `tag-${index}` })),
    );
    await made.start();
    await publish('t/999', '1');
    await until(() => made.recording.readings.length === 1, 'the last tag');
  });

  test('QoS 0 is read too, and is not held when there is no room', async () => {
    const { port, publish } = await broker();
    const made = bench(port, [{ topic: 'a', tag_name: 'x' }], { qos: 0 });
    await made.start();
    made.recording.hasRoom = false;
    await publish('a', '5', { qos: 0 });
    await until(() => made.recording.readings.length === 1, 'the reading');
    expect(made.commits()).toBe(0);
  });

  test.each([
    [4, 0x80],
    [5, 0x87],
  ] as const)('a refused subscription is told of (version %i, code %i), and the other tags are read', async (version, code) => {
    const raw = await startRawBroker({ version, subackCode: (filter) => (filter.startsWith('secret') ? code : 1) });
    closers.push(() => raw.close());
    const tags = [
      { topic: 'secret/{tag}', asset_id: 'a' },
      { topic: 'secret/x', tag_name: 'y' },
      { topic: 'open', tag_name: 'z' },
    ];
    const made = bench(raw.port, tags, { protocol_version: version });
    await made.start();
    expect(made.reports).toEqual([{ tagsFailed: 2, reason: `the broker refuses the subscription to "secret/+" (code ${code})` }]);
    raw.publish([{ topic: 'open', payload: '1', id: 1 }]);
    await until(() => made.recording.readings.length === 1, 'the reading');
  });

  test('when every subscription is refused the source does not connect', async () => {
    const raw = await startRawBroker({ version: 5, subackCode: () => 0x87 });
    closers.push(() => raw.close());
    const made = bench(raw.port, [{ topic: 'x', tag_name: 'x' }], { protocol_version: 5 });
    await expect(made.start()).rejects.toMatchObject({ code: 'authentication_failed', message: expect.stringContaining('"x"') });
  });
});

describe('links', () => {
  test('an unreachable broker is not_connected and named', async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    const port = typeof address === 'object' && address ? address.port : 0;
    await new Promise((resolve) => server.close(resolve));
    const made = bench(port, [{ topic: 'x', tag_name: 'x' }]);
    const error: unknown = await made.start().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'not_connected', message: expect.stringContaining(`mqtt://127.0.0.1:${port}`) });
    expect(isRefused(error)).toBe(true);
  });

  test('a wrong password is authentication_failed, and the message holds no password', async () => {
    const { port } = await broker({
      aedes: { authenticate: (_client, _name, password, done) => done(null, password?.toString() === 'right') },
    });
    const made = bench(port, [{ topic: 'x', tag_name: 'x' }], { username: 'box', password: 'wrong-one' });
    const error: unknown = await made.start().catch((reason: unknown) => reason);
    expect(error).toMatchObject({ code: 'authentication_failed' });
    expect(String(error)).not.toContain('wrong-one');
    const allowed = bench(port, [{ topic: 'x', tag_name: 'x' }], { username: 'box', password: 'right' });
    await allowed.start();
  });

  test('a broker that does not speak version 5 says so as a configuration error', async () => {
    const { port } = await broker();
    const made = bench(port, [{ topic: 'x', tag_name: 'x' }], { protocol_version: 5 });
    await expect(made.start()).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('protocol_version') });
  });

  test('a broker that restarts ends the run, and connecting again works', async () => {
    const first = await startBroker();
    const made = bench(first.port, [{ topic: 'x', tag_name: 'x' }]);
    const { ended } = await made.start();
    await first.close();
    await expect(ended).rejects.toMatchObject({ code: 'not_connected' });
    await made.driver.close();
    await expect(made.start()).rejects.toMatchObject({ code: 'not_connected' });
    await made.driver.close();
    const second = await broker({ port: first.port });
    await made.start();
    await second.publish('x', '8');
    await until(() => made.recording.readings.length === 1, 'the reading');
  });

  test('messages that came while we were away arrive with the kept session', async () => {
    const { port, publish } = await broker();
    const made = bench(port, [{ topic: 'x', tag_name: 'x' }]);
    await made.start();
    await made.stop();
    await publish('x', '1');
    await publish('x', '2');
    await made.start();
    await until(() => made.recording.readings.length === 2, 'both readings');
    expect(values(made).map(([, value]) => value)).toEqual([1, 2]);
  });

  test.each([4, 5] as const)('a kept session is read at once, and new subscriptions join it (version %i)', async (version) => {
    const connack = version === 5 ? Buffer.from([0x20, 3, 1, 0, 0]) : Buffer.from([0x20, 2, 1, 0]);
    const raw = await startRawBroker({ version, connack, subackCode: (filter) => (filter === 'new' ? 0x80 : 1) });
    closers.push(() => raw.close());
    const tags = [
      { topic: 'old', tag_name: 'x' },
      { topic: 'new', tag_name: 'y' },
    ];
    const made = bench(raw.port, tags, { protocol_version: version });
    await made.start();
    raw.publish([{ topic: 'old', payload: '1', id: 1 }]);
    await until(() => made.recording.readings.length === 1, 'the reading');
    await until(() => made.reports.at(-1)?.tagsFailed === 1, 'the report of the refused filter');
    expect(raw.filters).toEqual(['old', 'new']);
  });

  test('a broker that has gone silent is found by its missing answer to a ping', async () => {
    const raw = await startRawBroker({ version: 4, deafToPings: true });
    closers.push(() => raw.close());
    const made = bench(raw.port, [{ topic: 'x', tag_name: 'x' }], { keepalive_s: 1 });
    const { ended } = await made.start();
    await expect(ended).rejects.toMatchObject({ code: 'not_connected', message: expect.stringContaining('Keepalive') });
  });

  test('an abort ends connect, also when the broker never answers', async () => {
    const raw = await startRawBroker({ version: 4, silent: true });
    closers.push(() => raw.close());
    const made = bench(raw.port, [{ topic: 'x', tag_name: 'x' }]);
    const starting = made.start();
    const failed = expect(starting).rejects.toThrow();
    await made.stop();
    await failed;
  });

  test('an abort ends the run without an error, and close may be called twice', async () => {
    const { port } = await broker();
    const made = bench(port, [{ topic: 'x', tag_name: 'x' }]);
    const { ended } = await made.start();
    await made.stop();
    await ended;
    await made.driver.close();
  });

  test('version 5 asks for a bounded window and a session that expires', async () => {
    const raw = await startRawBroker({ version: 5 });
    closers.push(() => raw.close());
    const made = bench(raw.port, [{ topic: 'x', tag_name: 'x' }], { protocol_version: 5, client_id: 'box-7' });
    await made.start();
    const connect = raw.connects[0];
    expect(connect?.includes(Buffer.from([0x21, 256 >> 8, 256 & 0xff]))).toBe(true); // Receive Maximum, §3.1.2.11.3
    expect(connect?.includes(Buffer.from([0x11, 0x00, 0x09, 0x3a, 0x80]))).toBe(true); // Session Expiry Interval 604,800 s, §3.1.2.11.2
    expect(connect?.includes('box-7')).toBe(true);
  });
});
