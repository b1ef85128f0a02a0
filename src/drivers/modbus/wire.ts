/** One TCP connection with the Modbus client on it, for as long as its framing can be trusted: it never outlives an error. */
import net from 'node:net';
import modbus from 'modbus-serial';
import type { Clock } from '../../core/clock.ts';
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import type { Egress } from '../driver.ts';
import { ModbusException } from './exception.ts';
import { isBitTable, type Span } from './plan.ts';

export interface WireOptions {
  readonly host: string;
  readonly port: number;
  /** As messages name the device: `host:port`. */
  readonly endpoint: string;
  readonly unitId: number;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly egress?: Egress | undefined;
}

/** The client's function for each table: FC 1, 2, 4 and 3. */
const READ = {
  coil: 'readCoils',
  discrete_input: 'readDiscreteInputs',
  input: 'readInputRegisters',
  holding: 'readHoldingRegisters',
} as const;

/** One write, addresses as on the wire. `values` holds two bytes a register. (Modbus Application Protocol V1.1b3 §6.5, §6.6, §6.11, §6.12, §6.16) */
export type WriteRequest =
  | { readonly function: 'write_coil' | 'write_coils'; readonly start: number; readonly on: boolean }
  | { readonly function: 'write_register' | 'write_registers'; readonly start: number; readonly values: Buffer }
  /** register = (register AND and) OR (or AND NOT and) */
  | { readonly function: 'mask_register'; readonly start: number; readonly and: number; readonly or: number };

const KEEP_ALIVE_MS = 30_000; // finds a dead peer between polls that are minutes apart

export class Wire {
  readonly #options: WireOptions;
  readonly #socket: net.Socket;
  readonly #client: InstanceType<typeof modbus.default>;

  private constructor(options: WireOptions, socket: net.Socket, client: InstanceType<typeof modbus.default>) {
    this.#options = options;
    this.#socket = socket;
    this.#client = client;
  }

  /** Rejects `not_connected` when the host refuses, cannot be found or does not answer within the timeout, and `egress_denied`. */
  static async dial(options: WireOptions, signal: AbortSignal): Promise<Wire> {
    signal.throwIfAborted();
    const { host, port, endpoint, egress } = options;
    const address = egress ? await egress.address(host, port, signal) : host;
    const socket = net.connect({ host: address, port, noDelay: true, keepAlive: true, keepAliveInitialDelay: KEEP_ALIVE_MS });
    socket.on('error', () => {}); // 'close' follows with the reason in socket.errored; without a listener the process would end
    try {
      const connected = new Promise<void>((resolve) => socket.once('connect', resolve));
      await bounded(connected, { socket, options, signal });
      const client = new modbus.default();
      client.on('error', () => socket.destroy());
      client.setID(options.unitId);
      await client.linkTCP(socket, { port });
      return new Wire(options, socket, client);
    } catch (error) {
      socket.destroy();
      if (signal.aborted) throw error;
      const cause = isGatewayError(error, 'not_connected') ? (error.cause ?? error) : error; // its own words would say the same once more
      throw new GatewayError('not_connected', `cannot connect to ${endpoint}: ${reasonOf(cause)}`, { cause });
    }
  }

  /** False once either side has begun to close. */
  get isOpen(): boolean {
    return this.#socket.readyState === 'open';
  }

  /**
   * Reads a span; resolves with exactly its data bytes: two for each register, or one for each eight bits.
   * Rejects `ModbusException` when the device refuses. After `timeout`, `protocol`, `not_connected` or an abort the
   * wire must be destroyed, because the answer may still come and be taken for another's.
   */
  async read(span: Span, signal: AbortSignal): Promise<Buffer> {
    const request = `${span.table} ${span.start}${span.count > 1 ? `–${span.start + span.count - 1}` : ''}`;
    const ask = (): Promise<{ readonly buffer: Buffer }> => this.#client[READ[span.table]](span.start, span.count);
    const { buffer } = await this.#request(ask, request, signal);
    const expected = isBitTable(span.table) ? Math.ceil(span.count / 8) : span.count * 2;
    if (buffer.length === expected) return buffer;
    throw new GatewayError('protocol', `${this.#options.endpoint} answered ${buffer.length} bytes instead of ${expected} for ${request}`);
  }

  /** Sends one write; resolves when the device has echoed it. Rejects as `read` does; it may have been carried out then. */
  async write(request: WriteRequest, signal: AbortSignal): Promise<void> {
    const name = `${request.function} ${request.start}`;
    const echo = await this.#request(() => this.#send(request), name, signal);
    const expected = echoOf(request);
    for (const [field, value] of Object.entries(expected)) {
      const answered = (echo as unknown as Readonly<Record<string, unknown>>)[field];
      if (answered !== value) {
        throw new GatewayError('protocol', `${this.#options.endpoint} answered ${field} ${answered} instead of ${value} to ${name}`);
      }
    }
  }

  #send(request: WriteRequest): Promise<object> {
    switch (request.function) {
      case 'write_coil':
        return this.#client.writeCoil(request.start, request.on);
      case 'write_coils':
        return this.#client.writeCoils(request.start, [request.on]);
      case 'write_register':
        return this.#client.writeRegister(request.start, request.values.readUInt16BE(0));
      case 'write_registers':
        return this.#client.writeRegisters(request.start, request.values);
      case 'mask_register':
        return this.#client.maskWriteRegister(request.start, request.and, request.or);
    }
  }

  async #request<T>(ask: () => Promise<T>, name: string, signal: AbortSignal): Promise<T> {
    const { endpoint } = this.#options;
    try {
      return await bounded(ask(), { socket: this.#socket, options: this.#options, signal });
    } catch (error) {
      if (signal.aborted || isGatewayError(error)) throw error;
      const exceptionCode = exceptionCodeOf(error);
      if (exceptionCode !== undefined) throw new ModbusException(exceptionCode, name, error);
      throw new GatewayError('protocol', `${endpoint} gave no valid answer for ${name}: ${messageOf(error)}`, { cause: error });
    }
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** What the client must have read out of a right answer. */
function echoOf(request: WriteRequest): Readonly<Record<string, number | boolean>> {
  const address = request.start;
  switch (request.function) {
    case 'write_coil':
      return { address, state: request.on };
    case 'write_coils':
      return { address, length: 1 };
    case 'write_register':
      return { address, value: request.values.readUInt16BE(0) };
    case 'write_registers':
      return { address, length: request.values.length / 2 };
    case 'mask_register':
      return { address, andMask: request.and, orMask: request.or };
  }
}

/** Settles as `work` does, but no later than the timeout, the end of the socket or the abort: the client alone can wait for ever. */
function bounded<T>(
  work: Promise<T>,
  { socket, options, signal }: { readonly socket: net.Socket; readonly options: WireOptions; readonly signal: AbortSignal },
): Promise<T> {
  const { clock, timeoutMs, endpoint } = options;
  return new Promise((resolve, reject) => {
    const timer = new AbortController();
    const settle = (): void => {
      timer.abort();
      socket.off('close', onClose);
      signal.removeEventListener('abort', onAbort);
    };
    const fail = (error: unknown): void => {
      settle();
      reject(error);
    };
    const onClose = (): void => {
      const cause = socket.errored ?? undefined;
      fail(new GatewayError('not_connected', `${endpoint} closed the connection${cause ? `: ${reasonOf(cause)}` : ''}`, { cause }));
    };
    const onAbort = (): void => fail(signal.reason);
    socket.once('close', onClose);
    signal.addEventListener('abort', onAbort, { once: true });
    clock.sleep(timeoutMs, timer.signal).then(
      () => fail(new GatewayError('timeout', `${endpoint} did not answer within ${timeoutMs} ms`)),
      () => {}, // settled in time
    );
    work.then((value) => {
      settle();
      resolve(value);
    }, fail);
  });
}

/** The client marks the exceptions of the device by this property alone. */
function exceptionCodeOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'modbusCode' in error ? error.modbusCode : undefined;
  return typeof code === 'number' ? code : undefined;
}

/** A host with several addresses fails with an error that has no message of its own, only a code. */
function reasonOf(error: unknown): string {
  const code = error instanceof Error && error.message === '' && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : messageOf(error);
}
