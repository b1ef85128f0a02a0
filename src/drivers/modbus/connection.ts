/** What a wire needs of its transport: a client of the library that can be asked, and the word when the connection has ended. */
import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import modbus from 'modbus-serial';

type ModbusClient = InstanceType<typeof modbus.default>;

/** The end of a connection, from either side. */
export interface Closing {
  /** Calls back once when it has closed, with what closed it where that is known; the result forgets the listener. */
  onClose(listener: (cause: Error | undefined) => void): () => void;
  destroy(): void;
}

/** Never asked again after a request that got no answer: a late one must not be taken for another's. */
export interface Connection extends Closing {
  /** False once either side has begun to close. */
  readonly isOpen: boolean;
  readonly client: ModbusClient;
  /** Resolves when a request may be sent; absent where at any time. */
  ready?(signal: AbortSignal): Promise<void>;
  /** What has come since the last request was sent and is no answer; absent where that is not kept. */
  heard?(): Buffer;
}

/** The end of a socket; from now on an error of it is no more than that. */
export function closingOf(socket: Socket): Closing {
  socket.on('error', () => {}); // 'close' follows with the reason in socket.errored; without a listener the process would end
  return {
    onClose: (listener) => {
      const onClose = (): void => listener(socket.errored ?? undefined);
      socket.once('close', onClose);
      return () => socket.off('close', onClose);
    },
    destroy: () => socket.destroy(),
  };
}

/**
 * A port of the library for a transport of ours. The library hands over whole RTU frames (unit, function, data, CRC) and
 * takes whole ones; what goes on the wire around them is the transport's.
 */
export class FramePort extends EventEmitter {
  readonly isOpen = true;
  /** Sends a frame. */
  readonly write: (frame: Buffer) => void;

  constructor(write: (frame: Buffer) => void) {
    super();
    this.write = write;
  }

  /** Called by the library. */
  open(done: (error: null) => void): void {
    done(null);
  }

  received(frame: Buffer): void {
    this.emit('data', frame);
  }
}

/** A client that is ready to be asked. */
export function clientOf(port: FramePort, unitId: number): ModbusClient {
  const client = new modbus.default(port);
  client.open(() => {}); // calls back at once
  client.setID(unitId);
  return client;
}
