/** A serial line with pymodbus on it: the built daemon reads it, through power cuts of the device and a pulled adapter; the driver writes to it. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDriver } from '../drivers/modbus/harness.ts';
import { TestDaemon } from '../support/daemon.ts';
import { latest } from '../support/history.ts';
import { eventually, figure } from '../support/wait.ts';
import { leaveOut, type Peer, pymodbusOn, SerialCable } from './peers.ts';
import { MODBUS_VALUES, modbusSource } from './plant.ts';

const BACK_LIMIT_MS = 3 * 8_000;
const TIMEOUT_MS = 500;
const never = new AbortController().signal;

const left = await leaveOut('pymodbus', 'socat');

describe.skipIf(left)('pymodbus on a serial line', () => {
  let cable: SerialCable;
  let server: Peer;
  let daemon: TestDaemon;

  beforeAll(async () => {
    cable = await SerialCable.create();
    server = pymodbusOn(cable.far);
    await server.start();
    const source = modbusSource(0, { host: undefined, port: undefined, transport: 'rtu', serial: { path: cable.near } });
    const second = { ...source, id: 'ds-second', name: 'Second', config: { ...source.config, unit_id: 2 } };
    const tags = source.tags.slice(0, 1).map((tag) => ({ ...tag, asset_id: 'plc-2' }));
    daemon = await TestDaemon.start({ sources: [source, { ...second, tags }] });
  });

  afterAll(async () => {
    await daemon?.dispose();
    await server?.kill();
    await cable?.dispose();
  });

  const untilRead = (asset: string, tag: string, sinceMs = 0) =>
    eventually(
      async () => {
        const rows = await latest(daemon, asset);
        const row = rows.get(tag);
        return row?.quality === 'good' && row.timeMs >= sinceMs ? rows : undefined;
      },
      { what: 'a read of this moment', timeoutMs: BACK_LIMIT_MS, explain: () => daemon.log().slice(-4_000) },
    );
  const allRight = async (sinceMs = 0) => {
    const rows = await untilRead('plc-1', 'counter', sinceMs);
    for (const [tag, value] of Object.entries(MODBUS_VALUES)) expect(rows.get(tag), tag).toMatchObject({ value, quality: 'good' });
  };

  test('is read with the right values, by two sources on one line', async () => {
    await allRight();
    expect((await untilRead('plc-2', 'temperature')).get('temperature')).toMatchObject({ value: 21.5 });
  });

  test('is read again after it was killed and started again', async () => {
    await server.kill();
    await server.start();
    const startMs = performance.now();
    await allRight(Date.now());
    figure(`pymodbus on a serial line killed: back after ${Math.round(performance.now() - startMs)} ms (promised 8000)`);
  });

  test('is read again after the adapter was pulled and plugged in again', async () => {
    await cable.pull();
    await server.kill();
    await eventually(async () => ((await latest(daemon, 'plc-1')).get('counter')?.quality === 'bad' ? true : undefined), {
      what: 'the tags are bad',
      timeoutMs: BACK_LIMIT_MS,
    });
    await cable.plug();
    await server.start();
    const startMs = performance.now();
    await allRight(Date.now());
    figure(`serial adapter plugged in: back after ${Math.round(performance.now() - startMs)} ms (promised 8000)`);
  });
});

describe.skipIf(left)('a driver on a serial line with pymodbus', () => {
  test('writes what the device then shows, and reads on demand', async () => {
    const cable = await SerialCable.create();
    const server = pymodbusOn(cable.far);
    await server.start();
    const tags = [
      { tag_name: 'switch', register_type: 'coil' as const, address: 1, writable: true },
      { tag_name: 'ratio', register_type: 'holding' as const, address: 8, data_type: 'float32' as const, writable: true },
    ];
    const config = { host: undefined, transport: 'rtu', serial: { path: cable.near }, timeout_ms: TIMEOUT_MS };
    const { driver, start, stop } = testDriver(config, tags);
    try {
      await eventually(
        () =>
          start()
            .then(
              () => true as const,
              () => driver.close(),
            )
            .then((begun) => begun ?? undefined),
        {
          what: 'the device answers',
          timeoutMs: BACK_LIMIT_MS,
        },
      );
      const refs = tags.map(({ tag_name: tagName }) => ({ assetId: 'ds-test', tagName }));
      for (const [index, value] of [true, -0.25].entries()) {
        const shown = await driver.write?.(refs[index] ?? { assetId: '', tagName: '' }, value, never);
        expect(shown).toMatchObject({ confirmed: true, reading: { value } });
      }
      expect(await driver.readNow?.(refs, never)).toMatchObject([{ value: true }, { value: -0.25 }]);
    } finally {
      await stop();
      await server.kill();
      await cable.dispose();
    }
  });
});
