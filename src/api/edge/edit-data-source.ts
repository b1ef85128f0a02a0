/** POST /v1/data-sources, PUT and DELETE /v1/data-sources/{id}. */
import { z } from 'zod';
import type { SourceKey } from '../../ingest/source-registry.ts';
import { JSON_BODY_LIMIT_BYTES, readJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import type { Operation } from '../operation.ts';
import { ApiError, MAX_DETAILS } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { findSource, requireOwnSource } from './find-source.ts';
import { renderDetail } from './render-source.ts';
import { DATA_SOURCE_DETAIL_EXAMPLE, dataSourceDetailSchema } from './schema.ts';
import { changedDraft, NEW_SOURCE, newDraft, newSourceSchema, refuseConflicts, sourceChangeSchema } from './source-body.ts';

/** Of every change of a source. */
export const SAVING_ERRORS = ['limit_reached', 'store_failed', 'store_stalled', 'storage_full'] as const;
export const CHANGING_ERRORS = ['managed_by_config', 'precondition_failed', ...SAVING_ERRORS] as const;

const answer = (status: number, description: string) => ({
  status,
  description,
  etag: 'revision' as const,
  schema: z.object({ data: dataSourceDetailSchema }),
  example: { data: DATA_SOURCE_DETAIL_EXAMPLE },
});

const CREATE_DATA_SOURCE: Operation = {
  id: 'createDataSource',
  summary: 'Make a data source',
  description:
    'It is saved, then connects by itself; `state` and `reason` say how that goes. It may connect to the addresses of `security.egress.allow` alone. Derived tags that would go in a circle, or that another source computes, are refused.',
  group: 'Data sources',
  body: {
    schema: newSourceSchema,
    example: { name: 'Production Line PLC', type: 'modbus', config: { host: '192.168.1.50', port: 502, unit_id: 1 } },
  },
  answers: [answer(201, 'The source')],
  errors: SAVING_ERRORS,
};

const UPDATE_DATA_SOURCE: Operation = {
  id: 'updateDataSource',
  summary: 'Replace what a data source is',
  description: [
    'What is left out gets its default, but `tags` and secrets are kept; a secret is also kept when its mask `********` is sent. Where the source',
    'would connect to another host, port or protocol, or in the clear or unchecked, its secrets must be sent again. The type is not changed. No other source is touched, and this one keeps its link where only its name changed.',
  ].join('\n'),
  group: 'Data sources',
  body: {
    schema: sourceChangeSchema,
    example: { name: 'Production Line PLC', config: { host: '192.168.1.51', port: 502, unit_id: 1 } },
  },
  answers: [answer(200, 'The source')],
  errors: CHANGING_ERRORS,
};

const deleteQuery = z.object({
  force: z
    .enum(['', '0', '1', 'false', 'true'], 'must be 0, 1, false, true or left empty')
    .optional()
    .describe('1, true or the bare name deletes it although alert rules name it'),
});

const DELETE_DATA_SOURCE: Operation = {
  id: 'deleteDataSource',
  summary: 'Delete a data source',
  description: [
    'Its telemetry stays; its revisions and secrets go. While alert rules name it as their `data_source_id` it is kept, and `details` names them;',
    'with `force` it goes and they stay: without readings nothing fires or clears them any more but `no_data_seconds` and people.',
  ].join('\n'),
  group: 'Data sources',
  query: deleteQuery,
  answers: [{ status: 204, description: 'It is gone' }],
  errors: ['data_source_in_use', ...CHANGING_ERRORS],
};

export function dataSourceEditRoutes(services: ApiServices): Route[] {
  return [
    documented(
      CREATE_DATA_SOURCE,
      route('POST', '/v1/data-sources', 'write:assets', (call) => createSource(services, call)),
    ),
    documented(
      UPDATE_DATA_SOURCE,
      route('PUT', '/v1/data-sources/:id', 'write:assets', (call) => updateSource(services, call)),
    ),
    documented(
      DELETE_DATA_SOURCE,
      route('DELETE', '/v1/data-sources/:id', 'write:assets', (call) => deleteSource(services, call)),
    ),
  ];
}

async function createSource(services: ApiServices, call: Call): Promise<Answer> {
  const draft = newDraft(await readJson(call.request, JSON_BODY_LIMIT_BYTES), services);
  refuseConflicts(draft, { tenant: call.tenant, id: NEW_SOURCE }, services);
  const { id } = await services.sources.create(call.tenant, draft);
  const detail = services.sources.find(call.tenant, id);
  if (!detail) throw new ApiError('not_found', 'The data source was deleted as soon as it was made.');
  const made = { status: 201, body: { data: renderDetail(detail) }, headers: { Location: `/v1/data-sources/${id}` } };
  return tagged(made, detail.revision ?? 0, false);
}

async function updateSource(services: ApiServices, call: Call): Promise<Answer> {
  const at = requireOwnSource(findSource(services, call));
  const body = await readJson(call.request, JSON_BODY_LIMIT_BYTES);
  const ifMatch = call.request.header('if-match');
  await services.sources.change(at, (present) => changedDraft(body, present, services, ifMatch));
  const detail = findSource(services, call);
  return tagged(ok({ data: renderDetail(detail) }), detail.revision ?? 0, false);
}

async function deleteSource(services: ApiServices, call: Call): Promise<Answer> {
  const at = requireOwnSource(findSource(services, call));
  const { force } = queryOf(deleteQuery, call.request);
  await services.sources.remove(at, ({ revision }) => {
    requireMatch(call.request.header('if-match'), revision);
    const isForced = force !== undefined && force !== '0' && force !== 'false';
    if (!isForced) requireUnused(services, at);
  });
  return { status: 204, body: undefined };
}

/** Throws `data_source_in_use`. */
function requireUnused({ alerting }: ApiServices, { tenant, id }: SourceKey): void {
  const rules = alerting.rules.list(tenant).filter(({ dataSourceId }) => dataSourceId === id);
  if (rules.length === 0) return;
  const count = rules.length === 1 ? 'An alert rule names' : `${rules.length} alert rules name`;
  const more = rules.length > MAX_DETAILS ? ` (the first ${MAX_DETAILS} are listed)` : '';
  throw new ApiError('data_source_in_use', `${count} the data source; force=true deletes it all the same${more}.`, {
    details: rules.slice(0, MAX_DETAILS).map((rule) => ({ field: `alert_rules.${rule.id}`, message: rule.name })),
  });
}
