/**
 * Finds the sound frames of a log's files, whatever else lies in them. Nothing is believed but a checksum: not a name, not a size,
 * not a place. Memory is bounded by the largest segment.
 */
import { closeSync, lstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError } from '../../../core/errors.ts';
import type { Sequence } from '../../../core/tag.ts';
import {
  ALIGN_BYTES,
  alignUp,
  BLOCK_BYTES,
  type FrameHeader,
  HEADER_BYTES,
  MAGIC,
  readHeader,
  VOUCHES_FLAG,
  WAL_VERSION,
} from './frame.ts';
import { segmentNumber } from './segment.ts';

/** Larger files are not read: they are none of ours. */
export const MAX_SEGMENT_BYTES = 64 << 20;
/** Files are read in pieces of this size, so that a bad sector costs no more than one. */
const READ_BYTES = 64 << 10;
/** Checksums over bytes that turn out to be no frame, in sizes of the file: then only the starts of blocks are tried, then nothing. */
const MAX_VAIN_CHECKS = 4;
const MAX_VAIN_BLOCK_CHECKS = 32;

export interface FoundFrame {
  readonly path: string;
  readonly at: number;
  /** Header included. */
  readonly bytes: number;
  readonly first: Sequence;
  readonly end: Sequence;
  readonly generation: number;
  readonly vouches: boolean;
}

export interface FoundFile {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of the newest life; 0 when it holds no frame. */
  readonly generation: number;
  /** Behind its last frame, at a block. */
  readonly offset: number;
  /** Sequence after its last frame. */
  readonly end: Sequence;
}

export interface FoundLog {
  /** Those that count, in the order in which they were written. */
  readonly frames: readonly FoundFrame[];
  readonly files: readonly FoundFile[];
  /** Paths of what has a segment's name but is no file that could be one. */
  readonly strange: readonly string[];
  /** Paths of segments that were never finished. */
  readonly unfinished: readonly string[];
  readonly number: number;
  readonly generation: number;
  readonly next: Sequence;
}

/** Reads a folder and changes nothing. Throws `store_failed` when a frame was written by a newer version, or a file can't be read at all. */
export function readLog(dir: string, identity: number): FoundLog {
  const found: FoundFrame[] = [];
  const files: FoundFile[] = [];
  const strange: string[] = [];
  const unfinished: string[] = [];
  let number = 0;
  let buffer = Buffer.alloc(0);
  for (const name of readdirSync(dir).sort()) {
    const path = join(dir, name);
    if (name.endsWith('.tmp') && segmentNumber(name.slice(0, -4)) !== undefined) unfinished.push(path);
    const ownNumber = segmentNumber(name);
    if (ownNumber === undefined) continue;
    number = Math.max(number, ownNumber);
    const status = lstatSync(path);
    if (!status.isFile() || status.size > MAX_SEGMENT_BYTES) {
      strange.push(path);
      continue;
    }
    if (buffer.length < status.size) buffer = Buffer.alloc(status.size);
    const sizeBytes = readFile(path, buffer.subarray(0, status.size));
    const frames = newestLife(framesIn(buffer.subarray(0, sizeBytes), path, identity));
    found.push(...frames);
    files.push(describe(path, status.size, frames));
  }
  const frames = inOrder(found);
  const next = frames.reduce((end, frame) => Math.max(end, frame.end), 0) as Sequence;
  const generation = files.reduce((highest, file) => Math.max(highest, file.generation), 0);
  return { frames, files, strange, unfinished, number, generation, next };
}

/**
 * All sound frames of a segment's bytes, stale ones of its earlier lives too. One that is not sound does not hide those behind it:
 * they are found by their magic. What is checked in vain has a bound, so that no content can keep this busy for long.
 */
function framesIn(bytes: Buffer, path: string, identity: number): FoundFrame[] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  const frames: FoundFrame[] = [];
  let vain = 0;
  let at = 0;
  while (at + HEADER_BYTES <= bytes.length && vain <= MAX_VAIN_BLOCK_CHECKS * bytes.length) {
    if (words[at >>> 2] !== MAGIC) {
      at += ALIGN_BYTES;
      continue;
    }
    const header = readHeader(bytes, at, bytes.length, identity);
    if (header) {
      frames.push(foundFrame(path, at, header));
      at = alignUp(at + HEADER_BYTES + header.bodyBytes, ALIGN_BYTES);
    } else {
      vain += Math.min(bytes.readUInt32LE(at + 4), bytes.length);
      at = vain > MAX_VAIN_CHECKS * bytes.length ? alignUp(at + 1, BLOCK_BYTES) : at + ALIGN_BYTES;
    }
  }
  return frames;
}

function foundFrame(path: string, at: number, header: FrameHeader): FoundFrame {
  const { version, first, slots, generation, flags, bodyBytes } = header;
  if (version !== WAL_VERSION) {
    throw new GatewayError('store_failed', `${path} was written in format ${version} of the log; this version reads format ${WAL_VERSION}`);
  }
  return {
    path,
    at,
    bytes: HEADER_BYTES + bodyBytes,
    first: first as Sequence,
    end: (first + slots) as Sequence,
    generation,
    vouches: (flags & VOUCHES_FLAG) !== 0,
  };
}

/** A used segment holds frames of its earlier lives behind the new ones; those were released. */
function newestLife(frames: readonly FoundFrame[]): FoundFrame[] {
  const newest = frames.reduce((highest, frame) => Math.max(highest, frame.generation), 0);
  return frames.filter((frame) => frame.generation === newest);
}

function describe(path: string, sizeBytes: number, frames: readonly FoundFrame[]): FoundFile {
  const last = frames.at(-1);
  return {
    path,
    sizeBytes,
    generation: last?.generation ?? 0,
    offset: last ? alignUp(last.at + last.bytes, BLOCK_BYTES) : 0,
    end: frames.reduce((end, frame) => Math.max(end, frame.end), 0) as Sequence,
  };
}

/**
 * The order of writing is that of generation and place. A second copy of a frame (a copied file, a frame that was moved after a failed
 * sync) counts once. Where a younger generation begins at or below an older one's sequences, it was written by a log that
 * did not have them any more: the older ones are void.
 */
function inOrder(found: FoundFrame[]): FoundFrame[] {
  found.sort((a, b) => a.generation - b.generation || a.first - b.first || b.end - a.end || a.at - b.at);
  const frames: FoundFrame[] = [];
  for (const frame of found) {
    const last = frames.at(-1);
    if (last && last.generation === frame.generation && frame.first < last.end) continue;
    while (frames.length > 0 && (frames.at(-1)?.first ?? 0) >= frame.first) frames.pop();
    frames.push(frame);
  }
  return frames;
}

/** Fills the buffer; what cannot be read is zeros. Returns the size read, which is less when the file was cut meanwhile. */
function readFile(path: string, into: Buffer): number {
  const file = openSync(path, 'r');
  try {
    let at = 0;
    while (at < into.length) {
      const piece = into.subarray(at, at + READ_BYTES);
      const read = readPiece(file, piece, at);
      if (read === 0) break;
      at += read;
    }
    return at;
  } finally {
    closeSync(file);
  }
}

function readPiece(file: number, piece: Buffer, at: number): number {
  try {
    return readSync(file, piece, 0, piece.length, at);
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EIO')) throw error;
    piece.fill(0); // a bad sector: its frames are missed by their sequences
    return piece.length;
  }
}
