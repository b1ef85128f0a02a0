/** A Modbus device on TCP or UDP that misbehaves on request. Register n holds `registerValue(n)`, so that a mixed-up answer shows. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../../src/core/clock.ts';

export const FAULTS = [
  'late',
  'until_its_number_returns',
  'truncated',
  'length_0',
  'length_65535',
  'garbage_before',
  'garbage_after',
  'byte_count_lies_low',
  'byte_count_lies_high',
  'short_answer',
  'wrong_transaction',
  'wrong_unit',
  'wrong_function',
  'reset',
  'closed',
  'silence',
  'one_byte_at_a_time',
  'twice',
] as const;
export type Fault = (typeof FAULTS)[number];

/** The frames are the same. */
export const CARRIERS = ['tcp', 'udp'] as const;
export type Carrier = (typeof CARRIERS)[number];

export interface FaultServer {
  readonly carrier: Carrier;
  readonly port: number;
  /** What to do with the next requests, in order; after them every request is answered well. */
  readonly script: (Fault | 'answer')[];
  /** Requests so far. */
  readonly requests: number;
  close(): Promise<void>;
}

const MBAP_BYTES = 7;
/** Of a read. */
const REQUEST_BYTES = 12;

export function registerValue(address: number): number {
  return (address * 2_654_435_761) & 0xffff;
}

/** Where the answers to a client go. */
interface Client {
  write(bytes: Buffer): void;
  reset(): void;
  end(): void;
}

/** `lateMs` must be longer than the client's timeout. */
export async function startFaultServer({ lateMs, carrier }: { readonly lateMs: number; readonly carrier: Carrier }): Promise<FaultServer> {
  const script: (Fault | 'answer')[] = [];
  let requests = 0;
  const service = (client: Client): ((request: Buffer) => void) => {
    let held: Buffer | undefined;
    return (request) => {
      requests++;
      if (held?.readUInt16BE(0) === request.readUInt16BE(0)) {
        client.write(held);
        held = undefined;
      }
      if (script[0] === 'until_its_number_returns') held = answerTo(request);
      misbehave(client, request, script.shift() ?? 'answer', lateMs);
    };
  };
  const { port, close } = await (carrier === 'tcp' ? listenTcp(service) : listenUdp(service));
  return {
    carrier,
    port,
    script,
    get requests() {
      return requests;
    },
    close,
  };
}

type Service = (client: Client) => (request: Buffer) => void;

async function listenTcp(service: Service): Promise<Pick<FaultServer, 'port' | 'close'>> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // the client hangs up whenever it likes
    const serve = service({
      write: (bytes) => socket.write(bytes),
      reset: () => socket.resetAndDestroy(),
      end: () => socket.end(),
    });
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      while (received.length >= REQUEST_BYTES) {
        const request = received.subarray(0, REQUEST_BYTES);
        received = received.subarray(REQUEST_BYTES);
        serve(request);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What a datagram cannot do is silence. */
async function listenUdp(service: Service): Promise<Pick<FaultServer, 'port' | 'close'>> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  const clients = new Map<number, (request: Buffer) => void>();
  let isOpen = true;
  socket.on('message', (request, { port, address }) => {
    const write = (bytes: Buffer) => {
      if (isOpen) socket.send(bytes, port, address);
    };
    const serve = clients.get(port) ?? service({ write, reset: () => undefined, end: () => undefined });
    clients.set(port, serve);
    serve(request);
  });
  return {
    port: socket.address().port,
    async close() {
      isOpen = false;
      socket.close();
      await once(socket, 'close');
    },
  };
}

/** The right answer: registers from `start`. */
function answerTo(request: Buffer): Buffer {
  const start = request.readUInt16BE(8);
  const count = request.readUInt16BE(10);
  const answer = Buffer.alloc(MBAP_BYTES + 2 + count * 2);
  request.copy(answer, 0, 0, MBAP_BYTES + 1);
  answer.writeUInt16BE(answer.length - MBAP_BYTES + 1, 4);
  answer.writeUInt8(count * 2, MBAP_BYTES + 1);
  for (let index = 0; index < count; index++) answer.writeUInt16BE(registerValue(start + index), MBAP_BYTES + 2 + index * 2);
  return answer;
}

/** Faults that are a change of some bytes of the right answer. */
const PATCHES: Partial<Record<Fault | 'answer', (answer: Buffer) => void>> = {
  length_0: (answer) => answer.writeUInt16BE(0, 4),
  length_65535: (answer) => answer.writeUInt16BE(65_535, 4),
  byte_count_lies_low: (answer) => answer.writeUInt8(answer.readUInt8(MBAP_BYTES + 1) - 2, MBAP_BYTES + 1),
  byte_count_lies_high: (answer) => answer.writeUInt8(answer.readUInt8(MBAP_BYTES + 1) + 2, MBAP_BYTES + 1),
  wrong_transaction: (answer) => answer.writeUInt16BE(answer.readUInt16BE(0) + 1, 0),
  wrong_unit: (answer) => answer.writeUInt8(77, 6),
  wrong_function: (answer) => answer.writeUInt8(answer.readUInt8(7) ^ 7, 7),
};

const GARBAGE = Buffer.from([0xde, 0xad, 0xbe]);

function misbehave(client: Client, request: Buffer, fault: Fault | 'answer', lateMs: number): void {
  const answer = answerTo(request);
  PATCHES[fault]?.(answer);
  switch (fault) {
    case 'late':
      void systemClock.sleep(lateMs).then(() => client.write(answer));
      break;
    case 'truncated':
      client.write(answer.subarray(0, answer.length - 1));
      break;
    case 'garbage_before':
      client.write(Buffer.concat([GARBAGE, answer]));
      break;
    case 'garbage_after':
      client.write(Buffer.concat([answer, GARBAGE]));
      break;
    case 'short_answer':
      answer.writeUInt16BE(answer.readUInt16BE(4) - 2, 4);
      answer.writeUInt8(answer.readUInt8(MBAP_BYTES + 1) - 2, MBAP_BYTES + 1);
      client.write(answer.subarray(0, answer.length - 2));
      break;
    case 'reset':
      client.reset();
      break;
    case 'closed':
      client.end();
      break;
    case 'silence':
    case 'until_its_number_returns':
      break;
    case 'one_byte_at_a_time':
      for (const byte of answer) client.write(Buffer.from([byte]));
      break;
    case 'twice':
      client.write(answer);
      client.write(answer);
      break;
    default:
      client.write(answer);
  }
}
