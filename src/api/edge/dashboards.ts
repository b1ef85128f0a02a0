/** /v1/dashboards: list, make, read, replace, delete, duplicate. */
import { z } from 'zod';
import type { Dashboard, DashboardKey } from '../../dashboard/dashboard.ts';
import { readJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import type { Operation } from '../operation.ts';
import { pageOf } from '../page.ts';
import { pageParams } from '../params.ts';
import { ApiError, invalid } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { listMetaSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import {
  DASHBOARD_EXAMPLE,
  DRAFT_EXAMPLE,
  dashboardHeadSchema,
  dashboardPutSchema,
  dashboardSchema,
  HEAD_EXAMPLE,
  newDashboardSchema,
  renderDashboard,
  renderHead,
  toDraft,
} from './dashboard-schema.ts';
import { listMeta } from './list-meta.ts';

const BODY_LIMIT_BYTES = 256 * 1024;

const READING_ERRORS = ['store_failed', 'store_stalled'] as const;
const SAVING_ERRORS = [...READING_ERRORS, 'storage_full', 'limit_reached'] as const;
const ONE = { schema: z.object({ data: dashboardSchema }), example: { data: DASHBOARD_EXAMPLE } };

const listQuery = z.object(pageParams(20, 100));

const LIST_DASHBOARDS: Operation = {
  id: 'listDashboards',
  summary: 'List dashboards, the oldest first',
  description: 'Without their widgets.',
  group: 'Dashboards',
  query: listQuery,
  answers: [
    {
      status: 200,
      description: 'A page of dashboards',
      schema: z.object({ data: z.array(dashboardHeadSchema), meta: listMetaSchema }),
      example: { data: [HEAD_EXAMPLE], meta: { page: 1, per_page: 20, total: 1 } },
    },
  ],
  errors: READING_ERRORS,
};

const CREATE_DASHBOARD: Operation = {
  id: 'createDashboard',
  summary: 'Make a dashboard',
  description: 'At most 256 KiB, and 500 dashboards or 16 MiB of them in all. Widgets without an id get one.',
  group: 'Dashboards',
  body: { schema: newDashboardSchema, example: DRAFT_EXAMPLE, limitBytes: BODY_LIMIT_BYTES },
  answers: [{ status: 201, description: 'The dashboard', etag: 'body', ...ONE }],
  errors: SAVING_ERRORS,
};

const GET_DASHBOARD: Operation = {
  id: 'getDashboard',
  summary: 'Get a dashboard with its widgets',
  group: 'Dashboards',
  answers: [{ status: 200, description: 'The dashboard', etag: 'body', ...ONE }],
  errors: ['not_found', ...READING_ERRORS],
};

const PUT_DASHBOARD: Operation = {
  id: 'replaceDashboard',
  summary: 'Replace a dashboard as a whole',
  description: 'What is left out takes its default. `id` and times may be sent as they were read.',
  group: 'Dashboards',
  body: { schema: dashboardPutSchema, example: DRAFT_EXAMPLE, limitBytes: BODY_LIMIT_BYTES },
  answers: [{ status: 200, description: 'The dashboard', etag: 'body', ...ONE }],
  errors: ['not_found', 'precondition_failed', ...SAVING_ERRORS],
};

const DELETE_DASHBOARD: Operation = {
  id: 'deleteDashboard',
  summary: 'Delete a dashboard',
  group: 'Dashboards',
  answers: [{ status: 204, description: 'It is gone' }],
  errors: ['not_found', 'precondition_failed', 'storage_full', ...READING_ERRORS],
};

const DUPLICATE_DASHBOARD: Operation = {
  id: 'duplicateDashboard',
  summary: 'Make one more dashboard like this one',
  description: 'Named "… (copy)"; it and its widgets have ids of their own.',
  group: 'Dashboards',
  answers: [{ status: 201, description: 'The copy', etag: 'body', ...ONE }],
  errors: ['not_found', ...SAVING_ERRORS],
};

export function dashboardRoutes({ dashboards }: ApiServices): Route[] {
  const one = '/v1/dashboards/:id';
  return [
    documented(
      LIST_DASHBOARDS,
      route('GET', '/v1/dashboards', 'read:assets', (call) => list(dashboards, call)),
    ),
    documented(
      CREATE_DASHBOARD,
      route('POST', '/v1/dashboards', 'write:assets', (call) => create(dashboards, call)),
    ),
    documented(
      GET_DASHBOARD,
      route('GET', one, 'read:assets', async (call) => shown(200, await dashboards.get(keyOf(call)))),
    ),
    documented(
      PUT_DASHBOARD,
      route('PUT', one, 'write:assets', (call) => replace(dashboards, call)),
    ),
    documented(
      DELETE_DASHBOARD,
      route('DELETE', one, 'write:assets', (call) => remove(dashboards, call)),
    ),
    documented(
      DUPLICATE_DASHBOARD,
      route('POST', `${one}/duplicate`, 'write:assets', async (call) => shown(201, await dashboards.duplicate(keyOf(call)))),
    ),
  ];
}

type Dashboards = ApiServices['dashboards'];

async function list(dashboards: Dashboards, { tenant, request }: Call): Promise<Answer> {
  const query = queryOf(listQuery, request);
  const all = await dashboards.list(tenant);
  return ok({ data: pageOf(all, query).map(renderHead), meta: listMeta(query, all.length) });
}

async function create(dashboards: Dashboards, { tenant, request }: Call): Promise<Answer> {
  const body = await readJson(request, BODY_LIMIT_BYTES);
  const draft = toDraft(validate(newDashboardSchema, body), body);
  return shown(201, await dashboards.create(tenant, draft));
}

async function replace(dashboards: Dashboards, call: Call): Promise<Answer> {
  const at = keyOf(call);
  const body = await readJson(call.request, BODY_LIMIT_BYTES);
  const valid = validate(dashboardPutSchema, body);
  if (valid.id !== undefined && valid.id !== at.id) throw invalid([{ field: 'id', message: 'is not changed: must be the id of the path' }]);
  const ifMatch = call.request.header('if-match');
  return shown(200, await dashboards.replace(at, toDraft(valid, body), ({ revision }) => requireMatch(ifMatch, revision)));
}

async function remove(dashboards: Dashboards, call: Call): Promise<Answer> {
  const ifMatch = call.request.header('if-match');
  if (await dashboards.remove(keyOf(call), ({ revision }) => requireMatch(ifMatch, revision))) return { status: 204, body: undefined };
  throw notFound();
}

function keyOf({ tenant, request }: Call): DashboardKey {
  return { tenant, id: request.param('id') ?? '' };
}

/** Throws `not_found` where there is none. */
function shown(status: 200 | 201, dashboard: Dashboard | undefined): Answer {
  if (!dashboard) throw notFound();
  const headers = status === 201 ? { headers: { Location: `/v1/dashboards/${dashboard.id}` } } : undefined;
  return tagged({ status, body: { data: renderDashboard(dashboard) }, ...headers }, dashboard.revision, true);
}

function notFound(): ApiError {
  return new ApiError('not_found', 'There is no dashboard of this id.');
}
