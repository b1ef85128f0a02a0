/** Shows the records that a log holds, in the order in which they were appended, and says what is missing. */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { GatewayError, isGatewayError } from '../../../core/errors.ts';
import type { RecordVisitor } from '../../../core/ring.ts';
import type { Sequence } from '../../../core/tag.ts';
import { BodyDecoder, BodyError } from './body-decoder.ts';
import { alignUp, DEFLATED_FLAG, HEADER_BYTES, MAX_BODY_BYTES, readHeader } from './frame.ts';
import type { FoundFrame } from './recovery.ts';
import { walError } from './wal-error.ts';

/** The memory for frames grows by this. */
const GROWTH_BYTES = 64 << 10;

/** What must be known of a frame to read it. */
export type PlacedFrame = Pick<FoundFrame, 'path' | 'at' | 'bytes' | 'first' | 'end'>;

/** A record of the ring, and before the first record of each frame the sequences that the frame spans: [first, end). */
export interface ReplayVisitor extends RecordVisitor {
  frame?(first: Sequence, end: Sequence): void;
}

/** Sequences [from, to) that no sound frame holds, and where in the files they should have been. */
export interface LostRange {
  readonly segment: string;
  readonly offset: number;
  readonly from: Sequence;
  readonly to: Sequence;
}

export interface ReplayReport {
  /** Frames shown, and the slots that they span. */
  readonly frames: number;
  readonly slots: number;
  readonly lost: readonly LostRange[];
}

/** Shows all frames that end above `from`, the first one whole. Throws `store_failed` when a frame cannot be read any more. */
export function replayFrames(frames: readonly PlacedFrame[], identity: number, visitor: ReplayVisitor, from: Sequence): ReplayReport {
  return new FrameReader(identity).replay(frames, visitor, from);
}

/** Reads frames, again and again with the same memory: that of the largest one, and the decoder's. */
export class FrameReader {
  readonly #identity: number;
  /** Open while a call lasts. */
  readonly #files = new Map<string, number>();
  #decoder: BodyDecoder | undefined;
  #buffer = Buffer.alloc(0);

  constructor(identity: number) {
    this.#identity = identity;
  }

  /** See `replayFrames`. */
  replay(frames: readonly PlacedFrame[], visitor: ReplayVisitor, from: Sequence): ReplayReport {
    const lost: LostRange[] = [];
    let shown = 0;
    let slots = 0;
    let reached: number = from;
    let before: PlacedFrame | undefined;
    try {
      for (const frame of frames) {
        if (frame.end > from) {
          if (frame.first > reached) lost.push({ ...placeOfGap(before, frame), from: reached as Sequence, to: frame.first });
          if (!this.#show(frame, visitor)) lost.push(rangeOf(frame));
          shown++;
          slots += frame.end - frame.first;
        }
        reached = Math.max(reached, frame.end);
        before = frame;
      }
    } finally {
      this.#close();
    }
    return { frames: shown, slots, lost };
  }

  /** Shows the frames that can be read; returns what the others span. */
  show(frames: readonly PlacedFrame[], visitor: ReplayVisitor): LostRange[] {
    try {
      return frames.filter((frame) => !this.#tryToShow(frame, visitor)).map(rangeOf);
    } finally {
      this.#close();
    }
  }

  #tryToShow(frame: PlacedFrame, visitor: ReplayVisitor): boolean {
    try {
      return this.#show(frame, visitor);
    } catch (error) {
      if (isGatewayError(error, 'store_failed')) return false;
      throw error;
    }
  }

  /** False when the bytes are no records although their checksum holds; those before the first that is none have been shown. */
  #show(frame: PlacedFrame, visitor: ReplayVisitor): boolean {
    const body = this.#bodyOf(frame);
    visitor.frame?.(frame.first, frame.end);
    if (!body) return false;
    this.#decoder ??= new BodyDecoder();
    try {
      this.#decoder.decode(body, visitor);
      return true;
    } catch (error) {
      if (error instanceof BodyError) return false;
      throw error; // the visitor's
    }
  }

  /** Undefined when it does not inflate within bounds. */
  #bodyOf(frame: PlacedFrame): Buffer | undefined {
    if (this.#buffer.length < frame.bytes) this.#buffer = Buffer.alloc(alignUp(frame.bytes, GROWTH_BYTES));
    let read = 0;
    try {
      const file = this.#files.get(frame.path) ?? openSync(frame.path, 'r');
      this.#files.set(frame.path, file);
      read = readSync(file, this.#buffer, 0, frame.bytes, frame.at);
    } catch (error) {
      throw walError(error, `reading ${frame.path}`);
    }
    const header = readHeader(this.#buffer, 0, read, this.#identity);
    if (header?.first !== frame.first)
      throw new GatewayError('store_failed', `${frame.path} changed at ${frame.at} while the log was read`);
    const body = this.#buffer.subarray(HEADER_BYTES, HEADER_BYTES + header.bodyBytes);
    return header.flags & DEFLATED_FLAG ? inflated(body) : body;
  }

  #close(): void {
    for (const file of this.#files.values()) closeSync(file);
    this.#files.clear();
  }
}

function inflated(body: Buffer): Buffer | undefined {
  try {
    return inflateRawSync(body, { maxOutputLength: MAX_BODY_BYTES });
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined; // Z_DATA_ERROR, ERR_BUFFER_TOO_LARGE
    throw error;
  }
}

function rangeOf(frame: PlacedFrame): LostRange {
  return { segment: basename(frame.path), offset: frame.at, from: frame.first, to: frame.end };
}

/** Behind the frame before, unless the frame after it stands in the middle of another file, whose start is damaged then. */
function placeOfGap(before: PlacedFrame | undefined, after: PlacedFrame): Pick<LostRange, 'segment' | 'offset'> {
  if (before && (before.path === after.path || after.at === 0)) return { segment: basename(before.path), offset: before.at + before.bytes };
  return { segment: basename(after.path), offset: 0 };
}
