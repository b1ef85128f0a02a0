/** The Modbus PLC of the demo: two pumps and a conveyor that behave plausibly, served over Modbus TCP. */
import { once } from 'node:events';
import net from 'node:net';
import { ServerTCP } from 'modbus-serial';
import { type Clock, systemClock } from '../../core/clock.ts';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { ModbusTagInput } from '../../drivers/modbus/options.ts';
import { noise } from '../../drivers/simulator/waveform.ts';

export interface ModbusPlc {
  readonly port: number;
  /** Ends the server and its connections. */
  close(): Promise<void>;
}

interface ModbusPlcOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly clock?: Clock;
}

const ILLEGAL_DATA_ADDRESS = 2;
const PUMP_REGISTERS = 20; // each pump's own block of holding registers
const PUMPS = ['pump-101', 'pump-102'] as const;
const LITRES_PER_SECOND = 10.5; // 38 m³/h, the mean flow
const CONVEYOR = 'conveyor-1';

/** The tags of a Modbus source that reads everything this PLC has, as a configuration would list them. */
export const DEMO_MODBUS_TAGS: readonly ModbusTagInput[] = [
  ...PUMPS.flatMap((asset_id, pump): ModbusTagInput[] => {
    const holding = (tag_name: string, at: number, data_type: 'float32' | 'uint32', unit: string): ModbusTagInput => {
      return { tag_name, asset_id, register_type: 'holding', address: pump * PUMP_REGISTERS + at, data_type, unit };
    };
    return [
      holding('temperature', 0, 'float32', '°C'),
      holding('pressure', 2, 'float32', 'bar'),
      holding('flow', 4, 'float32', 'm³/h'),
      holding('vibration', 6, 'float32', 'mm/s'),
      holding('pumped_volume', 8, 'uint32', 'l'),
      { tag_name: 'power', asset_id, register_type: 'coil', address: pump, writable: true },
    ];
  }),
  { tag_name: 'speed', asset_id: CONVEYOR, register_type: 'input', address: 0, data_type: 'float32', unit: 'm/s' },
  { tag_name: 'motor_current', asset_id: CONVEYOR, register_type: 'input', address: 2, data_type: 'float32', unit: 'A' },
  { tag_name: 'parts_count', asset_id: CONVEYOR, register_type: 'input', address: 4, data_type: 'uint32', unit: '1' },
  { tag_name: 'emergency_stop', asset_id: CONVEYOR, register_type: 'discrete_input', address: 0 },
];

/** Rejects `listen_failed` when the port is taken. */
export async function startModbusPlc({ host, port, clock = systemClock }: ModbusPlcOptions): Promise<ModbusPlc> {
  const chosenPort = port === 0 ? await freePort(host) : port; // the library takes 0 for 502
  const plant = new Plant(clock);
  const server = new ServerTCP(
    {
      getMultipleHoldingRegisters: (address: number, count: number) => wordsOf(plant.holding(), address, count),
      getMultipleInputRegisters: (address: number, count: number) => wordsOf(plant.input(), address, count),
      getHoldingRegister: (address: number) => wordOf(plant.holding(), address), // for requests of a single one
      getInputRegister: (address: number) => wordOf(plant.input(), address),
      getCoil: (address: number) => plant.coil(address),
      getDiscreteInput: (address: number) => (address === 0 ? false : refuse()),
      setCoil: (address: number, value: boolean) => plant.setCoil(address, value),
    },
    { host, port: chosenPort },
  );
  try {
    await new Promise<void>((resolve, reject) => {
      server.on('initialized', () => resolve());
      server.on('serverError', reject);
    });
  } catch (error) {
    throw new GatewayError('listen_failed', `the demo PLC cannot listen on ${host}:${chosenPort}: ${messageOf(error)}`, { cause: error });
  }
  return { port: chosenPort, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

interface Pump {
  on: boolean;
  /** How long it ran before it was last switched. */
  ranMs: number;
  switchedMs: number;
}

/** The plant at the moment of each request: a function of time and of the switches. */
class Plant {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #pumps: readonly Pump[];

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#startMs = clock.monotonicMs();
    this.#pumps = PUMPS.map(() => ({ on: true, ranMs: 0, switchedMs: this.#startMs }));
  }

  holding(): Buffer {
    const registers = Buffer.alloc(PUMPS.length * PUMP_REGISTERS * 2);
    for (const [index, pump] of this.#pumps.entries()) this.#writePump(pump, index, registers.subarray(index * PUMP_REGISTERS * 2));
    return registers;
  }

  input(): Buffer {
    const seconds = this.#clock.now() / 1_000;
    const registers = Buffer.alloc(12);
    registers.writeFloatBE(0.8 + 0.05 * noise(31, seconds / 20), 0);
    registers.writeFloatBE(11.5 + 1.5 * Math.sin(seconds / 45) + 0.4 * noise(32, seconds / 3), 4);
    registers.writeUInt32BE(Math.floor(((this.#clock.monotonicMs() - this.#startMs) / 1_000) * 1.25), 8);
    return registers;
  }

  coil(address: number): boolean {
    return this.#pumps[address]?.on ?? refuse();
  }

  setCoil(address: number, on: boolean): void {
    const pump = this.#pumps[address] ?? refuse();
    pump.ranMs = this.#runMs(pump);
    pump.switchedMs = this.#clock.monotonicMs();
    pump.on = on;
  }

  #runMs(pump: Pump): number {
    return pump.ranMs + (pump.on ? this.#clock.monotonicMs() - pump.switchedMs : 0);
  }

  /** A pump that is off has no flow and no vibration, the pressure of the line, and the temperature of the hall. */
  #writePump(pump: Pump, index: number, registers: Buffer): void {
    const seconds = this.#clock.now() / 1_000;
    const on = pump.on ? 1 : 0;
    const load = Math.sin(seconds / 90 + index);
    registers.writeFloatBE(22 + on * (43 + 6 * load) + 0.5 * noise(index * 10 + 1, seconds / 15), 0);
    registers.writeFloatBE(1.2 + on * (3.1 + 0.3 * load) + 0.05 * noise(index * 10 + 2, seconds / 4), 4);
    registers.writeFloatBE(on * (38 + 4 * load + noise(index * 10 + 3, seconds / 4)), 8);
    registers.writeFloatBE(on * (2.1 + 0.4 * load + 0.3 * noise(index * 10 + 4, seconds)), 12);
    registers.writeUInt32BE(Math.floor((this.#runMs(pump) / 1_000) * LITRES_PER_SECOND), 16);
  }
}

/** All of one request from one moment: a float must not be torn. */
function wordsOf(registers: Buffer, address: number, count: number): number[] {
  return Array.from({ length: count }, (_, index) => wordOf(registers, address + index));
}

function wordOf(registers: Buffer, address: number): number {
  return address * 2 < registers.length ? registers.readUInt16BE(address * 2) : refuse();
}

/** How the library is told to answer with a Modbus exception. */
function refuse(): never {
  throw Object.assign(new RangeError('no such address'), { modbusErrorCode: ILLEGAL_DATA_ADDRESS });
}

async function freePort(host: string): Promise<number> {
  const probe = net.createServer().listen(0, host);
  await once(probe, 'listening');
  const address = probe.address();
  probe.close();
  await once(probe, 'close');
  if (address === null || typeof address === 'string') throw new GatewayError('listen_failed', `no free port on ${host}`);
  return address.port;
}
