/** Shows the records that a log holds, in the order in which they were appended, and says what is missing. */
import { closeSync, openSync, readSync } from 'node:fs';
import { basename } from 'node:path';
import { inflateRawSync } from 'node:zlib';
import { GatewayError } from '../../../core/errors.ts';
import type { RecordVisitor } from '../../../core/ring.ts';
import type { Sequence } from '../../../core/tag.ts';
import { BodyDecoder, BodyError } from './body-decoder.ts';
import { DEFLATED_FLAG, HEADER_BYTES, MAX_BODY_BYTES, readHeader } from './frame.ts';
import type { FoundFrame } from './recovery.ts';
import { walError } from './wal-error.ts';

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
  const files = new Map<string, number>();
  const decoder = new BodyDecoder();
  const buffer = Buffer.alloc(HEADER_BYTES + MAX_BODY_BYTES);
  const lost: LostRange[] = [];
  let shown = 0;
  let slots = 0;
  let reached: number = from;
  let before: PlacedFrame | undefined;
  try {
    for (const frame of frames) {
      if (frame.end > from) {
        if (frame.first > reached) lost.push({ ...placeOfGap(before, frame), from: reached as Sequence, to: frame.first });
        const body = bodyOf(frame, files, buffer, identity);
        visitor.frame?.(frame.first, frame.end);
        if (!decodes(decoder, body, visitor)) lost.push({ ...placeOf(frame), from: frame.first, to: frame.end });
        shown++;
        slots += frame.end - frame.first;
      }
      reached = Math.max(reached, frame.end);
      before = frame;
    }
  } finally {
    for (const file of files.values()) closeSync(file);
  }
  return { frames: shown, slots, lost };
}

/** False when the bytes are no records although their checksum holds. What the visitor throws goes through. */
function decodes(decoder: BodyDecoder, body: Buffer | undefined, visitor: RecordVisitor): boolean {
  if (!body) return false;
  try {
    decoder.decode(body, visitor);
    return true;
  } catch (error) {
    if (error instanceof BodyError) return false;
    throw error;
  }
}

/** Undefined when it does not inflate within bounds. */
function bodyOf(frame: PlacedFrame, files: Map<string, number>, buffer: Buffer, identity: number): Buffer | undefined {
  let read = 0;
  try {
    const file = files.get(frame.path) ?? openSync(frame.path, 'r');
    files.set(frame.path, file);
    read = readSync(file, buffer, 0, frame.bytes, frame.at);
  } catch (error) {
    throw walError(error, `reading ${frame.path}`);
  }
  const header = readHeader(buffer, 0, read, identity);
  if (header?.first !== frame.first) throw new GatewayError('store_failed', `${frame.path} changed at ${frame.at} while the log was read`);
  const body = buffer.subarray(HEADER_BYTES, HEADER_BYTES + header.bodyBytes);
  return header.flags & DEFLATED_FLAG ? inflated(body) : body;
}

function inflated(body: Buffer): Buffer | undefined {
  try {
    return inflateRawSync(body, { maxOutputLength: MAX_BODY_BYTES });
  } catch (error) {
    if (error instanceof Error && 'code' in error) return undefined; // Z_DATA_ERROR, ERR_BUFFER_TOO_LARGE
    throw error;
  }
}

function placeOf(frame: PlacedFrame): Pick<LostRange, 'segment' | 'offset'> {
  return { segment: basename(frame.path), offset: frame.at };
}

/** Behind the frame before, unless the frame after it stands in the middle of another file, whose start is damaged then. */
function placeOfGap(before: PlacedFrame | undefined, after: PlacedFrame): Pick<LostRange, 'segment' | 'offset'> {
  if (before && (before.path === after.path || after.at === 0)) return { segment: basename(before.path), offset: before.at + before.bytes };
  return { segment: basename(after.path), offset: 0 };
}
