/** Watches every TCP connection that this process tries to make. */
import { createServer, Socket } from 'node:net';

/** Counts from now on until `stop`: `net.connect`, `tls.connect` and whoever makes a socket by hand all come by here, before the first packet. */
export function watchConnections(): { readonly sockets: readonly Socket[]; stop(): void } {
  const sockets: Socket[] = [];
  const connect = Socket.prototype.connect;
  Socket.prototype.connect = function (this: Socket, ...given: unknown[]) {
    sockets.push(this);
    return Reflect.apply(connect, this, given) as Socket;
  } as typeof connect;
  return {
    sockets,
    stop: () => {
      Socket.prototype.connect = connect;
    },
  };
}

/** A listening socket that counts who comes. */
export async function startDecoy(host = '127.0.0.1') {
  let count = 0;
  const server = createServer((socket) => {
    count++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return {
    port: address.port,
    get count() {
      return count;
    },
    close: () => new Promise<void>((resolve) => server.close(() => resolve())),
  };
}
