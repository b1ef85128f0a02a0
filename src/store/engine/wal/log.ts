/**
 * The write-ahead log: ring records go to segments of fixed size in frames, and are durable once synced. Synchronous: it lives in
 * the store worker. Sequences only go forward.
 */
import { rmSync } from 'node:fs';
import { crc32 } from 'node:zlib';
import { GatewayError, messageOf } from '../../../core/errors.ts';
import type { Ring } from '../../../core/ring.ts';
import type { Sequence } from '../../../core/tag.ts';
import { ALIGN_BYTES, alignUp, BLOCK_BYTES, HEADER_BYTES, readHeader, VOUCHES_FLAG, writeHeader } from './frame.ts';
import { FrameIndex } from './frame-index.ts';
import { OpenFrame, type UnsyncedFrame } from './open-frame.ts';
import { createSegment, hasRoom, Segment, type WalHook } from './segment.ts';
import { walError } from './wal-error.ts';

/** More than this is not left unsynced, because it is kept in memory until then. */
const MAX_UNSYNCED_BYTES = 4 << 20;

export interface LogSettings {
  readonly dir: string;
  /** Size of a segment: a multiple of 4 KiB. */
  readonly segmentBytes: number;
  readonly maxSegments: number;
  /** Deflates each append, which then is a frame of its own. */
  readonly compress: boolean;
  readonly identity: number;
  readonly hook: WalHook | undefined;
}

/** What opening found. */
export interface LogState {
  readonly live: readonly Segment[];
  readonly free: readonly Segment[];
  /** Highest number of a segment's file, and highest generation. */
  readonly number: number;
  readonly generation: number;
  readonly next: Sequence;
}

export interface WalStats {
  /** Files that hold frames which were not released, the one being written included. */
  readonly liveSegments: number;
  readonly freeSegments: number;
  readonly unsyncedBytes: number;
  /** Since the log was opened. */
  readonly frames: number;
  readonly frameBytes: number;
  readonly syncs: number;
  /** Syncs that failed, and how the last one did; what they should have covered was written again. */
  readonly failedSyncs: number;
  readonly lastFault: string | null;
}

export class Wal {
  /** The frames that are durable, for who reads them again. */
  readonly durable: FrameIndex;
  readonly #settings: LogSettings;
  readonly #frame: OpenFrame;
  #live: Segment[];
  #free: Segment[];
  #active: Segment | undefined;
  #number: number;
  #generation: number;
  #next: Sequence;
  #unsynced: UnsyncedFrame[] = [];
  #unsyncedBytes = 0;
  /** How what is unsynced must be written again before a flush counts; undefined while the files can be believed. */
  #repair: 'rewrite' | 'move' | undefined;
  #moved = false;
  #counts = { frames: 0, frameBytes: 0, syncs: 0, failedSyncs: 0, lastFault: null as string | null };

  constructor(settings: LogSettings, state: LogState) {
    this.#settings = settings;
    this.durable = new FrameIndex(settings.identity);
    this.#frame = new OpenFrame(settings.identity);
    this.#live = [...state.live];
    this.#free = [...state.free];
    this.#number = state.number;
    this.#generation = state.generation;
    this.#next = state.next;
    const newest = this.#live.filter((segment) => !segment.retired && segment.generation === state.generation);
    this.#active = newest.sort((a, b) => b.offset - a.offset)[0];
  }

  /** Sequence after the last record in the log; the next append starts there or later. */
  get next(): Sequence {
    return this.#next;
  }

  /** Files that hold frames which were not released, in the order of writing. */
  get livePaths(): readonly string[] {
    return [...this.#live].sort((a, b) => a.generation - b.generation).map(({ path }) => path);
  }

  get stats(): WalStats {
    const unsyncedBytes = this.#unsyncedBytes + this.#frame.bytes;
    return { liveSegments: this.#live.length, freeSegments: this.#free.length, unsyncedBytes, ...this.#counts };
  }

  /**
   * Writes the records from `from` (a record's start, not below `next`) to `to`: they survive the end of the process, not yet a power
   * cut. Returns the sequence after the last one written: beyond `to` when that falls within a record, before it when something
   * failed half way. Throws `disk_full` or `store_failed` when nothing could be written; the same call may then be repeated.
   */
  append(ring: Ring, from: Sequence, to: Sequence): Sequence {
    if (from < this.#next) throw new RangeError(`the log stands at ${this.#next} and cannot take ${from}`);
    let at = from;
    try {
      while (at < to) at = this.#appendSome(ring, at, to);
    } catch (error) {
      if (at === from) throw walError(error, 'writing to the log'); // else the rest is asked for again and meets the fault then
    }
    return at;
  }

  /**
   * Makes all that was appended durable; returns the sequence after it. Throws `store_failed` or `disk_full`: then it is not, and the
   * next call tries again with the same records.
   *
   * After a failed fdatasync Linux takes the lost pages for clean, and the next fdatasync succeeds although they never reached the
   * disk. So what a failed one should have covered is written again from memory: once to a new segment, as the blocks of the old one
   * may be bad, and where that does not help to the same place at each call, so that a dead disk does not eat all segments. After a
   * failed write too: nobody knows how much of it the file has taken.
   */
  sync(): Sequence {
    this.#seal();
    try {
      if (!this.#repair) this.#flush();
    } catch (error) {
      this.#repair = 'move';
      this.#noteFault(error);
    }
    if (this.#repair) this.#flushAgain();
    this.#settle();
    return this.#next;
  }

  /**
   * Gives back the segments whose frames are all synced and end at or below `sequence`: the caller has made their records durable
   * elsewhere. The one being written stays. Throws `store_failed` when a file cannot be removed.
   */
  release(sequence: Sequence): void {
    const isNeeded = (segment: Segment) =>
      segment === this.#active || segment.end > sequence || this.#unsynced.some((frame) => frame.segment === segment);
    const done = this.#live.filter((segment) => !isNeeded(segment));
    this.#live = this.#live.filter(isNeeded);
    if (done.length > 0) this.durable.drop(new Set(done.map((segment) => segment.path)));
    for (const segment of done) {
      segment.close();
      if (segment.retired) remove(segment.path);
      else this.#free.push(segment);
    }
  }

  /** Removes free segments until `keep` are left; true when it removed any. Throws `store_failed`; one that cannot be removed is not used again. */
  removeFree(keep: number): boolean {
    const count = this.#free.length;
    while (this.#free.length > keep) remove((this.#free.pop() as Segment).path);
    return this.#free.length < count;
  }

  /** Syncs and closes the files. Throws as `sync` does, the files being closed all the same. */
  close(): void {
    try {
      this.sync();
    } finally {
      for (const segment of this.#live) segment.close();
    }
  }

  /**
   * Opening only: writes frames again that were found in their files but are not vouched for. They may have been read from the
   * memory of a kernel that failed to write them.
   */
  confirm(frames: Iterable<UnsyncedFrame>): void {
    for (const frame of frames) {
      if (this.#unsyncedBytes > MAX_UNSYNCED_BYTES) this.sync();
      frame.segment.write(frame.bytes, frame.at);
      this.#unsynced.push(frame);
      this.#unsyncedBytes += frame.bytes.length;
    }
    this.sync();
  }

  #appendSome(ring: Ring, from: Sequence, to: Sequence): Sequence {
    const { compress } = this.#settings;
    if (this.#unsyncedBytes + this.#frame.bytes > MAX_UNSYNCED_BYTES) this.sync();
    if (this.#frame.isOpen && (compress || this.#frame.end !== from)) this.#seal();
    const segment = this.#frame.isOpen ? this.#active : this.#begin(from);
    let end = from;
    try {
      end = this.#frame.take(ring, from, to, compress);
    } catch (error) {
      this.#repair ??= 'rewrite'; // the header may have grown on the disk and not here
      this.#seal(); // the encoder is ahead of what was written
      throw error;
    }
    if (end === from) this.#seal(); // full
    if (end !== from) this.#next = end;
    if (segment) segment.end = this.#next;
    return end;
  }

  #begin(first: Sequence): Segment {
    const segment = this.#active && hasRoom(this.#active) ? this.#active : this.#takeSegment();
    this.#frame.begin(segment, first, this.#unsynced.length === 0 ? VOUCHES_FLAG : 0);
    return segment;
  }

  #seal(): void {
    const frame = this.#frame.seal();
    if (!frame) return;
    frame.segment.offset = alignUp(frame.at + frame.bytes.length, ALIGN_BYTES);
    this.#unsynced.push(frame);
    this.#unsyncedBytes += frame.bytes.length;
    this.#counts.frames++;
    this.#counts.frameBytes += frame.bytes.length;
  }

  #takeSegment(): Segment {
    const { dir, segmentBytes, maxSegments, hook } = this.#settings;
    let segment = this.#free[0];
    if (segment) {
      hook?.('recycle', segment.path);
      this.#free.shift();
    } else {
      if (this.#live.length >= maxSegments) {
        throw new GatewayError('store_failed', `the log in ${dir} has reached its ${maxSegments} segments and none has been released`);
      }
      const path = createSegment(dir, this.#number + 1, segmentBytes, hook);
      this.#number++;
      segment = new Segment(path, { sizeBytes: segmentBytes, generation: 0, offset: 0, end: 0 as Sequence }, hook);
    }
    segment.generation = ++this.#generation;
    segment.offset = 0;
    segment.end = this.#next;
    this.#live.push(segment);
    this.#active = segment;
    return segment;
  }

  #flush(): void {
    for (const segment of new Set(this.#unsynced.map((frame) => frame.segment))) segment.flush();
  }

  #flushAgain(): void {
    try {
      if (this.#repair === 'move') this.#moveUnsynced();
      else this.#writeAgain();
      this.#flush();
    } catch (error) {
      this.#repair = this.#moved ? 'rewrite' : 'move';
      this.#noteFault(error);
      throw walError(error, 'syncing the log');
    }
    this.#repair = undefined;
    this.#moved = false;
  }

  #noteFault(error: unknown): void {
    this.#counts.failedSyncs++;
    this.#counts.lastFault = messageOf(error);
  }

  #moveUnsynced(): void {
    this.#moved = true;
    const distrusted = new Set(this.#unsynced.map((frame) => frame.segment));
    this.#takeSegment();
    for (const segment of distrusted) segment.retired = true;
    for (const frame of this.#unsynced) this.#move(frame);
  }

  /**
   * To their places, but from the first on that a move has left in a segment that was given up, all go on to younger ones: what lies in
   * an older segment behind a younger one's records does not count, nor what was appended before those that are yet to be moved.
   */
  #writeAgain(): void {
    let isMoving = false;
    for (const frame of this.#unsynced) {
      isMoving ||= frame.segment.retired;
      if (isMoving) this.#move(frame);
      else frame.segment.write(frame.bytes, frame.at);
    }
  }

  #move(frame: UnsyncedFrame): void {
    const { bytes } = frame;
    let segment = this.#active;
    if (!segment || segment.offset + bytes.length > segment.sizeBytes) segment = this.#takeSegment();
    const header = readHeader(bytes, 0, bytes.length, this.#settings.identity);
    if (!header) throw new Error('a frame was damaged in memory');
    const padded = Buffer.alloc(alignUp(segment.offset + bytes.length, BLOCK_BYTES) - segment.offset);
    bytes.copy(padded);
    writeHeader(padded, 0, { ...header, generation: segment.generation }, crc32(bytes.subarray(HEADER_BYTES), this.#settings.identity));
    segment.write(padded, segment.offset);
    padded.copy(bytes, 0, 0, HEADER_BYTES); // not before: after a failure it must still fit its old place
    frame.segment = segment;
    frame.at = segment.offset;
    segment.offset = alignUp(segment.offset + bytes.length, ALIGN_BYTES);
    segment.end = (header.first + header.slots) as Sequence;
  }

  /** All is synced: the next frame starts a block of its own. */
  #settle(): void {
    if (this.#unsynced.length > 0) this.#counts.syncs++;
    this.durable.add(this.#unsynced);
    this.#unsynced = [];
    this.#unsyncedBytes = 0;
    if (this.#active) this.#active.offset = alignUp(this.#active.offset, BLOCK_BYTES);
    for (const segment of this.#live) if (segment !== this.#active) segment.close();
  }
}

function remove(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch (error) {
    throw walError(error, `removing ${path}`);
  }
}
