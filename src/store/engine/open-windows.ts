/** The windows that are not sealed yet: heads by window and series, and since which sequence the log must be kept for them. */
import type { Sequence, SeriesId } from '../../core/tag.ts';
import { windowOf } from './grid.ts';
import { Head } from './head.ts';
import type { Run } from './run.ts';

/** One window's heads. Frozen while it is being sealed: it is read, but takes no more samples. */
export class OpenWindow {
  readonly window: number;
  /** Every sample in it came in at or after this. */
  readonly since: Sequence;
  /** By series id; a hole where a series has no sample. */
  readonly heads: (Head | undefined)[] = [];
  /** Arrivals: a sample that came twice is two of them. */
  rows = 0;
  oldestMs = Number.POSITIVE_INFINITY;

  constructor(window: number, since: Sequence) {
    this.window = window;
    this.since = since;
  }

  /** Series that have samples, ascending. */
  series(): SeriesId[] {
    const ids: SeriesId[] = [];
    this.heads.forEach((head, id) => {
      if (head) ids.push(id as SeriesId);
    });
    return ids;
  }

  run(series: SeriesId): Run | undefined {
    return this.heads[series]?.run();
  }

  /** Samples, each time once. */
  get samples(): number {
    let samples = 0;
    for (const head of this.heads) if (head) samples += head.run().count;
    return samples;
  }
}

export class OpenWindows {
  readonly #windows = new Map<number, OpenWindow>();
  #current: OpenWindow | undefined;
  #rows = 0;

  /** Samples held, in all windows. */
  get rows(): number {
    return this.#rows;
  }

  get size(): number {
    return this.#windows.size;
  }

  /** Window numbers, ascending. */
  numbers(): number[] {
    return [...this.#windows.keys()].sort((a, b) => a - b);
  }

  all(): readonly OpenWindow[] {
    return [...this.#windows.values()];
  }

  get(window: number): OpenWindow | undefined {
    return this.#windows.get(window);
  }

  /** The window's head of a series, for one sample more. `batch` is the first sequence of the write that brings it. */
  headFor(series: SeriesId, timeMs: number, batch: Sequence): Head {
    const window = windowOf(timeMs);
    let open = this.#current;
    if (open?.window !== window) {
      open = this.#windows.get(window);
      if (!open) {
        open = new OpenWindow(window, batch);
        this.#windows.set(window, open);
      }
      this.#current = open;
    }
    open.rows++;
    this.#rows++;
    if (timeMs < open.oldestMs) open.oldestMs = timeMs;
    const known = open.heads[series];
    if (known) return known;
    const head = new Head();
    open.heads[series] = head;
    return head;
  }

  /** Takes a window out, to be sealed. */
  take(window: number): OpenWindow | undefined {
    const open = this.#windows.get(window);
    if (!open) return undefined;
    this.#windows.delete(window);
    if (this.#current === open) this.#current = undefined;
    this.#rows -= open.rows;
    return open;
  }

  /** The log must be kept from here; undefined when nothing is open. */
  oldestSequence(): Sequence | undefined {
    let oldest: Sequence | undefined;
    for (const { since } of this.#windows.values()) if (oldest === undefined || since < oldest) oldest = since;
    return oldest;
  }
}
