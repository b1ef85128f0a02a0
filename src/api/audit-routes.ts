/** GET /v1/audit: who changed what, and who was refused. */
import { z } from 'zod';
import { DEFAULT_TENANT } from '../core/tag.ts';
import { toIso } from '../core/time.ts';
import type { AuditRow } from '../store/records.ts';
import type { AuditLog } from './audit-log.ts';
import type { Operation } from './operation.ts';
import { skipOf } from './page.ts';
import { pageParams, timeParam } from './params.ts';
import { ApiError, invalid } from './problem.ts';
import { queryOf } from './query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from './route.ts';
import { listMetaSchema, timeSchema } from './schema.ts';

const KINDS = ['write', 'ingest', 'read', 'refused'] as const;

const auditQuery = z.object({
  ...pageParams(100, 1_000),
  tenant: z.string().max(128).optional().describe('only for an admin of the tenant `default`, who sees all'),
  token: z.string().max(256).optional().describe('name of the token'),
  kind: z.enum(KINDS, `must be one of ${KINDS.join(', ')}`).optional(),
  start: timeParam.optional(),
  end: timeParam.optional(),
});

const rowSchema = z.object({
  id: z.int(),
  time: timeSchema,
  kind: z.enum(KINDS).describe('readings over REST are `ingest`; refused are 401, 403 and 429'),
  tenant: z.string().nullable().describe('null for a caller that nobody knew, as are the two below'),
  token_id: z.string().nullable(),
  token_name: z.string().nullable(),
  method: z.string(),
  route: z.string().describe('`*` for a path that leads to none'),
  object_id: z.string().nullable().describe('what was made, else what the path named; of a part with its twin: `pump-101/temperature`'),
  status: z.int(),
  code: z.string().nullable().describe('of the refusal, in lower case'),
  address: z.string().nullable(),
  request_id: z.string(),
  count: z.int().describe('how many alike this row stands for: readings within a second, refused calls within a minute'),
});

const LIST_AUDIT: Operation = {
  id: 'listAudit',
  summary: 'List the audit log',
  description: 'Newest first; kept for 90 days, and at most 100,000 rows of each kind.',
  group: 'Box',
  query: auditQuery,
  answers: [
    {
      status: 200,
      description: 'A page of the log',
      schema: z.object({ data: z.array(rowSchema), meta: listMetaSchema }),
      example: {
        data: [
          {
            id: 4711,
            time: '2026-01-06T10:00:00Z',
            kind: 'write',
            tenant: 'default',
            token_id: 'tok-0a1b2c3d4e5f',
            token_name: 'mes',
            method: 'PATCH',
            route: '/api/twins/:id',
            object_id: 'pump-101',
            status: 200,
            code: null,
            address: '10.0.0.7',
            request_id: '5f0c7f0e-2b1d-4f7e-9c55-0d6b8e1f3a21',
            count: 1,
          },
        ],
        meta: { page: 1, per_page: 100, total: 1 },
      },
    },
  ],
  errors: [],
};

export function auditRoutes(log: AuditLog): Route[] {
  return [
    documented(
      LIST_AUDIT,
      route('GET', '/v1/audit', 'admin', (call) => listAudit(log, call)),
    ),
  ];
}

/** An admin of the tenant `default` is the box's operator and sees all; one of another tenant its own. */
async function listAudit(log: AuditLog, call: Call): Promise<Answer> {
  const query = queryOf(auditQuery, call.request);
  if (query.start !== undefined && query.end !== undefined && query.start >= query.end) {
    throw invalid([{ field: 'start', message: 'must be before the end' }]);
  }
  const operator = call.tenant === DEFAULT_TENANT;
  if (!operator && query.tenant !== undefined && query.tenant !== call.tenant) {
    throw new ApiError('forbidden', 'Only an admin of the tenant "default" sees the audit log of other tenants.');
  }
  const tenant = operator ? query.tenant : call.tenant;
  const { rows, total } = await log.page({
    ...(tenant !== undefined && { tenant }),
    ...(query.token !== undefined && { tokenName: query.token }),
    ...(query.kind !== undefined && { kind: query.kind }),
    ...(query.start !== undefined && { fromMs: query.start }),
    ...(query.end !== undefined && { toMs: query.end }),
    limit: query.per_page,
    skip: skipOf(query),
  });
  return ok({ data: rows.map(renderRow), meta: { page: query.page, per_page: query.per_page, total } });
}

function renderRow(row: AuditRow): z.input<typeof rowSchema> {
  return {
    id: row.id,
    time: toIso(row.timeMs),
    kind: row.kind,
    tenant: row.tenant,
    token_id: row.tokenId,
    token_name: row.tokenName,
    method: row.method,
    route: row.route,
    object_id: row.objectId,
    status: row.status,
    code: row.code,
    address: row.address,
    request_id: row.requestId,
    count: row.count,
  };
}
