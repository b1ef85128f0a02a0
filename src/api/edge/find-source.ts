/** The data source that a path names. */
import type { SourceKey } from '../../ingest/source-registry.ts';
import { ApiError } from '../problem.ts';
import type { Call } from '../route.ts';
import type { ApiServices, SourceDetail } from '../services.ts';

/** Throws `not_found`. */
export function findSource({ sources }: ApiServices, call: Call): SourceDetail {
  const detail = sources.find(call.tenant, call.request.param('id') ?? '');
  if (!detail) throw new ApiError('not_found', 'There is no such data source.');
  return detail;
}

/** Its key, where the API may change it. Throws `managed_by_config`. */
export function requireOwnSource({ view: { tenant, id, managedBy } }: SourceDetail): SourceKey {
  if (managedBy === 'config') {
    throw new ApiError('managed_by_config', 'The data source comes from the configuration file and is changed there.');
  }
  return { tenant, id };
}
