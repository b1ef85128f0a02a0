/** Messages that wait at mosquitto: QoS 1 to our persistent session survives a restart of the daemon, of the broker and of both. */
import mqtt from 'mqtt';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { allSamples, latest } from '../support/history.ts';
import { eventually, figure } from '../support/wait.ts';
import { leaveOut, Mosquitto } from './peers.ts';

const MESSAGES = 500;
const ARRIVE_TIMEOUT_MS = 3 * 8_000;
const BASE_MS = Date.now() - 3_600_000;

const left = await leaveOut('mosquitto');

describe.skipIf(left)('the session at mosquitto', () => {
  let broker: Mosquitto;
  let daemon: TestDaemon;

  beforeAll(async () => {
    broker = await Mosquitto.create();
    await broker.start();
    const tags = [{ topic: 'meters/{asset}/{tag}', json_path: '$.v', timestamp_path: '$.t' }];
    daemon = await TestDaemon.start({ sources: [{ name: 'Meters', type: 'mqtt', config: { broker_url: broker.url }, tags }] });
    await eventually(
      async () => {
        await publish(broker.url, -1, 0);
        return (await latest(daemon, 'm-1')).get('energy');
      },
      { what: 'the first message arrives', timeoutMs: ARRIVE_TIMEOUT_MS },
    );
  });

  afterAll(async () => {
    await daemon?.dispose();
    await broker?.dispose();
  });

  test('everything published while the daemon was away arrives once, in order and with its own time, over a broker restart too', async () => {
    expect(await daemon.stop()).toBe(0);
    await publish(broker.url, 0, MESSAGES / 2);
    await broker.stop();
    await broker.start();
    await publish(broker.url, MESSAGES / 2, MESSAGES);
    await daemon.restart();
    const startMs = performance.now();
    const stored = await eventually(
      async () => {
        const samples = await allSamples(daemon, { asset: 'm-1', tag: 'energy', fromMs: BASE_MS, toMs: BASE_MS + MESSAGES });
        return samples.length >= MESSAGES ? samples : undefined;
      },
      { what: `${MESSAGES} messages`, timeoutMs: ARRIVE_TIMEOUT_MS, everyMs: 100 },
    );
    figure(
      `mosquitto: ${stored.length} of ${MESSAGES} waiting messages in history ${Math.round(performance.now() - startMs)} ms after the start`,
    );
    expect(stored).toEqual(Array.from({ length: MESSAGES }, (_, n) => ({ timeMs: BASE_MS + n, value: n, quality: 'good' })));
  });
});

/** Publishes messages `from` to `to`, and returns when the broker has them all. */
async function publish(url: string, from: number, to: number): Promise<void> {
  const client = await mqtt.connectAsync(url);
  const sending = Array.from({ length: to - from }, (_, index) => {
    const n = from + index;
    return client.publishAsync('meters/m-1/energy', JSON.stringify({ v: n, t: BASE_MS + n }), { qos: 1 });
  });
  await Promise.all(sending);
  await client.endAsync();
}
