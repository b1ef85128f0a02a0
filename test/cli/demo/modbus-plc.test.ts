/** The demo's PLC, read by the driver that will read it. */
import { afterEach, describe, expect, it } from 'vitest';
import { DEMO_MODBUS_TAGS, type ModbusPlc, startModbusPlc } from '../../../src/cli/demo/modbus-plc.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import { GOOD } from '../../../src/core/status.ts';
import { createDriver } from '../../../src/drivers/modbus/driver.ts';
import { configSchema, tagSchema } from '../../../src/drivers/modbus/options.ts';

const signal = new AbortController().signal;
const RANGES: Record<string, readonly [number, number]> = {
  temperature: [55, 75],
  pressure: [3.5, 5.5],
  flow: [30, 46],
  vibration: [1, 3.5],
  pumped_volume: [0, 1_000],
  speed: [0.7, 0.9],
  motor_current: [9, 14],
  parts_count: [0, 1_000],
};

let plc: ModbusPlc | undefined;
afterEach(() => plc?.close());

async function readAll(port: number) {
  const config = configSchema.parse({ host: '127.0.0.1', port });
  const tags = DEMO_MODBUS_TAGS.map((tag) => tagSchema.parse(tag));
  const driver = createDriver({ sourceId: 'ds', config, tags }, { log: silentLog, clock: systemClock, stateDir: '', report: () => {} });
  await driver.connect(signal);
  const readings = await driver.readNow?.(
    tags.map((tag) => ({ assetId: tag.asset_id ?? 'ds', tagName: tag.tag_name })),
    signal,
  );
  await driver.close();
  return readings ?? [];
}

describe('the demo PLC', () => {
  it('serves every demo tag with a plausible value', async () => {
    plc = await startModbusPlc({ host: '127.0.0.1', port: 0 });
    const readings = await readAll(plc.port);
    expect(readings).toHaveLength(DEMO_MODBUS_TAGS.length);
    for (const { tagName, value, status } of readings) {
      expect(status).toBe(GOOD);
      const [min, max] = RANGES[tagName] ?? [];
      if (min === undefined || max === undefined) expect(typeof value).toBe('boolean');
      else expect(Number(value) >= min && Number(value) <= max, `${tagName} ${value}`).toBe(true);
    }
    expect(new Set(readings.map(({ assetId }) => assetId))).toEqual(new Set(['pump-101', 'pump-102', 'conveyor-1']));
  });

  it('moves', async () => {
    plc = await startModbusPlc({ host: '127.0.0.1', port: 0 });
    const before = await readAll(plc.port);
    let after = before;
    const deadlineMs = systemClock.monotonicMs() + 5_000;
    const value = (readings: typeof before, name: string) => readings.find(({ tagName }) => tagName === name)?.value;
    while (value(after, 'parts_count') === value(before, 'parts_count') && systemClock.monotonicMs() < deadlineMs)
      after = await readAll(plc.port);
    expect(Number(value(after, 'parts_count'))).toBeGreaterThan(Number(value(before, 'parts_count')));
    expect(value(after, 'temperature')).not.toBe(value(before, 'temperature'));
  });

  it('says so when its port is taken, and frees it when closed', async () => {
    const first = await startModbusPlc({ host: '127.0.0.1', port: 0 });
    await expect(startModbusPlc({ host: '127.0.0.1', port: first.port })).rejects.toMatchObject({ code: 'listen_failed' });
    await first.close();
    plc = await startModbusPlc({ host: '127.0.0.1', port: first.port });
    expect(plc.port).toBe(first.port);
  });
});
