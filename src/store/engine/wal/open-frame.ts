/**
 * The frame that is being filled. What is appended before the next sync joins it: first the new part of the body is written, then
 * the header, which lies in one block. A process that dies between the two leaves the frame as it was.
 */
import { crc32, deflateRawSync } from 'node:zlib';
import type { Ring } from '../../../core/ring.ts';
import type { Sequence } from '../../../core/tag.ts';
import { BodyEncoder, MAX_RECORD_BYTES } from './body-encoder.ts';
import { MAX_SLOT_BYTES } from './body-format.ts';
import { alignUp, BLOCK_BYTES, DEFLATED_FLAG, HEADER_BYTES, MAX_BODY_BYTES, WAL_VERSION, writeHeader } from './frame.ts';
import type { Segment } from './segment.ts';

/** A written frame that no sync has covered yet. Its bytes stay in memory: after a failed sync the file cannot be believed. */
export interface UnsyncedFrame {
  readonly bytes: Buffer;
  segment: Segment;
  at: number;
}

export class OpenFrame {
  readonly #identity: number;
  readonly #buffer = Buffer.alloc(HEADER_BYTES + MAX_BODY_BYTES + BLOCK_BYTES);
  readonly #encoder = new BodyEncoder(this.#buffer);
  #segment: Segment | undefined;
  #flags = 0;
  #first = 0 as Sequence;
  #end = 0 as Sequence;
  /** Bytes written, header included; 0 before the first write. */
  #written = 0;
  #bodyCrc = 0;
  #limit = 0;

  constructor(identity: number) {
    this.#identity = identity;
  }

  get isOpen(): boolean {
    return this.#segment !== undefined;
  }

  /** Sequence after its last written record. */
  get end(): Sequence {
    return this.#end;
  }

  get bytes(): number {
    return this.#written;
  }

  /** Starts a frame at the segment's offset; the segment has room for the largest record. */
  begin(segment: Segment, first: Sequence, flags: number): void {
    this.#segment = segment;
    this.#first = first;
    this.#end = first;
    this.#flags = flags;
    this.#written = 0;
    this.#bodyCrc = this.#identity;
    this.#limit = Math.min(HEADER_BYTES + MAX_BODY_BYTES, segment.sizeBytes - segment.offset);
    this.#encoder.restart(HEADER_BYTES);
  }

  /** Encodes records from `from` on, as many as fit, and writes them. Returns the sequence after the last; `from` when full. */
  take(ring: Ring, from: Sequence, to: Sequence, deflate: boolean): Sequence {
    const segment = this.#segment;
    if (!segment) throw new Error('no frame is open');
    this.#encoder.freeze();
    let at = from;
    while (at < to) {
      const slots = Math.floor((this.#limit - this.#encoder.end - MAX_RECORD_BYTES) / MAX_SLOT_BYTES);
      if (slots < 1) break;
      at = this.#encoder.encode(ring, at, to, slots);
    }
    if (at === from) return from;
    const end = deflate ? this.#deflate() : this.#encoder.end;
    this.#write(segment, end, at);
    this.#end = at;
    return at;
  }

  /** Ends the frame; returns what was written of it, if anything was. */
  seal(): UnsyncedFrame | undefined {
    const segment = this.#segment;
    this.#segment = undefined;
    const written = this.#written;
    this.#written = 0;
    if (!segment || written === 0) return undefined;
    return { bytes: Buffer.from(this.#buffer.subarray(0, written)), segment, at: segment.offset };
  }

  /** The rest of the last block is written as zeros: the disk need not be read for it, and nothing old stays behind the frame. */
  #write(segment: Segment, end: number, next: Sequence): void {
    const padded = alignUp(segment.offset + end, BLOCK_BYTES) - segment.offset;
    this.#buffer.fill(0, end, padded);
    const grown = this.#written;
    const before = Buffer.from(this.#buffer.subarray(0, HEADER_BYTES));
    const crc = crc32(this.#buffer.subarray(grown || HEADER_BYTES, end), this.#bodyCrc);
    const { generation } = segment;
    const header = {
      bodyBytes: end - HEADER_BYTES,
      version: WAL_VERSION,
      flags: this.#flags,
      first: this.#first,
      slots: next - this.#first,
      generation,
    };
    writeHeader(this.#buffer, 0, header, crc);
    try {
      segment.write(this.#buffer.subarray(grown, padded), segment.offset + grown);
      if (grown > 0) segment.write(this.#buffer.subarray(0, HEADER_BYTES), segment.offset);
    } catch (error) {
      before.copy(this.#buffer);
      throw error;
    }
    this.#written = end;
    this.#bodyCrc = crc;
  }

  #deflate(): number {
    const body = this.#buffer.subarray(HEADER_BYTES, this.#encoder.end);
    const deflated = deflateRawSync(body, { level: 1 });
    if (deflated.length >= body.length) return this.#encoder.end;
    this.#flags |= DEFLATED_FLAG;
    return HEADER_BYTES + deflated.copy(this.#buffer, HEADER_BYTES);
  }
}
