/** What a request leaves in the audit log: writes always, reads where the route says so, and whatever is refused. */
import type { Context } from 'hono';
import type { UnixMs } from '../core/time.ts';
import type { AuditEntry, AuditKind } from '../store/records.ts';
import type { Exchange } from './exchange.ts';
import type { Answer, Route } from './route.ts';

const REFUSED = [401, 403, 429];
const MAX_OBJECT_ID = 300;
/** In place of a route, where a path leads to none: what strangers make up is not kept. */
const NO_ROUTE = '*';
/** In the path of a route. The router gives parameters in no order of its own. */
const PARAMETER = /:(\w+)/g;

export interface Outcome {
  readonly exchange: Exchange;
  readonly answer: Answer & { readonly code?: string };
  readonly nowMs: UnixMs;
}

/** `route` is absent where path and method lead to none. Undefined where nothing is kept. */
export function auditEntryOf(c: Context, route: Route | undefined, { exchange, answer, nowMs }: Outcome): AuditEntry | undefined {
  const kind = REFUSED.includes(answer.status) ? 'refused' : kindOf(route);
  if (kind === undefined) return undefined;
  const { token, address, requestId } = exchange;
  return {
    kind,
    timeMs: nowMs,
    tenant: token?.tenant ?? null,
    tokenId: token?.id ?? null,
    tokenName: token?.name ?? null,
    method: route?.method ?? c.req.method,
    route: route?.path ?? NO_ROUTE,
    objectId: route ? objectIdOf(c, route, answer) : null,
    status: answer.status,
    code: answer.code ?? null,
    address,
    requestId,
    count: 1,
  };
}

/** Of a request that was not refused. */
function kindOf(route: Route | undefined): AuditKind | undefined {
  if (!route || route.scope === null) return undefined;
  if (route.method === 'GET') return route.audited ? 'read' : undefined;
  return route.scope === 'write:telemetry' ? 'ingest' : 'write';
}

/** What was made, else what the path names; of a part, with what it is a part of: `pump-101/temperature`. */
function objectIdOf(c: Context, { path }: Route, { headers }: Answer): string | null {
  const made = headers?.['Location'];
  const ids = made === undefined ? [...path.matchAll(PARAMETER)].flatMap(([, name = '']) => c.req.param(name) ?? []) : idsIn(made);
  return ids.length > 0 ? ids.join('/').slice(0, MAX_OBJECT_ID) : null;
}

/** Behind `/api` or `/v1` a path goes kind, id, kind, id. */
function idsIn(location: string): string[] {
  return location
    .split('/')
    .slice(2)
    .filter((_, index) => index % 2 === 1);
}
