/** Writing over a broker: the command as the tag says it, the PUBACK, and the device's own word as the only proof. */
import { afterEach, describe, expect, test } from 'vitest';
import { isGatewayError } from '../../../src/core/errors.ts';
import { GOOD } from '../../../src/core/status.ts';
import type { Scalar } from '../../../src/core/tag.ts';
import { tagSchema } from '../../../src/drivers/mqtt/options.ts';
import { startBroker, type TestBroker } from './aedes-broker.ts';
import { type Harness, harness, until } from './harness.ts';
import { startRawBroker } from './raw-broker.ts';

const never = new AbortController().signal;
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A broker with a device at it: `answer` is called with each command, and says on `state/…` what it gives. */
async function plant(answer: (topic: string, payload: string) => readonly [string, string] | undefined) {
  const broker = await startBroker();
  closers.push(() => broker.close());
  const commands: string[] = [];
  broker.aedes.on('publish', (packet, client) => {
    if (!client) return;
    commands.push(`${packet.topic} ${packet.payload.toString()} qos ${packet.qos}${packet.retain ? ' retained' : ''}`);
    const said = answer(packet.topic, packet.payload.toString());
    if (said) void broker.publish(said[0], said[1]);
  });
  return { broker, commands };
}

async function started(port: number, tags: readonly Record<string, unknown>[], config: Record<string, unknown> = {}): Promise<Harness> {
  const made = harness({ broker_url: `mqtt://127.0.0.1:${port}`, ...config }, tags);
  closers.push(() => made.stop());
  await made.start();
  return made;
}

const ref = (tagName: string, assetId = 'ds-mqtt') => ({ assetId, tagName });

function write(made: Harness, tag: ReturnType<typeof ref>, value: Scalar, signal = never) {
  if (!made.driver.write) throw new Error('the driver cannot write');
  return made.driver.write(tag, value, signal);
}

async function failure(work: Promise<unknown>): Promise<readonly [string, string]> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!isGatewayError(error)) throw new Error(`expected a GatewayError, not ${String(error)}`);
  return [error.code, error.message];
}

const SPEED = { tag_name: 'speed', topic: 'state/speed', write_topic: 'cmd/speed', writable: true, write_timeout_ms: 300 };

describe('a command', () => {
  test('is published with QoS 1, and confirmed by the next reading, which passes the door as any does', async () => {
    const { broker, commands } = await plant((_topic, payload) => ['state/speed', payload]);
    const made = await started(broker.port, [{ ...SPEED, scale: 0.5, offset: 1 }]);
    const { reading, confirmed } = await write(made, ref('speed'), 21);
    expect([confirmed, reading.value, reading.status]).toEqual([true, 21, GOOD]);
    expect(commands).toEqual(['cmd/speed 40 qos 1']);
    expect(made.recording.readings.map(({ tag, value }) => [tag, value])).toEqual([['speed', 40]]);
  });

  test.each<[Record<string, unknown>, Scalar, string, string, Scalar]>([
    [{}, 'auto', 'auto', 'auto', 'auto'],
    [{}, 0.25, '0.25', '0.25', 0.25],
    [{}, true, 'true', 'true', true],
    [{ data_type: 'boolean', write_true: 'ON', write_false: 'OFF' }, true, 'ON', 'ON', true],
    [{ data_type: 'boolean', write_true: 'ON', write_false: 'OFF' }, 0, 'OFF', 'off', false],
    [{ write_payload: '{"set": {value}, "by": "box"}' }, 'a"b', '{"set": "a\\"b", "by": "box"}', 'a"b', 'a"b'],
    [{ write_payload: '{"set": {value}}' }, 1.5, '{"set": 1.5}', '1.5', 1.5],
    [{ write_payload: '{"state": {value}}', data_type: 'boolean', write_true: 'ON' }, true, '{"state": "ON"}', 'ON', true],
    [{ data_type: 'number' }, 0.1, '0.1', '0.10000000149011612', 0.10000000149011612], // a device that keeps 32 bits
    [{ write_payload: '$&{value}$1' }, 'x$&', '$&"x$&"$1', 'x$&', 'x$&'],
  ])('with %j says %j as %j', async (more, value, payload, said, shown) => {
    const { broker, commands } = await plant(() => ['state/speed', said]);
    const made = await started(broker.port, [{ ...SPEED, ...more }]);
    expect(await write(made, ref('speed'), value)).toMatchObject({ confirmed: true, reading: { value: shown } });
    expect(commands).toEqual([`cmd/speed ${payload} qos 1`]);
  });

  test('goes to the asset and the tag that the topic captures, and may be retained', async () => {
    const { broker, commands } = await plant((topic, payload) => [topic.replace('/set', ''), payload]);
    const made = await started(broker.port, [
      { topic: 'plants/{asset}/{tag}', write_topic: 'plants/{asset}/{tag}/set', writable: true, write_retain: true },
    ]);
    expect(await write(made, ref('speed', 'press-1'), 3)).toMatchObject({
      confirmed: true,
      reading: { assetId: 'press-1', tagName: 'speed' },
    });
    expect(commands).toEqual(['plants/press-1/speed/set 3 qos 1 retained']);
    for (const name of ['a+b', 'a#']) expect((await failure(write(made, ref(name, 'press-1'), 3)))[0]).toBe('invalid_value');
    expect((await failure(write(made, ref('a/b', 'press-1'), 3)))[0]).toBe('unknown_tag');
    expect(commands).toHaveLength(1);
  });

  test('that cannot be is not published', async () => {
    const { broker, commands } = await plant(() => undefined);
    const made = await started(broker.port, [
      { ...SPEED, data_type: 'number', max: 50, write_max: 80 },
      { tag_name: 'locked', topic: 'state/locked' },
      { ...SPEED, tag_name: 'mode', topic: 'state/mode', data_type: 'string' },
    ]);
    expect(await failure(write(made, ref('speed'), 51))).toEqual(['invalid_value', '51 is above write_max, 50']);
    expect((await failure(write(made, ref('speed'), 'fast')))[0]).toBe('invalid_value');
    expect((await failure(write(made, ref('speed'), 2n ** 60n + 1n)))[0]).toBe('invalid_value');
    expect((await failure(write(made, ref('mode'), 1)))[0]).toBe('invalid_value');
    expect((await failure(write(made, ref('locked'), 1)))[0]).toBe('not_writable');
    expect((await failure(write(made, ref('nobody'), 1)))[0]).toBe('unknown_tag');
    expect(commands).toEqual([]);
  });
});

describe('a device that', () => {
  test('says nothing is late: nobody knows whether it did it', async () => {
    const { broker } = await plant(() => undefined);
    const made = await started(broker.port, [SPEED]);
    expect(await failure(write(made, ref('speed'), 1))).toEqual(['timeout', expect.stringContaining('no reading of "speed"')]);
  });

  test('of another tenant says it has confirmed nothing', async () => {
    const { broker } = await plant((_topic, payload) => ['shared/northwind/ds-mqtt/speed', payload]);
    const shared = { topic: 'shared/{tenant}/{asset}/{tag}' };
    const made = await started(broker.port, [SPEED, shared]);
    expect(await failure(write(made, ref('speed'), 21))).toEqual(['timeout', expect.stringContaining('no reading of "speed"')]);
    expect(made.recording.readings.map(({ tag, value }) => [tag, value])).toEqual([['speed', 21]]);
  });

  test('says another value has not confirmed either, and the value is told', async () => {
    const { broker } = await plant(() => ['state/speed', '25']);
    const made = await started(broker.port, [SPEED]);
    expect(await write(made, ref('speed'), 30)).toMatchObject({ confirmed: false, reading: { value: 25 } });
  });

  test('says its old value first, and then the new one, is waited for', async () => {
    let broker: TestBroker | undefined;
    const made = await plant((_topic, payload) => {
      void broker?.publish('state/speed', '10').then(() => broker?.publish('state/speed', payload));
      return undefined;
    });
    broker = made.broker;
    const bench = await started(broker.port, [SPEED]);
    expect(await write(bench, ref('speed'), 30)).toMatchObject({ confirmed: true, reading: { value: 30 } });
    expect(bench.recording.readings.map(({ value }) => value)).toEqual([10, 30]);
  });

  test('said the value before the command has not confirmed it', async () => {
    const { broker } = await plant(() => undefined);
    const made = await started(broker.port, [SPEED]);
    await broker.publish('state/speed', '30');
    await until(() => made.recording.readings.length === 1, 'the reading');
    expect((await failure(write(made, ref('speed'), 30)))[0]).toBe('timeout');
  });

  test('said it before the command has not confirmed it when its message is emitted only after', async () => {
    const { broker } = await plant(() => undefined);
    const made = await started(broker.port, [SPEED]);
    made.recording.hasRoom = false;
    await broker.publish('state/speed', '30');
    await until(() => made.held(), 'the message waits for room');
    const writing = write(made, ref('speed'), 30);
    made.recording.makeRoom();
    expect((await failure(writing))[0]).toBe('timeout');
    expect(made.recording.readings.map(({ value }) => value)).toEqual([30]);
  });
});

describe('a broker that', () => {
  test.each([
    [0x87, 'not_writable', 'Not authorized'],
    [0x97, 'write_refused', 'Quota exceeded'],
  ])('answers reason code %i: %s', async (pubackCode, code, why) => {
    const broker = await startRawBroker({ version: 5, pubackCode });
    closers.push(() => broker.close());
    const made = await started(broker.port, [SPEED], { protocol_version: 5 });
    expect(await failure(write(made, ref('speed'), 1))).toEqual([code, expect.stringContaining(why)]);
    expect(broker.published).toEqual(['cmd/speed 1']);
  });

  test('goes away before its PUBACK ends the write with the link', async () => {
    const broker = await startRawBroker({ version: 4, pubackCode: 'none' });
    closers.push(() => broker.close());
    const made = await started(broker.port, [SPEED]);
    const writing = failure(write(made, ref('speed'), 1));
    await until(() => broker.published.length === 1, 'the command');
    broker.cut();
    expect((await writing)[0]).toBe('not_connected');
  });

  test('goes away before the reading ends the write too, and a withdrawn one ends at once', async () => {
    const broker = await startRawBroker({ version: 4 });
    closers.push(() => broker.close());
    const made = await started(broker.port, [{ ...SPEED, write_timeout_ms: 20_000 }]);
    const withdrawn = new AbortController();
    const other = write(made, ref('speed'), 2, withdrawn.signal);
    await until(() => broker.published.length === 1, 'the command');
    withdrawn.abort(new Error('no more wanted'));
    await expect(other).rejects.toThrow('no more wanted');
    const writing = failure(write(made, ref('speed'), 1));
    await until(() => broker.published.length === 2, 'the second command');
    broker.cut();
    expect((await writing)[0]).toBe('not_connected');
    await made.stop();
    expect((await failure(write(made, ref('speed'), 1)))[0]).toBe('not_connected');
  });
});

test.each([
  [{ write_topic: undefined }, 'write_topic', 'is needed with "writable"'],
  [{ write_topic: 'cmd/+' }, 'write_topic', 'without wildcards'],
  [{ write_topic: '$share/a/b' }, 'write_topic', 'without wildcards'],
  [{ write_topic: 'cmd/{tenant}' }, 'write_topic', 'cannot hold {tenant}'],
  [{ write_topic: 'state/speed' }, 'write_topic', 'our own command'],
  [{ topic: 'state/#', write_topic: 'state/speed/set' }, 'write_topic', 'our own command'],
  [{ write_topic: '' }, 'write_topic', 'must not be empty'],
  [{ write_payload: 'on' }, 'write_payload', 'must hold {value}'],
])('options: %j is refused at %s', (more, path, message) => {
  const { error } = tagSchema.safeParse({ ...SPEED, ...more });
  expect(error?.issues.map((issue) => [issue.path.join('.'), issue.message])).toEqual([[path, expect.stringContaining(message)]]);
});
