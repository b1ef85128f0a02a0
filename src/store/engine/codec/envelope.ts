/** What every blob of the codec is wrapped in: a version in front, a checksum behind. */
import { crc32 } from 'node:zlib';
import { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';

const VERSION = 1;
const CRC_BYTES = 4;
/** version, count, one byte of content at least, checksum. */
const SIZE_MIN = 3 + CRC_BYTES;

/** Samples of a block at most; what decoding allocates is bounded by it. */
export const BLOCK_COUNT_MAX = 2 ** 20;

/** Every blob is written here, one at a time, and copied when it is finished: a new buffer for each would cost as much as coding it. */
const shared = new ByteWriter(4096);

/** Starts a blob; the one before is finished or given up. Throws RangeError unless `count` is an integer of 1…2^20. */
export function startBlob(count: number): ByteWriter {
  if (!Number.isInteger(count) || count < 1 || count > BLOCK_COUNT_MAX)
    throw new RangeError(`a block has 1 to ${BLOCK_COUNT_MAX} samples, not ${count}`);
  shared.truncate(0);
  shared.u8(VERSION);
  shared.varint(count);
  return shared;
}

/** Ends it: a copy with the checksum. */
export function finishBlob(writer: ByteWriter): Uint8Array {
  writer.u32(crc32(writer.written()));
  return writer.written().slice();
}

/** Opens a blob at its content. Throws CorruptBlockError unless it is whole and of this version. */
export function openBlob(blob: Uint8Array): { readonly reader: ByteReader; readonly count: number } {
  if (blob.length < SIZE_MIN) throw new CorruptBlockError(`${blob.length} bytes are no block`);
  const end = blob.length - CRC_BYTES;
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
  if (crc32(blob.subarray(0, end)) !== view.getUint32(end, true)) throw new CorruptBlockError('the checksum of a block is wrong');
  const reader = new ByteReader(blob.subarray(0, end));
  const version = reader.u8();
  if (version !== VERSION) throw new CorruptBlockError(`blocks of version ${version} are not known here`);
  const count = reader.varint(BLOCK_COUNT_MAX);
  if (count === 0) throw new CorruptBlockError('a block without samples');
  return { reader, count };
}
