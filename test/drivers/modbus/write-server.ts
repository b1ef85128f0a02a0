/** A Modbus TCP device in memory that knows the writing functions, as far as a test lets it, and misbehaves as it says. */
import { once } from 'node:events';
import net from 'node:net';
import { systemClock } from '../../../src/core/clock.ts';

export interface WriteDevice {
  readonly port: number;
  /** 65,536 holding registers. */
  readonly registers: Uint16Array;
  readonly coils: Uint8Array;
  /** `FC address` of each request, in order of arrival. */
  readonly requests: string[];
  /** Function codes that it does not know: exception 1. */
  readonly unknown: Set<number>;
  /** By function code: answers this exception instead, and does nothing. */
  readonly refuses: Map<number, number>;
  /** By function code: does it, and does not answer. */
  readonly silent: Set<number>;
  /** By function code: does not do it, and does not answer. */
  readonly deaf: Set<number>;
  /** Changes what is written to a register. */
  onWrite: (address: number, value: number) => number | undefined;
  /** By function code: changes the answer. */
  readonly patches: Map<number, (answer: Buffer) => void>;
  /** How long each answer takes. */
  delayMs: number;
  close(): Promise<void>;
}

const MBAP_BYTES = 7;

export async function startWriteDevice(): Promise<WriteDevice> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    socket.on('error', () => {}); // the client hangs up whenever it likes
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      while (received.length >= MBAP_BYTES && received.length >= 6 + received.readUInt16BE(4)) {
        const size = 6 + received.readUInt16BE(4);
        const request = received.subarray(0, size);
        received = received.subarray(size);
        const answer = serve(device, request);
        if (answer) void systemClock.sleep(device.delayMs).then(() => socket.write(answer));
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const device: WriteDevice = {
    port: (server.address() as net.AddressInfo).port,
    registers: new Uint16Array(65_536),
    coils: new Uint8Array(65_536),
    requests: [],
    unknown: new Set(),
    refuses: new Map(),
    silent: new Set(),
    deaf: new Set(),
    onWrite: (_address, value) => value,
    patches: new Map(),
    delayMs: 0,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
  return device;
}

function serve(device: WriteDevice, request: Buffer): Buffer | undefined {
  const code = request.readUInt8(7);
  const address = request.readUInt16BE(8);
  device.requests.push(`${code} ${address}`);
  if (device.deaf.has(code)) return undefined;
  const exception = device.unknown.has(code) ? 1 : device.refuses.get(code);
  const body = exception === undefined ? carryOut(device, code, address, request) : Buffer.from([code | 0x80, exception]);
  if (device.silent.has(code)) return undefined;
  const answer = Buffer.concat([request.subarray(0, MBAP_BYTES), body]);
  answer.writeUInt16BE(body.length + 1, 4);
  device.patches.get(code)?.(answer);
  return answer;
}

/** The answer from the function code on. */
function carryOut(device: WriteDevice, code: number, address: number, request: Buffer): Buffer {
  const { registers, coils } = device;
  const second = request.readUInt16BE(10);
  const set = (at: number, value: number) => {
    const kept = device.onWrite(at, value);
    if (kept !== undefined) registers[at] = kept;
  };
  switch (code) {
    case 1: {
      const bits = Buffer.alloc(Math.ceil(second / 8));
      for (let at = 0; at < second; at++) bits[at >> 3] = (bits[at >> 3] ?? 0) | ((coils[address + at] ?? 0) << (at & 7));
      return Buffer.concat([Buffer.from([code, bits.length]), bits]);
    }
    case 3: {
      const words = Buffer.alloc(second * 2);
      for (let at = 0; at < second; at++) words.writeUInt16BE(registers[address + at] ?? 0, at * 2);
      return Buffer.concat([Buffer.from([code, words.length]), words]);
    }
    case 5:
      coils[address] = second === 0xff00 ? 1 : 0;
      return request.subarray(7, 12);
    case 6:
      set(address, second);
      return request.subarray(7, 12);
    case 15:
      for (let at = 0; at < second; at++) coils[address + at] = (request.readUInt8(13 + (at >> 3)) >> (at & 7)) & 1;
      return request.subarray(7, 12);
    case 16:
      for (let at = 0; at < second; at++) set(address + at, request.readUInt16BE(13 + at * 2));
      return request.subarray(7, 12);
    case 22: {
      const or = request.readUInt16BE(12);
      set(address, ((registers[address] ?? 0) & second) | (or & ~second & 0xffff));
      return request.subarray(7, 14);
    }
    default:
      return Buffer.from([code | 0x80, 1]);
  }
}
