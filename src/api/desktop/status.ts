/** GET /api/twins/{id}/status. */
import { toIso } from '../../core/time.ts';
import { type Answer, type Call, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { findTwin } from './find.ts';
import { healthOf } from './health.ts';

export function statusRoutes(services: ApiServices): Route[] {
  return [route('GET', '/api/twins/:id/status', 'read:assets', (call) => status(services, call))];
}

function status(services: ApiServices, call: Call): Answer {
  const twin = findTwin(call, services.twins);
  const sources = new Map(services.sources.list(call.tenant).map((source) => [source.id, source]));
  const judged = healthOf(twin, {
    nowMs: services.clock.now(),
    reading: (binding) => services.live.reading(call.tenant, binding),
    periodMs: (binding) => services.live.periodMs(call.tenant, binding),
    source: (id) => sources.get(id),
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
      alerts: [], // this box keeps no alert rules, so none can be open
    },
  });
}
