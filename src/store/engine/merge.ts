/** Walks the samples of several series in one slab by (time, rank), one for each: at equal time the one that arrived last. */
import type { SeriesId } from '../../core/tag.ts';
import { EMPTY_RUN, type Run, RunBuilder } from './run.ts';

/** A series' run with the place of its tag in the order asked for. */
export interface RankedRun {
  readonly rank: number;
  readonly series: SeriesId;
  readonly run: Run;
}

interface Cursor extends RankedRun {
  at: number;
  timeMs: number;
}

/** Up to so many runs a look at all of them is cheaper than a heap: those polled together have the same times. */
const MAX_SCANNED = 64;

/** Calls `visit` for each row until it says false; returns false when it did. */
export function visitMerged(runs: readonly RankedRun[], visit: (row: RankedRun, index: number) => boolean): boolean {
  const filled = runs.filter(({ run }) => run.count > 0);
  const isSimple = filled.every(({ rank }, index) => index === 0 || rank > (filled[index - 1]?.rank ?? rank));
  return isSimple && filled.length <= MAX_SCANNED ? visitScanned(filled, visit) : visitHeaped(filled, visit);
}

/** One series a tag, in the order of ranks: each pass takes all rows of the earliest time and finds the next. */
function visitScanned(runs: readonly RankedRun[], visit: (row: RankedRun, index: number) => boolean): boolean {
  const next = new Uint32Array(runs.length);
  const nextMs = Float64Array.from(runs, ({ run }) => run.timeMs[0] as number);
  let earliestMs = nextMs.reduce((least, timeMs) => Math.min(least, timeMs), Number.POSITIVE_INFINITY);
  while (earliestMs < Number.POSITIVE_INFINITY) {
    let followingMs = Number.POSITIVE_INFINITY;
    for (let which = 0; which < runs.length; which++) {
      let timeMs = nextMs[which] as number;
      if (timeMs === earliestMs) {
        const row = runs[which] as RankedRun;
        const at = next[which] as number;
        if (!visit(row, at)) return false;
        next[which] = at + 1;
        timeMs = at + 1 < row.run.count ? (row.run.timeMs[at + 1] as number) : Number.POSITIVE_INFINITY;
        nextMs[which] = timeMs;
      }
      if (timeMs < followingMs) followingMs = timeMs;
    }
    earliestMs = followingMs;
  }
  return true;
}

function visitHeaped(runs: readonly RankedRun[], visit: (row: RankedRun, index: number) => boolean): boolean {
  const heap = new CursorHeap(runs);
  let lastMs = Number.NaN;
  let lastRank = -1;
  for (let top = heap.top; top; top = heap.top) {
    const again = top.timeMs === lastMs && top.rank === lastRank;
    if (!again && !visit(top, top.at)) return false;
    lastMs = top.timeMs;
    lastRank = top.rank;
    heap.advance();
  }
  return true;
}

/** All series of one tag as one run. */
export function mergeTag(runs: readonly RankedRun[]): Run {
  const filled = runs.filter(({ run }) => run.count > 0);
  if (filled.length < 2) return filled[0]?.run ?? EMPTY_RUN;
  const merged = new RunBuilder(filled.reduce((sum, { run }) => sum + run.count, 0));
  visitMerged(filled, ({ run }, index) => {
    merged.copy(run, index);
    return true;
  });
  return merged.build();
}

/** A binary heap by (time, rank, the later arrival first). */
class CursorHeap {
  readonly #heap: Cursor[] = [];

  constructor(runs: readonly RankedRun[]) {
    for (const ranked of runs) this.#heap.push({ ...ranked, at: 0, timeMs: ranked.run.timeMs[0] as number });
    for (let index = (this.#heap.length >> 1) - 1; index >= 0; index--) this.#sink(index);
  }

  get top(): Cursor | undefined {
    return this.#heap[0];
  }

  /** Moves the top to its next sample. */
  advance(): void {
    const top = this.#heap[0];
    if (!top) return;
    top.at++;
    if (top.at < top.run.count) {
      top.timeMs = top.run.timeMs[top.at] as number;
    } else {
      const last = this.#heap.pop() as Cursor;
      if (this.#heap.length === 0) return;
      this.#heap[0] = last;
    }
    this.#sink(0);
  }

  #sink(start: number): void {
    const heap = this.#heap;
    let parent = start;
    const moving = heap[parent] as Cursor;
    for (;;) {
      let child = parent * 2 + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && precedes(heap[child + 1] as Cursor, heap[child] as Cursor)) child++;
      if (!precedes(heap[child] as Cursor, moving)) break;
      heap[parent] = heap[child] as Cursor;
      parent = child;
    }
    heap[parent] = moving;
  }
}

function precedes(a: Cursor, b: Cursor): boolean {
  if (a.timeMs !== b.timeMs) return a.timeMs < b.timeMs;
  if (a.rank !== b.rank) return a.rank < b.rank;
  const [orderOfA, orderOfB] = [a.run.order?.[a.at] ?? 0, b.run.order?.[b.at] ?? 0];
  return orderOfA !== orderOfB ? orderOfA > orderOfB : a.series > b.series;
}
