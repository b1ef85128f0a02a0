/** Watches every TCP connection that this process tries to make, and every UDP socket that it aims at somebody. */
import { createSocket, Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer, Socket } from 'node:net';

/** Counts from now on until `stop`: `net.connect`, `tls.connect` and whoever makes a socket by hand all come by here, before the first packet. */
export function watchConnections(): { readonly sockets: readonly object[]; stop(): void } {
  const sockets: object[] = [];
  const unwatch = [Socket.prototype, DatagramSocket.prototype].map((prototype) => {
    const connect = prototype.connect as (...given: unknown[]) => unknown;
    const watching = function (this: object, ...given: unknown[]) {
      sockets.push(this);
      return Reflect.apply(connect, this, given);
    };
    Object.assign(prototype, { connect: watching });
    return () => Object.assign(prototype, { connect });
  });
  return {
    sockets,
    stop: () => {
      for (const undo of unwatch) undo();
    },
  };
}

/** A listening socket that counts who comes, and a silent one for datagrams on the same port that counts them too. */
export async function startDecoy(host = '127.0.0.1') {
  let count = 0;
  const server = createServer((socket) => {
    count++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const datagrams = createSocket('udp4').on('message', () => count++);
  datagrams.bind(address.port, host);
  await once(datagrams, 'listening');
  return {
    port: address.port,
    get count() {
      return count;
    },
    close: async () => {
      datagrams.close();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
