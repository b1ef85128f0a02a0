/** GET /api/twins/{id}: a twin as it is, or with the values of some time. */
import { z } from 'zod';
import { toIso, type UnixMs } from '../../core/time.ts';
import type { Twin } from '../../twin/twin.ts';
import { requireScope } from '../auth.ts';
import { tagged } from '../conditional.ts';
import { explain, explainParam } from '../explain.ts';
import type { Operation } from '../operation.ts';
import { timeParam } from '../params.ts';
import { invalid } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { timeSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import type { Soon } from '../soon.ts';
import { valuesAsOf } from './as-of.ts';
import type { CommandView } from './command.ts';
import { findTwin } from './find.ts';
import { renderTwin } from './render.ts';
import { TWIN_EXAMPLE, twinSchema } from './schema.ts';

const twinQuery = z.object({ at: timeParam.optional(), explain: explainParam });

/** What `at` goes for, and what is always as it is now. */
const PAST = ['current_value', 'current_state', 'last_updated', 'quality'] as const;
const PRESENT = ['name', 'description', 'type', 'status', 'metadata', 'sensors', 'actuators', 'min_value', 'max_value', 'binding'] as const;

/** What was asked of the devices is known for the present alone: a past twin has no `desired_state`. */
const UNASKED: CommandView['devices'] = { owner: () => undefined, lastCommand: () => undefined };

const metaSchema = z.object({
  at: timeSchema,
  looked_back_to: timeSchema.describe('a tag without a usable sample between the two has no value, unless its present one is older'),
  past: z.array(z.enum(PAST)).describe('fields as of that time'),
  present: z.array(z.enum(PRESENT)).describe('fields as they are at present: their past is not kept'),
});

const GET_TWIN: Operation = {
  id: 'getTwin',
  summary: 'Get a twin with its present values',
  description: [
    'With `at` each sensor and actuator shows the newest usable sample at or before that time, its time and its quality, or null where there is',
    'none within the 31 days before; a present value that is older than these is found too. This reads the history and needs the scope',
    '`read:telemetry` too.',
  ].join('\n'),
  group: 'Twins',
  query: twinQuery,
  answers: [
    {
      status: 200,
      description: 'The twin',
      etag: 'revision',
      schema: z.object({ data: twinSchema, meta: metaSchema.optional().describe('only with `at`') }),
      example: { data: TWIN_EXAMPLE },
    },
  ],
  errors: ['twin_not_found', 'range_too_large', 'overloaded', 'store_failed', 'store_stalled'],
};

export function twinRoute(services: ApiServices): Route {
  return documented(
    GET_TWIN,
    route('GET', '/api/twins/:id', 'read:assets', (call) => getTwin(services, call)),
  );
}

function getTwin(services: ApiServices, call: Call): Soon<Answer> {
  const twin = findTwin(call, services.twins);
  const { at, explain: isExplained } = queryOf(twinQuery, call.request);
  if (at !== undefined && isExplained === '1') throw invalid([{ field: 'explain', message: 'explains present values: not with at' }]);
  if (at === undefined) {
    const data = renderTwin(twin, services);
    const shown = isExplained === '1' ? { ...data, sensors: explained(services.live, twin, data.sensors) } : data;
    return tagged(ok({ data: shown }), twin.revision, false);
  }
  requireScope(call.token, 'read:telemetry');
  return getPastTwin(services, call, twin, at);
}

async function getPastTwin(services: ApiServices, call: Call, twin: Twin, at: UnixMs): Promise<Answer> {
  const past = await valuesAsOf(services, twin, at, call.request.raw.signal);
  const data = renderTwin(twin, { live: past, devices: UNASKED });
  return ok({ data, meta: { at: toIso(at), looked_back_to: toIso(past.fromMs), past: PAST, present: PRESENT } });
}

/** `rendered` are the twin's sensors, in their order. */
function explained<Rendered>(live: ApiServices['live'], { tenant, sensors }: Twin, rendered: readonly Rendered[]) {
  return sensors.map(({ binding }, index) => ({
    ...(rendered[index] as Rendered),
    explain: explain(live, tenant, binding, live.reading(tenant, binding)),
  }));
}
