/** How a watch is saved. */
import type { RuleState } from './rule.ts';

/** Null where there is nothing. */
export interface WatchState {
  readonly phase: RuleState;
  readonly lastMs: number | null;
  readonly usableMs: number | null;
  readonly value: number | string | null;
  readonly previousMs: number | null;
  readonly previousValue: number | null;
  readonly sinceMs: number | null;
  readonly heldMs: number;
  /** Absent in what an older version saved. */
  readonly countedMs?: number | null;
  readonly standingMs?: number | null;
  readonly paused: boolean;
  readonly quietMs: number;
  readonly episode: number;
  readonly alertId: string | null;
  readonly shelvedUntilMs: number | null;
}

/** As JSON can hold it. */
export function finite(number: number): number | null {
  return Number.isFinite(number) ? number : null;
}
