/** How a source fares, as the API and the command line show it. */
import type { DropReason, RejectReason } from '../core/emit.ts';
import type { UnixMs } from '../core/time.ts';
import type { WriteCounts } from './write-book.ts';

export type SourceState = 'connecting' | 'connected' | 'degraded' | 'back_off' | 'faulted' | 'disabled';

/**
 * Where every reading of a source went; at every instant
 * received = committed + deadbanded + deduplicated + Σ rejected + Σ dropped + inFlight.
 */
export interface LedgerCounts {
  readonly received: number;
  readonly committed: number;
  readonly deadbanded: number;
  readonly deduplicated: number;
  readonly rejected: Readonly<Partial<Record<RejectReason, number>>>;
  readonly dropped: Readonly<Partial<Record<DropReason, number>>>;
  readonly inFlight: number;
  /** Readings whose own time was not believable and that carry ours (they are among the others). */
  readonly clockAhead: number;
}

export interface SourceView {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly type: string;
  /** Where it reads from, without secrets: `opc.tcp://10.0.0.9:4840`, `10.0.0.5:502`. */
  readonly endpoint: string;
  readonly managedBy: 'config' | 'api';
  readonly state: SourceState;
  /** Why it is not simply connected. */
  readonly reason: string | null;
  readonly tagCount: number;
  readonly createdMs: UnixMs;
  readonly ledger: LedgerCounts;
  readonly writes: WriteCounts;
  /** Failed connects and lost links since the start. */
  readonly errors: number;
  readonly lastError: string | null;
}
