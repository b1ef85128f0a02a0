/** The demo's packs: believable, the same at every start, and readable with the built-in profile. */
import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { parse } from 'yaml';
import { PACK_IDS, PACK_TOPICS, type PackBroker, startPackBroker } from '../../../src/cli/demo/pack-broker.ts';
import { PackModel } from '../../../src/cli/demo/pack-model.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { isBad } from '../../../src/core/status.ts';
import { expandProfile } from '../../../src/drivers/bms/expand.ts';
import { profileSchema } from '../../../src/drivers/bms/schema.ts';
import { configSchema } from '../../../src/drivers/mqtt/options.ts';
import { harness, until } from '../../drivers/mqtt/harness.ts';

const profile = profileSchema.parse(parse(readFileSync(new URL('../../../config/profiles/generic_json.yaml', import.meta.url), 'utf8')));
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function start(port: number): Promise<PackBroker> {
  const broker = await startPackBroker({ port, clock: systemClock });
  closers.push(() => broker.close());
  return broker;
}

test('three packs report good readings with their own time', async () => {
  const broker = await start(0);
  const config = { broker_url: broker.url, topics: [...PACK_TOPICS] };
  const bench = harness(config, expandProfile(profile, configSchema.parse(config)));
  closers.push(() => bench.stop());
  await bench.start();
  await until(() => PACK_IDS.every((id) => bench.recording.tags.has(`${id}/voltage_v`)), 'all packs');
  expect(PACK_IDS).toHaveLength(3);
  expect(bench.recording.readings.filter((reading) => isBad(reading.status))).toEqual([]);
  expect(bench.recording.readings.every((reading) => reading.timeMs !== undefined)).toBe(true);
  expect(bench.recording.rejected).toEqual([]);
});

test('a port that is taken is listen_failed', async () => {
  const { url } = await start(0);
  await expect(startPackBroker({ port: Number(new URL(url).port), clock: systemClock })).rejects.toMatchObject({ code: 'listen_failed' });
});

function eightHours() {
  const pack = new PackModel({ id: 'PK-1', socPct: 50, sohPct: 90, cycles: 10, charging: false });
  let last = pack.message('');
  let integralAh = last.capacity_remain;
  const seen: Record<'voltage' | 'soc' | 'temperature_1', number[]> = { voltage: [], soc: [], temperature_1: [] };
  for (let second = 0; second < 28_800; second++) {
    pack.step();
    last = pack.message('');
    integralAh += last.current / 3_600;
    for (const key of ['voltage', 'soc', 'temperature_1'] as const) seen[key].push(last[key]);
  }
  return { last, integralAh, seen };
}

test('eight hours of a pack are deterministic, stay within its limits, and its counter follows its current', () => {
  const { last, integralAh, seen } = eightHours();
  expect(eightHours().last).toEqual(last);
  expect(integralAh).toBeCloseTo(last.capacity_remain, 1);
  expect(last.history.charge_cycles).toBeGreaterThan(11);
  const within = (values: readonly number[], low: number, high: number): boolean => values.every((value) => value > low && value < high);
  expect(within(seen.voltage, 13 * 3, 13 * 4.25)).toBe(true);
  expect(within(seen.soc, 15, 97)).toBe(true);
  expect(within(seen.temperature_1, 20, 60)).toBe(true);
});
