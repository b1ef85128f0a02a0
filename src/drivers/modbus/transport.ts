/** How the requests of a source travel to its device, and with whom they share the way. */
import { GatewayError } from '../../core/errors.ts';
import type { DriverContext } from '../driver.ts';
import type { Bounds } from './bounded.ts';
import type { Connection } from './connection.ts';
import { addressOf, type HostOptions } from './host.ts';
import type { LineStream } from './line.ts';
import { holdLine, type LineHold } from './lines.ts';
import { endpoint, type ModbusConfig, type SerialSettings, settingsOf } from './options.ts';
import { RequestQueue } from './request-queue.ts';
import { deviceOf, gapMsOf, openSerialLine } from './serial.ts';
import { dialTcp } from './tcp.ts';
import { openTcpLine } from './tcp-line.ts';
import { dialUdp } from './udp.ts';
import { Wire } from './wire.ts';

export interface Transport {
  /** As messages name the device. */
  readonly endpoint: string;
  /** Rejects where the way is not open to this source. */
  enter(signal: AbortSignal): Promise<Medium>;
}

/** The way to a device, for as long as a link is open. */
export interface Medium {
  /** Of all who share it: one request is under way at a time. */
  readonly queue: RequestQueue;
  /** Resolves when the device owes no answer, before a turn is taken: others need not wait for it. Absent where answers have numbers. */
  settled?(signal: AbortSignal): Promise<void>;
  /** To be called in turn. Rejects `not_connected`, `egress_denied` or `config_invalid`. */
  dial(signal: AbortSignal): Promise<Wire>;
  /** This link needs it no more. */
  leave(): void;
}

/** 3.5 characters at 9,600 baud; what the line behind the gateway runs at is not known here. */
const GATEWAY_GAP_MS = 5;

type Dial = (options: HostOptions, bounds: Bounds, signal: AbortSignal) => Promise<Connection>;

/** The transport of a valid config. */
export function transportOf(config: ModbusConfig, { clock, egress }: Pick<DriverContext, 'clock' | 'egress'>): Transport {
  const bounds = { endpoint: endpoint(config), timeoutMs: config.timeout_ms, clock };
  const { host = '', port, unit_id: unitId, serial } = config;
  const options = { host, port, unitId, egress };
  if (serial) return serialTransport(serial, { unitId, bounds });
  switch (config.transport) {
    case 'tcp':
      return ownTransport(dialTcp, options, bounds);
    case 'udp':
      return ownTransport(dialUdp, options, bounds);
    case 'rtu_over_tcp':
    case 'rtu': // its schema asks for serial
      return gatewayTransport(options, bounds);
  }
}

/** Each source has a connection for itself: answers are told apart by their numbers. */
function ownTransport(dial: Dial, options: HostOptions, bounds: Bounds): Transport {
  return {
    endpoint: bounds.endpoint,
    enter: async () => ({
      queue: new RequestQueue(),
      dial: async (signal) => new Wire(await dial(options, bounds, signal), bounds),
      leave: () => {},
    }),
  };
}

/** The line behind a serial gateway: sources with the same address and port share one connection. */
function gatewayTransport(options: HostOptions, bounds: Bounds): Transport {
  const { unitId, port } = options;
  const enter = async (signal: AbortSignal): Promise<Medium> => {
    const address = await addressOf(options, bounds, signal);
    const hold = holdLine(`${address} port ${port}`, 'RTU over TCP', { clock: bounds.clock, gapMs: GATEWAY_GAP_MS });
    let isJudged = true;
    return mediumOf(hold, { unitId, bounds }, async (dialSignal) => {
      const now = isJudged ? address : await addressOf(options, bounds, dialSignal); // asks the egress policy again too
      isJudged = false;
      if (now !== address) throw new GatewayError('not_connected', `${bounds.endpoint} has moved to the address ${now}`);
      return () => openTcpLine({ host: address, port }, bounds, dialSignal);
    });
  };
  return { endpoint: bounds.endpoint, enter };
}

/** A serial line of this machine: sources whose paths lead to the same device share it. */
function serialTransport(settings: SerialSettings, user: LineUser): Transport {
  const { bounds } = user;
  const enter = async (): Promise<Medium> => {
    const device = await deviceOf(settings.path);
    const hold = holdLine(device, settingsOf(settings), { clock: bounds.clock, gapMs: gapMsOf(settings) });
    return mediumOf(hold, user, async (signal) => () => openSerialLine(device, settings, bounds, signal));
  };
  return { endpoint: bounds.endpoint, enter };
}

interface LineUser {
  readonly unitId: number;
  readonly bounds: Bounds;
}

/** `admit` is asked each time, also when somebody else has opened the line, and gives the way to open it. */
function mediumOf(
  { line, release }: LineHold,
  { unitId, bounds }: LineUser,
  admit: (signal: AbortSignal) => Promise<() => Promise<LineStream>>,
): Medium {
  return {
    queue: line.queue,
    settled: (signal) => line.settled(unitId, signal),
    dial: async (signal) => {
      const open = await admit(signal);
      return new Wire(await line.connect({ unitId, timeoutMs: bounds.timeoutMs, open }, signal), bounds);
    },
    leave: release,
  };
}
