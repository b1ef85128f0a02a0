/** Where the durable frames of a log lie, in memory, so that records can be read again without a look through the files. */
import type { Sequence } from '../../../core/tag.ts';
import type { UnsyncedFrame } from './open-frame.ts';
import { type PlacedFrame, type ReplayVisitor, replayFrames } from './replay.ts';

export class FrameIndex {
  readonly #identity: number;
  /** By sequence. */
  #frames: PlacedFrame[] = [];

  constructor(identity: number) {
    this.#identity = identity;
  }

  reset(frames: readonly PlacedFrame[]): void {
    this.#frames = [...frames];
  }

  /** Frames that a sync has just covered. */
  add(frames: readonly UnsyncedFrame[]): void {
    for (const { bytes, segment, at } of frames) {
      const first = bytes.readDoubleLE(16); // as frame.ts draws it
      const end = first + bytes.readUInt32LE(24);
      this.#frames.push({ path: segment.path, at, bytes: bytes.length, first: first as Sequence, end: end as Sequence });
    }
  }

  drop(paths: ReadonlySet<string>): void {
    this.#frames = this.#frames.filter(({ path }) => !paths.has(path));
  }

  /** From here on the index has everything that the log ever had; what it lost from `needed` on is lost for good. Undefined when empty. */
  start(needed: Sequence): Sequence | undefined {
    const frames = this.#frames;
    let index = frames.length - 1;
    while (index > 0 && (frames[index - 1]?.end === frames[index]?.first || (frames[index]?.first ?? 0) > needed)) index--;
    return frames[index]?.first;
  }

  /**
   * Shows the frames from the one that holds `from` on, at least one, until `slots` slots are shown. Returns the sequence behind
   * them, or undefined when there is none. Throws `store_failed` when a frame cannot be read any more.
   */
  read(from: Sequence, slots: number, visitor: ReplayVisitor): Sequence | undefined {
    const start = this.#indexOf(from);
    let end = start;
    for (let left = slots; left > 0 && end < this.#frames.length; end++) {
      const frame = this.#frames[end] as PlacedFrame;
      left -= frame.end - frame.first;
    }
    if (end === start) return undefined;
    replayFrames(this.#frames.slice(start, end), this.#identity, visitor, from);
    return this.#frames[end - 1]?.end;
  }

  /** Of the first frame that ends above `from`. */
  #indexOf(from: Sequence): number {
    let low = 0;
    let high = this.#frames.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#frames[middle]?.end ?? 0) <= from) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
