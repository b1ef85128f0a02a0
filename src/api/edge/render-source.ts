/** A data source as a single object, without its secrets. */
import { toIso } from '../../core/time.ts';
import type { SourceDetail } from '../services.ts';
import { renderLedger, renderSource } from '../source-view.ts';
import { masked } from './source-secrets.ts';

export function renderDetail({ view, draft, revision, updatedMs }: SourceDetail) {
  return {
    ...renderSource(view),
    ...renderDraft(draft),
    revision,
    updated_at: updatedMs === null ? null : toIso(updatedMs),
    stats: { ...renderLedger(view.ledger), errors: view.errors, last_error: view.lastError },
  };
}

/** What a client may send back. */
export function renderDraft({ name, type, enabled, profile, config, tags }: SourceDetail['draft']) {
  return { name, type, enabled, ...(profile !== undefined && { profile }), config: masked(config), tags };
}
