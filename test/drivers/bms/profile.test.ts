/** The built-in battery profile: valid, expanded as written, and read as the pack meant it. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { BAD, BAD_OUT_OF_RANGE, GOOD } from '../../../src/core/status.ts';
import { expandProfile } from '../../../src/drivers/bms/expand.ts';
import { profileSchema } from '../../../src/drivers/bms/schema.ts';
import { configSchema, tagSchema } from '../../../src/drivers/mqtt/options.ts';
import { Payload } from '../../../src/drivers/mqtt/payload.ts';
import { Routes } from '../../../src/drivers/mqtt/routes.ts';

const profile = profileSchema.parse(parse(readFileSync(new URL('../../../config/profiles/generic_json.yaml', import.meta.url), 'utf8')));
const config = configSchema.parse({ broker_url: 'mqtt://b', topics: ['swap/{tenant}/packs/{asset}/telemetry', 'bench/pack'] });
const tags = expandProfile(profile, config);

/** What one message says, by tag: the value where it is good, else the status. */
function readings(message: unknown, topic = 'swap/northwind/packs/PK-7/telemetry'): Record<string, unknown> {
  const payload = new Payload(Buffer.from(JSON.stringify(message)));
  const found: Record<string, unknown> = {};
  for (const { rule, tag } of new Routes(tags, 'ds-packs').bind(topic)) {
    const read = payload.read(rule);
    if (typeof read === 'object') found[tag.tag] = read.status === GOOD ? read.value : read.status;
    else if (read !== undefined) found[tag.tag] = read;
  }
  return found;
}

test('every expanded tag is a valid MQTT tag, and no tag appears twice under a topic', () => {
  for (const tag of tags) expect(tagSchema.parse(tag)).toEqual(tag);
  const names = tags.filter((tag) => tag.topic === 'bench/pack').map((tag) => tag.tag_name);
  expect(new Set(names).size).toBe(names.length);
  expect(tags.length).toBe(2 * names.length);
  expect(names).toEqual(expect.arrayContaining(['temperature_4_c', 'cell_voltage_1_v', 'cell_voltage_32_v']));
});

test('tenant and pack come from the topic, or the pack is the source itself', () => {
  const routes = new Routes(tags, 'ds-packs');
  expect(routes.bind('swap/northwind/packs/PK-7/telemetry')[0]?.tag).toMatchObject({
    tenant: 'northwind',
    asset: 'PK-7',
    tag: 'voltage_v',
    unit: 'V',
  });
  expect(routes.bind('bench/pack')[0]?.tag).toEqual({ asset: 'ds-packs', tag: 'voltage_v', unit: 'V', valueType: 'f64' });
  expect(routes.subscriptions).toEqual(['swap/+/packs/+/telemetry', 'bench/pack']);
});

test('a full message gives the canonical reading', () => {
  const message = {
    timestamp: '2026-02-03T04:05:06Z',
    cell_count: 2,
    serial_number: 'SN-1',
    capacity: '31.5',
    capacity_remain: 11,
    voltage: 7.4,
    current: -3.25,
    soc: 35,
    soh: 91,
    temperature_1: 19.5,
    temperature_4: 21,
    temperature_mos: 33,
    charge_fet: true,
    discharge_fet: 1,
    balance_fet: 'off',
    cells: [{ voltage: 3.701, balance: false }, { voltage: 3.699 }],
    protection: { high_voltage: 0, low_soc: 2 },
    history: { charge_cycles: 17, total_ah_drawn: 480.5 },
  };
  expect(readings(message)).toEqual({
    cell_count: 2,
    bms_serial: 'SN-1',
    nominal_ah: 31.5,
    remaining_ah: 11,
    voltage_v: 7.4,
    current_a: -3.25,
    soc_pct: 35,
    soh_bms_pct: 91,
    temperature_1_c: 19.5,
    temperature_4_c: 21,
    temp_mos_c: 33,
    charge_fet: true,
    discharge_fet: true,
    balancing: false,
    cell_voltage_1_v: 3.701,
    cell_voltage_2_v: 3.699,
    alarm_high_voltage: 0,
    alarm_low_soc: 2,
    cycle_count: 17,
    discharge_ah_total: 480.5,
  });
});

test('what cannot be true is bad, what is not there is nothing', () => {
  expect(
    readings({ voltage: 0, current: 9_000, soc: 101, temperature_1: -41, temperature_2: 'nan', soh: null, capacity: '', cells: {} }),
  ).toEqual({
    voltage_v: BAD_OUT_OF_RANGE,
    current_a: BAD_OUT_OF_RANGE,
    soc_pct: BAD_OUT_OF_RANGE,
    temperature_1_c: BAD_OUT_OF_RANGE,
    temperature_2_c: BAD,
    soh_bms_pct: BAD,
    nominal_ah: BAD,
  });
});

test('a profile without topics is refused with the place', () => {
  expect(() => expandProfile(profile, configSchema.parse({ broker_url: 'mqtt://b' }))).toThrow('config.topics');
});

test.each([
  [{ tag: 'x', path: 'voltage' }, "expected '$'"],
  [{ tag: 'x', path: '$.c[{index}]', repeat: 3 }, 'must hold {number} or {index}'],
  [{ tag: 'x_{number}', path: '$.c', repeat: 3 }, 'must hold {number} or {index}'],
  [{ tag: 'x', path: '$.c', colour: 1 }, 'Unrecognized key'],
])('the line %j is refused', (field, message) => {
  const { error } = profileSchema.safeParse({ name: 'mine', transport: 'mqtt', fields: [field] });
  expect(error?.message).toContain(message);
});
