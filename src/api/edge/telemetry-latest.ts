/** GET /v1/telemetry/latest: the present values of an asset, from memory. */
import { z } from 'zod';
import { toIso } from '../../core/time.ts';
import { requireScope } from '../auth.ts';
import { explain, explainParam } from '../explain.ts';
import type { Operation } from '../operation.ts';
import { listParam } from '../params.ts';
import { openPointJson } from '../point-json.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, okJson, type Route, route } from '../route.ts';
import { listMetaSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { renderScalar } from '../values.ts';
import { listMeta } from './list-meta.ts';
import { POINT_EXAMPLE, pointSchema } from './schema.ts';

const latestQuery = z.object({ asset_id: z.string().min(1, 'must not be empty'), tags: listParam, explain: explainParam });

const GET_LATEST: Operation = {
  id: 'getLatestTelemetry',
  summary: 'Get the present values of an asset',
  description: 'The last usable value of each tag with its time, and the quality of the newest sample.',
  group: 'Telemetry',
  query: latestQuery,
  answers: [
    {
      status: 200,
      description: 'A row for each tag that has a reading',
      schema: z.object({
        data: z.array(pointSchema),
        meta: listMetaSchema
          .extend({ missing: z.array(z.string()).describe('tags that were asked for and have no reading') })
          .meta({ id: 'LatestMeta' }),
      }),
      example: { data: [POINT_EXAMPLE], meta: { page: 1, per_page: 1, total: 1, missing: [] } },
    },
  ],
  errors: [],
};

export function telemetryLatestRoutes(services: ApiServices): Route[] {
  return [
    documented(
      GET_LATEST,
      route('GET', '/v1/telemetry/latest', 'read:telemetry', (call) => latest(services, call)),
    ),
  ];
}

function latest({ live }: ApiServices, call: Call): Answer {
  const query = queryOf(latestQuery, call.request);
  const isExplained = query.explain === '1';
  if (isExplained) requireScope(call.token, 'read:assets');
  const rows: string[] = [];
  const missing: string[] = [];
  for (const tag of query.tags ?? live.tagNames(call.tenant, query.asset_id)) {
    const binding = { asset: query.asset_id, tag };
    const reading = live.reading(call.tenant, binding);
    if (!reading) {
      missing.push(tag);
      continue;
    }
    const { quality, source } = reading;
    const timestamp = toIso(reading.valueMs ?? reading.newestMs);
    const row = openPointJson({ timestamp, asset: query.asset_id, tag, value: renderScalar(reading.value), quality, source });
    rows.push(isExplained ? `${row},"explain":${JSON.stringify(explain(live, call.tenant, binding, reading))}}` : `${row}}`);
  }
  const meta = { ...listMeta({ page: 1, per_page: Math.max(1, rows.length) }, rows.length), missing };
  return okJson(`{"data":[${rows.join(',')}],"meta":${JSON.stringify(meta)}}`);
}
