/** /v1/alerts: list, read, acknowledge, resolve, shelve, unshelve. */
import { z } from 'zod';
import { ALERT_STATUSES, type Alert, SEVERITIES } from '../../alerts/alert.ts';
import type { AlertKey } from '../../alerts/alerting.ts';
import { toIso } from '../../core/time.ts';
import { renderAlert } from '../alert-view.ts';
import { JSON_BODY_LIMIT_BYTES, readJson, readOptionalJson } from '../body.ts';
import type { Operation } from '../operation.ts';
import { skipOf } from '../page.ts';
import { pageParams, parsed, timeParam } from '../params.ts';
import { ApiError, invalid } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { listMetaSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import { ALERT_EXAMPLE, alertSchema, remarkSchema, shelveSchema } from './alert-schema.ts';
import { listMeta } from './list-meta.ts';

const GROUP = 'Alerts';
const READING_ERRORS = ['store_failed', 'store_stalled', 'storage_full'] as const;
const ONE = { schema: z.object({ data: alertSchema }), example: { data: ALERT_EXAMPLE } };
const REMARK = { schema: remarkSchema, example: { note: 'Investigating the issue' }, optional: true };

/** `a,b`, each of which must be one of `known`. */
function listOf<const Known extends readonly string[]>(known: Known) {
  const parse = (text: string): Known[number][] | undefined => {
    const items = text.split(',');
    return items.every((item): item is Known[number] => known.includes(item)) ? [...new Set(items)] : undefined;
  };
  return parsed(parse, `must be of ${known.join(', ')}, with commas between several`, {
    description: `of ${known.join(', ')}; several with commas`,
  });
}

const listQuery = z.object({
  ...pageParams(20, 100),
  status: listOf(ALERT_STATUSES).default(['active', 'acknowledged']),
  severity: listOf(SEVERITIES).optional(),
  start: timeParam.optional(),
  end: timeParam.optional(),
});

const LIST_ALERTS: Operation = {
  id: 'listAlerts',
  summary: 'List alerts, the newest first',
  description: 'Those that are not resolved, unless `status` asks for others. `start` and `end` are of `triggered_at`.',
  group: GROUP,
  query: listQuery,
  answers: [
    {
      status: 200,
      description: 'A page of alerts',
      schema: z.object({ data: z.array(alertSchema), meta: listMetaSchema }),
      example: { data: [ALERT_EXAMPLE], meta: { page: 1, per_page: 20, total: 1 } },
    },
  ],
  errors: READING_ERRORS,
};

const GET_ALERT: Operation = {
  id: 'getAlert',
  summary: 'Get an alert',
  group: GROUP,
  answers: [{ status: 200, description: 'The alert', ...ONE }],
  errors: ['not_found', ...READING_ERRORS],
};

const ACKNOWLEDGE: Operation = {
  id: 'acknowledgeAlert',
  summary: 'Say that somebody takes care of an alert',
  description: 'Again it adds the note.',
  group: GROUP,
  body: REMARK,
  answers: [{ status: 200, description: 'The alert', ...ONE }],
  errors: ['not_found', 'alert_resolved', ...READING_ERRORS],
};

const RESOLVE: Operation = {
  id: 'resolveAlert',
  summary: 'Say that an alert is over',
  description: 'Where the condition still holds, a new alert fires after its duration. Again it changes nothing.',
  group: GROUP,
  body: REMARK,
  answers: [{ status: 200, description: 'The alert', ...ONE }],
  errors: ['not_found', ...READING_ERRORS],
};

const SHELVE: Operation = {
  id: 'shelveAlert',
  summary: 'Notify nobody of an alert for a while',
  description:
    'Neither of this one nor of the next ones of its rule on its asset; they are listed as ever. When the time is up, an alert that began meanwhile and is still active is notified. The end of one that was notified before is notified all the same. The rule shows its shelving when the alert is over. (ANSI/ISA-18.2 §11.7)',
  group: GROUP,
  body: { schema: shelveSchema, example: { minutes: 60, note: 'The pump is being replaced' } },
  answers: [{ status: 200, description: 'The alert', ...ONE }],
  errors: ['not_found', 'alert_resolved', ...READING_ERRORS],
};

const UNSHELVE: Operation = {
  id: 'unshelveAlert',
  summary: 'End the shelving of an alert',
  group: GROUP,
  body: REMARK,
  answers: [{ status: 200, description: 'The alert', ...ONE }],
  errors: ['not_found', 'alert_resolved', ...READING_ERRORS],
};

export function alertRoutes(services: ApiServices): Route[] {
  const { alerting } = services;
  const one = '/v1/alerts/:id';
  return [
    documented(
      LIST_ALERTS,
      route('GET', '/v1/alerts', 'read:alerts', (call) => list(services, call)),
    ),
    documented(
      GET_ALERT,
      route('GET', one, 'read:alerts', async (call) => shown(services, await alerting.get(keyOf(call)))),
    ),
    documented(
      ACKNOWLEDGE,
      route('POST', `${one}/acknowledge`, 'write:alerts', async (call) =>
        shown(services, await alerting.acknowledge(keyOf(call), await remarkOf(call))),
      ),
    ),
    documented(
      RESOLVE,
      route('POST', `${one}/resolve`, 'write:alerts', async (call) =>
        shown(services, await alerting.resolve(keyOf(call), await remarkOf(call))),
      ),
    ),
    documented(
      SHELVE,
      route('POST', `${one}/shelve`, 'write:alerts', (call) => shelve(services, call)),
    ),
    documented(
      UNSHELVE,
      route('POST', `${one}/unshelve`, 'write:alerts', async (call) =>
        shown(services, await alerting.unshelve(keyOf(call), await remarkOf(call))),
      ),
    ),
  ];
}

async function list(services: ApiServices, { tenant, request }: Call): Promise<Answer> {
  const query = queryOf(listQuery, request);
  const { start, end } = query;
  if (start !== undefined && end !== undefined && start >= end) throw invalid([{ field: 'start', message: 'must be before the end' }]);
  const { alerts, total } = await services.alerting.list({
    tenant,
    statuses: query.status,
    ...(query.severity && { severities: query.severity }),
    ...(start !== undefined && { fromMs: start }),
    ...(end !== undefined && { toMs: end }),
    limit: query.per_page,
    skip: skipOf(query),
  });
  return ok({ data: await withDeliveries(services, alerts), meta: listMeta(query, total) });
}

async function shelve(services: ApiServices, call: Call): Promise<Answer> {
  const { minutes, note } = validate(shelveSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  const remark = { by: call.token.name, note: note ?? undefined };
  return shown(services, await services.alerting.shelve(keyOf(call), Math.round(minutes * 60_000), remark));
}

async function remarkOf({ request, token }: Call) {
  const { note } = validate(remarkSchema, (await readOptionalJson(request, JSON_BODY_LIMIT_BYTES)) ?? {});
  return { by: token.name, note: note ?? undefined };
}

/** Throws `not_found`. */
async function shown(services: ApiServices, alert: Alert | undefined): Promise<Answer> {
  if (!alert) throw new ApiError('not_found', 'There is no such alert.');
  const [data] = await withDeliveries(services, [alert]);
  return ok({ data });
}

/** All of one tenant. */
async function withDeliveries({ channels }: ApiServices, alerts: readonly Alert[]) {
  const [first] = alerts;
  const ids = alerts.map(({ id }) => id);
  const deliveries = first ? await channels.deliveries(first.tenant, ids) : [];
  return alerts.map((alert) => ({
    ...renderAlert(alert),
    deliveries: deliveries
      .filter(({ alertId }) => alertId === alert.id)
      .map(({ channel, event, status, attempts, lastError, deliveredMs }) => ({
        channel,
        event,
        status,
        attempts,
        last_error: lastError,
        delivered_at: deliveredMs === null ? null : toIso(deliveredMs),
      })),
  }));
}

function keyOf({ tenant, request }: Call): AlertKey {
  return { tenant, id: request.param('id') ?? '' };
}
