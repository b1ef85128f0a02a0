/** A Modbus TCP device that misbehaves on request. Register n holds `registerValue(n)`, so that a mixed-up answer shows. */
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

export interface FaultServer {
  readonly port: number;
  /** What to do with the next requests, in order; after them every request is answered well. */
  readonly script: (Fault | 'answer')[];
  /** Requests so far. */
  readonly requests: number;
  close(): Promise<void>;
}

const MBAP_BYTES = 7;

export function registerValue(address: number): number {
  return (address * 2_654_435_761) & 0xffff;
}

/** `lateMs` must be longer than the client's timeout. */
export async function startFaultServer({ lateMs }: { readonly lateMs: number }): Promise<FaultServer> {
  const script: (Fault | 'answer')[] = [];
  const sockets = new Set<net.Socket>();
  let requests = 0;
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // the client hangs up whenever it likes
    let held: Buffer | undefined;
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      while (received.length >= 12) {
        const request = received.subarray(0, 12);
        received = received.subarray(12);
        requests++;
        if (held?.readUInt16BE(0) === request.readUInt16BE(0)) {
          socket.write(held);
          held = undefined;
        }
        if (script[0] === 'until_its_number_returns') held = answerTo(request);
        misbehave(socket, request, script.shift() ?? 'answer', lateMs);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as net.AddressInfo).port,
    script,
    get requests() {
      return requests;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
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

function misbehave(socket: net.Socket, request: Buffer, fault: Fault | 'answer', lateMs: number): void {
  const answer = answerTo(request);
  PATCHES[fault]?.(answer);
  switch (fault) {
    case 'late':
      systemClock.sleep(lateMs).then(
        () => socket.write(answer),
        (error) => socket.destroy(error),
      );
      break;
    case 'truncated':
      socket.write(answer.subarray(0, answer.length - 1));
      break;
    case 'garbage_before':
      socket.write(Buffer.concat([GARBAGE, answer]));
      break;
    case 'garbage_after':
      socket.write(Buffer.concat([answer, GARBAGE]));
      break;
    case 'short_answer':
      answer.writeUInt16BE(answer.readUInt16BE(4) - 2, 4);
      answer.writeUInt8(answer.readUInt8(MBAP_BYTES + 1) - 2, MBAP_BYTES + 1);
      socket.write(answer.subarray(0, answer.length - 2));
      break;
    case 'reset':
      socket.resetAndDestroy();
      break;
    case 'closed':
      socket.end();
      break;
    case 'silence':
    case 'until_its_number_returns':
      break;
    case 'one_byte_at_a_time':
      for (const byte of answer) socket.write(Buffer.from([byte]));
      break;
    case 'twice':
      socket.write(answer);
      socket.write(answer);
      break;
    default:
      socket.write(answer);
  }
}
