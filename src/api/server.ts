/** The HTTP API as a whole: the table of its routes, and the server under it with its limits and its stop. */
import { randomUUID } from 'node:crypto';
import { createServer, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, Server as NetServer } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import type { Clock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { AuditLog } from './audit-log.ts';
import { auditRoutes } from './audit-routes.ts';
import { historyRoutes } from './desktop/history.ts';
import { statusRoutes } from './desktop/status.ts';
import { twinRoutes } from './desktop/twins.ts';
import { dataSourceRoutes } from './edge/data-sources.ts';
import { telemetryIngestRoutes } from './edge/telemetry-ingest.ts';
import { telemetryLatestRoutes } from './edge/telemetry-latest.ts';
import { telemetryQueryRoutes } from './edge/telemetry-query.ts';
import { Gate } from './gate.ts';
import { opsRoutes } from './ops.ts';
import { ApiError, problemOf } from './problem.ts';
import { respond } from './respond.ts';
import type { Route } from './route.ts';
import type { ApiServices } from './services.ts';

export interface Api {
  /** `env` is what the server under it knows of the connection. */
  fetch(request: Request, env?: object): Response | Promise<Response>;
  readonly routes: readonly Route[];
  /** Writes what is still to be written, within `deadlineMs`. Never rejects. */
  close(deadlineMs: number): Promise<void>;
}

/** All routes are registered here, before the first request. */
export function createApi(services: ApiServices): Api {
  const audit = new AuditLog(services);
  const routes = [
    ...opsRoutes(services),
    ...auditRoutes(audit),
    ...twinRoutes(services),
    ...statusRoutes(services),
    ...historyRoutes(services),
    ...dataSourceRoutes(services),
    ...telemetryQueryRoutes(services),
    ...telemetryLatestRoutes(services),
    ...telemetryIngestRoutes(services),
  ];
  const gate = new Gate(services, audit);
  const app = new Hono({ strict: false });
  for (const each of routes) app.on(each.method, each.path, (c) => gate.pass(c, each));
  const methods = [...new Set(routes.map(({ method }) => method))];
  app.notFound((c) =>
    gate.refuse(
      c,
      methods.filter((method) => app.router.match(method, c.req.path)[0].length > 0),
    ),
  );
  return { fetch: (request, env) => app.fetch(request, env), routes, close: (deadlineMs) => audit.close(deadlineMs) };
}

const MAX_CONNECTIONS = 256;

const LIMITS = {
  headersTimeout: 10_000,
  requestTimeout: 60_000, // 4 MiB over a slow radio link
  keepAliveTimeout: 30_000, // a panel that polls every 10 s keeps its connection
  connectionsCheckingInterval: 2_000, // how often the timeouts above are looked at; Node's 30 s would make 10 s into 40
};

const SILENT_SOCKET_MS = 120_000; // a peer that reads nothing for this long has stalled

export interface ListenOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  readonly api: Api;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Listening {
  readonly host: string;
  readonly port: number;
  /** Takes no more connections, lets running requests end within `deadlineMs` and then cuts them off. Never rejects. */
  close(deadlineMs: number): Promise<void>;
}

/** Rejects `listen_failed`, naming the address. */
export async function listen({ host, port, api, clock, log }: ListenOptions): Promise<Listening> {
  const server = createServer(LIMITS, getRequestListener(api.fetch, { errorHandler: () => unreadable() }));
  server.maxConnections = MAX_CONNECTIONS;
  server.timeout = SILENT_SOCKET_MS;
  const unsent = trackResponses(server);
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(listenError(host, port, error)));
    server.listen({ host, port }, resolve);
  });
  server.on('error', (error) => log.error({ error: messageOf(error) }, 'the HTTP server reports an error'));
  const address = server.address() as AddressInfo;
  return { host: address.address, port: address.port, close: (deadlineMs) => close(server, unsent, { clock, deadlineMs }) };
}

/** A request whose target or Host makes no URL never reaches a route. */
function unreadable(): Response {
  const requestId = randomUUID();
  const problem = problemOf(new ApiError('bad_request', 'The path or the Host header cannot be read.'), 'edge', requestId);
  return respond(problem, { 'X-Request-Id': requestId });
}

const REASONS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there',
  EADDRNOTAVAIL: 'this machine has no such address',
  EACCES: 'not permitted',
};

function listenError(host: string, port: number, error: NodeJS.ErrnoException): GatewayError {
  const reason = REASONS[error.code ?? ''] ?? error.message;
  return new GatewayError('listen_failed', `cannot listen on ${host}:${port}: ${reason}`, { cause: error });
}

/** The responses that are not sent to their last byte. */
function trackResponses(server: Server): ReadonlySet<ServerResponse> {
  const unsent = new Set<ServerResponse>();
  server.prependListener('request', (_request, response: ServerResponse) => {
    if (!server.listening) response.shouldKeepAlive = false; // a client that polls must not hold up the stop
    unsent.add(response);
    response.once('close', () => unsent.delete(response));
  });
  return unsent;
}

const SENT_CHECK_MS = 20;

interface Stop {
  readonly clock: Clock;
  readonly deadlineMs: number;
}

async function close(server: Server, unsent: ReadonlySet<ServerResponse>, { clock, deadlineMs }: Stop): Promise<void> {
  // The close of http.Server would cut off at once whoever still reads an answer: it takes one handed over for one sent.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  const untilMs = clock.monotonicMs() + deadlineMs;
  while (unsent.size > 0 && clock.monotonicMs() < untilMs) await clock.sleep(SENT_CHECK_MS);
  server.close(); // stops its timers
  server.closeAllConnections();
  await closed;
}
