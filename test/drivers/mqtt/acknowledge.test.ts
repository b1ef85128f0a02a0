/** QoS 1: a message is acknowledged when its readings are on disk, and never before. */
import { afterEach, describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { GatewayError } from '../../../src/core/errors.ts';
import { startBroker, type TestBroker } from './aedes-broker.ts';
import { type Harness, harness, until } from './harness.ts';
import { type RawBroker, startRawBroker } from './raw-broker.ts';

const NUMBER_TAG = { topic: 'plant/{asset}/{tag}', data_type: 'number' };
const ids = (count: number, from = 1): number[] => Array.from({ length: count }, (_, index) => index + from);
const numbers = (list: readonly number[]) => list.map((id) => ({ topic: 'plant/press/force', payload: String(id), id }));

let broker: RawBroker | TestBroker | undefined;
let bench: Harness | undefined;

afterEach(async () => {
  await bench?.stop();
  await broker?.close();
  bench = undefined;
  broker = undefined;
});

describe.each([4, 5] as const)('with protocol version %i', (version) => {
  async function start(extra: Record<string, unknown> = {}): Promise<{ raw: RawBroker; bench: Harness; ended: Promise<void> }> {
    const raw = await startRawBroker({ version });
    broker = raw;
    bench = harness({ broker_url: `mqtt://127.0.0.1:${raw.port}`, protocol_version: version, ...extra }, [NUMBER_TAG]);
    const { ended } = await bench.start();
    return { raw, bench, ended };
  }

  test('twenty messages in flight all arrive before any is acknowledged, and all are acknowledged in order after the commit', async () => {
    const { raw, bench } = await start();
    bench.setDurable(false);
    raw.publish(numbers(ids(20)));
    await until(() => bench.recording.readings.length === 20, 'twenty readings');
    await until(() => bench.commits() === 1, 'a commit');
    expect(raw.acknowledged).toEqual([]);
    bench.setDurable(true);
    await until(() => raw.acknowledged.length === 20, 'twenty acknowledgements');
    expect(raw.acknowledged).toEqual(ids(20));
    expect(bench.commits()).toBe(1); // one read from the socket is one batch
  });

  test('what arrives during a commit joins the next one', async () => {
    const { raw, bench } = await start();
    bench.setDurable(false);
    raw.publish(numbers(ids(1)));
    await until(() => bench.commits() === 1, 'the first commit');
    for (const id of ids(10, 2)) raw.publish(numbers([id]));
    await until(() => bench.recording.readings.length === 11, 'eleven readings');
    expect(bench.commits()).toBe(1);
    bench.setDurable(true);
    await until(() => raw.acknowledged.length === 11, 'eleven acknowledgements');
    expect(raw.acknowledged).toEqual(ids(11));
    expect(bench.commits()).toBe(2);
  });

  test('a message that cannot be understood is acknowledged too, so that it does not come back for ever', async () => {
    const { raw, bench } = await start();
    raw.publish([{ topic: 'plant/press/force', payload: Buffer.from([0xff, 0xfe]), id: 7 }]);
    await until(() => raw.acknowledged.length === 1, 'the acknowledgement');
    expect(bench.recording.rejected).toEqual(['malformed']);
  });

  test('a store that fails leaves the messages unacknowledged and ends the run with its error', async () => {
    const { raw, bench, ended } = await start();
    bench.setDurable(false);
    raw.publish(numbers(ids(3)));
    await until(() => bench.commits() === 1, 'the commit');
    bench.failDurable(new GatewayError('disk_full', 'no space left'));
    await expect(ended).rejects.toMatchObject({ code: 'disk_full' });
    expect(raw.acknowledged).toEqual([]);
  });

  test('a store that is overloaded for a while is waited for over the present link, and the messages are acknowledged once', async () => {
    const { raw, bench } = await start();
    bench.setDurable(false);
    raw.publish(numbers(ids(3)));
    await until(() => bench.commits() === 1, 'the commit');
    bench.failDurable(new GatewayError('overloaded', 'samples come faster than they can be sealed'));
    await until(() => bench.commits() === 2, 'the commit is asked for again');
    raw.publish(numbers([4]));
    await until(() => bench.recording.readings.length === 4, 'a message taken meanwhile');
    expect(raw.acknowledged).toEqual([]);
    bench.setDurable(true);
    await until(() => raw.acknowledged.length === 4, 'four acknowledgements');
    expect(raw.acknowledged).toEqual(ids(4));
    expect(bench.recording.readings).toHaveLength(4);
  });

  test('a link lost while the store is overloaded ends the run with that, and nothing is asked of the store any more', async () => {
    const { raw, bench, ended } = await start();
    bench.setDurable(false);
    raw.publish(numbers(ids(2)));
    await until(() => bench.commits() === 1, 'the commit');
    bench.failDurable(new GatewayError('overloaded', 'samples come faster than they can be sealed'));
    raw.cut();
    await expect(ended).rejects.toMatchObject({ code: 'not_connected' });
    const asked = bench.commits();
    await systemClock.sleep(250);
    expect(bench.commits()).toBe(asked);
  });

  test('a full store holds messages back and takes them once there is room', async () => {
    const { raw, bench } = await start();
    bench.recording.hasRoom = false;
    raw.publish(numbers(ids(5)));
    raw.publish([{ topic: 'plant/press/force', payload: '6', id: 6 }]);
    await until(() => bench.held(), 'a message that waits for room');
    expect(bench.recording.readings).toEqual([]);
    expect(raw.acknowledged).toEqual([]);
    bench.recording.makeRoom();
    await until(() => raw.acknowledged.length === 6, 'six acknowledgements');
    expect(bench.recording.readings.map((reading) => reading.value)).toEqual(ids(6));
  });

  test('a link lost before the commit sends no acknowledgement over the next link', async () => {
    const { raw, bench, ended } = await start();
    bench.setDurable(false);
    raw.publish(numbers(ids(4)));
    await until(() => bench.recording.readings.length === 4, 'four readings');
    raw.cut();
    await expect(ended).rejects.toMatchObject({ code: 'not_connected' });
    await bench.driver.close();
    bench.setDurable(true);
    await bench.start();
    raw.publish(numbers([9]).map((message) => ({ ...message, dup: true })));
    await until(() => raw.acknowledged.length > 0, 'an acknowledgement');
    expect(raw.acknowledged).toEqual([9]);
  });

  test('a stop acknowledges what is being written, so that it does not come twice', async () => {
    const { raw, bench } = await start();
    bench.setDurable(false);
    raw.publish(numbers(ids(2)));
    await until(() => bench.commits() === 1, 'the commit');
    const stopped = bench.stop();
    bench.setDurable(true);
    await stopped;
    await until(() => raw.acknowledged.length === 2, 'both acknowledgements');
  });
});

test('an aedes broker sees no acknowledgement before the commit and all of them after it', async () => {
  const aedes = await startBroker();
  broker = aedes;
  bench = harness({ broker_url: `mqtt://127.0.0.1:${aedes.port}` }, [NUMBER_TAG]);
  await bench.start();
  bench.setDurable(false);
  for (const id of ids(20)) await aedes.publish('plant/press/force', String(id));
  await until(() => bench?.recording.readings.length === 20, 'twenty readings');
  expect(aedes.acknowledged).toEqual([]);
  bench.setDurable(true);
  await until(() => aedes.acknowledged.length === 20, 'twenty acknowledgements');
});

test('without room no more than a megabyte is held: the rest waits in the network, and comes once there is room', async () => {
  const raw = await startRawBroker({ version: 4 });
  broker = raw;
  bench = harness({ broker_url: `mqtt://127.0.0.1:${raw.port}` }, [NUMBER_TAG]);
  await bench.start();
  bench.recording.hasRoom = false;
  const spaces = ' '.repeat(1_000_000);
  raw.publish(ids(40).map((id) => ({ topic: 'plant/press/force', payload: `${id}${spaces}`, id })));
  await until(() => bench?.held() === true, 'a message that waits for room');
  expect(raw.unsent()).toBeGreaterThan(0);
  bench.recording.makeRoom();
  await until(() => raw.acknowledged.length === 40, 'forty acknowledgements');
  expect(raw.acknowledged).toEqual(ids(40));
  expect(bench.recording.readings.map((reading) => reading.value)).toEqual(ids(40));
});

test('a stop while messages wait for room ends at once and acknowledges none of them', async () => {
  const raw = await startRawBroker({ version: 4 });
  broker = raw;
  bench = harness({ broker_url: `mqtt://127.0.0.1:${raw.port}` }, [NUMBER_TAG]);
  await bench.start();
  bench.recording.hasRoom = false;
  raw.publish(numbers(ids(5)));
  await until(() => bench?.held() === true, 'a message that waits for room');
  await bench.stop();
  expect(bench.recording.readings).toEqual([]);
  expect(raw.acknowledged).toEqual([]);
});
