/** Where the durable frames of a log lie, in memory, so that records can be read again without a look through the files. */
import type { Sequence } from '../../../core/tag.ts';
import type { UnsyncedFrame } from './open-frame.ts';
import { FrameReader, type LostRange, type PlacedFrame, type ReplayVisitor } from './replay.ts';

export class FrameIndex {
  readonly #reader: FrameReader;
  /** First sequences of frames that could not be read: each is told once. */
  readonly #told = new Set<number>();
  /** By sequence. */
  #frames: PlacedFrame[] = [];

  constructor(identity: number) {
    this.#reader = new FrameReader(identity);
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

  /** Sequence of the first record; undefined when empty. */
  get first(): Sequence | undefined {
    return this.#frames[0]?.first;
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
   * them, or undefined when there is none. A frame that cannot be read any more is left out, and told to `lost` once.
   */
  read(from: Sequence, slots: number, visitor: ReplayVisitor & { lost(range: LostRange): void }): Sequence | undefined {
    const start = this.#indexOf(from);
    let end = start;
    for (let left = slots; left > 0 && end < this.#frames.length; end++) {
      const frame = this.#frames[end] as PlacedFrame;
      left -= frame.end - frame.first;
    }
    if (end === start) return undefined;
    for (const range of this.#reader.show(this.#frames.slice(start, end), visitor)) {
      if (!this.#told.has(range.from)) visitor.lost(range);
      this.#told.add(range.from);
    }
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
