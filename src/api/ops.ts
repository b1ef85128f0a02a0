/** How the box itself fares: alive, ready, and the full picture, for people and for Prometheus. */
import { toIso, type UnixMs } from '../core/time.ts';
import { type Answer, type Call, ok, publicRoute, type Route, route } from './route.ts';
import type { ApiServices } from './services.ts';
import { renderLedger, renderSource } from './source-view.ts';

export function opsRoutes(services: ApiServices): Route[] {
  return [
    publicRoute('/healthz', () => ok({ status: 'ok' })),
    publicRoute('/readyz', () => readiness(services)),
    route('GET', '/v1/status', 'read:assets', (call) => status(services, call)),
    route('GET', '/metrics', 'admin', async () => ({ status: 200, body: undefined, content: await services.metrics() })),
  ];
}

function readiness(services: ApiServices): Answer {
  const { missing } = services.readiness();
  if (missing.length === 0) return ok({ status: 'ready' });
  return { status: 503, body: { status: 'not_ready', missing }, headers: { 'Retry-After': '1' } };
}

/** Sources are the caller's own; the store is the whole box's, which all its tenants share. */
async function status(services: ApiServices, call: Call): Promise<Answer> {
  const stats = await services.store.stats();
  const stream = services.stream();
  return ok({
    data: {
      version: services.version,
      time: toIso(services.clock.now()),
      ready: services.readiness().missing.length === 0,
      missing: services.readiness().missing,
      sources: services.sources.list(call.tenant).map((source) => ({
        ...renderSource(source),
        errors: source.errors,
        last_error: source.lastError,
        ledger: renderLedger(source.ledger),
      })),
      rest: { ledger: renderLedger(services.doorLedger(call.tenant)) },
      store: {
        engine: stats.engine,
        profile: stream.profile,
        samples: stats.samples,
        file_bytes: stats.fileBytes,
        oldest: isoOrNull(stats.oldestMs),
        newest: isoOrNull(stats.newestMs),
        next_sequence: stream.next,
        durable_sequence: stream.durable,
        lag: stream.next - stream.durable,
        fault: stream.fault,
      },
    },
  });
}

function isoOrNull(timeMs: UnixMs | null): string | null {
  return timeMs === null ? null : toIso(timeMs);
}
