/** A Modbus TCP device whose registers say how many requests it has answered, so that a poll that was made and is not in history shows. */
import { once } from 'node:events';
import net from 'node:net';

const REQUEST_BYTES = 12;
const REGISTERS = 0x1_0000;

export class CountingDevice {
  readonly #server: net.Server;
  readonly #sockets = new Set<net.Socket>();
  #connections = 0;
  #answered = 0;

  private constructor() {
    this.#server = net.createServer({ noDelay: true }, (socket) => this.#serve(socket));
  }

  static async start(): Promise<CountingDevice> {
    const device = new CountingDevice();
    device.#server.listen(0, '127.0.0.1');
    await once(device.#server, 'listening');
    return device;
  }

  get port(): number {
    return (this.#server.address() as net.AddressInfo).port;
  }

  /** So far. */
  get connections(): number {
    return this.#connections;
  }

  /** Answer n, from 0, held the value n. */
  get answered(): number {
    return this.#answered;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #serve(socket: net.Socket): void {
    this.#connections++;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy()); // the client hangs up whenever it likes
    let received: Buffer = Buffer.alloc(0);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      for (; received.length >= REQUEST_BYTES; received = received.subarray(REQUEST_BYTES)) socket.write(this.#answer(received));
    });
  }

  /** Modbus Application Protocol V1.1b3 §6.3 and §6.4, in an MBAP frame: all registers hold the same. */
  #answer(request: Buffer): Buffer {
    const registers = request.readUInt16BE(10);
    const answer = Buffer.alloc(9 + 2 * registers);
    request.copy(answer, 0, 0, 8);
    answer.writeUInt16BE(3 + 2 * registers, 4);
    answer.writeUInt8(2 * registers, 8);
    const value = this.#answered++ % REGISTERS;
    for (let index = 0; index < registers; index++) answer.writeUInt16BE(value, 9 + 2 * index);
    return answer;
  }
}
