/** Serial lines as far as a machine without one can show: what cannot be opened says why, and harms nothing. */
import { mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { holdLine, type LineHold } from '../../../src/drivers/modbus/lines.ts';
import { gapMsOf } from '../../../src/drivers/modbus/serial.ts';
import { type TestDriver, testDriver } from './harness.ts';

let folder: string;
let test: TestDriver | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-serial-'));
});

afterEach(async () => {
  await test?.stop();
});

afterAll(() => rm(folder, { recursive: true, force: true }));

function driverAt(path: string): TestDriver {
  test = testDriver({ host: undefined, transport: 'rtu', serial: { path } }, [{ tag_name: 'a', register_type: 'holding', address: 0 }]);
  return test;
}

describe('a serial line', () => {
  it('that is not there is not connected: it may be plugged in', async () => {
    const path = join(folder, 'ttyUSB7');
    await expect(driverAt(path).start()).rejects.toMatchObject({
      code: 'not_connected',
      message: expect.stringContaining(`there is no serial device ${path}`),
    });
  });

  it('that is a file or a folder is a mistake of the configuration', async () => {
    const file = join(folder, 'file');
    await writeFile(file, 'kept');
    await symlink(file, join(folder, 'link'));
    for (const path of [file, folder, join(folder, 'link')]) {
      await expect(driverAt(path).start()).rejects.toMatchObject({ code: 'config_invalid', message: `${path} is not a serial device` });
    }
  });

  it('that is another device is not connected, in the words of the system', async () => {
    await expect(driverAt('/dev/null').start()).rejects.toMatchObject({
      code: 'not_connected',
      message: expect.stringContaining('cannot connect to /dev/null: '),
    });
  });

  it('is silent between frames for 3.5 characters, and from 19,200 baud on for 1.75 ms', () => {
    const gap = (baud_rate: number) => gapMsOf({ path: '/dev/x', baud_rate, parity: 'even', stop_bits: 1 });
    expect(gap(9_600)).toBeCloseTo(4.01, 2);
    expect(gap(115_200)).toBe(1.75);
  });
});

describe('a line that several sources hold', () => {
  const held: LineHold[] = [];
  const hold = (settings: string) => {
    const one = holdLine('/dev/ttyTest', settings, { clock: systemClock, gapMs: 1 });
    held.push(one);
    return one;
  };

  it('is one with the same settings, and refused with others while it is in use', () => {
    const first = hold('9600');
    expect(hold('9600').line).toBe(first.line);
    expect(() => hold('19200')).toThrow('/dev/ttyTest is in use with 9600 by another source, and cannot be with 19200 too');
    for (const { release } of held) release();
    expect(hold('19200').line).not.toBe(first.line);
    held.at(-1)?.release();
  });
});
