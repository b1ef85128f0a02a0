/** Opens a log: reads what is there, puts the folder in order, and gives the log and a replay of what it holds. */
import { closeSync, openSync, readSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Sequence } from '../../../core/tag.ts';
import { keepDamaged } from '../damaged-copy.ts';
import { BLOCK_BYTES } from './frame.ts';
import { Wal } from './log.ts';
import type { UnsyncedFrame } from './open-frame.ts';
import { type FoundFrame, type FoundLog, MAX_SEGMENT_BYTES, readLog } from './recovery.ts';
import { type ReplayReport, type ReplayVisitor, replayFrames } from './replay.ts';
import { Segment, syncFolder, type WalHook } from './segment.ts';
import { walError } from './wal-error.ts';

export const DEFAULT_SEGMENT_BYTES = 8 << 20;
const DEFAULT_MAX_SEGMENTS = 64;
const MIN_SEGMENT_BYTES = 4 * BLOCK_BYTES;

export interface WalOptions {
  /** An existing folder; all files `wal-*.log` in it are the log's. */
  readonly dir: string;
  /** Size of new segments in bytes: a multiple of 4096 from 16 KiB to 64 MiB. 8 MiB unless given. */
  readonly segmentBytes?: number;
  /** How many there may be. 64 unless given: 512 MiB. */
  readonly maxSegments?: number;
  /** Deflates each append, which then is a frame of its own: saves a tenth of that, but a frame that grows over many appends is smaller still. */
  readonly compress?: boolean;
  /** A random number below 2^32 that the owner keeps: frames of a log with another identity are not believed. 0 unless given. */
  readonly identity?: number;
  /** Called before and after each step towards the disk; what it throws counts as the step's failure. For tests. */
  readonly hook?: WalHook;
}

export interface OpenedWal {
  readonly wal: Wal;
  /** Paths of what had a segment's name but could be none, as renamed: `….damaged-<n>`, of which only some are kept. */
  readonly setAside: readonly string[];
  /**
   * Shows the records from `from` on: below it, all are safe elsewhere. The frame that holds `from` is shown whole. To be called before
   * the first append or release; a sync in between is allowed. The visitor must expect a sample whose definition lies in a lost range.
   */
  replay(visitor: ReplayVisitor, from: Sequence): ReplayReport;
}

/**
 * Everything that is found is durable when this returns. Throws `store_failed` or `disk_full`; `store_failed` also when a file was
 * written in a newer format, and then nothing has been changed.
 */
export function openWal(options: WalOptions): OpenedWal {
  const { dir, segmentBytes = DEFAULT_SEGMENT_BYTES, maxSegments = DEFAULT_MAX_SEGMENTS, compress = false, identity = 0, hook } = options;
  if (segmentBytes % BLOCK_BYTES !== 0 || segmentBytes < MIN_SEGMENT_BYTES || segmentBytes > MAX_SEGMENT_BYTES) {
    throw new RangeError(`a segment cannot have ${segmentBytes} bytes`);
  }
  try {
    let log = readLog(dir, identity);
    const setAside = tidy(log, segmentBytes);
    syncFolder(dir);
    const segments = log.files
      .filter((file) => file.generation > 0 || file.sizeBytes === segmentBytes)
      .map((file) => new Segment(file.path, file, hook));
    for (const segment of segments) segment.retired = segment.sizeBytes !== segmentBytes;
    const live = segments.filter((segment) => segment.generation > 0);
    const free = segments.filter((segment) => segment.generation === 0);
    const wal = new Wal({ dir, segmentBytes, maxSegments, compress, identity, hook }, { ...log, live, free });
    wal.confirm(unvouched(log.frames, live));
    if (wal.stats.failedSyncs > 0) log = readLog(dir, identity); // they have been moved
    const { frames } = log;
    wal.durable.reset(frames);
    return { wal, setAside, replay: (visitor, from) => replayFrames(frames, identity, visitor, from) };
  } catch (error) {
    throw walError(error, `opening the log in ${dir}`);
  }
}

/** Removes what was never finished, and moves out of the way, without looking into it, what cannot be a segment. */
function tidy(log: FoundLog, segmentBytes: number): readonly string[] {
  for (const path of log.unfinished) rmSync(path, { force: true });
  const odd = log.files.filter((file) => file.generation === 0 && file.sizeBytes !== segmentBytes).map((file) => file.path);
  return [...log.strange, ...odd].map((path) => join(dirname(path), keepDamaged(path, 'move')));
}

/** The frames from the last one on that vouches for all before it, in the order of writing. */
function* unvouched(frames: readonly FoundFrame[], segments: readonly Segment[]): Generator<UnsyncedFrame> {
  const from = frames.findLastIndex((frame) => frame.vouches);
  for (const frame of frames.slice(Math.max(from, 0))) {
    const segment = segments.find((candidate) => candidate.path === frame.path);
    if (segment) yield { bytes: bytesOf(frame), segment, at: frame.at };
  }
}

function bytesOf(frame: FoundFrame): Buffer {
  const bytes = Buffer.alloc(frame.bytes);
  const file = openSync(frame.path, 'r');
  try {
    readSync(file, bytes, 0, bytes.length, frame.at);
  } finally {
    closeSync(file);
  }
  return bytes;
}
