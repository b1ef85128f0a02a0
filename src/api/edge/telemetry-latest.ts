/** GET /v1/telemetry/latest: the present values of an asset, from memory. */
import { z } from 'zod';
import { toIso } from '../../core/time.ts';
import { listParam } from '../params.ts';
import { type Answer, type Call, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import { renderScalar } from '../values.ts';
import { listMeta } from './list-meta.ts';

const latestQuery = z.object({ asset_id: z.string().min(1, 'must not be empty'), tags: listParam });

export function telemetryLatestRoutes(services: ApiServices): Route[] {
  return [route('GET', '/v1/telemetry/latest', 'read:telemetry', (call) => latest(services, call))];
}

function latest({ live }: ApiServices, call: Call): Answer {
  const query = validate(latestQuery, call.request.query());
  const rows: object[] = [];
  const missing: string[] = [];
  for (const tag of query.tags ?? live.tagNames(call.tenant, query.asset_id)) {
    const reading = live.reading(call.tenant, { asset: query.asset_id, tag });
    if (!reading) {
      missing.push(tag);
      continue;
    }
    rows.push({
      timestamp: toIso(reading.valueMs ?? reading.newestMs),
      asset_id: query.asset_id,
      tag_name: tag,
      value: renderScalar(reading.value),
      quality: reading.quality,
      data_source_id: reading.source,
    });
  }
  return ok({ data: rows, meta: { ...listMeta({ page: 1, per_page: rows.length }, rows.length), missing } });
}
