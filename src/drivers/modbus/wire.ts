/** One connection with the Modbus client on it, for as long as its framing can be trusted: it never outlives an error. */
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import { type Bounds, bounded } from './bounded.ts';
import type { Connection } from './connection.ts';
import { ModbusException } from './exception.ts';
import { isBitTable, type Span } from './plan.ts';

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

/** Enough to recognise an answer of another unit, or noise. */
const SHOWN_BYTES = 16;

export class Wire {
  readonly #connection: Connection;
  readonly #bounds: Bounds;

  constructor(connection: Connection, bounds: Bounds) {
    this.#connection = connection;
    this.#bounds = bounds;
  }

  /** False once either side has begun to close. */
  get isOpen(): boolean {
    return this.#connection.isOpen;
  }

  /**
   * Reads a span; resolves with exactly its data bytes: two for each register, or one for each eight bits.
   * Rejects `ModbusException` when the device refuses. After `timeout`, `protocol`, `not_connected` or an abort the
   * wire must be destroyed, because the answer may still come and be taken for another's.
   */
  async read(span: Span, signal: AbortSignal): Promise<Buffer> {
    const request = `${span.table} ${span.start}${span.count > 1 ? `–${span.start + span.count - 1}` : ''}`;
    const ask = (): Promise<{ readonly buffer: Buffer }> => this.#connection.client[READ[span.table]](span.start, span.count);
    const { buffer } = await this.#request(ask, request, signal);
    const expected = isBitTable(span.table) ? Math.ceil(span.count / 8) : span.count * 2;
    if (buffer.length === expected) return buffer;
    throw new GatewayError('protocol', `${this.#bounds.endpoint} answered ${buffer.length} bytes instead of ${expected} for ${request}`);
  }

  /** Sends one write; resolves when the device has echoed it. Rejects as `read` does; it may have been carried out then. */
  async write(request: WriteRequest, signal: AbortSignal): Promise<void> {
    const name = `${request.function} ${request.start}`;
    const echo = await this.#request(() => this.#send(request), name, signal);
    const expected = echoOf(request);
    for (const [field, value] of Object.entries(expected)) {
      const answered = (echo as unknown as Readonly<Record<string, unknown>>)[field];
      if (answered !== value) {
        throw new GatewayError('protocol', `${this.#bounds.endpoint} answered ${field} ${answered} instead of ${value} to ${name}`);
      }
    }
  }

  #send(request: WriteRequest): Promise<object> {
    switch (request.function) {
      case 'write_coil':
        return this.#connection.client.writeCoil(request.start, request.on);
      case 'write_coils':
        return this.#connection.client.writeCoils(request.start, [request.on]);
      case 'write_register':
        return this.#connection.client.writeRegister(request.start, request.values.readUInt16BE(0));
      case 'write_registers':
        return this.#connection.client.writeRegisters(request.start, request.values);
      case 'mask_register':
        return this.#connection.client.maskWriteRegister(request.start, request.and, request.or);
    }
  }

  async #request<T>(ask: () => Promise<T>, name: string, signal: AbortSignal): Promise<T> {
    const { endpoint } = this.#bounds;
    await this.#connection.ready?.(signal);
    try {
      return await bounded(ask(), { ...this.#bounds, closing: this.#connection, signal });
    } catch (error) {
      if (signal.aborted) throw error;
      if (isGatewayError(error)) throw this.#explained(error, name);
      const exceptionCode = exceptionCodeOf(error);
      if (exceptionCode !== undefined) throw new ModbusException(exceptionCode, name, error);
      throw new GatewayError('protocol', `${endpoint} gave no valid answer for ${name}: ${messageOf(error)}`, { cause: error });
    }
  }

  /** A device that said something, though nothing right, is not silent: the line, its settings or the device are at fault. */
  #explained(error: GatewayError, name: string): GatewayError {
    const heard = error.code === 'timeout' ? this.#connection.heard?.() : undefined;
    if (!heard || heard.length === 0) return error;
    const shown = heard.toString('hex', 0, SHOWN_BYTES).replaceAll(/..(?=.)/g, '$& ');
    const bytes = `${heard.length} ${heard.length === 1 ? 'byte that is' : 'bytes that are'} no answer: ${shown}${heard.length > SHOWN_BYTES ? ' …' : ''}`;
    return new GatewayError(
      'protocol',
      `${this.#bounds.endpoint} gave no valid answer for ${name} within ${this.#bounds.timeoutMs} ms, but ${bytes}`,
      {
        cause: error,
      },
    );
  }

  destroy(): void {
    this.#connection.destroy();
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

/** The client marks the exceptions of the device by this property alone. */
function exceptionCodeOf(error: unknown): number | undefined {
  const code = error instanceof Error && 'modbusCode' in error ? error.modbusCode : undefined;
  return typeof code === 'number' ? code : undefined;
}
