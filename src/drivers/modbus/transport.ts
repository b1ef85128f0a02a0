/** How the requests of a source travel to its device, and with whom they share the way. */
import type { DriverContext } from '../driver.ts';
import type { Bounds } from './bounded.ts';
import type { Connection } from './connection.ts';
import type { HostOptions } from './host.ts';
import { endpoint, type ModbusConfig } from './options.ts';
import { dialTcp } from './tcp.ts';
import { Turns } from './turns.ts';
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
  readonly turns: Turns;
  /** To be called in turn. Rejects `not_connected`, `egress_denied` or `config_invalid`. */
  dial(signal: AbortSignal): Promise<Wire>;
  /** This link needs it no more. */
  leave(): void;
}

type Dial = (options: HostOptions, bounds: Bounds, signal: AbortSignal) => Promise<Connection>;

/** The transport of a valid config. */
export function transportOf(config: ModbusConfig, { clock, egress }: Pick<DriverContext, 'clock' | 'egress'>): Transport {
  const bounds = { endpoint: endpoint(config), timeoutMs: config.timeout_ms, clock };
  const { host, port, unit_id: unitId } = config;
  return ownTransport(config.transport === 'udp' ? dialUdp : dialTcp, { host, port, unitId, egress }, bounds);
}

/** Each source has a connection for itself: answers are told apart by their numbers. */
function ownTransport(dial: Dial, options: HostOptions, bounds: Bounds): Transport {
  return {
    endpoint: bounds.endpoint,
    enter: async () => ({
      turns: new Turns(),
      dial: async (signal) => new Wire(await dial(options, bounds, signal), bounds),
      leave: () => {},
    }),
  };
}
