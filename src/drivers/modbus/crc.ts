/** The checksum at the end of an RTU frame, its low byte first. (MODBUS over Serial Line V1.02 §6.2.2) */

export const CRC_BYTES = 2;

const POLYNOMIAL = 0xa001; // reflected

/** Of `bytes[from, to)`. */
export function crc16(bytes: Uint8Array, from = 0, to = bytes.length): number {
  let crc = 0xffff;
  for (let at = from; at < to; at++) {
    crc ^= bytes[at] ?? 0;
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
  }
  return crc;
}

/** The frame of an address and PDU: a copy with the checksum behind it. */
export function withCrc(body: Uint8Array): Buffer {
  const frame = Buffer.alloc(body.length + CRC_BYTES);
  frame.set(body);
  frame.writeUInt16LE(crc16(body), body.length);
  return frame;
}
