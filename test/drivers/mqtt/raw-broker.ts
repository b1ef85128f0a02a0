/** The least broker that can be, byte by byte, for what must be seen on the wire: MQTT 3.1.1 and 5.0, one client at a time. */
import { createServer, type Socket } from 'node:net';

export interface RawBroker {
  readonly port: number;
  /** Packet ids of the PUBACKs, in order, of all connections. */
  readonly acknowledged: number[];
  /** Filters of the SUBSCRIBEs, in order. */
  readonly filters: string[];
  /** The CONNECT packets' bodies. */
  readonly connects: Buffer[];
  /** Topic and payload of what the client publishes with QoS 1. */
  readonly published: string[];
  /** Sends messages with QoS 1 and these ids in one write. */
  publish(messages: readonly { topic: string; payload: string | Buffer; id: number; retain?: boolean; dup?: boolean }[]): void;
  /** Bytes of messages that the client has not taken yet. */
  unsent(): number;
  /** Cuts the connection. */
  cut(): void;
  close(): Promise<void>;
}

export async function startRawBroker(options: {
  version: 4 | 5;
  connack?: Buffer;
  subackCode?: (filter: string) => number;
  silent?: boolean;
  deafToPings?: boolean;
  /** Reason code of the answer to a QoS 1 message, version 5 only; 'none' for no answer. */
  pubackCode?: number | 'none';
}): Promise<RawBroker> {
  const { version } = options;
  const properties = version === 5 ? Buffer.from([0]) : Buffer.alloc(0);
  const acknowledged: number[] = [];
  const filters: string[] = [];
  const connects: Buffer[] = [];
  const published: string[] = [];
  let client: Socket | undefined;

  const answer = (socket: Socket, type: number, body: Buffer): void => {
    if (options.silent) return;
    if (type === 1) {
      connects.push(body);
      socket.write(options.connack ?? packet(0x20, Buffer.concat([Buffer.from([0, 0]), properties])));
    } else if (type === 8) {
      const codes: number[] = [];
      for (let at = 2 + (version === 5 ? 1 + (body[2] ?? 0) : 0); at < body.length; ) {
        const length = body.readUInt16BE(at);
        const filter = body.toString('utf8', at + 2, at + 2 + length);
        filters.push(filter);
        codes.push(options.subackCode?.(filter) ?? 1);
        at += 3 + length;
      }
      socket.write(packet(0x90, Buffer.concat([body.subarray(0, 2), properties, Buffer.from(codes)])));
    } else if (type === 4) acknowledged.push(body.readUInt16BE(0));
    else if (type === 3) {
      const length = body.readUInt16BE(0);
      const from = length + 4 + (version === 5 ? 1 + (body[length + 4] ?? 0) : 0);
      published.push(`${body.toString('utf8', 2, 2 + length)} ${body.toString('utf8', from)}`);
      const code = options.pubackCode ?? 0;
      if (code !== 'none')
        socket.write(packet(0x40, Buffer.concat([body.subarray(2 + length, 4 + length), Buffer.from(code ? [code] : [])])));
    } else if (type === 12 && !options.deafToPings) socket.write(packet(0xd0, Buffer.alloc(0)));
  };

  const server = createServer((socket) => {
    client = socket;
    let buffer = Buffer.alloc(0);
    socket.on('error', () => socket.destroy());
    socket.on('data', (data) => {
      buffer = Buffer.concat([buffer, data]);
      for (let next = take(buffer); next; next = take(buffer)) {
        buffer = buffer.subarray(next.size);
        answer(socket, next.type, next.body);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  return {
    port: typeof address === 'object' && address ? address.port : 0,
    acknowledged,
    filters,
    connects,
    published,
    publish(messages) {
      const packets = messages.map(({ topic, payload, id, retain = false, dup = false }) =>
        packet(
          0x32 | (dup ? 8 : 0) | (retain ? 1 : 0),
          Buffer.concat([text(topic), Buffer.from([id >> 8, id & 0xff]), properties, Buffer.from(payload)]),
        ),
      );
      client?.write(Buffer.concat(packets));
    },
    unsent: () => client?.writableLength ?? 0,
    cut: () => client?.destroy(),
    async close() {
      client?.destroy();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}

function text(value: string): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([Buffer.from([bytes.length >> 8, bytes.length & 0xff]), bytes]);
}

function packet(first: number, body: Buffer): Buffer {
  const header = [first];
  let length = body.length;
  do {
    header.push((length & 0x7f) | (length > 0x7f ? 0x80 : 0));
    length >>= 7;
  } while (length > 0);
  return Buffer.concat([Buffer.from(header), body]);
}

function take(buffer: Buffer): { type: number; body: Buffer; size: number } | undefined {
  let length = 0;
  for (let at = 1; at < Math.min(5, buffer.length); at++) {
    const byte = buffer[at] ?? 0;
    length |= (byte & 0x7f) << (7 * (at - 1));
    if (byte > 0x7f) continue;
    if (buffer.length < at + 1 + length) return undefined;
    return { type: (buffer[0] ?? 0) >> 4, body: buffer.subarray(at + 1, at + 1 + length), size: at + 1 + length };
  }
  return undefined;
}
