/** The windows that are not sealed yet: heads by window and series, and since which sequence the log must be kept for them. */
import type { Sequence, SeriesId } from '../../core/tag.ts';
import { MAX_BLOCK_SAMPLES } from './block-limit.ts';
import { WINDOW_MS, windowOf } from './grid.ts';
import { Head } from './head.ts';
import { mergeRuns, type Run } from './run.ts';
import type { SampleColumns } from './sample-columns.ts';
import { MAX_SAMPLE_BYTES, memoryOfWide, WINDOW_BYTES } from './unsealed-limit.ts';

/** One window's heads. Frozen while it is being sealed: it is read, but takes no more samples. */
export class OpenWindow {
  readonly window: number;
  /** Every sample in it came in at or after this. */
  readonly since: Sequence;
  /** The last one of each series. */
  readonly heads = new Map<SeriesId, Head>();
  /** Those that are full, in order of arrival. */
  readonly full = new Map<SeriesId, Head[]>();
  /** Memory that it takes, with all its samples. */
  bytes = WINDOW_BYTES;
  oldestMs = Number.POSITIVE_INFINITY;

  constructor(window: number, since: Sequence) {
    this.window = window;
    this.since = since;
  }

  get fromMs(): number {
    return this.window * WINDOW_MS;
  }

  get toMs(): number {
    return (this.window + 1) * WINDOW_MS;
  }

  /** Series that have samples, ascending. */
  series(): SeriesId[] {
    return [...this.heads.keys()].sort((a, b) => a - b);
  }

  run(series: SeriesId): Run | undefined {
    const heads = this.headsOf(series);
    return heads.length > 0 ? mergeRuns(heads.map((head) => head.run())) : undefined;
  }

  /** In order of arrival. */
  headsOf(series: SeriesId): readonly Head[] {
    const head = this.heads.get(series);
    return head ? [...(this.full.get(series) ?? []), head] : [];
  }

  /** Samples, each time once, but for fast series. */
  get samples(): number {
    let samples = 0;
    for (const heads of [this.heads.values(), ...this.full.values()]) for (const head of heads) samples += head.run().count;
    return samples;
  }
}

export class OpenWindows {
  /** Called before the heads are looked at. */
  onRead: () => void = () => {};
  /** Samples that were not given to a head yet. */
  waiting: () => number = () => 0;
  readonly #windows = new Map<number, OpenWindow>();
  #current: OpenWindow | undefined;
  #bytes = 0;
  /** By series: how many samples its last sealed head had. The next one will have about as many. */
  readonly #usual: number[] = [];
  readonly #maxSamples: number;

  /** A head has so many samples at most. */
  constructor(maxSamples = MAX_BLOCK_SAMPLES) {
    this.#maxSamples = maxSamples;
  }

  /** Memory of all windows, without samples that were not given to a head yet: for these there is room once and for all. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Whether that is more than `bytes`. Gives the heads what waits where it may make the difference: each sample may need a head of its own. */
  takesMoreThan(bytes: number): boolean {
    if (this.#bytes + this.waiting() * MAX_SAMPLE_BYTES > bytes) this.onRead();
    return this.#bytes > bytes;
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
    let open = this.#windows.get(window);
    if (!open) {
      open = new OpenWindow(window, batch);
      this.#windows.set(window, open);
      this.#bytes += open.bytes;
    }
    this.#current = open;
    return open;
  }

  /** Gives a sample to its head; its window is open. `arrival` as Head.push has it. */
  push(series: SeriesId, timeMs: number, number: number, wide: string | bigint | undefined, status: number, arrival: number): void {
    const open = this.#windowAt(timeMs);
    if (timeMs < open.oldestMs) open.oldestMs = timeMs;
    const head = this.#headOf(open, series);
    const before = head.bytes;
    head.push(timeMs, number, wide, status, arrival);
    this.#grown(open, head.bytes - before + memoryOfWide(wide));
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
      while (start < end) {
        const head = this.#headOf(open, series);
        const upTo = Math.min(end, start + head.room);
        const before = head.bytes;
        head.append(columns, start, upTo, isShared);
        this.#grown(open, head.bytes - before);
        start = upTo;
      }
    }
  }

  /** Takes a window out, to be sealed. */
  take(window: number): OpenWindow | undefined {
    this.onRead();
    const open = this.#windows.get(window);
    if (!open) return undefined;
    this.#windows.delete(window);
    if (this.#current === open) this.#current = undefined;
    this.#bytes -= open.bytes;
    for (const [series, head] of open.heads) this.#usual[series] = open.full.has(series) ? this.#maxSamples : head.count;
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
    const known = open.heads.get(series);
    if (known && known.room > 0) return known;
    if (known) {
      const full = open.full.get(series);
      if (full) full.push(known);
      else open.full.set(series, [known]);
    }
    const head = new Head(this.#maxSamples, known ? this.#maxSamples : (this.#usual[series] ?? 0));
    open.heads.set(series, head);
    this.#grown(open, head.bytes);
    return head;
  }

  #grown(open: OpenWindow, bytes: number): void {
    open.bytes += bytes;
    this.#bytes += bytes;
  }
}
