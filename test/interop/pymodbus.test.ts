/** The built daemon reads pymodbus: a second Modbus server that this project did not write, for what one alone might get wrong. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { latest } from '../support/history.ts';
import { eventually, figure } from '../support/wait.ts';
import { leaveOut, type Peer, pymodbus } from './peers.ts';
import { MODBUS_VALUES, modbusSource } from './plant.ts';

const BACK_LIMIT_MS = 3 * 8_000;

const left = await leaveOut('pymodbus');

describe.skipIf(left).each(['tcp', 'udp', 'rtu_over_tcp'] as const)('pymodbus over %s', (transport) => {
  let server: Peer;
  let daemon: TestDaemon;

  beforeAll(async () => {
    server = await pymodbus(transport);
    await server.start();
    daemon = await TestDaemon.start({ sources: [modbusSource(server.port, { transport })] });
  });

  afterAll(async () => {
    await daemon?.dispose();
    await server?.kill();
  });

  const untilRead = (sinceMs: number) =>
    eventually(
      async () => {
        const rows = await latest(daemon, 'plc-1');
        const counter = rows.get('counter');
        return counter?.quality === 'good' && counter.timeMs >= sinceMs ? rows : undefined;
      },
      { what: 'a read of this moment', timeoutMs: BACK_LIMIT_MS, explain: () => daemon.log().slice(-4_000) },
    );

  test('is read with the right values, also after it was killed and started again', async () => {
    for (const [tag, value] of Object.entries(MODBUS_VALUES))
      expect((await untilRead(0)).get(tag), tag).toMatchObject({ value, quality: 'good' });
    await server.kill();
    await server.start();
    const startMs = performance.now();
    const rows = await untilRead(Date.now());
    figure(`pymodbus over ${transport} killed: back after ${Math.round(performance.now() - startMs)} ms (promised 8000)`);
    for (const [tag, value] of Object.entries(MODBUS_VALUES)) expect(rows.get(tag), tag).toMatchObject({ value, quality: 'good' });
  });
});
