/** kill -9 of the daemon under load, again and again on the same data: nothing acknowledged and nothing visible may be lost. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaveOut, Mosquitto } from '../interop/peers.ts';
import { TestDaemon } from '../support/daemon.ts';
import { expectBalancedBooks } from '../support/history.ts';
import { eventually, figure } from '../support/wait.ts';
import { expectKept, expectLatestIsNewest, Witness, within } from './ledger.ts';
import { BASE_MS, loadSources, MQTT_ASSET, MqttLoad, REST_ASSET, RestLoad } from './load.ts';

const KILLS = Number(process.env['TWINBOX_KILLS'] ?? (process.env['TWINBOX_SHORT'] === '1' ? 5 : 20));
/** Promised; asserted with three times that. */
const READY_MS = 3_000;
const LOAD_MIN_MS = 300;
const LOAD_MAX_MS = 1_500;
/** A daemon that has just been started may be killed too; every so many rounds it is, within this time. */
const EARLY_EVERY = 4;
const EARLY_MAX_MS = 1_000;
const DRAIN_TIMEOUT_MS = 60_000;
const TEST_TIMEOUT_MS = 60_000 + KILLS * 20_000;
const TAGS = ['n', 'text', 'flag'];

const left = await leaveOut('mosquitto');

describe.skipIf(left)(`kill -9 under load, ${KILLS} times`, () => {
  let broker: Mosquitto;
  let daemon: TestDaemon;

  beforeAll(async () => {
    broker = await Mosquitto.create();
    await broker.start();
    daemon = await TestDaemon.start({ sources: loadSources(broker.url), log: { level: 'warn' } });
    await eventually(async () => (await sourceState(daemon, 'ds-load')) === 'connected' || undefined, {
      what: 'the daemon has its session at the broker',
      timeoutMs: 10_000,
    });
  });

  afterAll(async () => {
    await daemon?.dispose();
    await broker?.dispose();
  });

  test('nothing acknowledged, and nothing that history showed, is gone or changed', { timeout: TEST_TIMEOUT_MS }, async () => {
    const rest = new RestLoad();
    const mqtt = new MqttLoad(broker.url);
    const witness = new Witness();
    const readyMs: number[] = [];
    let checked = 0;
    for (let round = 0; round < KILLS; round++) {
      const from = rest.sent;
      await killUnderLoad(daemon, { rest, witness, exactly: round % 2 === 0 });
      await restart(daemon, round);
      readyMs.push(daemon.readyMs);
      expect(daemon.readyMs).toBeLessThan(3 * READY_MS);
      await expectBalancedBooks(daemon);
      await witness.expectSeen(daemon);
      const fresh = rest.acknowledged.slice(checked);
      checked = rest.acknowledged.length;
      for (const tag of TAGS) await expectKept(daemon, { asset: REST_ASSET, tag }, { from, to: rest.sent }, within(fresh));
    }
    await mqtt.stop();
    const stored = await drained(daemon, mqtt.taken);
    await expectAll(daemon, rest, mqtt);
    const slowest = Math.max(...readyMs);
    figure(`${KILLS} kills: 0 of ${rest.acknowledgedPoints} samples acknowledged by 2xx lost`);
    figure(`${KILLS} kills: 0 of ${stored} QoS 1 messages lost, 0 of ${witness.count} samples seen in history lost`);
    figure(`ready ${Math.round(median(readyMs))} ms after a kill (median), ${slowest} ms at most (promised ${READY_MS})`);
  });
});

interface Load {
  readonly rest: RestLoad;
  readonly witness: Witness;
  /** Kill right behind an acknowledgement, not at any moment. */
  readonly exactly: boolean;
}

async function killUnderLoad(daemon: TestDaemon, { rest, witness, exactly }: Load): Promise<void> {
  const over = new AbortController();
  const running = Promise.all([rest.run(daemon, over.signal), witness.run(daemon, over.signal)]);
  await expectBalancedBooks(daemon);
  const moment = sleep(LOAD_MIN_MS + Math.random() * (LOAD_MAX_MS - LOAD_MIN_MS)).then(() =>
    exactly ? rest.acknowledgement() : undefined,
  );
  await Promise.race([moment, running]); // an error of the load must not wait
  const killed = daemon.running ? daemon.kill() : undefined;
  expect(killed, daemon.log().slice(-4_000)).toBeDefined();
  await killed;
  over.abort();
  await running;
}

async function restart(daemon: TestDaemon, round: number): Promise<void> {
  daemon.launch();
  if (round % EARLY_EVERY === EARLY_EVERY - 1) {
    await sleep(Math.random() * EARLY_MAX_MS);
    await daemon.kill();
    daemon.launch();
  }
  await daemon.ready();
}

/** Resolves when every message that the broker has taken is in history; with their number. */
async function drained(daemon: TestDaemon, messages: number): Promise<number> {
  return eventually(
    async () => {
      const range = `start=${new Date(BASE_MS).toISOString()}&end=${new Date(BASE_MS + messages).toISOString()}`;
      const { body } = await daemon.get(`/v1/telemetry?asset_id=${MQTT_ASSET}&tag_name=n&${range}&aggregation=count`);
      const count: number = body.data[0]?.value ?? 0;
      return count >= messages ? count : undefined;
    },
    {
      what: `all ${messages} messages are in history`,
      timeoutMs: DRAIN_TIMEOUT_MS,
      everyMs: 200,
      explain: () => daemon.log().slice(-4_000),
    },
  );
}

async function expectAll(daemon: TestDaemon, rest: RestLoad, mqtt: MqttLoad): Promise<void> {
  const acknowledged = within(rest.acknowledged);
  for (const tag of TAGS) await expectKept(daemon, { asset: REST_ASSET, tag }, { from: 0, to: rest.sent }, acknowledged);
  await expectKept(daemon, { asset: MQTT_ASSET, tag: 'n' }, { from: 0, to: mqtt.taken }, () => true);
  await expectLatestIsNewest(daemon, { asset: REST_ASSET, tag: 'n', fromMs: BASE_MS, toMs: BASE_MS + rest.sent });
  await expectLatestIsNewest(daemon, { asset: MQTT_ASSET, tag: 'n', fromMs: BASE_MS, toMs: BASE_MS + mqtt.taken });
}

async function sourceState(daemon: TestDaemon, id: string): Promise<string | undefined> {
  const { body } = await daemon.get('/v1/data-sources');
  return body.data.find((source: { id: string }) => source.id === id)?.state;
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((one, other) => one - other)[numbers.length >> 1] ?? Number.NaN;
}
