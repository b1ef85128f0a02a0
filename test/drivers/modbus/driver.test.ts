/** The Modbus driver against a real server of another make: every type, bad registers, schedules, reading on demand. */
import { afterEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { isRefused } from '../../../src/core/errors.ts';
import { BAD_DEVICE_FAILURE, BAD_NODE_ID_UNKNOWN, BAD_OUT_OF_RANGE, GOOD } from '../../../src/core/status.ts';
import type { ModbusTagInput } from '../../../src/drivers/modbus/options.ts';
import { type Device, type DeviceMemory, eventually, freePort, ref, startDevice, type TestDriver, testDriver } from './harness.ts';

let device: Device;
let test: TestDriver;

afterEach(async () => {
  await test?.stop();
  await device?.close();
});

const noSignal = new AbortController().signal;
const holding = (tag_name: string, address: number, more: Partial<ModbusTagInput> = {}): ModbusTagInput => {
  return { tag_name, register_type: 'holding', address, ...more };
};

async function begin(memory: Partial<DeviceMemory>, tags: readonly ModbusTagInput[], config: Record<string, unknown> = {}): Promise<void> {
  device = await startDevice({ registers: Buffer.alloc(400), coils: [], ...memory });
  test = testDriver({ port: device.port, ...config }, tags);
  await test.start();
}

/** Waits until each tag was seen so many times. */
async function rounds(count: number): Promise<void> {
  const tags = new Set([...test.tags.values()].map(({ tag }) => tag));
  await eventually(`${count} readings of each of ${[...tags]}`, () =>
    [...tags].every((tag) => test.readings.filter((reading) => reading.tag === tag).length >= count),
  );
}

const last = (tag: string) => test.readings.findLast((reading) => reading.tag === tag);

describe('polling', () => {
  const registers = Buffer.alloc(100);
  registers.writeInt16BE(-1234, 0);
  registers.writeUInt16BE(65_000, 2);
  registers.writeInt32BE(-123_456_789, 4);
  registers.writeUInt32BE(4_000_000_000, 8);
  registers.writeFloatBE(21.5, 12);
  registers.writeBigInt64BE(-9_007_199_254_740_993n, 16);
  registers.writeBigUInt64BE(18_446_744_073_709_551_615n, 24);
  registers.writeUInt16BE(0x3e00, 32);
  registers.writeDoubleBE(Math.PI, 34);
  registers.writeUInt16BE(0b100, 42);
  registers.writeFloatBE(Number.NaN, 44);
  Buffer.from('000041ac', 'hex').copy(registers, 48);
  const tags: ModbusTagInput[] = [
    holding('int16', 0, { data_type: 'int16' }),
    holding('uint16', 1),
    holding('int32', 2, { data_type: 'int32' }),
    holding('uint32', 4, { data_type: 'uint32' }),
    holding('float32', 6, { data_type: 'float32' }),
    holding('int64', 8, { data_type: 'int64' }),
    holding('uint64', 12, { data_type: 'uint64' }),
    holding('float16', 16, { data_type: 'float16' }),
    holding('float64', 17, { data_type: 'float64' }),
    holding('bit 2', 21, { data_type: 'bool', bit: 2 }),
    holding('bit 3', 21, { data_type: 'bool', bit: 3 }),
    holding('nan', 22, { data_type: 'float32' }),
    holding('swapped', 24, { data_type: 'float32', byte_order: 'CDAB' }),
    { tag_name: 'input', register_type: 'input', address: 0, data_type: 'int16' },
    { tag_name: 'coil', register_type: 'coil', address: 9 },
    { tag_name: 'discrete', register_type: 'discrete_input', address: 10 },
  ];
  const coils = Array.from({ length: 11 }, (_, index) => index === 9);

  it('reads a value of every type from every table, with one request a table', async () => {
    await begin({ registers, coils }, tags);
    await rounds(1);
    const first = test.readings.slice(0, tags.length);
    expect(Object.fromEntries(first.map(({ tag, value }) => [tag, value]))).toEqual({
      int16: -1234,
      uint16: 65_000,
      int32: -123_456_789,
      uint32: 4_000_000_000,
      float32: 21.5,
      int64: -9_007_199_254_740_993n,
      uint64: 18_446_744_073_709_551_615n,
      float16: 1.5,
      float64: Math.PI,
      'bit 2': true,
      'bit 3': false,
      nan: null,
      swapped: 21.5,
      input: -1234,
      coil: true,
      discrete: false,
    });
    expect(first.filter(({ status }) => status !== GOOD).map(({ tag, status }) => [tag, status])).toEqual([['nan', BAD_OUT_OF_RANGE]]);
    expect(device.requests.slice(0, 2)).toEqual(['holding 0+26', 'input 0+1']);
  });

  it('tells the door what each series is, and leaves scaling to it', async () => {
    await begin({ registers }, [
      holding('t', 6, {
        data_type: 'float32',
        asset_id: 'pump-1',
        unit: '°C',
        scale: 0.1,
        offset: -4,
        deadband: { type: 'absolute', value: 1 },
      }),
      holding('energy', 8, { data_type: 'int64' }),
      holding('scaled energy', 8, { data_type: 'int64', scale: 0.001 }),
    ]);
    await rounds(1);
    expect([...test.tags.values()]).toEqual([
      { asset: 'pump-1', tag: 't', valueType: 'f32', unit: '°C', scale: 0.1, offset: -4, deadband: { type: 'absolute', value: 1 } },
      { asset: 'ds-test', tag: 'energy', valueType: 'i64' },
      { asset: 'ds-test', tag: 'scaled energy', valueType: 'f64', scale: 0.001 },
    ]);
    expect(last('t')?.value).toBe(21.5);
  });

  it('follows changes at the device', async () => {
    const memory = Buffer.alloc(4);
    await begin({ registers: memory }, [holding('a', 0)]);
    await rounds(1);
    memory.writeUInt16BE(77, 0);
    await eventually('the new value', () => last('a')?.value === 77);
  });

  it('counts addresses from 1 when the manual does', async () => {
    await begin({ registers }, [holding('uint16', 2)], { address_base: 1 });
    await rounds(1);
    expect(last('uint16')?.value).toBe(65_000);
  });

  it('polls each tag at its own interval', async () => {
    await begin({}, [holding('fast', 0), holding('slow', 100, { polling_interval_ms: 3_600_000 })]);
    await eventually('several rounds of the fast one', () => test.readings.filter(({ tag }) => tag === 'fast').length >= 4);
    expect(test.readings.filter(({ tag }) => tag === 'slow')).toHaveLength(1);
  });

  it('waits for room in a full store until the next tick, then pushes all the same', async () => {
    device = await startDevice({ registers, coils });
    test = testDriver({ port: device.port, polling_interval_ms: 400 }, [holding('a', 0)]);
    test.hasRoom = false;
    const startMs = systemClock.monotonicMs();
    await test.start();
    await rounds(1);
    expect(systemClock.monotonicMs() - startMs).toBeGreaterThan(300);
    const full = test.readings.length;
    test.makeRoom();
    await rounds(full + 2);
  });

  it('with no tags only waits for the end', async () => {
    await begin({}, []);
    await test.stop();
    expect(device.requests).toEqual([]);
  });
});

describe('a register that the device does not have', () => {
  const tags = Array.from({ length: 20 }, (_, index) => holding(`r${index}`, index));
  const registers = Buffer.alloc(40);
  for (let index = 0; index < 20; index++) registers.writeUInt16BE(index + 100, index * 2);

  it('makes only its own tag bad, once, while the neighbours stay good (telegraf#14671)', async () => {
    await begin({ registers, refused: new Map([[7, 2]]) }, tags);
    await eventually('three rounds', () => test.readings.filter(({ tag }) => tag === 'r6').length >= 3);
    for (const { tag, value, status } of test.readings) {
      expect([tag, value, status]).toEqual(tag === 'r7' ? ['r7', null, BAD_NODE_ID_UNKNOWN] : [tag, Number(tag.slice(1)) + 100, GOOD]);
    }
    expect(test.readings.filter(({ tag }) => tag === 'r7')).toHaveLength(1);
    expect(test.reports).toEqual([{ tagsFailed: 1, reason: 'no value for r7 (exception 2 (illegal data address) to holding 7)' }]);
  });

  it('is not asked for again at every poll', async () => {
    await begin({ registers, refused: new Map([[7, 3]]) }, tags);
    await rounds(1);
    const asked = device.requests.length;
    await eventually('more rounds', () => device.requests.length >= asked + 8);
    const covering = device.requests.slice(asked).filter((request) => {
      const [start = 0, count = 0] = request.replace('holding ', '').split('+').map(Number);
      return start <= 7 && 7 < start + count;
    });
    expect(covering).toEqual([]);
  });

  it('between two tags only keeps them apart: no tag is bad', async () => {
    await begin({ registers, refused: new Map([[7, 2]]) }, [holding('r5', 5), holding('r9', 9)]);
    await rounds(3);
    expect(test.readings.every(({ status }) => status === GOOD)).toBe(true);
    expect(device.requests.slice(0, 5)).toEqual(['holding 5+5', 'holding 5+1', 'holding 9+1', 'holding 5+1', 'holding 9+1']);
    expect(test.reports).toEqual([]);
  });

  it('is no matter for a device that only gives few registers at a time', async () => {
    await begin({ registers, maxCount: 8 }, tags);
    await rounds(2);
    expect(test.readings.every(({ tag, value }) => value === Number(tag.slice(1)) + 100)).toBe(true);
  });
});

describe('other refusals', () => {
  it('make all tags of the request bad for as long as they last', async () => {
    const refused = new Map([[1, 4]]);
    await begin({ refused }, [holding('a', 0), holding('b', 1), holding('c', 90)]);
    await rounds(1);
    await eventually('several rounds', () => test.readings.filter(({ tag }) => tag === 'c').length >= 3);
    expect(test.readings.filter(({ tag }) => tag !== 'c').map(({ tag, status }) => [tag, status])).toEqual([
      ['a', BAD_DEVICE_FAILURE],
      ['b', BAD_DEVICE_FAILURE],
    ]);
    refused.clear();
    await eventually('all is well', () => last('a')?.status === GOOD && last('b')?.status === GOOD);
    await eventually('it is said', () => test.reports.length === 2);
    expect(test.reports.map(({ tagsFailed }) => tagsFailed)).toEqual([2, 0]);
  });
});

describe('connect', () => {
  it('rejects not_connected and names host and port when nobody listens', async () => {
    const port = await freePort();
    test = testDriver({ port }, [holding('a', 0)]);
    await expect(test.driver.connect(noSignal)).rejects.toMatchObject({
      code: 'not_connected',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    });
    await test.driver.close();
  });

  it('gives the reason also where a name has several addresses', async () => {
    const port = await freePort();
    test = testDriver({ host: 'localhost', port }, [holding('a', 0)]);
    await expect(test.driver.connect(noSignal)).rejects.toThrow(`cannot connect to localhost:${port}: `);
    await expect(test.driver.connect(noSignal)).rejects.toThrow(/ECONNREFUSED/);
    expect(isRefused(await test.driver.connect(noSignal).catch((error: unknown) => error))).toBe(true);
  });

  it.each([
    [65_535, { data_type: 'float32' as const }, 0, /tag "a" .*address 65535 .*beyond the last register/],
    [0, {}, 1, /tag "a" .*address 0 .*address_base is 1/],
  ])('rejects config_invalid for address %i', async (address, more, address_base, message) => {
    test = testDriver({ address_base }, [holding('a', address, more)]);
    await expect(test.driver.connect(noSignal)).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringMatching(message) });
  });
});

describe('the end of the connection', () => {
  it('ends run with not_connected when the device goes away', async () => {
    device = await startDevice({ registers: Buffer.alloc(10), coils: [] });
    test = testDriver({ port: device.port }, [holding('a', 0)]);
    const { ended } = await test.start();
    await rounds(1);
    await device.close();
    await expect(ended).rejects.toMatchObject({ code: 'not_connected', message: expect.stringContaining(`127.0.0.1:${device.port}`) });
  });

  it('close is safe twice and without a connection', async () => {
    test = testDriver({}, []);
    await test.driver.close();
    await test.driver.close();
  });
});

describe('readNow', () => {
  const registers = Buffer.alloc(40);
  registers.writeFloatBE(21.5, 0);
  registers.writeBigInt64BE(42n, 4);
  registers.writeBigUInt64BE(2n ** 60n, 12);
  const tags = [
    holding('t', 0, { data_type: 'float32', asset_id: 'pump-1', scale: 10, offset: 1 }),
    holding('small', 2, { data_type: 'int64' }),
    holding('large', 6, { data_type: 'uint64' }),
    holding('absent', 5_000),
    { tag_name: 'coil', register_type: 'coil' as const, address: 0 },
  ];

  it('reads the device while polling goes on, with scale and offset, and tells bad tags from unknown ones', async () => {
    await begin({ registers, coils: [true] }, tags);
    const readings = await test.driver.readNow?.(
      [{ assetId: 'pump-1', tagName: 't' }, ...['small', 'large', 'absent', 'coil', 'nobody'].map(ref)],
      noSignal,
    );
    expect(readings?.map(({ tagName, assetId, value, status }) => [tagName, assetId, value, status])).toEqual([
      ['t', 'pump-1', 216, GOOD],
      ['small', 'ds-test', 42, GOOD],
      ['large', 'ds-test', 2n ** 60n, GOOD],
      ['absent', 'ds-test', null, BAD_NODE_ID_UNKNOWN],
      ['coil', 'ds-test', true, GOOD],
      ['nobody', 'ds-test', null, BAD_NODE_ID_UNKNOWN],
    ]);
  });

  it('remembers the words of the newest poll, whoever asks, until the run is over', async () => {
    await begin({ registers, coils: [true] }, tags);
    const raw = (name: string, assetId = 'ds-test') => test.driver.raw?.({ assetId, tagName: name });
    await eventually('the first round', () => raw('coil') !== undefined && raw('absent') !== undefined);
    const readMs = expect.any(Number);
    expect(raw('t', 'pump-1')).toEqual({ words: { registers: '41ac 0000' }, readMs, sourceMs: null, serverMs: null });
    expect(raw('small')?.words).toEqual({ registers: '0000 0000 0000 002a' });
    expect(raw('coil')?.words).toEqual({ bit: 1 });
    expect(raw('absent')?.words).toEqual({ failure: expect.stringContaining('exception 2') });
    expect(raw('nobody')).toBeUndefined();
    registers.writeBigInt64BE(43n, 4);
    await eventually('the next round', () => raw('small')?.words['registers'] === '0000 0000 0000 002b');
    await test.stop();
    expect(raw('small')).toBeUndefined();
  });

  it('rejects not_connected when the link is closed', async () => {
    await begin({ registers }, tags);
    await test.stop();
    await expect(test.driver.readNow?.([{ assetId: 'pump-1', tagName: 't' }], noSignal)).rejects.toMatchObject({ code: 'not_connected' });
  });
});
