/** The demo's MQTT broker, on this machine only, with three battery packs that report to it every second. */
import { createServer, type Server, type Socket } from 'node:net';
import { Aedes } from 'aedes';
import type { Clock } from '../../core/clock.ts';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { ticks } from '../../core/ticker.ts';
import { toIso } from '../../core/time.ts';
import { PackModel, type PackStart } from './pack-model.ts';

/** What a source of the demo gives as `topics`, with `profile: generic_json`; the packs belong to the source's tenant. */
export const PACK_TOPICS = ['swap/northwind/packs/{asset}/telemetry'] as const;

const PERIOD_MS = 1_000;
const PACKS: readonly PackStart[] = [
  { id: 'PK-0421', socPct: 71, sohPct: 94, cycles: 212, charging: false },
  { id: 'PK-0422', socPct: 38, sohPct: 88, cycles: 431, charging: true },
  { id: 'PK-0423', socPct: 22, sohPct: 97, cycles: 58, charging: false },
];
/** The ids of the packs, in the place of `{asset}`. */
export const PACK_IDS: readonly string[] = PACKS.map((pack) => pack.id);

export interface PackBroker {
  /** Where to connect, `mqtt://127.0.0.1:<port>`; MQTT 3.1.1. */
  readonly url: string;
  close(): Promise<void>;
}

/**
 * Starts the broker and the packs.
 * @param options.port 0 picks a free one
 * @throws GatewayError `listen_failed` when the port is taken
 */
export async function startPackBroker(options: { readonly port: number; readonly clock: Clock }): Promise<PackBroker> {
  const broker = await Aedes.createBroker();
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  const port = await listen(server, options.port);
  const stopping = new AbortController();
  const reporting = report(broker, options.clock, stopping.signal);
  return {
    url: `mqtt://127.0.0.1:${port}`,
    async close() {
      stopping.abort();
      await reporting;
      await new Promise<void>((resolve) => broker.close(resolve));
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) =>
      reject(
        new GatewayError('listen_failed', `the demo's broker cannot listen on 127.0.0.1:${port}: ${messageOf(error)}`, { cause: error }),
      ),
    );
    server.listen(port, '127.0.0.1', () => {
      const address = server.address();
      resolve(typeof address === 'object' && address ? address.port : port);
    });
  });
}

async function report(broker: Aedes, clock: Clock, signal: AbortSignal): Promise<void> {
  const packs = PACKS.map((start) => new PackModel(start));
  for await (const { missed } of ticks(clock, PERIOD_MS, signal)) {
    for (const pack of packs) {
      for (let seconds = 0; seconds <= missed; seconds++) pack.step();
      const payload = JSON.stringify(pack.message(toIso(clock.now())));
      await new Promise<void>((resolve) => {
        broker.publish(
          { cmd: 'publish', topic: PACK_TOPICS[0].replace('{asset}', pack.id), payload, qos: 1, retain: false, dup: false },
          () => resolve(),
        );
      });
    }
  }
}
