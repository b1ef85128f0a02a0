/** GET /api/twins/{id}/status. */
import { z } from 'zod';
import { type Alert, SEVERITIES } from '../../alerts/alert.ts';
import { toIso } from '../../core/time.ts';
import { healthOf, REASON_CODES } from '../../twin/health.ts';
import { type Binding, type Twin, tagOf } from '../../twin/twin.ts';
import { hasScope } from '../auth.ts';
import type { Operation } from '../operation.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { timeSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { isConnected } from '../source-view.ts';
import { desiredState } from './command.ts';
import { findTwin } from './find.ts';

const MAX_ALERTS = 50;

const statusSchema = z.object({
  id: z.string(),
  name: z.string(),
  status: z.enum(['active', 'inactive', 'archived']),
  health: z.enum(['good', 'warning', 'critical', 'unknown']),
  last_sync: timeSchema
    .nullable()
    .describe('of the newest sample of a sensor or an actuator that is not bad, or of the last completed synchronization'),
  sensors: z.object({ total: z.int(), healthy: z.int(), warning: z.int(), error: z.int() }),
  actuators: z.object({ total: z.int(), operational: z.int(), error: z.int() }),
  reasons: z.array(
    z.object({
      part: z.enum(['sensor', 'actuator']),
      id: z.string(),
      level: z.enum(['warning', 'error']),
      code: z.enum(REASON_CODES),
      message: z.string().describe('for people'),
    }),
  ),
  alerts: z
    .array(z.object({ id: z.string(), severity: z.enum(SEVERITIES), message: z.string(), created_at: timeSchema }))
    .optional()
    .describe(
      'of its asset, and of the tags elsewhere that it is bound to; not resolved, the newest first, at most 50; only for tokens with read:alerts',
    ),
});

const GET_TWIN_STATUS: Operation = {
  id: 'getTwinStatus',
  summary: 'Get how a twin fares, and why',
  group: 'Twins',
  answers: [
    {
      status: 200,
      description: 'The judgement now',
      schema: z.object({ data: statusSchema }),
      example: {
        data: {
          id: 'pump-101',
          name: 'Main Cooling Pump',
          status: 'active',
          health: 'warning',
          last_sync: '2025-11-17T03:57:00Z',
          sensors: { total: 3, healthy: 2, warning: 1, error: 0 },
          actuators: { total: 2, operational: 2, error: 0 },
          reasons: [
            {
              part: 'sensor',
              id: 'temperature',
              level: 'warning',
              code: 'above_maximum',
              message: 'Temperature is above its maximum of 100',
            },
          ],
          alerts: [
            {
              id: 'alert-k5xw2mfa7qzc',
              severity: 'warning',
              message: 'High Temperature: temperature of pump-101 is 104.5, above 100 for 60 s',
              created_at: '2025-11-17T03:56:00Z',
            },
          ],
        },
      },
    },
  ],
  errors: ['twin_not_found'],
};

export function statusRoutes(services: ApiServices): Route[] {
  return [
    documented(
      GET_TWIN_STATUS,
      route('GET', '/api/twins/:id/status', 'read:assets', (call) => status(services, call)),
    ),
  ];
}

function status(services: ApiServices, call: Call): Answer {
  const twin = findTwin(call, services.twins);
  const down = new Map(services.sources.list(call.tenant).flatMap((source) => (isConnected(source) ? [] : [[source.id, source]])));
  const judged = healthOf(twin, {
    nowMs: services.clock.now(),
    reading: (binding) => services.live.reading(call.tenant, binding),
    periodMs: (binding) => services.live.periodMs(call.tenant, binding),
    owner: (binding) => services.devices.owner(call.tenant, binding)?.source,
    writeFailure: (actuator) => {
      const reported = services.live.reading(call.tenant, tagOf(twin, actuator))?.value ?? null;
      return desiredState(services, twin, actuator, reported)?.failure ?? null;
    },
    downSource: (id) => down.get(id),
  });
  const lastSyncMs = services.lastSyncMs(call.tenant, twin.id);
  return ok({
    data: {
      id: twin.id,
      name: twin.name,
      status: twin.status,
      health: judged.health,
      last_sync: lastSyncMs === null ? null : toIso(lastSyncMs),
      sensors: judged.sensors,
      actuators: judged.actuators,
      reasons: judged.reasons,
      ...(hasScope(call.token, 'read:alerts') ? { alerts: openAlerts(services, twin) } : undefined),
    },
  });
}

function openAlerts({ alerting }: ApiServices, twin: Twin) {
  return alerting
    .openAlerts(twin.tenant)
    .filter(isOf(twin))
    .slice(0, MAX_ALERTS)
    .map(({ id, severity, message, triggeredMs }) => ({ id, severity, message, created_at: toIso(triggeredMs) }));
}

/** True of alerts of its own asset, and of the tags elsewhere that its sensors and actuators are bound to. */
function isOf(twin: Twin): (alert: Alert) => boolean {
  const bindings: readonly Binding[] = [
    ...twin.sensors.map(({ binding }) => binding),
    ...twin.actuators.map((actuator) => tagOf(twin, actuator)),
  ];
  const elsewhere = bindings.filter(({ asset }) => asset !== twin.id);
  return ({ assetId, tagName, dataSourceId }) =>
    assetId === twin.id ||
    elsewhere.some(
      ({ asset, tag, source }) =>
        asset === assetId && tag === tagName && (source === undefined || dataSourceId === null || source === dataSourceId),
    );
}
