/** Tags that change while a device is polled: the socket stays, and what stays as it is misses no poll. */
import { afterEach, describe, expect, it } from 'vitest';
import { BAD_NODE_ID_UNKNOWN, GOOD } from '../../../src/core/status.ts';
import type { TagRef } from '../../../src/drivers/driver.ts';
import { type ModbusTagInput, tagSchema } from '../../../src/drivers/modbus/options.ts';
import { type Device, eventually, ref, startDevice, type TestDriver, testDriver } from './harness.ts';

let device: Device;
let test: TestDriver;

afterEach(async () => {
  await test?.stop();
  await device?.close();
});

const signal = new AbortController().signal;
const holding = (tag_name: string, address: number, more: Partial<ModbusTagInput> = {}): ModbusTagInput => {
  return { tag_name, register_type: 'holding', address, ...more };
};
const registers = Buffer.alloc(400);
for (let at = 0; at < 200; at++) registers.writeUInt16BE(at, at * 2);

const of = (tag: string) => test.readings.filter((reading) => reading.tag === tag);
const seen = (tag: string, count = of(tag).length + 1) => eventually(`${count} readings of ${tag}`, () => of(tag).length >= count);

/** Gives what the driver said of the tags that go on. */
async function retag(...tags: ModbusTagInput[]): Promise<(tag: TagRef) => boolean> {
  const told: ((tag: TagRef) => boolean)[] = [];
  await test.driver.retag?.(
    tags.map((tag) => tagSchema.parse(tag)),
    (goesOn) => told.push(goesOn),
    signal,
  );
  expect(told).toHaveLength(1);
  return told[0] as (tag: TagRef) => boolean;
}

async function begin(...tags: ModbusTagInput[]): Promise<{ readonly ended: Promise<void> }> {
  device = await startDevice({ registers, coils: [], refused: new Map([[150, 2]]) });
  test = testDriver({ port: device.port, polling_interval_ms: 100 }, tags);
  return test.start();
}

describe('a change of tags', () => {
  it('polls what is new, stops what is gone and reads what is changed in its new place', async () => {
    await begin(holding('stays', 1), holding('goes', 2), holding('moves', 3));
    await seen('moves');
    const goesOn = await retag(holding('stays', 1), holding('moves', 13), holding('comes', 4));
    const gone = of('goes').length;
    expect(['stays', 'goes', 'moves', 'comes'].map((tag) => goesOn(ref(tag)))).toEqual([true, false, false, false]);
    const moves = of('moves').length;
    await seen('comes', 3);
    expect(of('goes')).toHaveLength(gone);
    expect(new Set(of('stays').map(({ value }) => value))).toEqual(new Set([1]));
    expect(new Set(of('comes').map(({ value }) => value))).toEqual(new Set([4]));
    const values = of('moves').map(({ value }) => value);
    expect([new Set(values.slice(0, moves)), new Set(values.slice(moves))]).toEqual([new Set([3]), new Set([13])]);
  });

  it('shows in reads on demand, in what the device said last, and in what fails', async () => {
    await begin(holding('stays', 1), holding('fails', 150));
    await eventually('a tag that fails', () => test.reports.at(-1)?.tagsFailed === 1);
    const before = test.driver.raw?.(ref('stays'));
    expect(before).toBeDefined();
    await retag(holding('stays', 1), holding('comes', 4));
    expect(test.reports.at(-1)).toEqual({ tagsFailed: 0 });
    expect(test.driver.raw?.(ref('stays'))).toBeDefined();
    expect(test.driver.raw?.(ref('fails'))).toBeUndefined();
    const read = await test.driver.readNow?.([ref('comes'), ref('fails')], signal);
    expect(read?.map(({ value, status }) => [value, status])).toEqual([
      [4, GOOD],
      [null, BAD_NODE_ID_UNKNOWN],
    ]);
  });

  it('of an interval begins a loop and ends the one that has no tag left, however long it would have waited', async () => {
    const { ended } = await begin(holding('slow', 1, { polling_interval_ms: 3_600_000 }));
    await seen('slow', 1);
    await retag(holding('quick', 2));
    await seen('quick', 3);
    await retag();
    const quick = of('quick').length;
    await retag(holding('slow', 1, { polling_interval_ms: 3_600_000 }));
    await seen('slow', 2);
    expect(of('quick')).toHaveLength(quick);
    await test.stop();
    await ended;
  });

  it('that names an address that does not exist changes nothing', async () => {
    await begin(holding('stays', 1));
    const wrong = tagSchema.parse(holding('wrong', 65_535, { data_type: 'float32' }));
    await expect(test.driver.retag?.([wrong], () => expect.unreachable(), signal)).rejects.toMatchObject({ code: 'config_invalid' });
    await seen('stays', of('stays').length + 2);
  });

  it('a hundred times in the midst of polls costs the tag that stays no answer of the device', async () => {
    await begin(holding('stays', 1));
    for (let change = 0; change < 100; change++) {
      await retag(holding('stays', 1), holding(`other ${change % 3}`, 100 + change, { polling_interval_ms: 100 + 50 * (change % 2) }));
      if (change % 20 === 0) await seen('stays');
    }
    await retag(holding('stays', 1));
    const asked = () => device.requests.filter((request) => request === 'holding 1+1').length;
    await seen('stays');
    await eventually('every answer is a reading', () => of('stays').length >= asked() - 1);
    expect(new Set(of('stays').map(({ value, status }) => `${value} ${status}`))).toEqual(new Set([`1 ${GOOD}`]));
  });
});
