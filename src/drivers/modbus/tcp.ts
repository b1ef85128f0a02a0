/** Modbus TCP: the library's own framing on a socket of ours. (MODBUS Messaging on TCP/IP Implementation Guide V1.0b §3.1) */
import net from 'node:net';
import modbus from 'modbus-serial';
import { type Bounds, established } from './bounded.ts';
import { type Connection, closingOf } from './connection.ts';
import type { HostOptions } from './host.ts';

const KEEP_ALIVE_MS = 30_000; // finds a dead peer between polls that are minutes apart

/** Rejects `not_connected` when the host refuses, cannot be found or does not answer within the timeout, and `egress_denied`. */
export async function dialTcp({ host, port, unitId, egress }: HostOptions, bounds: Bounds, signal: AbortSignal): Promise<Connection> {
  signal.throwIfAborted();
  const address = egress ? await egress.address(host, port, signal) : host;
  const socket = openSocket(address, port);
  const closing = closingOf(socket);
  const client = new modbus.default();
  client.on('error', () => socket.destroy());
  client.setID(unitId);
  const connected = new Promise<void>((resolve) => socket.once('connect', resolve));
  await established(
    connected.then(() => client.linkTCP(socket, { port })),
    { ...bounds, closing, signal },
  );
  return {
    ...closing,
    client,
    get isOpen() {
      return socket.readyState === 'open';
    },
  };
}

/** A socket that is being connected. */
export function openSocket(host: string, port: number): net.Socket {
  return net.connect({ host, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
}
