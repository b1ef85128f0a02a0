/** The line behind a serial gateway: RTU frames as they are, in a TCP connection. */
import { type Bounds, established } from './bounded.ts';
import { closingOf } from './connection.ts';
import type { LineStream } from './line.ts';
import { openSocket } from './tcp.ts';

interface Gateway {
  /** An IP address. */
  readonly host: string;
  readonly port: number;
}

/** Rejects `not_connected`. */
export async function openTcpLine({ host, port }: Gateway, bounds: Bounds, signal: AbortSignal): Promise<LineStream> {
  signal.throwIfAborted();
  const socket = openSocket(host, port);
  const closing = closingOf(socket);
  const connected = new Promise<void>((resolve) => socket.once('connect', resolve));
  await established(connected, { ...bounds, closing, signal });
  return {
    ...closing,
    get isOpen() {
      return socket.readyState === 'open';
    },
    write: (bytes) => {
      socket.write(bytes);
    },
    onData: (listener) => {
      socket.on('data', listener);
    },
    gone: Promise.resolve(),
  };
}
