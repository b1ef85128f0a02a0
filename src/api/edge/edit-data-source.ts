/** POST /v1/data-sources, PUT and DELETE /v1/data-sources/{id}. */
import { z } from 'zod';
import { JSON_BODY_LIMIT_BYTES, readJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import type { Operation } from '../operation.ts';
import { ApiError } from '../problem.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { findSource, requireOwnSource } from './find-source.ts';
import { renderDetail } from './render-source.ts';
import { DATA_SOURCE_DETAIL_EXAMPLE, dataSourceDetailSchema } from './schema.ts';
import { changedDraft, newDraft, newSourceSchema, sourceChangeSchema } from './source-body.ts';

/** Of every change of a source. */
export const SAVING_ERRORS = ['limit_reached', 'store_failed', 'store_stalled', 'storage_full'] as const;
export const CHANGING_ERRORS = ['managed_by_config', 'precondition_failed', ...SAVING_ERRORS] as const;

const answer = (status: number, description: string) => ({
  status,
  description,
  schema: z.object({ data: dataSourceDetailSchema }),
  example: { data: DATA_SOURCE_DETAIL_EXAMPLE },
});

const CREATE_DATA_SOURCE: Operation = {
  id: 'createDataSource',
  summary: 'Make a data source',
  description:
    'It is saved, then connects by itself; `state` and `reason` say how that goes. It may connect to the addresses of `security.egress.allow` alone.',
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
    'What is left out gets its default, but `tags` and secrets are kept; a secret is also kept when its mask `********` is sent. The type is',
    'not changed. No other source is touched, and this one keeps its link where only its name changed.',
  ].join('\n'),
  group: 'Data sources',
  body: {
    schema: sourceChangeSchema,
    example: { name: 'Production Line PLC', config: { host: '192.168.1.51', port: 502, unit_id: 1 } },
  },
  answers: [answer(200, 'The source')],
  errors: CHANGING_ERRORS,
};

const DELETE_DATA_SOURCE: Operation = {
  id: 'deleteDataSource',
  summary: 'Delete a data source',
  description: 'Its telemetry stays; its revisions and secrets go.',
  group: 'Data sources',
  answers: [{ status: 204, description: 'It is gone' }],
  errors: CHANGING_ERRORS,
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
  await services.sources.remove(at, ({ revision }) => requireMatch(call.request.header('if-match'), revision));
  return { status: 204, body: undefined };
}
