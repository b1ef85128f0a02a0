/** The built daemon reads mosquitto, libmodbus and open62541 at once, and gets over the death of each. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { allSamples, expectBalancedBooks, latest, scrape } from '../support/history.ts';
import { eventually, figure } from '../support/wait.ts';
import { leaveOut, libmodbus, Mosquitto, open62541, type Peer } from './peers.ts';
import { MODBUS_VALUES, modbusSource, mqttSource, OPCUA_VALUES, opcuaSource, Publisher, SIMULATED_SOURCE } from './plant.ts';

/** Promised: data again within 8 s of the peer's return. Asserted with three times that, for slow machines. */
const BACK_LIMIT_MS = 3 * 8_000;
/** A killed peer closes its sockets: that is seen at once, or at the next poll with its timeout. */
const BAD_LIMIT_MS = 3 * 1_500;
/** A frozen peer is found by silence: 15 s is the slowest promise (OPC UA). */
const FROZEN_LIMIT_MS = 3 * 15_000;
/** The longest silence allowed to a source with 5 to 10 values a second while another one is down. */
const GAP_LIMIT_MS = 1_500;
const OUTAGE_MS = 2_000;

const COUNTERS = { modbus: 'plc-1', opcua: 'cell-1', mqtt: 'oven-1', simulator: 'sim-1' } as const;
const TAGS = {
  modbus: [...Object.keys(MODBUS_VALUES), 'counter'],
  opcua: [...Object.keys(OPCUA_VALUES), 'counter'],
  mqtt: ['counter', 'heat'],
} as const;
type Protocol = keyof typeof TAGS;

const left = await leaveOut('mosquitto', 'libmodbus', 'open62541');

describe.skipIf(left)('three peers', () => {
  let daemon: TestDaemon;
  let publisher: Publisher;
  let broker: Mosquitto;
  const peers = new Map<Protocol, Peer>();

  const peerOf = (protocol: Protocol): Peer => {
    const peer = peers.get(protocol);
    if (!peer) throw new Error(`no peer for ${protocol}`);
    return peer;
  };

  /** Resolves with the milliseconds until all tags of the protocol are good, with values from `sinceMs` on. */
  const untilGood = async (protocol: Protocol, sinceMs: number, timeoutMs = BACK_LIMIT_MS): Promise<number> => {
    const startMs = performance.now();
    await eventually(
      async () => {
        const rows = await latest(daemon, COUNTERS[protocol]);
        const good = TAGS[protocol].every((tag) => rows.get(tag)?.quality === 'good');
        return (good && (rows.get('counter')?.timeMs ?? 0) >= sinceMs) || undefined;
      },
      { what: `${protocol} has good values`, timeoutMs, explain: () => daemon.log().slice(-4_000) },
    );
    return Math.round(performance.now() - startMs);
  };

  /** Resolves with the milliseconds until all tags of the protocol are bad. */
  const untilBad = async (protocol: Protocol, timeoutMs: number): Promise<number> => {
    const startMs = performance.now();
    await eventually(
      async () => {
        const rows = await latest(daemon, COUNTERS[protocol]);
        return TAGS[protocol].every((tag) => rows.get(tag)?.quality === 'bad') || undefined;
      },
      { what: `the values of ${protocol} are bad`, timeoutMs },
    );
    return Math.round(performance.now() - startMs);
  };

  /** The longest silence of each other source's counter from `fromMs` until now; all its samples must be good. */
  const expectOthersToFlow = async (without: Protocol, fromMs: number): Promise<void> => {
    const toMs = Date.now();
    for (const [protocol, asset] of Object.entries(COUNTERS)) {
      if (protocol === without) continue;
      const rows = await allSamples(daemon, { asset, tag: 'counter', fromMs, toMs });
      expect(rows.filter(({ quality }) => quality !== 'good')).toEqual([]);
      const times = [fromMs, ...rows.map(({ timeMs }) => timeMs), toMs];
      const longestMs = Math.max(...times.slice(1).map((timeMs, index) => timeMs - (times[index] ?? 0)));
      expect(longestMs, `${protocol} while ${without} was away`).toBeLessThan(GAP_LIMIT_MS);
    }
  };

  beforeAll(async () => {
    broker = await Mosquitto.create();
    peers.set('mqtt', broker);
    peers.set('modbus', await libmodbus());
    peers.set('opcua', await open62541());
    daemon = await TestDaemon.start({
      sources: [modbusSource(peerOf('modbus').port), opcuaSource(peerOf('opcua').port), mqttSource(broker.url), SIMULATED_SOURCE],
    });
    publisher = new Publisher(broker.url);
  });

  afterAll(async () => {
    await publisher?.close();
    await daemon?.dispose();
    await Promise.all([...peers.values()].map((peer) => peer.kill()));
    await broker?.dispose();
  });

  test('the daemon is ready before any peer exists, and says which sources are away', async () => {
    figure(`ready ${daemon.readyMs} ms after the start, without peers`);
    await eventually(
      async () => {
        const { body } = await daemon.get('/v1/data-sources');
        const states = new Map<string, string>(body.data.map((source: { id: string; state: string }) => [source.id, source.state]));
        return (
          (['ds-plc', 'ds-cell', 'ds-hall'].every((id) => states.get(id) === 'back_off') && states.get('ds-sim') === 'connected') ||
          undefined
        );
      },
      { what: 'three sources back off and the simulator is connected', timeoutMs: 20_000 },
    );
  });

  test('each peer is read once it is there', async () => {
    for (const protocol of Object.keys(TAGS) as Protocol[]) {
      await peerOf(protocol).start();
      figure(`${protocol}: data ${await untilGood(protocol, 0)} ms after the peer came`);
    }
  });

  test('Modbus values are exact, good and of this moment', async () => {
    const rows = await latest(daemon, 'plc-1');
    for (const [tag, value] of Object.entries(MODBUS_VALUES)) {
      expect(rows.get(tag), tag).toMatchObject({ value, quality: 'good' });
      expect(Math.abs(Date.now() - (rows.get(tag)?.timeMs ?? 0)), tag).toBeLessThan(2_000);
    }
  });

  test('OPC UA values are exact, good and carry the time of the server', async () => {
    const rows = await latest(daemon, 'cell-1');
    for (const [tag, value] of Object.entries(OPCUA_VALUES)) expect(rows.get(tag), tag).toMatchObject({ value, quality: 'good' });
    const counts = await eventually(
      async () => {
        const toMs = Date.now();
        const found = await allSamples(daemon, { asset: 'cell-1', tag: 'counter', fromMs: toMs - 10_000, toMs });
        return found.length > 4 ? found : undefined; // they may have begun a moment ago
      },
      { what: 'some counts', timeoutMs: 10_000 },
    );
    expect(Math.abs(Date.now() - (counts.at(-1)?.timeMs ?? 0))).toBeLessThan(2_000);
    // published every 200 ms, but sampled every 100 ms: only the server can have given these times
    const stepsMs = counts.slice(1).map(({ timeMs }, index) => timeMs - (counts[index]?.timeMs ?? 0));
    expect(stepsMs.length).toBeGreaterThan(3);
    expect(stepsMs.toSorted((one, other) => one - other)[stepsMs.length >> 1]).toBeLessThan(150);
  });

  test('MQTT values carry asset and tag of the topic, and the time of the payload to the millisecond', async () => {
    expect((await latest(daemon, 'press-1')).get('speed')).toMatchObject({ value: 12.5, quality: 'good' });
    expect((await latest(daemon, 'press-1')).get('mode')).toMatchObject({ value: 'auto', quality: 'good' });
    expect((await latest(daemon, 'oven-1')).get('heat')).toMatchObject({ value: 180.25, quality: 'good' });
    const fromMs = Date.now();
    const sentSince = () => [...publisher.sent].filter(([timeMs]) => timeMs >= fromMs);
    const sent = await eventually(() => (sentSince().length >= 10 ? sentSince() : undefined), {
      what: 'ten messages are published',
      timeoutMs: 10_000,
    });
    await eventually(
      async () => {
        const stored = await allSamples(daemon, { asset: 'oven-1', tag: 'counter', fromMs, toMs: Date.now() + 1 });
        const byTime = new Map(stored.map(({ timeMs, value }) => [timeMs, value]));
        return sent.every(([timeMs, n]) => byTime.get(timeMs) === n) || undefined;
      },
      { what: 'every message is stored under its own time', timeoutMs: 5_000 },
    );
  });

  test('twins and their history show the values', async () => {
    const { status, body } = await daemon.get('/api/twins/plc-1');
    expect(status).toBe(200);
    const sensor = body.data.sensors.find(({ id }: { id: string }) => id === 'temperature');
    expect(sensor).toMatchObject({ current_value: 21.5, unit: '°C', quality: 'good' });
    for (const [twin, tag] of Object.entries({ 'plc-1': 'total', 'cell-1': 'float', 'oven-1': 'heat', 'press-1': 'mode' })) {
      const history = await daemon.get(`/api/twins/${twin}/sensors/${tag}/history`);
      expect(history.status, twin).toBe(200);
      expect(history.body.data.length, twin).toBeGreaterThan(0);
      const values = { ...MODBUS_VALUES, ...OPCUA_VALUES, heat: 180.25, mode: 'auto' } as Record<string, unknown>;
      expect(history.body.data.at(-1), twin).toMatchObject({ value: values[tag], quality: 'good' });
    }
  });

  test.for(Object.keys(TAGS) as Protocol[])(
    '%s: kill -9 makes its values bad, its return good, and no other source notices',
    async (protocol) => {
      const killedMs = Date.now();
      await peerOf(protocol).kill();
      const badMs = await untilBad(protocol, BAD_LIMIT_MS);
      await sleep(OUTAGE_MS);
      const startedMs = Date.now();
      await peerOf(protocol).start();
      const backMs = await untilGood(protocol, startedMs);
      figure(`${protocol} killed: bad after ${badMs} ms, back after ${backMs} ms (promised 8000)`);
      expect(backMs).toBeLessThan(BACK_LIMIT_MS);
      await expectOthersToFlow(protocol, killedMs);
      await expectBalancedBooks(daemon);
    },
  );

  test.for(Object.keys(TAGS) as Protocol[])('%s: a frozen peer makes its values bad, and good again when it goes on', async (protocol) => {
    const frozenMs = Date.now();
    peerOf(protocol).freeze();
    try {
      const badMs = await untilBad(protocol, FROZEN_LIMIT_MS);
      const thawedMs = Date.now();
      peerOf(protocol).thaw();
      const backMs = await untilGood(protocol, thawedMs);
      figure(`${protocol} frozen: bad after ${badMs} ms, back after ${backMs} ms`);
    } finally {
      peerOf(protocol).thaw();
    }
    await expectOthersToFlow(protocol, frozenMs);
    await expectBalancedBooks(daemon);
  });

  test('a scrape shows all as up, and readings of each', async () => {
    const up = await scrape(daemon, 'twinbox_source_up');
    expect([...up.values()]).toEqual([1, 1, 1, 1]); // and the simulator
    const committed = [...(await scrape(daemon, 'twinbox_readings_total'))].filter(([labels]) => labels.includes('outcome="committed"'));
    expect(committed.filter(([, count]) => count > 0).length).toBe(4);
  });

  test('after all that the values are still right', async () => {
    const plc = await latest(daemon, 'plc-1');
    for (const [tag, value] of Object.entries(MODBUS_VALUES)) expect(plc.get(tag), tag).toMatchObject({ value, quality: 'good' });
    const cell = await latest(daemon, 'cell-1');
    for (const [tag, value] of Object.entries(OPCUA_VALUES)) expect(cell.get(tag), tag).toMatchObject({ value, quality: 'good' });
  });
});
