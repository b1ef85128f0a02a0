/** A source as the lists and the box's status show it. */
import { toIso } from '../core/time.ts';
import type { LedgerCounts, SourceView } from '../ingest/source-state.ts';

/** Degraded still delivers. */
export function isConnected({ state }: { readonly state: string }): boolean {
  return state === 'connected' || state === 'degraded';
}

export function renderSource(source: SourceView) {
  return {
    id: source.id,
    name: source.name,
    type: source.type,
    endpoint: source.endpoint,
    status: isConnected(source) ? 'connected' : 'disconnected',
    state: source.state,
    reason: source.reason,
    tag_count: source.tagCount,
    managed_by: source.managedBy,
    created_at: toIso(source.createdMs),
  };
}

export function renderLedger(ledger: LedgerCounts) {
  return {
    received: ledger.received,
    committed: ledger.committed,
    deadbanded: ledger.deadbanded,
    deduplicated: ledger.deduplicated,
    rejected: ledger.rejected,
    dropped: ledger.dropped,
    in_flight: ledger.inFlight,
    clock_ahead: ledger.clockAhead,
  };
}
