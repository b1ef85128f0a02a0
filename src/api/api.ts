/** The HTTP API as a whole: the table of its routes behind the one gate. */
import { Hono } from 'hono';
import { AuditLog } from './audit-log.ts';
import { auditRoutes } from './audit-routes.ts';
import { actuatorEditRoutes } from './desktop/edit-actuator.ts';
import { sensorEditRoutes } from './desktop/edit-sensor.ts';
import { twinEditRoutes } from './desktop/edit-twin.ts';
import { historyRoutes } from './desktop/history.ts';
import { statusRoutes } from './desktop/status.ts';
import { syncRoutes } from './desktop/sync.ts';
import { twinRoutes } from './desktop/twins.ts';
import { alertRuleRoutes } from './edge/alert-rules.ts';
import { alertRoutes } from './edge/alerts.ts';
import { dashboardRoutes } from './edge/dashboards.ts';
import { dataSourceRevisionRoutes } from './edge/data-source-revisions.ts';
import { dataSourceTestRoutes } from './edge/data-source-test.ts';
import { dataSourceRoutes } from './edge/data-sources.ts';
import { dataSourceEditRoutes } from './edge/edit-data-source.ts';
import { notificationChannelRoutes } from './edge/notification-channels.ts';
import { telemetryIngestRoutes } from './edge/telemetry-ingest.ts';
import { telemetryLatestRoutes } from './edge/telemetry-latest.ts';
import { telemetryQueryRoutes } from './edge/telemetry-query.ts';
import { Gate } from './gate.ts';
import { LiveHub } from './live/hub.ts';
import { streamRoutes } from './live/stream.ts';
import { OpenStreams } from './open-streams.ts';
import { openApiRoutes } from './openapi-routes.ts';
import { opsRoutes } from './ops.ts';
import type { Route } from './route.ts';
import { ApiRouter } from './router.ts';
import type { ApiServices, StreamsState } from './services.ts';
import type { Soon } from './soon.ts';

export interface Api {
  /** `env` is what the server under it knows of the connection. */
  fetch(request: Request, env?: object): Soon<Response>;
  readonly routes: readonly Route[];
  streams(): StreamsState;
  /** Ends what would never end by itself, and cuts off who does not read it: to be called before the server is asked to wait for its answers. */
  endStreams(): void;
  /** Writes what is still to be written, within `deadlineMs`. Never rejects. */
  close(deadlineMs: number): Promise<void>;
}

/** All routes are registered here, before the first request. */
export function createApi(services: ApiServices): Api {
  const audit = new AuditLog(services);
  const live = new LiveHub(services);
  const described = [
    ...opsRoutes(services, () => live.state),
    ...auditRoutes(audit),
    ...twinRoutes(services),
    ...twinEditRoutes(services),
    ...sensorEditRoutes(services),
    ...actuatorEditRoutes(services),
    ...statusRoutes(services),
    ...syncRoutes(services),
    ...historyRoutes(services),
    ...dataSourceRoutes(services),
    ...dataSourceEditRoutes(services),
    ...dataSourceRevisionRoutes(services),
    ...dataSourceTestRoutes(services),
    ...telemetryQueryRoutes(services),
    ...telemetryLatestRoutes(services),
    ...telemetryIngestRoutes(services),
    ...dashboardRoutes(services),
    ...notificationChannelRoutes(services),
    ...alertRuleRoutes(services),
    ...alertRoutes(services),
    ...streamRoutes(live),
  ];
  const routes = [...described, ...openApiRoutes(described, services.version)];
  const streams = new OpenStreams();
  const gate = new Gate(services, audit, streams);
  const app = new Hono({ strict: false, router: new ApiRouter() });
  for (const each of routes) app.on(each.method, each.path, (c) => gate.pass(c, each));
  const methods = [...new Set(routes.map(({ method }) => method))];
  app.notFound((c) =>
    gate.refuse(
      c,
      methods.filter((method) => app.router.match(method, c.req.path)[0].length > 0),
    ),
  );
  return {
    fetch: (request, env) => app.fetch(request, env),
    routes,
    streams: () => live.state,
    endStreams: () => {
      live.close();
      void streams.cutOff(services.clock);
    },
    close: (deadlineMs) => audit.close(deadlineMs),
  };
}
