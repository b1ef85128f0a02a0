/** SIGTERM under load: the daemon ends in good order and in time, and loses nothing acknowledged. */
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { leaveOut, Mosquitto } from '../interop/peers.ts';
import { TestDaemon } from '../support/daemon.ts';
import { figure } from '../support/wait.ts';
import { expectKept, Witness, within } from './ledger.ts';
import { loadSources, MqttLoad, REST_ASSET, RestLoad } from './load.ts';

const STOPS = 3;
/** Promised whatever happens: systemd would kill after twice that. No margin: the daemon itself gives up what hangs. */
const STOP_MS = 5_000;
const LOAD_MS = 800;

const left = await leaveOut('mosquitto');

describe.skipIf(left)('SIGTERM under load', () => {
  let broker: Mosquitto;
  let daemon: TestDaemon;
  let mqtt: MqttLoad;

  beforeAll(async () => {
    broker = await Mosquitto.create();
    await broker.start();
    daemon = await TestDaemon.start({ sources: loadSources(broker.url) });
    mqtt = new MqttLoad(broker.url);
  });

  afterAll(async () => {
    await mqtt?.stop();
    await daemon?.dispose();
    await broker?.dispose();
  });

  test('it ends with status 0 within 5 s, and what it acknowledged is there after the next start', async () => {
    const rest = new RestLoad();
    const witness = new Witness();
    const tookMs: number[] = [];
    for (let round = 0; round < STOPS; round++) {
      const over = new AbortController();
      const running = Promise.all([rest.run(daemon, over.signal), witness.run(daemon, over.signal)]);
      await Promise.race([sleep(LOAD_MS), running]);
      const startMs = performance.now();
      expect(await daemon.stop(), daemon.log().slice(-4_000)).toBe(0);
      tookMs.push(Math.round(performance.now() - startMs));
      over.abort();
      await running;
      await daemon.restart();
      await witness.expectSeen(daemon);
    }
    const acknowledged = within(rest.acknowledged);
    for (const tag of ['n', 'text', 'flag']) await expectKept(daemon, { asset: REST_ASSET, tag }, { from: 0, to: rest.sent }, acknowledged);
    figure(`stopped in ${tookMs.join(', ')} ms (promised ${STOP_MS}); 0 of ${rest.acknowledgedPoints} acknowledged samples lost`);
    expect(Math.max(...tookMs)).toBeLessThan(STOP_MS);
  });
});
