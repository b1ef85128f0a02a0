/** Where in a stream of bytes the answer to an RTU request lies: frames have no beginning of their own, only lengths and a checksum. Pure. */
import { CRC_BYTES, crc16 } from './crc.ts';

/** Unit and function. */
const HEAD_BYTES = 2;
const EXCEPTION_BIT = 0x80;
const EXCEPTION_BYTES = HEAD_BYTES + 1 + CRC_BYTES;
/** MODBUS over Serial Line V1.02 §2.5.1. */
export const MAX_FRAME_BYTES = 256;

/** How an answer without exception begins and how long it is. */
interface Shape {
  readonly bytes: number;
  /** What must stand behind unit and function: the number of data bytes, of reads. */
  readonly third: number | undefined;
}

/**
 * The answer to `request` in `received`: a copy of the first part that has its unit, its function (or the exception to it),
 * its length and a right checksum. Whatever stands before it is noise, or an answer to somebody else. Undefined while there is none.
 * What is a read to the letter is the read, echoed by the adapter: rather no value for the one pattern of 17 to 24 coils that looks the
 * same than a wrong one.
 */
export function findAnswer(received: Buffer, request: Buffer): Buffer | undefined {
  const [unit, code] = [request[0], request[1] ?? 0];
  const shape = shapeOf(request);
  for (let at = 0; at + EXCEPTION_BYTES <= received.length; at++) {
    if (received[at] !== unit) continue;
    const answered = received[at + 1];
    if (answered === code) {
      const fits = shape.third === undefined || received[at + HEAD_BYTES] === shape.third;
      const answer = received.subarray(at, at + shape.bytes);
      if (fits && hasCrc(received, at, at + shape.bytes) && !(isRead(shape) && answer.equals(request))) return Buffer.from(answer);
    } else if (answered === (code | EXCEPTION_BIT) && hasCrc(received, at, at + EXCEPTION_BYTES)) {
      return Buffer.from(received.subarray(at, at + EXCEPTION_BYTES));
    }
  }
  return undefined;
}

/** Of the functions that the wire uses. (Modbus Application Protocol V1.1b3 §6.1–6.6, §6.11, §6.12, §6.16) */
function shapeOf(request: Buffer): Shape {
  const count = request.readUInt16BE(4);
  switch (request[1]) {
    case 1:
    case 2:
      return readShape(Math.ceil(count / 8));
    case 3:
    case 4:
      return readShape(count * 2);
    case 22:
      return { bytes: request.length, third: undefined }; // an echo
    default:
      return { bytes: HEAD_BYTES + 4 + CRC_BYTES, third: undefined }; // address, and value or quantity
  }
}

function readShape(dataBytes: number): Shape {
  return { bytes: HEAD_BYTES + 1 + dataBytes + CRC_BYTES, third: dataBytes };
}

function isRead({ third }: Shape): boolean {
  return third !== undefined;
}

function hasCrc(bytes: Buffer, from: number, to: number): boolean {
  return to <= bytes.length && bytes.readUInt16LE(to - CRC_BYTES) === crc16(bytes, from, to - CRC_BYTES);
}
