/** Writing to a device: the right function, read back, ahead of the polls; refusals, silence and devices that do as they like. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isGatewayError } from '../../../src/core/errors.ts';
import { GOOD } from '../../../src/core/status.ts';
import type { Scalar } from '../../../src/core/tag.ts';
import type { ModbusTagInput } from '../../../src/drivers/modbus/options.ts';
import { eventually, ref, type TestDriver, testDriver } from './harness.ts';
import { startWriteDevice, type WriteDevice } from './write-server.ts';

const TIMEOUT_MS = 150;
const never = new AbortController().signal;

let device: WriteDevice;
let test: TestDriver;

beforeEach(async () => {
  device = await startWriteDevice();
});

afterEach(async () => {
  await test?.stop();
  await device.close();
});

const TAGS: readonly ModbusTagInput[] = [
  { tag_name: 'power', register_type: 'coil', address: 3, writable: true },
  {
    tag_name: 'setpoint',
    register_type: 'holding',
    address: 10,
    data_type: 'int16',
    scale: 0.1,
    writable: true,
    write_min: 5,
    write_max: 30,
  },
  { tag_name: 'ratio', register_type: 'holding', address: 20, data_type: 'float32', byte_order: 'CDAB', writable: true },
  { tag_name: 'total', register_type: 'holding', address: 30, data_type: 'uint64', writable: true },
  { tag_name: 'flag', register_type: 'holding', address: 40, data_type: 'bool', bit: 5, writable: true },
  { tag_name: 'swapped flag', register_type: 'holding', address: 41, data_type: 'bool', bit: 5, byte_order: 'BADC', writable: true },
  { tag_name: 'enable', register_type: 'holding', address: 42, data_type: 'bool', writable: true },
  { tag_name: 'locked', register_type: 'holding', address: 50 },
];

/** Connected and polling each hour: after the first round only what a test asks for. */
async function begin(config: Record<string, unknown> = {}, tags = TAGS): Promise<void> {
  test = testDriver({ port: device.port, timeout_ms: TIMEOUT_MS, polling_interval_ms: 3_600_000, ...config }, tags);
  await test.start();
  await eventually('the first round', () => new Set(test.readings.map(({ tag }) => tag)).size === tags.length);
  device.requests.length = 0;
}

const write = (tag: string, value: Scalar, signal = never) => {
  if (!test.driver.write) throw new Error('the driver cannot write');
  return test.driver.write(ref(tag), value, signal);
};

async function failure(work: Promise<unknown>): Promise<readonly [string, string]> {
  const error = await work.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  if (!isGatewayError(error)) throw new Error(`expected a GatewayError, not ${String(error)}`);
  return [error.code, error.message];
}

describe('a write', () => {
  it.each<[string, Scalar, Scalar, readonly string[], () => unknown, unknown]>([
    ['power', true, true, ['5 3', '1 3'], () => device.coils[3], 1],
    ['setpoint', 21.5, 21.5, ['6 10', '3 10'], () => device.registers[10], 215],
    ['ratio', 0.25, 0.25, ['16 20', '3 20'], () => [...device.registers.slice(20, 22)], [0, 0x3e80]],
    ['total', 2n ** 63n + 1n, 2n ** 63n + 1n, ['16 30', '3 30'], () => [...device.registers.slice(30, 34)], [0x8000, 0, 0, 1]],
    ['enable', 1, true, ['6 42', '3 42'], () => device.registers[42], 1],
  ])('of %s sends one request and reads back', async (tag, value, shown, requests, held, expected) => {
    await begin();
    const { reading, confirmed } = await write(tag, value);
    expect([confirmed, reading.value, reading.status, reading.tagName, reading.assetId]).toEqual([true, shown, GOOD, tag, 'ds-test']);
    expect(held()).toEqual(expected);
    expect(device.requests).toEqual(requests);
  });

  it('is seen by the twins as a reading like any other, before scaling, and by nothing else', async () => {
    await begin();
    const before = test.readings.length;
    await write('setpoint', 21.5);
    expect(test.readings.slice(before).map(({ tag, value, status }) => [tag, value, status])).toEqual([['setpoint', 215, GOOD]]);
    await failure(write('setpoint', 99));
    expect(test.readings).toHaveLength(before + 1);
  });

  it('of what cannot be sends nothing, and says what is allowed', async () => {
    await begin();
    expect(await failure(write('setpoint', 30.1))).toEqual(['invalid_value', '30.1 is above write_max, 30']);
    expect(await failure(write('setpoint', 21.53))).toEqual(['invalid_value', expect.stringContaining('21.5 and 21.6')]);
    expect(await failure(write('power', 2))).toEqual(['invalid_value', '2 is neither true nor false']);
    expect(await failure(write('locked', 1))).toEqual(['not_writable', expect.stringContaining('writable: true')]);
    expect(await failure(write('nobody', 1))).toEqual(['unknown_tag', expect.stringContaining('nobody')]);
    expect(device.requests).toEqual([]);
  });

  it('takes the function for many where the device does not know the one for one', async () => {
    await begin();
    device.unknown.add(5).add(6);
    expect((await write('power', true)).confirmed).toBe(true);
    expect((await write('setpoint', 20)).confirmed).toBe(true);
    expect(device.requests).toEqual(['5 3', '15 3', '1 3', '6 10', '16 10', '3 10']);
    expect([device.coils[3], device.registers[10]]).toEqual([1, 200]);
  });
});

describe('a bit of a register', () => {
  it('is set with its mask where the device can, and nobody else is touched', async () => {
    await begin();
    device.registers[40] = 0b1010_1010_1000_0001;
    expect((await write('flag', true)).reading.value).toBe(true);
    expect(device.registers[40]).toBe(0b1010_1010_1010_0001);
    expect((await write('flag', false)).confirmed).toBe(true);
    expect(device.registers[40]).toBe(0b1010_1010_1000_0001);
    expect(device.requests).toEqual(['22 40', '3 40', '22 40', '3 40']);
  });

  it('lies in the other byte where the bytes are swapped', async () => {
    await begin();
    await write('swapped flag', true);
    expect(device.registers[41]).toBe(0x2000);
  });

  it('else is changed within the register as it is at that moment, and the mask is not tried again', async () => {
    await begin();
    device.unknown.add(22);
    device.registers[40] = 0xff00;
    expect((await write('flag', true)).confirmed).toBe(true);
    expect((await write('swapped flag', true)).confirmed).toBe(true);
    expect([device.registers[40], device.registers[41]]).toEqual([0xff20, 0x2000]);
    expect(device.requests).toEqual(['22 40', '3 40', '6 40', '3 40', '3 41', '6 41', '3 41']);
  });

  it('is not lost between two writes at once to one register', async () => {
    const bits = Array.from({ length: 16 }, (_, bit): ModbusTagInput => {
      return { tag_name: `bit ${bit}`, register_type: 'holding', address: 40, data_type: 'bool', bit, writable: true };
    });
    await begin({}, bits);
    device.unknown.add(22);
    await Promise.all(bits.map(({ tag_name }) => write(tag_name, true)));
    expect(device.registers[40]).toBe(0xffff);
  });

  it('of a device that keeps silent about masks fails once, and then is written without', async () => {
    await begin();
    device.deaf.add(22);
    expect(await failure(write('flag', true))).toEqual(['timeout', expect.stringContaining('still has another value')]);
    expect((await write('flag', true)).confirmed).toBe(true);
  });
});

describe('a device that', () => {
  it.each([
    [2, 'write_refused', 'illegal data address'],
    [3, 'write_refused', 'illegal data value'],
    [4, 'write_refused', 'device failure'],
    [6, 'write_refused', 'device busy'],
    [10, 'not_connected', 'gateway path unavailable'],
    [11, 'timeout', 'gateway target failed to respond'],
  ])('answers exception %i: %s, and nothing is sent twice', async (exception, code, why) => {
    await begin();
    device.refuses.set(6, exception);
    expect(await failure(write('setpoint', 20))).toEqual([code, expect.stringContaining(why)]);
    expect(device.requests).toEqual(['6 10']);
  });

  it('knows no writing function says so', async () => {
    await begin();
    device.unknown.add(6).add(16);
    expect(await failure(write('setpoint', 20))).toEqual(['write_refused', expect.stringContaining('illegal function')]);
  });

  it('acknowledges and takes its time (exception 5) is asked until it has done it', async () => {
    await begin();
    device.refuses.set(6, 5);
    const writing = write('setpoint', 20);
    await eventually('a first look', () => device.requests.includes('3 10'));
    device.registers[10] = 200;
    expect(await writing).toMatchObject({ confirmed: true, reading: { value: 20 } });
  });

  it('shows the value only some cycles later is confirmed then', async () => {
    await begin();
    device.onWrite = () => undefined;
    const writing = write('setpoint', 20);
    await eventually('the third look', () => device.requests.filter((request) => request === '3 10').length >= 3);
    device.registers[10] = 200;
    expect(await writing).toMatchObject({ confirmed: true, reading: { value: 20 } });
    expect(device.requests.filter((request) => request === '6 10')).toHaveLength(1);
  });

  it('takes the write and keeps its value is not believed; its reading says what is so', async () => {
    await begin();
    device.registers[10] = 180;
    device.onWrite = () => undefined;
    expect(await write('setpoint', 20)).toMatchObject({ confirmed: false, reading: { value: 18, status: GOOD } });
    expect(test.readings.at(-1)).toMatchObject({ tag: 'setpoint', value: 180 });
  });

  it('clamps the value is not believed either', async () => {
    await begin();
    device.onWrite = (_address, value) => Math.min(value, 250);
    expect(await write('setpoint', 29.5)).toMatchObject({ confirmed: false, reading: { value: 25 } });
  });

  it('echoes something else is asked what is so, over a new connection', async () => {
    await begin();
    device.patches.set(6, (answer) => answer.writeUInt16BE(999, 10));
    expect((await write('setpoint', 20)).confirmed).toBe(true);
    device.onWrite = () => undefined;
    expect(await failure(write('setpoint', 21))).toEqual([
      'protocol',
      expect.stringMatching(/value 999 instead of 210 .*still has another value/),
    ]);
  });

  it('does it and never answers has done it all the same', async () => {
    await begin();
    device.silent.add(6);
    expect(await write('setpoint', 20)).toMatchObject({ confirmed: true, reading: { value: 20 } });
    expect(device.requests).toEqual(['6 10', '3 10']);
  });

  it('neither does it nor answers: timeout, and it is not sent again', async () => {
    await begin();
    device.deaf.add(6);
    expect(await failure(write('setpoint', 20))).toEqual(['timeout', expect.stringContaining('still has another value')]);
    expect(device.requests).toEqual(['6 10', '3 10']);
  });

  it('is silent altogether, as behind a half-open connection: timeout, and nobody knows', async () => {
    await begin();
    device.deaf.add(6).add(3);
    expect(await failure(write('setpoint', 20))).toEqual(['timeout', expect.stringContaining('is not known')]);
    device.deaf.clear();
    expect((await write('setpoint', 20)).confirmed).toBe(true);
  });

  it('takes the write and then falls silent is late, and it is not sent again', async () => {
    await begin();
    device.deaf.add(3);
    expect(await failure(write('setpoint', 20))).toEqual(['timeout', expect.stringContaining('cannot be read back')]);
    expect(device.requests.filter((request) => request.startsWith('6 '))).toEqual(['6 10']);
    expect(device.registers[10]).toBe(200);
  });

  it('lets a value be written but not read cannot confirm it', async () => {
    await begin();
    device.refuses.set(3, 2);
    expect(await failure(write('setpoint', 20))).toEqual(['write_not_confirmed', expect.stringContaining('cannot be read back')]);
    expect(device.registers[10]).toBe(200);
  });
});

describe('among polls', () => {
  /** 40 registers, each with an interval of its own: as many requests wait in line at a time. */
  const scattered = Array.from({ length: 40 }, (_, index): ModbusTagInput => {
    return { tag_name: `r${index}`, register_type: 'holding', address: 1_000 + index, polling_interval_ms: 100 + index };
  });

  it('a write waits for the one request under way at most, and its read-back for none', async () => {
    await begin({ timeout_ms: 2_000 }, [...TAGS, ...scattered]);
    device.delayMs = 10;
    await eventually('a long line', () => device.requests.length > 60);
    for (let round = 0; round < 5; round++) {
      const asked = device.requests.length;
      await write('setpoint', 20 + round);
      const position = device.requests.slice(asked).indexOf('6 10');
      expect(position).toBeGreaterThanOrEqual(0);
      expect(position).toBeLessThanOrEqual(1);
      expect(device.requests[asked + position + 1]).toBe('3 10');
    }
  });

  it('one that was withdrawn while it waited is never sent', async () => {
    await begin();
    device.delayMs = 50;
    const first = write('setpoint', 20);
    const withdrawn = new AbortController();
    const second = write('ratio', 1, withdrawn.signal);
    withdrawn.abort(new Error('no more wanted'));
    await expect(second).rejects.toThrow('no more wanted');
    await first;
    expect(device.requests).toEqual(['6 10', '3 10']);
  });

  it('reading now passes the same door', async () => {
    await begin();
    device.registers[10] = 123;
    const before = test.readings.length;
    const readings = await test.driver.readNow?.([ref('setpoint'), ref('setpoint')], never);
    expect(readings?.map(({ value }) => value)).toEqual([12.3, 12.3].map((value) => expect.closeTo(value, 9)));
    expect(test.readings.slice(before).map(({ tag, value }) => [tag, value])).toEqual([['setpoint', 123]]);
  });

  it('a link that was closed refuses', async () => {
    await begin();
    await test.stop();
    expect((await failure(write('setpoint', 20)))[0]).toBe('not_connected');
  });
});
