/** RTU over TCP: answers without numbers, devices that misbehave, and several sources on one line. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { isGatewayError } from '../../../src/core/errors.ts';
import { isBad, qualityOf } from '../../../src/core/status.ts';
import { ModbusLink } from '../../../src/drivers/modbus/link.ts';
import { configSchema } from '../../../src/drivers/modbus/options.ts';
import { transportOf } from '../../../src/drivers/modbus/transport.ts';
import { eventually, type TestDriver, testDriver } from './harness.ts';
import { LINE_FAULTS, type LineFault, type RtuLine, startRtuLine, unitValue } from './rtu-device.ts';

const TIMEOUT_MS = 100;
/** The late answer that is awaited, a connect, and an answer may each take the timeout; the rest is for a busy machine. */
const HANG_MS = 3 * TIMEOUT_MS + 1_000;
/** Misbehaviour that does no harm. */
const HARMLESS: readonly LineFault[] = [
  'garbage_before',
  'garbage_after',
  'another_unit_before',
  'echo_before',
  'one_byte_at_a_time',
  'twice',
];

let line: RtuLine;
let links: ModbusLink[];
const never = new AbortController().signal;

beforeEach(async () => {
  links = [];
  line = await startRtuLine({ lateMs: TIMEOUT_MS * 1.5 });
});

afterEach(async () => {
  for (const link of links) link.close();
  await line.close();
});

async function linkTo(unitId: number, timeoutMs = TIMEOUT_MS): Promise<ModbusLink> {
  const config = { host: '127.0.0.1', port: line.port, transport: 'rtu_over_tcp', unit_id: unitId, timeout_ms: timeoutMs };
  const link = new ModbusLink(transportOf(configSchema.parse(config), { clock: systemClock }));
  links.push(link);
  await link.open(never);
  return link;
}

/** The code of a failed read, or `right`; anything else fails the test. */
async function outcome(link: ModbusLink, start: number, count = 3, unitId = 1): Promise<string> {
  const sentMs = systemClock.monotonicMs();
  try {
    const bytes = await link.read({ table: 'holding', start, count }, never);
    const values = Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16BE(index * 2));
    expect(values).toEqual(Array.from({ length: count }, (_, index) => unitValue(unitId, start + index)));
    return 'right';
  } catch (error) {
    if (!isGatewayError(error)) throw error;
    return error.code;
  } finally {
    expect(systemClock.monotonicMs() - sentMs).toBeLessThan(HANG_MS);
  }
}

describe('the Modbus link over a line', () => {
  it.each(LINE_FAULTS)('survives "%s": no wrong value, and well again with the next request', async (fault) => {
    const link = await linkTo(1);
    expect(await outcome(link, 10)).toBe('right');
    line.script.push(fault);
    const hit = await outcome(link, 20);
    if (HARMLESS.includes(fault)) expect(hit).toBe('right');
    else expect(['timeout', 'protocol', 'not_connected']).toContain(hit);
    expect(await outcome(link, 500)).toBe('right');
    expect(await outcome(link, 40)).toBe('right');
  });

  it('never takes a late answer for that of the next request: it is awaited and thrown away', async () => {
    const link = await linkTo(1);
    for (let round = 0; round < 3; round++) {
      line.script.push('late');
      expect(await outcome(link, 10)).toBe('timeout');
      for (let index = 0; index < 20; index++) expect(await outcome(link, 500 + index)).toBe('right');
    }
    expect(line.connections).toBe(1);
  });

  it('remembers an answer that is owed when the source is closed and opened again', async () => {
    const link = await linkTo(1);
    line.script.push('late');
    expect(await outcome(link, 10)).toBe('timeout');
    link.close();
    const next = await linkTo(1);
    expect(await outcome(next, 500)).toBe('right');
    expect(await outcome(next, 501)).toBe('right');
  });

  it('says what came when nothing right did', async () => {
    const link = await linkTo(1);
    line.script.push('garbage_alone');
    await expect(link.read({ table: 'holding', start: 0, count: 1 }, never)).rejects.toMatchObject({
      code: 'protocol',
      message: `127.0.0.1:${line.port} gave no valid answer for holding 0 within ${TIMEOUT_MS} ms, but 4 bytes that are no answer: de ad 01 be`,
    });
  });

  it('is opened anew after two requests to which nobody said a word', async () => {
    const link = await linkTo(1);
    line.script.push('silence', 'silence');
    expect([await outcome(link, 1), await outcome(link, 2), await outcome(link, 3)]).toEqual(['timeout', 'timeout', 'right']);
    expect(line.connections).toBe(2);
  });

  it('gives no wrong value in any order of faults', async () => {
    const link = await linkTo(1);
    const step = fc.record({
      fault: fc.constantFrom('answer' as const, ...LINE_FAULTS),
      start: fc.nat(1_000),
      count: fc.integer({ min: 2, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), async (steps) => {
        for (const { fault, start, count } of steps) {
          line.script.push(fault);
          await outcome(link, start, count);
        }
        line.script.length = 0;
        expect(await outcome(link, 3)).toBe('right');
      }),
      { numRuns: 10 },
    );
  });
});

describe('several sources on one line', () => {
  it('share a connection, and only one request is under way', async () => {
    line.delayMs = 5;
    const units = [1, 2, 3];
    const all = await Promise.all(units.map((unit) => linkTo(unit)));
    const reads = all.flatMap((link, index) => Array.from({ length: 8 }, (_, at) => outcome(link, at * 10, 2, units[index])));
    expect(new Set(await Promise.all(reads))).toEqual(new Set(['right']));
    expect([line.connections, line.collisions]).toEqual([1, 0]);
    expect(line.units).toHaveLength(24);
    const fair = line.units.slice(2, 20); // before all were in line, and when some were done, one may come twice
    expect(fair.filter((unit, index) => unit === fair[index + 1])).toEqual([]);
  });

  it('are read on while one of them owes an answer', async () => {
    line.dead.add(9);
    const dead = await linkTo(9, 400);
    const well = await linkTo(1);
    await expect(dead.read({ table: 'holding', start: 0, count: 1 }, never)).rejects.toMatchObject({ code: 'timeout' });
    const again = dead.read({ table: 'holding', start: 0, count: 1 }, never).catch((error: unknown) => error);
    const asked = line.units.length;
    for (let index = 0; index < 10; index++) expect(await outcome(well, index)).toBe('right');
    expect(line.units.slice(asked, asked + 10)).toEqual(Array.from({ length: 10 }, () => 1));
    expect(await again).toMatchObject({ code: 'timeout' });
  });

  it('keep their line when one of them is closed, and let it go with the last', async () => {
    const [first, second] = [await linkTo(1), await linkTo(2)];
    first.close();
    expect(await outcome(second, 5, 2, 2)).toBe('right');
    expect(line.connections).toBe(1);
    second.close();
    expect(await outcome(await linkTo(1), 5)).toBe('right');
    expect(line.connections).toBe(2);
  });
});

describe('the Modbus driver on a line', () => {
  let tests: TestDriver[];

  beforeEach(() => {
    tests = [];
  });

  afterEach(async () => {
    await Promise.all(tests.map((test) => test.stop()));
  });

  const driver = (unitId: number, addresses: readonly number[]) => {
    const tags = addresses.map((address) => ({ tag_name: `${unitId} r${address}`, register_type: 'holding' as const, address }));
    const test = testDriver({ port: line.port, transport: 'rtu_over_tcp', unit_id: unitId, timeout_ms: TIMEOUT_MS }, tags);
    tests.push(test);
    return test;
  };
  const right = (test: TestDriver) =>
    test.readings.filter(({ tag, value, status }) => {
      const [unit, address] = tag.split(' r').map(Number);
      if (qualityOf(status) === 'good') expect(value).toBe(unitValue(unit ?? 0, address ?? 0));
      else expect(value).toBeNull();
      return !isBad(status);
    });

  /** As the supervisor does it. Resolves when the test stops it. */
  async function keptRunning(test: TestDriver): Promise<void> {
    for (let runs = true; runs; ) {
      runs = await test
        .start()
        .then(({ ended }) => ended)
        .then(
          () => false,
          (error: unknown) => isGatewayError(error),
        );
      if (runs) await test.driver.close();
    }
  }

  it('gives only right values of each unit, whatever the line brings', async () => {
    const harmful = LINE_FAULTS.filter((fault) => !HARMLESS.includes(fault));
    const two = [driver(1, [10, 500, 1_000]), driver(2, [10, 500, 1_000])];
    for (const test of two) void keptRunning(test);
    line.scripted.add(1);
    for (const fault of harmful) line.script.push(fault, 'answer', 'answer', 'answer');
    await eventually('every fault was met', () => line.script.length === 0, 20_000);
    for (const test of two) {
      const seen = right(test).length;
      await eventually('all is well after the last', () => right(test).length >= seen + 6);
    }
    expect(line.collisions).toBe(0);
  });

  it('is connected when the device has answered, and not because the gateway has', async () => {
    line.dead.add(3);
    const test = driver(3, [1]);
    await expect(test.start()).rejects.toMatchObject({
      code: 'not_connected',
      message: `127.0.0.1:${line.port} does not answer: 127.0.0.1:${line.port} did not answer within ${TIMEOUT_MS} ms`,
    });
    await test.driver.close();
    line.dead.delete(3);
    await test.start();
    await eventually('a value', () => right(test).length > 0);
  });

  it('is connected to a device that answers with an exception, and asks another block when one is met with silence', async () => {
    const test = driver(1, [0, 1_000]);
    line.script.push('silence');
    await expect(test.start()).rejects.toMatchObject({ code: 'not_connected' });
    await test.driver.close();
    line.script.push('exception');
    await test.start();
    await eventually('values', () => right(test).length >= 2);
  });

  it('stops at once, however long others keep the line', async () => {
    line.delayMs = TIMEOUT_MS / 2;
    const [busy, stopped] = [driver(1, [0, 200, 400, 600]), driver(2, [0, 200, 400, 600])];
    await busy.start();
    await stopped.start();
    await stopped.stop();
    const asked = line.units.filter((unit) => unit === 2).length;
    const seen = right(busy).length;
    await eventually('the other goes on', () => right(busy).length >= seen + 4);
    expect(line.units.filter((unit) => unit === 2)).toHaveLength(asked);
  });
});
