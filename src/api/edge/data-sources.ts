/** GET /v1/data-sources. */
import { z } from 'zod';
import type { Operation } from '../operation.ts';
import { compareText, pageOf } from '../page.ts';
import { pageParams } from '../params.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { listMetaSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { isConnected, renderSource } from '../source-view.ts';
import { validate } from '../validate.ts';
import { listMeta } from './list-meta.ts';
import { DATA_SOURCE_EXAMPLE, dataSourceSchema } from './schema.ts';

const listQuery = z.object({
  ...pageParams(20, 100),
  type: z.string().optional(),
  status: z.enum(['connected', 'disconnected'], 'must be connected or disconnected').optional(),
});

const LIST_DATA_SOURCES: Operation = {
  id: 'listDataSources',
  summary: 'List data sources',
  group: 'Data sources',
  query: listQuery,
  answers: [
    {
      status: 200,
      description: 'A page of sources',
      schema: z.object({ data: z.array(dataSourceSchema), meta: listMetaSchema }),
      example: { data: [DATA_SOURCE_EXAMPLE], meta: { page: 1, per_page: 20, total: 1 } },
    },
  ],
  errors: [],
};

export function dataSourceRoutes(services: ApiServices): Route[] {
  return [
    documented(
      LIST_DATA_SOURCES,
      route('GET', '/v1/data-sources', 'read:assets', (call) => listSources(services, call)),
    ),
  ];
}

function listSources({ sources }: ApiServices, call: Call): Answer {
  const query = validate(listQuery, call.request.query());
  const found = sources
    .list(call.tenant)
    .filter((source) => query.type === undefined || source.type === query.type)
    .filter((source) => query.status === undefined || isConnected(source) === (query.status === 'connected'))
    .sort((left, right) => left.createdMs - right.createdMs || compareText(left.id, right.id));
  return ok({ data: pageOf(found, query).map(renderSource), meta: listMeta(query, found.length) });
}
