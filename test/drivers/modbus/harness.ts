/** What the tests of the Modbus driver share: a driver made as the house makes it, a device of registers, and waiting with a deadline. */
import { once } from 'node:events';
import net from 'node:net';
import { ServerTCP } from 'modbus-serial';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import type { Driver, LinkReport } from '../../../src/drivers/driver.ts';
import { createDriver } from '../../../src/drivers/modbus/driver.ts';
import { configSchema, type ModbusTagInput, tagSchema } from '../../../src/drivers/modbus/options.ts';
import { type RecordingEmit, recordingEmit } from '../../support/recording-emit.ts';

export interface TestDriver extends RecordingEmit {
  readonly driver: Driver;
  readonly reports: LinkReport[];
  /** Connects and runs; the promise of `run`. */
  start(): Promise<{ readonly ended: Promise<void> }>;
  stop(): Promise<void>;
}

export function testDriver(config: Record<string, unknown>, tags: readonly ModbusTagInput[]): TestDriver {
  const reports: LinkReport[] = [];
  const stop = new AbortController();
  const driver = createDriver(
    {
      sourceId: 'ds-test',
      config: configSchema.parse({ host: '127.0.0.1', polling_interval_ms: 100, timeout_ms: 200, ...config }),
      tags: tags.map((tag) => tagSchema.parse(tag)),
    },
    { log: silentLog, clock: systemClock, stateDir: '', report: (link) => reports.push(link) },
  );
  const recording = recordingEmit();
  let ended: Promise<void> = Promise.resolve();
  return Object.assign(recording, {
    driver,
    reports,
    async start() {
      await driver.connect(stop.signal);
      ended = driver.run(recording.emit, stop.signal);
      ended.catch(() => {}); // a test that cares awaits it itself
      return { ended };
    },
    async stop() {
      stop.abort();
      await Promise.allSettled([ended]);
      await driver.close();
    },
  });
}

export interface Device {
  readonly port: number;
  /** Requests so far. */
  readonly requests: readonly string[];
  close(): Promise<void>;
}

export interface DeviceMemory {
  /** Bytes of the holding and of the input registers; an address beyond is answered with exception 2. */
  readonly registers: Buffer;
  readonly coils: readonly boolean[];
  /** Registers that answer with this exception, whatever else is asked with them. */
  readonly refused?: ReadonlyMap<number, number>;
  /** More registers in one request are refused with exception 3. */
  readonly maxCount?: number;
}

/** Tags of the tests' source by name; none of them names an asset. */
export function ref(tagName: string) {
  return { assetId: 'ds-test', tagName };
}

/** A device on modbus-serial's own server; holding and input registers are the same memory, and so are the two bit tables. */
export async function startDevice({ registers, coils, refused = new Map(), maxCount = 125 }: DeviceMemory): Promise<Device> {
  const requests: string[] = [];
  const refuse = (code: number): never => {
    throw Object.assign(new RangeError('refused'), { modbusErrorCode: code });
  };
  const word = (address: number): number => {
    const code = refused.get(address);
    if (code !== undefined) refuse(code);
    return address * 2 < registers.length ? registers.readUInt16BE(address * 2) : refuse(2);
  };
  const words = (kind: string) => (address: number, count: number) => {
    requests.push(`${kind} ${address}+${count}`);
    if (count > maxCount) refuse(3);
    return Array.from({ length: count }, (_, index) => word(address + index));
  };
  const single = (kind: string) => (address: number) => words(kind)(address, 1)[0] ?? refuse(2);
  const bit = (address: number): boolean => coils[address] ?? refuse(2);
  const port = await freePort();
  const server = new ServerTCP(
    {
      getMultipleHoldingRegisters: words('holding'),
      getHoldingRegister: single('holding'),
      getMultipleInputRegisters: words('input'),
      getInputRegister: single('input'),
      getCoil: bit,
      getDiscreteInput: bit,
    },
    { host: '127.0.0.1', port },
  );
  await new Promise<void>((resolve, reject) => {
    server.on('initialized', () => resolve());
    server.on('serverError', reject);
  });
  return { port, requests, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

/** A port that nobody listens on at the moment. */
export async function freePort(): Promise<number> {
  const probe = net.createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address() as net.AddressInfo;
  probe.close();
  await once(probe, 'close');
  return port;
}

/** Waits until the condition holds; fails by name when it does not in time. */
export async function eventually(what: string, condition: () => boolean, deadlineMs = 5_000): Promise<void> {
  const endMs = systemClock.monotonicMs() + deadlineMs;
  while (!condition()) {
    if (systemClock.monotonicMs() > endMs) throw new Error(`not within ${deadlineMs} ms: ${what}`);
    await systemClock.sleep(5);
  }
}
