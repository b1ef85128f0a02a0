/** The windows that are not sealed yet: heads by window and series, and since which sequence the log must be kept for them. */
import type { Sequence, SeriesId } from '../../core/tag.ts';
import { WINDOW_MS, windowOf } from './grid.ts';
import { Head } from './head.ts';
import type { Run } from './run.ts';
import type { SampleColumns } from './sample-columns.ts';
import { memoryOf, memoryOfWide } from './unsealed-limit.ts';

/** One window's heads. Frozen while it is being sealed: it is read, but takes no more samples. */
export class OpenWindow {
  readonly window: number;
  /** Every sample in it came in at or after this. */
  readonly since: Sequence;
  /** By series id; a hole where a series has no sample. */
  readonly heads: (Head | undefined)[] = [];
  /** Arrivals: a sample that came twice is two of them. */
  rows = 0;
  /** Memory of values that are no plain numbers. */
  wideBytes = 0;
  oldestMs = Number.POSITIVE_INFINITY;

  constructor(window: number, since: Sequence) {
    this.window = window;
    this.since = since;
  }

  /** Memory of all arrivals. */
  get bytes(): number {
    return memoryOf(this);
  }

  get fromMs(): number {
    return this.window * WINDOW_MS;
  }

  get toMs(): number {
    return (this.window + 1) * WINDOW_MS;
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
  /** Samples held, in all windows, also those that have not been given to a head yet. */
  rows = 0;
  /** Memory of those of them that are no plain numbers. */
  wideBytes = 0;
  /** Called before the heads are looked at. */
  onRead: () => void = () => {};
  readonly #windows = new Map<number, OpenWindow>();
  #current: OpenWindow | undefined;
  /** By series: how many samples its last sealed head had. The next one will have about as many. */
  readonly #usual: number[] = [];

  /** Memory of all windows. */
  get bytes(): number {
    return memoryOf(this);
  }

  get size(): number {
    return this.#windows.size;
  }

  /** Window numbers, ascending. */
  numbers(): number[] {
    return [...this.#windows.keys()].sort((a, b) => a - b);
  }

  all(): readonly OpenWindow[] {
    this.onRead();
    return [...this.#windows.values()];
  }

  get(window: number): OpenWindow | undefined {
    this.onRead();
    return this.#windows.get(window);
  }

  /** Opens the window of a time, unless it is open. `batch` is the first sequence of the write that brings its first sample. */
  enter(timeMs: number, batch: Sequence): OpenWindow {
    const window = windowOf(timeMs);
    const open = this.#windows.get(window) ?? new OpenWindow(window, batch);
    this.#windows.set(window, open);
    this.#current = open;
    return open;
  }

  /** Gives a sample to its head; its window is open. `arrival` as Head.push has it. */
  push(series: SeriesId, timeMs: number, number: number, wide: string | bigint | undefined, status: number, arrival: number): void {
    const open = this.#windowAt(timeMs);
    open.rows++;
    const wideBytes = memoryOfWide(wide);
    open.wideBytes += wideBytes;
    this.wideBytes += wideBytes;
    if (timeMs < open.oldestMs) open.oldestMs = timeMs;
    this.#headOf(open, series).push(timeMs, number, wide, status, arrival);
  }

  /** Gives columns[from…to) of a series to its heads; their windows are open. */
  append(series: SeriesId, columns: SampleColumns, from: number, to: number, isShared: boolean): void {
    const { timeMs } = columns;
    for (let start = from; start < to; ) {
      const open = this.#windowAt(timeMs[start] as number);
      const { fromMs, toMs } = open;
      let { oldestMs } = open;
      oldestMs = Math.min(oldestMs, timeMs[start] as number);
      let end = start + 1;
      for (; end < to; end++) {
        const time = timeMs[end] as number;
        if (time < fromMs || time >= toMs) break;
        if (time < oldestMs) oldestMs = time;
      }
      open.oldestMs = oldestMs;
      open.rows += end - start;
      this.#headOf(open, series).append(columns, start, end, isShared);
      start = end;
    }
  }

  /** Takes a window out, to be sealed. */
  take(window: number): OpenWindow | undefined {
    this.onRead();
    const open = this.#windows.get(window);
    if (!open) return undefined;
    this.#windows.delete(window);
    if (this.#current === open) this.#current = undefined;
    this.rows -= open.rows;
    this.wideBytes -= open.wideBytes;
    open.heads.forEach((head, series) => {
      if (head) this.#usual[series] = head.count;
    });
    return open;
  }

  /** The log must be kept from here; undefined when nothing is open. */
  oldestSequence(): Sequence | undefined {
    let oldest: Sequence | undefined;
    for (const { since } of this.#windows.values()) if (oldest === undefined || since < oldest) oldest = since;
    return oldest;
  }

  #windowAt(timeMs: number): OpenWindow {
    const current = this.#current;
    if (current && timeMs >= current.fromMs && timeMs < current.toMs) return current;
    const open = this.#windows.get(windowOf(timeMs));
    if (!open) throw new Error(`the window of ${timeMs} is not open`);
    this.#current = open;
    return open;
  }

  #headOf(open: OpenWindow, series: SeriesId): Head {
    const known = open.heads[series];
    if (known) return known;
    const head = new Head(this.#usual[series] ?? 0);
    open.heads[series] = head;
    return head;
  }
}
