/** Modbus over UDP: a datagram is one frame with the header of Modbus TCP before it. */
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';
import { type Bounds, established } from './bounded.ts';
import { type Closing, type Connection, clientOf, FramePort } from './connection.ts';
import { CRC_BYTES, withCrc } from './crc.ts';
import { addressOf, type HostOptions } from './host.ts';

/** Transaction, protocol (always 0) and length of what follows, two bytes each. */
const HEADER_BYTES = 6;
/** The smallest answer is an exception: unit, function, code. (Modbus Application Protocol V1.1b3 §4.1: 254 at most) */
const MIN_BODY_BYTES = 3;
const MAX_BODY_BYTES = 254;

/**
 * A socket of its own, which takes datagrams of this host and port alone. It stands at once: nobody has been asked yet.
 * Rejects `not_connected` when the host cannot be found, and `egress_denied`.
 */
export async function dialUdp(options: HostOptions, bounds: Bounds, signal: AbortSignal): Promise<Connection> {
  const address = await addressOf(options, bounds, signal);
  const socket = createSocket(isIPv6(address) ? 'udp6' : 'udp4');
  let isOpen = true;
  let cause: Error | undefined;
  const closing: Closing = {
    onClose: (listener) => {
      const onClose = (): void => listener(cause);
      socket.once('close', onClose);
      return () => socket.off('close', onClose);
    },
    destroy: () => {
      if (isOpen) socket.close();
      isOpen = false;
    },
  };
  socket.on('error', (error) => {
    cause = error; // nobody listens there, says the host; a socket that cannot be bound
    closing.destroy();
  });
  let transaction = Math.floor(Math.random() * 0x10000);
  const port = new FramePort((frame) => {
    transaction = (transaction + 1) & 0xffff;
    if (isOpen) socket.send(datagramOf(frame, transaction));
  });
  socket.on('message', (datagram) => {
    if (isAnswer(datagram, transaction)) port.received(withCrc(datagram.subarray(HEADER_BYTES)));
  });
  const connected = new Promise<void>((resolve) => socket.once('connect', resolve));
  socket.connect(options.port, address);
  await established(connected, { ...bounds, closing, signal });
  return {
    ...closing,
    client: clientOf(port, options.unitId),
    get isOpen() {
      return isOpen;
    },
  };
}

function datagramOf(frame: Buffer, transaction: number): Buffer {
  const body = frame.subarray(0, frame.length - CRC_BYTES);
  const datagram = Buffer.alloc(HEADER_BYTES + body.length);
  datagram.writeUInt16BE(transaction, 0);
  datagram.writeUInt16BE(body.length, 4);
  body.copy(datagram, HEADER_BYTES);
  return datagram;
}

/** Whatever else arrives – late, twice, cut off, of another protocol – is none. */
function isAnswer(datagram: Buffer, transaction: number): boolean {
  const length = datagram.length - HEADER_BYTES;
  if (length < MIN_BODY_BYTES || length > MAX_BODY_BYTES) return false;
  return datagram.readUInt16BE(0) === transaction && datagram.readUInt16BE(2) === 0 && datagram.readUInt16BE(4) === length;
}
