/** A device or a network that misbehaves: never a wrong value called good, never a hang, and soon well again. */
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { isGatewayError } from '../../../src/core/errors.ts';
import { isBad, qualityOf } from '../../../src/core/status.ts';
import { ModbusLink } from '../../../src/drivers/modbus/link.ts';
import { configSchema } from '../../../src/drivers/modbus/options.ts';
import { transportOf } from '../../../src/drivers/modbus/transport.ts';
import { CARRIERS, type Carrier, FAULTS, type Fault, type FaultServer, registerValue, startFaultServer } from './fault-server.ts';
import { eventually, testDriver } from './harness.ts';

const TIMEOUT_MS = 100;
/** A connect and an answer may each take the timeout; the rest is for a busy machine. */
const HANG_MS = 2 * TIMEOUT_MS + 1_000;
/** Misbehaviour that does no harm. */
const HARMLESS: Readonly<Record<Carrier, readonly Fault[]>> = {
  tcp: ['garbage_after', 'one_byte_at_a_time', 'twice'],
  udp: ['twice'], // a datagram that is no answer is none
};

let server: FaultServer;
let link: ModbusLink;
const never = new AbortController().signal;

function linkTo(timeoutMs: number): ModbusLink {
  const config = configSchema.parse({ host: '127.0.0.1', port: server.port, transport: server.carrier, timeout_ms: timeoutMs });
  return new ModbusLink(transportOf(config, { clock: systemClock }));
}

async function begin(carrier: Carrier): Promise<void> {
  server = await startFaultServer({ lateMs: TIMEOUT_MS * 1.5, carrier });
  link = linkTo(TIMEOUT_MS);
  await link.open(never);
}

afterEach(async () => {
  link.close();
  await server.close();
});

/** The code of a failed read, or `right`; anything else fails the test. */
async function outcome(start: number, count: number): Promise<string> {
  const sentMs = systemClock.monotonicMs();
  try {
    const bytes = await link.read({ table: 'holding', start, count }, never);
    const values = Array.from({ length: bytes.length / 2 }, (_, index) => bytes.readUInt16BE(index * 2));
    expect(values).toEqual(Array.from({ length: count }, (_, index) => registerValue(start + index)));
    return 'right';
  } catch (error) {
    if (!isGatewayError(error)) throw error;
    return error.code;
  } finally {
    expect(systemClock.monotonicMs() - sentMs).toBeLessThan(HANG_MS);
  }
}

describe.each(CARRIERS)('the Modbus link over %s', (carrier) => {
  beforeEach(() => begin(carrier));

  it.each(FAULTS)('survives "%s": no wrong value, and well again within two requests', async (fault) => {
    expect(await outcome(10, 3)).toBe('right');
    server.script.push(fault);
    const hit = await outcome(20, 3);
    if (HARMLESS[carrier].includes(fault)) expect(hit).toBe('right');
    else expect(['timeout', 'protocol', 'not_connected']).toContain(hit);
    const after = [await outcome(500, 3), await outcome(40, 3)];
    expect(after).toContain('right');
    expect(await outcome(60, 3)).toBe('right');
  });

  it('never hands a late answer to the request that has its transaction id again (upstream#573)', async () => {
    server.script.push('until_its_number_returns');
    expect(await outcome(10, 1)).toBe('timeout');
    for (let index = 0; index < 300; index++) expect(await outcome(500 + index, 1)).toBe('right');
  });

  it('keeps its turn: concurrent requests go out one after the other and each gets its own answer', async () => {
    server.script.push('answer', 'late', 'answer', 'reset');
    const outcomes = await Promise.all(Array.from({ length: 12 }, (_, index) => outcomeOfMany(index * 100)));
    expect(outcomes.filter((one) => one !== 'right')).toHaveLength(2);
    expect(server.requests).toBe(12);
  });

  it('ends what waits when it is closed, and asks nothing afterwards', async () => {
    server.script.push('silence');
    const waiting = link.read({ table: 'holding', start: 0, count: 1 }, never);
    const behind = link.read({ table: 'holding', start: 1, count: 1 }, never);
    await eventually('the request is out', () => server.requests === 1);
    link.close();
    const ended = await Promise.allSettled([waiting, behind]);
    expect(ended).toMatchObject([{ reason: { code: 'not_connected' } }, { reason: { code: 'not_connected' } }]);
    expect(server.requests).toBe(1);
    await link.open(never);
    expect(await outcome(7, 2)).toBe('right');
  });

  it('ends a request when it is told to, and takes a new socket for the next', async () => {
    server.script.push('late');
    const stop = new AbortController();
    const waiting = link.read({ table: 'holding', start: 0, count: 1 }, stop.signal);
    await eventually('the request is out', () => server.requests === 1);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(link.failures).toBe(0);
    expect(await outcome(900, 1)).toBe('right');
  });

  it('does not send a request that was called off while it waited for its turn', async () => {
    const stop = new AbortController();
    const first = outcome(1, 1);
    const waiting = link.read({ table: 'holding', start: 2, count: 1 }, stop.signal);
    stop.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
    expect(await first).toBe('right');
    expect(server.requests).toBe(1);
  });

  it('gives no wrong value in any order of faults', async () => {
    const step = fc.record({
      fault: fc.constantFrom('answer' as const, ...FAULTS),
      start: fc.nat(1_000),
      count: fc.integer({ min: 2, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 12 }), async (steps) => {
        server.script.length = 0;
        for (const { fault, start, count } of steps) {
          server.script.push(fault);
          await outcome(start, count);
        }
        server.script.length = 0;
        const after = [await outcome(3, 2), await outcome(5, 2), await outcome(8, 2)];
        expect(after.lastIndexOf('right')).toBeGreaterThanOrEqual(0);
        expect(after[2]).toBe('right');
      }),
      { numRuns: 12 },
    );
  });
});

describe('the Modbus link over TCP', () => {
  it('says at once that a connection was reset, without waiting for the timeout', async () => {
    await begin('tcp');
    const slow = linkTo(10_000);
    await slow.open(never);
    server.script.push('reset');
    const sentMs = systemClock.monotonicMs();
    await expect(slow.read({ table: 'holding', start: 0, count: 1 }, never)).rejects.toMatchObject({ code: 'not_connected' });
    expect(systemClock.monotonicMs() - sentMs).toBeLessThan(3_000);
    slow.close();
  });
});

/** As `outcome`, without a bound on the time: the request waits for its turn. */
async function outcomeOfMany(start: number): Promise<string> {
  try {
    const bytes = await link.read({ table: 'holding', start, count: 1 }, never);
    expect(bytes.readUInt16BE(0)).toBe(registerValue(start));
    return 'right';
  } catch (error) {
    if (!isGatewayError(error)) throw error;
    return error.code;
  }
}

describe.each(CARRIERS)('the Modbus driver at a device that misbehaves, over %s', (carrier) => {
  beforeEach(() => begin(carrier));

  /** Where there is no connection with the device, it is asked for a value at once. */
  const greeting = carrier === 'tcp' ? [] : (['answer'] as const);
  const addresses = [10, 500, 1_000, 1_500];
  const tags = addresses.map((address) => ({ tag_name: `r${address}`, register_type: 'holding' as const, address }));

  it('marks the tags of one lost answer bad once, goes on, and gives only right values', async () => {
    const harmful = FAULTS.filter((fault) => !HARMLESS[carrier].includes(fault));
    const test = testDriver({ port: server.port, transport: carrier, timeout_ms: TIMEOUT_MS }, tags);
    server.script.push(...greeting);
    for (const fault of harmful) server.script.push(fault, 'answer', 'answer', 'answer', 'answer');
    await test.start();
    await eventually('every fault was met', () => server.script.length === 0, 20_000);
    const seen = test.readings.length;
    await eventually('all is well after the last', () => test.readings.length >= seen + 2 * tags.length);
    await test.stop();
    for (const { tag, value, status } of test.readings) {
      if (qualityOf(status) === 'good') expect(value).toBe(registerValue(Number(tag.slice(1))));
      else expect(value).toBeNull();
    }
    expect(test.readings.filter(({ status }) => isBad(status))).toHaveLength(harmful.length);
    expect(test.reports.some(({ tagsFailed }) => tagsFailed === 1)).toBe(true);
    expect(test.reports.at(-1)).toEqual({ tagsFailed: 0 });
  });

  it('gives the link up after two requests in a row without an answer, naming the device and the cause', async () => {
    const test = testDriver({ port: server.port, transport: carrier, timeout_ms: TIMEOUT_MS }, tags);
    server.script.push(...greeting, 'answer', 'silence', 'silence');
    const { ended } = await test.start();
    await expect(ended).rejects.toMatchObject({
      code: 'not_connected',
      message: expect.stringMatching(new RegExp(`127.0.0.1:${server.port} .*within ${TIMEOUT_MS} ms`)),
    });
    await test.stop();
    expect(server.requests).toBe(greeting.length + 3);
  });

  it('runs again on the same object after a failure', async () => {
    const test = testDriver({ port: server.port, transport: carrier, timeout_ms: TIMEOUT_MS }, tags);
    server.script.push(...greeting, 'silence', 'silence');
    const { ended } = await test.start();
    await expect(ended).rejects.toMatchObject({ code: 'not_connected' });
    await test.driver.close();
    await test.start();
    await eventually(
      'all tags are read',
      () => new Set(test.readings.filter(({ value }) => value !== null).map(({ tag }) => tag)).size === tags.length,
    );
    await test.stop();
  });
});
