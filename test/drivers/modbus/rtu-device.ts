/** Devices on an RTU line behind a TCP port that misbehave on request. Register n of unit u holds `unitValue(u, n)`, so that a mixed-up answer shows. */
import { once } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../../src/core/clock.ts';
import { CRC_BYTES, crc16, withCrc } from '../../../src/drivers/modbus/crc.ts';

export const LINE_FAULTS = [
  'late',
  'truncated',
  'garbage_before',
  'garbage_after',
  'garbage_alone',
  'byte_count_lies_low',
  'byte_count_lies_high',
  'short_answer',
  'wrong_crc',
  'wrong_unit',
  'wrong_function',
  'another_unit_before',
  'echo_before',
  'exception',
  'reset',
  'closed',
  'silence',
  'one_byte_at_a_time',
  'twice',
] as const;
export type LineFault = (typeof LINE_FAULTS)[number];

export interface RtuLine {
  readonly port: number;
  /** What to do with the next requests, in order; after them every request is answered well. */
  readonly script: (LineFault | 'answer')[];
  /** Units that follow the script; all where it is empty. */
  readonly scripted: Set<number>;
  /** The unit of each request, in order of arrival. */
  readonly units: number[];
  /** These never answer. */
  readonly dead: Set<number>;
  /** How long an answer takes. */
  delayMs: number;
  /** Connections so far. */
  readonly connections: number;
  /** Requests that came while another was not answered yet. */
  readonly collisions: number;
  close(): Promise<void>;
}

/** Of a read of registers. */
const REQUEST_BYTES = 8;
const GARBAGE = Buffer.from([0xde, 0xad, 0x01, 0xbe]);

export function unitValue(unit: number, address: number): number {
  return (unit * 7_919 + address * 2_654_435_761) & 0xffff;
}

/** `lateMs` must be longer than the client's timeout. */
export async function startRtuLine({ lateMs }: { readonly lateMs: number }): Promise<RtuLine> {
  const sockets = new Set<net.Socket>();
  const script: (LineFault | 'answer')[] = [];
  const scripted = new Set<number>();
  const units: number[] = [];
  const dead = new Set<number>();
  const seen = { connections: 0, collisions: 0, underWay: 0 };
  const server = net.createServer({ noDelay: true }, (socket) => {
    seen.connections++;
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // the client hangs up whenever it likes
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      while (received.length >= REQUEST_BYTES) {
        void serve(socket, received.subarray(0, REQUEST_BYTES));
        received = received.subarray(REQUEST_BYTES);
      }
    });
  });
  const serve = async (socket: net.Socket, request: Buffer): Promise<void> => {
    if (crc16(request) !== 0) throw new Error(`a request with a wrong checksum: ${request.toString('hex')}`); // over all of it, with its own
    const unit = request.readUInt8(0);
    units.push(unit);
    if (seen.underWay > 0) seen.collisions++;
    if (dead.has(unit)) return;
    const fault = (scripted.size === 0 || scripted.has(unit) ? script.shift() : undefined) ?? 'answer';
    seen.underWay++;
    await systemClock.sleep(line.delayMs);
    seen.underWay--;
    misbehave(socket, request, fault, lateMs);
  };
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const line: RtuLine = {
    port: (server.address() as net.AddressInfo).port,
    script,
    scripted,
    units,
    dead,
    delayMs: 0,
    get connections() {
      return seen.connections;
    },
    get collisions() {
      return seen.collisions;
    },
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return line;
}

/** The right answer of a unit, without its checksum. */
function answerTo(request: Buffer, unit = request.readUInt8(0)): Buffer {
  const start = request.readUInt16BE(2);
  const count = request.readUInt16BE(4);
  const body = Buffer.alloc(3 + count * 2);
  body.set([unit, request.readUInt8(1), count * 2]);
  for (let index = 0; index < count; index++) body.writeUInt16BE(unitValue(unit, start + index), 3 + index * 2);
  return body;
}

/** Faults that are a change of the answer before its checksum is made. */
const PATCHES: Partial<Record<LineFault | 'answer', (body: Buffer) => Buffer>> = {
  byte_count_lies_low: (body) => patched(body, 2, body.readUInt8(2) - 2),
  byte_count_lies_high: (body) => patched(body, 2, body.readUInt8(2) + 2),
  short_answer: (body) => patched(body.subarray(0, -2), 2, body.readUInt8(2) - 2),
  wrong_unit: (body) => patched(body, 0, 77),
  wrong_function: (body) => patched(body, 1, body.readUInt8(1) ^ 7),
  exception: (body) => Buffer.from([body.readUInt8(0), body.readUInt8(1) | 0x80, 2]),
};

function patched(body: Buffer, at: number, byte: number): Buffer {
  body.writeUInt8(byte, at);
  return body;
}

function misbehave(socket: net.Socket, request: Buffer, fault: LineFault | 'answer', lateMs: number): void {
  const body = answerTo(request);
  const answer = withCrc(PATCHES[fault]?.(body) ?? body);
  switch (fault) {
    case 'late':
      void systemClock.sleep(lateMs).then(() => socket.write(answer));
      break;
    case 'truncated':
      socket.write(answer.subarray(0, answer.length - 1));
      break;
    case 'wrong_crc':
      socket.write(patched(answer, answer.length - CRC_BYTES, answer.readUInt8(answer.length - CRC_BYTES) ^ 1));
      break;
    case 'garbage_before':
      socket.write(Buffer.concat([GARBAGE, answer]));
      break;
    case 'garbage_after':
      socket.write(Buffer.concat([answer, GARBAGE]));
      break;
    case 'garbage_alone':
      socket.write(GARBAGE);
      break;
    case 'another_unit_before':
      socket.write(Buffer.concat([withCrc(answerTo(request, request.readUInt8(0) + 1)), answer]));
      break;
    case 'echo_before':
      socket.write(Buffer.concat([request, answer]));
      break;
    case 'reset':
      socket.resetAndDestroy();
      break;
    case 'closed':
      socket.end();
      break;
    case 'silence':
      break;
    case 'one_byte_at_a_time':
      for (const byte of answer) socket.write(Buffer.from([byte]));
      break;
    case 'twice':
      socket.write(Buffer.concat([answer, answer]));
      break;
    default:
      socket.write(answer);
  }
}
