/** Watches every TCP connection that this process tries to make. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { createServer, type Socket } from 'node:net';

const CHANNEL = 'net.client.socket'; // a message for each call of net.connect, before the first packet

/** Counts from now on until `stop`. */
export function watchConnections(): { readonly sockets: readonly Socket[]; stop(): void } {
  const sockets: Socket[] = [];
  const onSocket = (message: unknown) => {
    sockets.push((message as { readonly socket: Socket }).socket);
  };
  subscribe(CHANNEL, onSocket);
  return { sockets, stop: () => unsubscribe(CHANNEL, onSocket) };
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
