/**
 * The frame of the write-ahead log: a header of 32 bytes and a body. Little-endian; docs/formats/wal.md draws it.
 *
 *   0       4        8       12       13      14     16        24       28          32
 *   magic   length   crc32   version  flags   0      first     slots    generation  body …
 *   u32     u32      u32     u8       u8      u16    f64       u32      u32
 */
import { crc32 } from 'node:zlib';

export const HEADER_BYTES = 32;
/** What a disk writes whole. A frame that follows a sync starts a new block, so that no synced byte is ever written again. */
export const BLOCK_BYTES = 4096;
/** Frames that follow each other unsynced start at multiples of this. */
export const ALIGN_BYTES = 8;
/** Bounds what recovery must hold in memory; at four bytes a sample it is a quarter of a million samples. */
export const MAX_BODY_BYTES = 1 << 20;
export const WAL_VERSION = 1;
export const MAGIC = 0x4c41_5754; // "TWAL"

/** The body is deflated. */
export const DEFLATED_FLAG = 1;
/** Everything before this frame was synced when it was written. */
export const VOUCHES_FLAG = 2;

export interface FrameHeader {
  readonly bodyBytes: number;
  readonly version: number;
  readonly flags: number;
  /** Sequence of its first slot. */
  readonly first: number;
  readonly slots: number;
  /** Of the segment's life: each use of a file has a higher one than any before. */
  readonly generation: number;
}

/**
 * Writes a header. `bodyCrc` is the CRC-32 of the body, started from the log's identity: the frames of another log are no frames
 * here. The header's own bytes from the version on come last, so that the checksum can go on where it stood when a frame grows.
 */
export function writeHeader(buffer: Buffer, at: number, header: FrameHeader, bodyCrc: number): void {
  buffer.writeUInt32LE(MAGIC, at);
  buffer.writeUInt32LE(header.bodyBytes, at + 4);
  buffer.writeUInt8(header.version, at + 12);
  buffer.writeUInt8(header.flags, at + 13);
  buffer.writeUInt16LE(0, at + 14);
  buffer.writeDoubleLE(header.first, at + 16);
  buffer.writeUInt32LE(header.slots, at + 24);
  buffer.writeUInt32LE(header.generation, at + 28);
  buffer.writeUInt32LE(crc32(buffer.subarray(at + 12, at + HEADER_BYTES), bodyCrc), at + 8);
}

/**
 * The header of the frame at `at`, or undefined when no whole and sound frame lies there. Of a frame of a newer version
 * nothing but `version` is to be believed: magic, length, checksum and version stay where they are in every version.
 */
export function readHeader(buffer: Buffer, at: number, end: number, identity: number): FrameHeader | undefined {
  if (at + HEADER_BYTES > end || buffer.readUInt32LE(at) !== MAGIC) return undefined;
  const bodyBytes = buffer.readUInt32LE(at + 4);
  if (bodyBytes > MAX_BODY_BYTES || at + HEADER_BYTES + bodyBytes > end) return undefined;
  const bodyAt = at + HEADER_BYTES;
  const bodyCrc = crc32(buffer.subarray(bodyAt, bodyAt + bodyBytes), identity);
  if (crc32(buffer.subarray(at + 12, bodyAt), bodyCrc) !== buffer.readUInt32LE(at + 8)) return undefined;
  const header: FrameHeader = {
    bodyBytes,
    version: buffer.readUInt8(at + 12),
    flags: buffer.readUInt8(at + 13),
    first: buffer.readDoubleLE(at + 16),
    slots: buffer.readUInt32LE(at + 24),
    generation: buffer.readUInt32LE(at + 28),
  };
  const possible =
    Number.isSafeInteger(header.first + header.slots) && Number.isSafeInteger(header.first) && header.first >= 0 && header.slots > 0;
  return header.version === WAL_VERSION && !possible ? undefined : header;
}

export function alignUp(at: number, to: number): number {
  return Math.ceil(at / to) * to;
}
