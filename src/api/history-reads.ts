/** Reads of history on behalf of one client: they end when it has gone, for they would only keep others waiting. */
import type { HistoryReads } from '../store/telemetry.ts';
import type { Call } from './route.ts';
import type { ApiServices } from './services.ts';

/** What a page of history is made from. */
export type HistorySource = Pick<ApiServices, 'series'> & { readonly store: HistoryReads };

/** Its reads reject `cancelled` once the client of the call has gone. */
export function historyFor({ store, series }: Pick<ApiServices, 'store' | 'series'>, { request }: Pick<Call, 'request'>): HistorySource {
  const { signal } = request.raw;
  const reads: HistoryReads = {
    raw: (query) => store.raw(query, signal),
    asOf: (query) => store.asOf(query, signal),
    aggregate: (query) => store.aggregate(query, signal),
    gaps: (query) => store.gaps(query, signal),
    count: (query) => store.count(query, signal),
  };
  return { series, store: reads };
}
