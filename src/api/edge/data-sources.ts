/** GET /v1/data-sources and GET /v1/data-sources/{id}. */
import { z } from 'zod';
import { tagged } from '../conditional.ts';
import type { Operation } from '../operation.ts';
import { compareText, pageOf } from '../page.ts';
import { pageParams } from '../params.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { listMetaSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { isConnected, renderSource } from '../source-view.ts';
import { findSource } from './find-source.ts';
import { listMeta } from './list-meta.ts';
import { renderDetail } from './render-source.ts';
import { DATA_SOURCE_DETAIL_EXAMPLE, DATA_SOURCE_EXAMPLE, dataSourceDetailSchema, dataSourceSchema } from './schema.ts';

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

const GET_DATA_SOURCE: Operation = {
  id: 'getDataSource',
  summary: 'Read a data source',
  description: 'With its config and tags, without its secrets, and where its readings went since the start.',
  group: 'Data sources',
  answers: [
    {
      status: 200,
      description: 'The source',
      etag: 'revision',
      schema: z.object({ data: dataSourceDetailSchema }),
      example: { data: DATA_SOURCE_DETAIL_EXAMPLE },
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
    documented(
      GET_DATA_SOURCE,
      route('GET', '/v1/data-sources/:id', 'read:assets', (call) => getSource(services, call)),
    ),
  ];
}

function getSource(services: ApiServices, call: Call): Answer {
  const detail = findSource(services, call);
  const answer = ok({ data: renderDetail(detail) });
  return detail.revision === null ? answer : tagged(answer, detail.revision, false);
}

function listSources({ sources }: ApiServices, call: Call): Answer {
  const query = queryOf(listQuery, call.request);
  const found = sources
    .list(call.tenant)
    .filter((source) => query.type === undefined || source.type === query.type)
    .filter((source) => query.status === undefined || isConnected(source) === (query.status === 'connected'))
    .sort((left, right) => left.createdMs - right.createdMs || compareText(left.id, right.id));
  return ok({ data: pageOf(found, query).map(renderSource), meta: listMeta(query, found.length) });
}
