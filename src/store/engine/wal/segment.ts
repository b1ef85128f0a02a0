/** A segment: one file of the log, of a fixed size, written from its start on and used again when its frames are no longer needed. */
import { closeSync, fdatasyncSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Sequence } from '../../../core/tag.ts';
import { BLOCK_BYTES } from './frame.ts';
import { walError } from './wal-error.ts';

/** Where a test may stop the process, and with which file. With a hook each write is done in two halves, so that it can be torn. */
export type WalPoint =
  | 'create'
  | 'create:zeroed'
  | 'create:synced'
  | 'create:renamed'
  | 'recycle'
  | 'write'
  | 'write:half'
  | 'write:done'
  | 'sync'
  | 'sync:done';
export type WalHook = (point: WalPoint, path: string) => void;

const SEGMENT_NAME = /^wal-(\d{8})\.log$/;
const ZEROS = Buffer.alloc(1 << 20);

/** The number in a segment's file name; undefined for any other file. */
export function segmentNumber(fileName: string): number | undefined {
  const match = SEGMENT_NAME.exec(fileName);
  return match ? Number(match[1]) : undefined;
}

export function segmentName(number: number): string {
  return `wal-${String(number).padStart(8, '0')}.log`;
}

export class Segment {
  readonly path: string;
  readonly sizeBytes: number;
  generation: number;
  /** Where the next frame goes. */
  offset: number;
  /** Sequence after its last frame. */
  end: Sequence;
  /** A flush of it failed, or its size is not ours: it is removed, not used again. */
  retired = false;
  readonly #hook: WalHook | undefined;
  #file: number | undefined;

  constructor(path: string, state: Pick<Segment, 'sizeBytes' | 'generation' | 'offset' | 'end'>, hook?: WalHook) {
    this.path = path;
    this.sizeBytes = state.sizeBytes;
    this.generation = state.generation;
    this.offset = state.offset;
    this.end = state.end;
    this.#hook = hook;
  }

  write(bytes: Buffer, at: number): void {
    this.#file ??= openSync(this.path, 'r+');
    this.#hook?.('write', this.path);
    const half = this.#hook ? bytes.length >>> 1 : 0;
    if (half > 0) writeFully(this.#file, bytes.subarray(0, half), at);
    if (half > 0) this.#hook?.('write:half', this.path);
    writeFully(this.#file, bytes.subarray(half), at + half);
    this.#hook?.('write:done', this.path);
  }

  flush(): void {
    this.#file ??= openSync(this.path, 'r+');
    this.#hook?.('sync', this.path);
    fdatasyncSync(this.#file);
    this.#hook?.('sync:done', this.path);
  }

  close(): void {
    if (this.#file !== undefined) closeSync(this.#file);
    this.#file = undefined;
  }
}

/**
 * Makes a segment full of zeros, so that later writes neither allocate blocks nor change the file's size. It gets its name only when
 * it lies on the disk: nothing half made can be taken for a segment. Throws `disk_full` or `store_failed` and leaves nothing.
 */
export function createSegment(dir: string, number: number, sizeBytes: number, hook?: WalHook): string {
  const path = join(dir, segmentName(number));
  const unfinished = `${path}.tmp`;
  let file: number | undefined;
  try {
    hook?.('create', path);
    file = openSync(unfinished, 'w');
    for (let at = 0; at < sizeBytes; at += ZEROS.length) writeFully(file, ZEROS.subarray(0, Math.min(ZEROS.length, sizeBytes - at)), at);
    hook?.('create:zeroed', path);
    fsyncSync(file);
    hook?.('create:synced', path);
    closeSync(file);
    file = undefined;
    renameSync(unfinished, path);
    hook?.('create:renamed', path);
    syncFolder(dir);
  } catch (error) {
    if (file !== undefined) closeSync(file);
    rmSync(unfinished, { force: true });
    throw walError(error, `making the segment ${path}`);
  }
  return path;
}

/** Makes what was created, renamed or removed in a folder survive a power cut. */
export function syncFolder(dir: string): void {
  sync(dir, 'r');
}

/** Makes the content of a file survive a power cut. */
export function syncFile(path: string): void {
  sync(path, 'r+');
}

function sync(path: string, flags: 'r' | 'r+'): void {
  const descriptor = openSync(path, flags);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** True when the segment can hold another frame of the largest record. */
export function hasRoom(segment: Segment): boolean {
  return segment.offset + 2 * BLOCK_BYTES <= segment.sizeBytes;
}

function writeFully(file: number, bytes: Buffer, at: number): void {
  for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done, bytes.length - done, at + done);
}
