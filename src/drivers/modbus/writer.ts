/** Writes one value to a device, once, and reads back what came of it. */
import type { Clock } from '../../core/clock.ts';
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import type { Scalar } from '../../core/tag.ts';
import { settled } from '../command.ts';
import type { Encoder } from './encode.ts';
import { ModbusException } from './exception.ts';
import type { Exchange, ModbusLink } from './link.ts';
import type { Point } from './point.ts';
import type { WriteRequest } from './wire.ts';

/** The data bytes of the point's span after a write, and whether they show what was written. */
export interface WrittenBytes {
  readonly bytes: Buffer;
  readonly confirmed: boolean;
}

/** A value that has been encoded, still to be sent. */
interface Command {
  readonly point: Point;
  /** True when the data bytes of the point's span show the value. */
  shows(bytes: Buffer): boolean;
  send(exchange: Exchange): Promise<void>;
}

const ILLEGAL_FUNCTION = 1;
/** "The server has accepted the request and is processing it": the value comes later. (Modbus Application Protocol V1.1b3 §7) */
const ACKNOWLEDGE = 5;
const PATH_UNAVAILABLE = 10;
const TARGET_SILENT = 11;

export class Writer {
  readonly #link: ModbusLink;
  readonly #clock: Clock;
  /** False once the device has shown that it does not know function 22, which changes a bit without touching its neighbours. */
  #masks = true;

  constructor(link: ModbusLink, clock: Clock) {
    this.#link = link;
    this.#clock = clock;
  }

  /**
   * Ahead of all polls that wait. Rejects as `Driver.write` promises. An answer that got lost is no failure when the
   * device shows the value all the same.
   */
  async write(point: Point, value: Scalar, signal: AbortSignal): Promise<WrittenBytes> {
    const command = this.#command(point, value);
    let sent = false;
    const act = (exchange: Exchange): Promise<WrittenBytes> => {
      if (sent) return readBack(command, exchange);
      sent = true;
      return this.#carryOut(command, exchange, signal);
    };
    return settled(() => this.#link.urgently(act, signal), { clock: this.#clock, signal });
  }

  async #carryOut(command: Command, exchange: Exchange, signal: AbortSignal): Promise<WrittenBytes> {
    try {
      await command.send(exchange);
    } catch (error) {
      if (signal.aborted || !isGatewayError(error)) throw error;
      if (!(error instanceof ModbusException)) return this.#unanswered(command, exchange, error, signal);
      if (error.exceptionCode !== ACKNOWLEDGE) throw refusal(error);
    }
    return readBack(command, exchange);
  }

  /** The write went out, or was about to, and nothing usable came back: the device itself knows. */
  async #unanswered(command: Command, exchange: Exchange, error: GatewayError, signal: AbortSignal): Promise<WrittenBytes> {
    const { point } = command;
    let bytes: Buffer;
    try {
      bytes = await exchange.read(point);
    } catch (cause) {
      if (signal.aborted) throw cause;
      throw new GatewayError(error.code, `${error.message}; whether "${point.tagName}" was written is not known`, { cause: error });
    }
    if (command.shows(bytes)) return { bytes, confirmed: true };
    if (point.encoder.kind === 'bit') this.#masks = false; // some devices keep silent about functions they don't know
    throw new GatewayError(error.code, `${error.message}; "${point.tagName}" still has another value`, { cause: error });
  }

  /** Throws `invalid_value`. */
  #command(point: Point, value: Scalar): Command {
    const { encoder, start } = point;
    switch (encoder.kind) {
      case 'coil': {
        const on = encoder.encode(value);
        return this.#commandOf(point, Buffer.from([on ? 1 : 0]), [
          { function: 'write_coil', start, on },
          { function: 'write_coils', start, on },
        ]);
      }
      case 'registers': {
        const values = encoder.encode(value);
        const many: WriteRequest = { function: 'write_registers', start, values };
        // several registers only in one request: two halves of a value must not be seen apart
        return this.#commandOf(point, values, point.count > 1 ? [many] : [{ function: 'write_register', start, values }, many]);
      }
      case 'bit':
        return this.#bitCommand(point, encoder, encoder.encode(value));
    }
  }

  /** The requests are tried in turn while the device says that it does not know the function: then it has not carried it out. */
  #commandOf(point: Point, sent: Buffer, requests: readonly WriteRequest[]): Command {
    const send = async (exchange: Exchange): Promise<void> => {
      for (const [index, request] of requests.entries()) {
        try {
          return await exchange.write(request);
        } catch (error) {
          if (index === requests.length - 1 || !isUnknownFunction(error)) throw error;
        }
      }
    };
    const wanted = point.decoder.read(sent, 0);
    return { point, send, shows: (bytes) => point.decoder.read(bytes, 0) === wanted };
  }

  #bitCommand(point: Point, { mask }: Extract<Encoder, { readonly kind: 'bit' }>, on: boolean): Command {
    const { start } = point;
    const send = async (exchange: Exchange): Promise<void> => {
      if (this.#masks) {
        try {
          return await exchange.write({ function: 'mask_register', start, and: 0xffff & ~mask, or: on ? mask : 0 });
        } catch (error) {
          if (!isUnknownFunction(error)) throw error;
          this.#masks = false;
        }
      }
      // both in one turn of the link: no other write of ours comes between
      const word = (await exchange.read(point)).readUInt16BE(0);
      const values = Buffer.alloc(2);
      values.writeUInt16BE(on ? word | mask : word & ~mask);
      await this.#commandOf(point, values, [
        { function: 'write_register', start, values },
        { function: 'write_registers', start, values },
      ]).send(exchange);
    };
    return { point, send, shows: (bytes) => point.decoder.read(bytes, 0) === on };
  }
}

/** Rejects `timeout` where the device falls silent, and `write_not_confirmed` where it does not give the value back otherwise. */
async function readBack(command: Command, exchange: Exchange): Promise<WrittenBytes> {
  const { point } = command;
  try {
    const bytes = await exchange.read(point);
    return { bytes, confirmed: command.shows(bytes) };
  } catch (error) {
    if (!isGatewayError(error)) throw error;
    const message = `"${point.tagName}" was written, but cannot be read back: ${messageOf(error)}`;
    throw new GatewayError(error.code === 'timeout' ? 'timeout' : 'write_not_confirmed', message, { cause: error });
  }
}

function isUnknownFunction(error: unknown): boolean {
  return error instanceof ModbusException && error.exceptionCode === ILLEGAL_FUNCTION;
}

function refusal(exception: ModbusException): GatewayError {
  const { exceptionCode, message } = exception;
  const code = exceptionCode === PATH_UNAVAILABLE ? 'not_connected' : exceptionCode === TARGET_SILENT ? 'timeout' : 'write_refused';
  return new GatewayError(code, message, { cause: exception });
}
