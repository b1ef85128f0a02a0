/** Serial lines of this machine. The library is native: it is loaded with the first source that needs it, and where it cannot be, that source says so. */
import { realpath, stat } from 'node:fs/promises';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { type Bounds, established } from './bounded.ts';
import type { Closing } from './connection.ts';
import type { LineStream } from './line.ts';
import type { SerialSettings } from './options.ts';

/** Start, eight data bits, parity and stop, at most. (MODBUS over Serial Line V1.02 §2.5.1) */
const BITS_OF_CHARACTER = 11;
const GAP_CHARACTERS = 3.5;
/** For all rates above 19,200 baud. (§2.5.1.1) */
const MIN_GAP_MS = 1.75;

/** Silence between two frames. */
export function gapMsOf({ baud_rate }: SerialSettings): number {
  return Math.max(MIN_GAP_MS, (GAP_CHARACTERS * BITS_OF_CHARACTER * 1_000) / baud_rate);
}

/**
 * The device node that a path leads to: one line, whatever its links are called. Rejects `not_connected` where there is none, as
 * when an adapter is unplugged, and `config_invalid` where it is no device of characters.
 */
export async function deviceOf(path: string): Promise<string> {
  let device: string;
  let isCharacters: boolean;
  try {
    device = await realpath(path);
    isCharacters = (await stat(device)).isCharacterDevice();
  } catch (error) {
    throw new GatewayError('not_connected', `there is no serial device ${path}: ${messageOf(error)}`, { cause: error });
  }
  if (!isCharacters) throw new GatewayError('config_invalid', `${path} is not a serial device`);
  return device;
}

/** Rejects `not_connected` where the device cannot be opened, and `not_supported` where the library cannot be loaded. */
export async function openSerialLine(device: string, settings: SerialSettings, bounds: Bounds, signal: AbortSignal): Promise<LineStream> {
  signal.throwIfAborted();
  const SerialPort = await library();
  const port = new SerialPort({
    path: device,
    baudRate: settings.baud_rate,
    parity: settings.parity,
    stopBits: settings.stop_bits,
    dataBits: 8,
    autoOpen: false,
  });
  let cause: Error | undefined;
  port.on('error', (error) => {
    cause = error; // without a listener the process would end
    closing.destroy();
  });
  let isUnwanted = false;
  const gone = new Promise<void>((resolve) => port.once('close', () => resolve()));
  const closing: Closing = {
    onClose: (listener) => {
      const onClose = (error: Error | null | undefined): void => listener(error ?? cause);
      port.once('close', onClose);
      return () => port.off('close', onClose);
    },
    destroy: () => {
      isUnwanted = true;
      if (port.isOpen && !port.closing) port.close(() => {}); // what goes wrong at the end changes nothing
    },
  };
  const opened = new Promise<void>((resolve, reject) => {
    port.open((error) => {
      if (error) reject(new Error(hintOf(error), { cause: error }));
      else resolve();
      if (!error && isUnwanted) closing.destroy(); // it took too long
    });
  });
  await established(opened, { ...bounds, closing, signal });
  return {
    ...closing,
    get isOpen() {
      return port.isOpen && !port.closing;
    },
    write: (bytes) => {
      port.write(bytes);
    },
    onData: (listener) => {
      port.on('data', listener);
    },
    gone,
  };
}

async function library() {
  try {
    const { SerialPort } = await import('serialport');
    return SerialPort;
  } catch (error) {
    throw new GatewayError('not_supported', `serial lines cannot be used here, for their library cannot be loaded: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** What the system says, and what to do about it where that is known. */
function hintOf(error: Error): string {
  if (/permission denied/i.test(error.message))
    return `${error.message} (who runs twinbox must be in the group of the device, mostly dialout)`;
  if (/cannot lock|temporarily unavailable/i.test(error.message)) return `${error.message} (another program has it open)`;
  return error.message;
}
