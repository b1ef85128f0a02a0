/** How a watch is saved. */
import type { ValueType } from '../core/tag.ts';
import type { RuleState } from './rule.ts';

/** What one source has said. Null where there is nothing. */
interface SavedSamples {
  readonly lastMs: number | null;
  readonly usableMs: number | null;
  readonly value: number | string | null;
  readonly previousMs: number | null;
  readonly previousValue: number | null;
}

export interface SavedFeed extends SavedSamples {
  readonly source: string;
  readonly valueType: ValueType;
  readonly paused: boolean;
}

/** The samples are those of the source that counts. */
export interface SavedVoices extends SavedSamples {
  /** Absent before there is one, and in what an older version saved. */
  readonly source?: string;
  readonly valueType?: ValueType;
  readonly paused: boolean;
  /** The other sources; absent in what an older version saved. */
  readonly others?: readonly SavedFeed[];
}

export interface WatchState extends SavedVoices {
  readonly phase: RuleState;
  readonly sinceMs: number | null;
  readonly heldMs: number;
  /** Absent in what an older version saved. */
  readonly countedMs?: number | null;
  readonly standingMs?: number | null;
  readonly quietMs: number;
  readonly episode: number;
  readonly alertId: string | null;
  readonly shelvedUntilMs: number | null;
}

export const NOTHING_SAID: SavedSamples = { lastMs: null, usableMs: null, value: null, previousMs: null, previousValue: null };

/** As JSON can hold it. */
export function finite(number: number): number | null {
  return Number.isFinite(number) ? number : null;
}
