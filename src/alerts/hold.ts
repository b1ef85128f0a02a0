/** For how long the condition of a watch has held, by the time of the samples. */
import { finite, type WatchState } from './watch-state.ts';

type SavedHold = Pick<WatchState, 'sinceMs' | 'heldMs' | 'countedMs'>;

/** A sample stands for so long at least, whatever its period: the same as a twin's health grants it. */
const MIN_STALE_MS = 30_000;

export class Hold {
  /** When it began to hold. */
  sinceMs = Number.NEGATIVE_INFINITY;
  heldMs = 0;
  /** Up to which time of the samples that is counted. */
  countedMs = Number.NEGATIVE_INFINITY;

  saved(): SavedHold {
    const { sinceMs, heldMs, countedMs } = this;
    return { sinceMs: finite(sinceMs), heldMs, countedMs: finite(countedMs) };
  }

  /** What an older version saved is counted up to the newest usable sample. */
  restore({ sinceMs, heldMs, countedMs }: SavedHold, usableMs: number): void {
    this.sinceMs = sinceMs ?? Number.NEGATIVE_INFINITY;
    this.heldMs = heldMs;
    this.countedMs = countedMs ?? usableMs;
  }

  begin(timeMs: number): void {
    this.sinceMs = timeMs;
    this.heldMs = 0;
    this.countedMs = timeMs;
  }

  count(spanMs: number, untilMs: number): void {
    this.heldMs += spanMs;
    this.countedMs = untilMs;
  }

  /**
   * What a source adds that told of `fromMs` before and of `untilMs` now: nothing that is counted already, so that two sources do not
   * count the same time twice nor the difference of their clocks each time, and no more than a sample stands. That is asked for after a gap.
   */
  spanOf(fromMs: number, untilMs: number, staleAfterMs: () => number): number {
    const spanMs = Math.max(0, untilMs - Math.max(this.countedMs, fromMs));
    return spanMs <= MIN_STALE_MS ? spanMs : Math.min(spanMs, Math.max(MIN_STALE_MS, staleAfterMs()));
  }
}
