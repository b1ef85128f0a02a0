/** GET /v1/data-sources/{id}/revisions and POST /v1/data-sources/{id}/rollback. */
import { z } from 'zod';
import { toIso } from '../../core/time.ts';
import { draftOf } from '../../ingest/source-registry.ts';
import { JSON_BODY_LIMIT_BYTES, readJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import type { Operation } from '../operation.ts';
import { ApiError, invalid } from '../problem.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { timeSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import { CHANGING_ERRORS } from './edit-data-source.ts';
import { findSource, requireOwnSource } from './find-source.ts';
import { renderDetail, renderDraft } from './render-source.ts';
import { DATA_SOURCE_DETAIL_EXAMPLE, dataSourceDetailSchema, draftFields } from './schema.ts';
import { refuseConflicts } from './source-body.ts';

const revisionSchema = z.object({ revision: z.int(), saved_at: timeSchema, ...draftFields });
const rollbackSchema = z.strictObject({ revision: z.int().min(1).describe('one of the list') });

const { name, type, enabled, config, tags } = DATA_SOURCE_DETAIL_EXAMPLE;

const LIST_REVISIONS: Operation = {
  id: 'listDataSourceRevisions',
  summary: 'List what a data source was',
  description:
    'The last 20 revisions, the present one first; none of a source of the configuration file, whose history is that of the file.',
  group: 'Data sources',
  answers: [
    {
      status: 200,
      description: 'The revisions',
      schema: z.object({ data: z.array(revisionSchema), meta: z.object({ total: z.int() }) }),
      example: { data: [{ revision: 1, saved_at: '2026-01-01T00:00:00Z', name, type, enabled, config, tags }], meta: { total: 1 } },
    },
  ],
  errors: ['store_failed', 'store_stalled'],
};

const ROLL_BACK: Operation = {
  id: 'rollBackDataSource',
  summary: 'Make a data source what it was',
  description: 'With the secrets that it had then; the change is a revision of its own.',
  group: 'Data sources',
  body: { schema: rollbackSchema, example: { revision: 1 } },
  answers: [
    {
      status: 200,
      description: 'The source',
      etag: 'revision',
      schema: z.object({ data: dataSourceDetailSchema }),
      example: { data: DATA_SOURCE_DETAIL_EXAMPLE },
    },
  ],
  errors: CHANGING_ERRORS,
};

export function dataSourceRevisionRoutes(services: ApiServices): Route[] {
  return [
    documented(
      LIST_REVISIONS,
      route('GET', '/v1/data-sources/:id/revisions', 'read:assets', (call) => listRevisions(services, call)),
    ),
    documented(
      ROLL_BACK,
      route('POST', '/v1/data-sources/:id/rollback', 'write:assets', (call) => rollBack(services, call)),
    ),
  ];
}

async function listRevisions(services: ApiServices, call: Call): Promise<Answer> {
  const { view } = findSource(services, call);
  const found = view.managedBy === 'config' ? [] : await services.sources.revisions(view);
  const data = found.map(({ revision, savedMs, draft }) => ({ revision, saved_at: toIso(savedMs), ...renderDraft(draft) }));
  return ok({ data, meta: { total: data.length } });
}

async function rollBack(services: ApiServices, call: Call): Promise<Answer> {
  const at = requireOwnSource(findSource(services, call));
  const wanted = validate(rollbackSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  const found = (await services.sources.revisions(at)).find(({ revision }) => revision === wanted.revision);
  if (!found) throw new ApiError('not_found', 'The data source has no such revision, or no longer.');
  await services.sources.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const faults = services.sources.faults(found.draft, at.id);
    if (faults.length > 0) throw invalid(faults);
    refuseConflicts(found.draft, at, services);
    return draftOf(found.draft);
  });
  const detail = findSource(services, call);
  return tagged(ok({ data: renderDetail(detail) }), detail.revision ?? 0, false);
}
