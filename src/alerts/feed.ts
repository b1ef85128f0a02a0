/** One series that feeds one watch, with a clock of its own; and how it is saved. */
import type { SeriesId, ValueType } from '../core/tag.ts';
import type { Criterion } from './criterion.ts';
import { LAST_MS, PREVIOUS_MS, PREVIOUS_VALUE, USABLE_MS, VALUE } from './lines.ts';
import { finite, type SavedFeed, type WatchState } from './watch-state.ts';

export interface Feed {
  /** Its own, for as long as it is attached; never 0. */
  readonly number: number;
  readonly series: SeriesId;
  readonly source: string;
  readonly valueType: ValueType;
  readonly criterion: Criterion;
  /** Where its times and values are. */
  readonly line: number;
  /** A bad sample of its source came behind its newest usable one: until the next usable one no time counts by it. */
  isPaused: boolean;
  /** Its replayed samples up to this time are in the saved state already. */
  knownMs: number;
  /** Until when its source had vouched for it when that was last looked at; NaN before the first look. */
  vouchedMs: number;
}

/** True for the feed that was saved so: no series is known by its number outside the store. */
export function isOf(feed: Feed, { source, valueType }: Pick<WatchState, 'source' | 'valueType'>): boolean {
  return feed.source === source && feed.valueType === valueType;
}

/** But for a text. `numbers` are those of all lines. */
export function savedFeed({ source, valueType, isPaused, line }: Feed, numbers: Float64Array): SavedFeed {
  return {
    source,
    valueType,
    paused: isPaused,
    lastMs: finite(numbers[line + LAST_MS] as number),
    usableMs: finite(numbers[line + USABLE_MS] as number),
    value: finite(numbers[line + VALUE] as number),
    previousMs: finite(numbers[line + PREVIOUS_MS] as number),
    previousValue: finite(numbers[line + PREVIOUS_VALUE] as number),
  };
}

export function restoreFeed(feed: Feed, numbers: Float64Array, saved: Omit<SavedFeed, 'source' | 'valueType'>): void {
  const { line } = feed;
  const never = Number.NEGATIVE_INFINITY;
  numbers[line + LAST_MS] = saved.lastMs ?? never;
  numbers[line + USABLE_MS] = saved.usableMs ?? never;
  numbers[line + VALUE] = typeof saved.value === 'number' ? saved.value : Number.NaN;
  numbers[line + PREVIOUS_MS] = saved.previousMs ?? never;
  numbers[line + PREVIOUS_VALUE] = saved.previousValue ?? Number.NaN;
  feed.isPaused = saved.paused;
  feed.knownMs = saved.lastMs ?? never;
}
