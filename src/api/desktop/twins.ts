/** GET /api/twins and GET /api/twins/{id}. */
import { z } from 'zod';
import type { Twin } from '../../twin/twin.ts';
import type { Operation } from '../operation.ts';
import { compareText, pageOf } from '../page.ts';
import { listParam, pageParams, parsed } from '../params.ts';
import { invalid } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { requireType } from './edit-twin.ts';
import { links, pagination } from './list-envelope.ts';
import { renderSummary, SUMMARY_FIELDS } from './render.ts';
import { linksSchema, paginationSchema, summarySchema, TWIN_SUMMARY_EXAMPLE } from './schema.ts';
import { twinRoute } from './twin.ts';

type Order = (left: Twin, right: Twin) => number;

const ORDERS: Readonly<Record<string, Order>> = {
  id: (left, right) => compareText(left.id, right.id),
  name: (left, right) => compareText(left.name, right.name),
  type: (left, right) => compareText(left.type, right.type),
  status: (left, right) => compareText(left.status, right.status),
  created_at: (left, right) => left.createdMs - right.createdMs,
  updated_at: (left, right) => left.updatedMs - right.updatedMs,
};

/** `-name` falls, `name` and `+name` rise; a URL decoder makes a space of the plus. Ties go by id, rising. */
function orderOf(text: string): Order | undefined {
  const [, sign, field = ''] = /^([-+ ]?)(\w+)$/.exec(text) ?? [];
  const order = Object.hasOwn(ORDERS, field) ? ORDERS[field] : undefined;
  const factor = sign === '-' ? -1 : 1;
  return order && ((left, right) => factor * order(left, right) || compareText(left.id, right.id));
}

const listQuery = z.object({
  ...pageParams(20, 100),
  sort: parsed(orderOf, `must be one of ${Object.keys(ORDERS).join(', ')}, with "-" in front to fall`, {
    description: `one of ${Object.keys(ORDERS).join(', ')}, with "-" in front to fall`,
  }).prefault('created_at'),
  type: z.string().optional(),
  status: z.enum(['active', 'inactive', 'archived'], 'must be active, inactive or archived').optional(),
  search: z.string().max(256).optional().describe('in id, name or description, whatever the case'),
  fields: listParam,
});

const LIST_TWINS: Operation = {
  id: 'listTwins',
  summary: 'List twins',
  group: 'Twins',
  query: listQuery,
  answers: [
    {
      status: 200,
      description: 'A page of twins; with `fields`, only those of each and its id',
      schema: z.object({
        data: z.array(summarySchema.partial().required({ id: true })),
        meta: z.object({ pagination: paginationSchema }),
        links: linksSchema,
      }),
      example: {
        data: [TWIN_SUMMARY_EXAMPLE],
        meta: { pagination: { total_items: 45, total_pages: 3, current_page: 1, per_page: 20 } },
        links: {
          self: '/api/twins?page=1&per_page=20',
          first: '/api/twins?page=1&per_page=20',
          next: '/api/twins?page=2&per_page=20',
          last: '/api/twins?page=3&per_page=20',
        },
      },
    },
  ],
  errors: ['invalid_twin_type'],
};

export function twinRoutes(services: ApiServices): Route[] {
  return [
    documented(
      LIST_TWINS,
      route('GET', '/api/twins', 'read:assets', (call) => listTwins(services, call)),
    ),
    twinRoute(services),
  ];
}

function listTwins({ twins }: ApiServices, call: Call): Answer {
  const query = queryOf(listQuery, call.request);
  if (query.type !== undefined) requireType({ twins }, query.type);
  const unknown = query.fields?.filter((field) => !SUMMARY_FIELDS.includes(field)) ?? [];
  if (unknown.length > 0) throw invalid(unknown.map(() => ({ field: 'fields', message: `must be among ${SUMMARY_FIELDS.join(', ')}` })));

  const needle = query.search?.toLowerCase();
  const found = twins
    .list(call.tenant)
    .filter((twin) => query.type === undefined || twin.type === query.type)
    .filter((twin) => query.status === undefined || twin.status === query.status)
    .filter((twin) => needle === undefined || mentions(twin, needle))
    .sort(query.sort);
  const rows = pageOf(found, query).map((twin) => renderSummary(twins.get(twin.tenant, twin.id) ?? twin));
  const place = { path: '/api/twins', search: new URL(call.request.url).search };
  return ok({
    data: query.fields ? rows.map((row) => pick(row, ['id', ...(query.fields ?? [])])) : rows,
    meta: { pagination: pagination(found.length, query) },
    links: links(place, found.length, query),
  });
}

function mentions(twin: Twin, needle: string): boolean {
  return [twin.id, twin.name, twin.description].some((text) => text?.toLowerCase().includes(needle));
}

function pick(row: object, fields: readonly string[]): object {
  return Object.fromEntries(Object.entries(row).filter(([field]) => fields.includes(field)));
}
