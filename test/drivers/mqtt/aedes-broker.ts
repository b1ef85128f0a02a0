/** An aedes broker (MQTT 3.1.1) in this process, for tests. */
import { createServer, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions, type Server as TlsServer } from 'node:tls';
import { Aedes, type AedesOptions } from 'aedes';

export interface TestBroker {
  readonly aedes: Aedes;
  readonly port: number;
  /** Message ids that clients have acknowledged, in order. */
  readonly acknowledged: number[];
  publish(topic: string, payload: string | Buffer, options?: { qos?: 0 | 1; retain?: boolean }): Promise<void>;
  close(): Promise<void>;
}

export async function startBroker(options: { port?: number; aedes?: AedesOptions; tls?: TlsOptions } = {}): Promise<TestBroker> {
  const aedes = await Aedes.createBroker(options.aedes);
  const sockets = new Set<Socket>();
  const handle = (socket: Socket): void => {
    sockets.add(socket);
    socket.on('error', () => sockets.delete(socket));
    aedes.handle(socket);
  };
  const server: Server | TlsServer = options.tls ? createTlsServer(options.tls, handle) : createServer(handle);
  await new Promise<void>((resolve) => server.listen(options.port ?? 0, '127.0.0.1', resolve));
  const address = server.address();
  const acknowledged: number[] = [];
  aedes.on('ack', (packet) => {
    if (packet?.messageId !== undefined) acknowledged.push(packet.messageId);
  });
  return {
    aedes,
    port: typeof address === 'object' && address ? address.port : 0,
    acknowledged,
    publish: (topic, payload, { qos = 1, retain = false } = {}) =>
      new Promise((resolve, reject) => {
        aedes.publish({ cmd: 'publish', topic, payload, qos, retain, dup: false }, (error) => (error ? reject(error) : resolve()));
      }),
    async close() {
      await new Promise<void>((resolve) => aedes.close(resolve));
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
