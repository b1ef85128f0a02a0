/** What a request leaves in the audit log: writes always, reads where the route says so, refused ones as well. */
import type { Context } from 'hono';
import type { UnixMs } from '../core/time.ts';
import type { AuditEntry, AuditKind } from '../store/records.ts';
import type { Exchange } from './exchange.ts';
import type { Answer, Route } from './route.ts';

const REFUSED = [401, 403, 429];
const MAX_OBJECT_ID = 300;

export interface Outcome {
  readonly exchange: Exchange;
  readonly answer: Answer & { readonly code?: string };
  readonly nowMs: UnixMs;
}

/** Undefined where nothing is kept. */
export function auditEntryOf(c: Context, route: Route, { exchange, answer, nowMs }: Outcome): AuditEntry | undefined {
  if (route.scope === null || (route.method === 'GET' && !route.audited)) return undefined;
  const { token, address, requestId } = exchange;
  const places = Object.values(c.req.param() as Record<string, string>);
  return {
    kind: REFUSED.includes(answer.status) ? 'refused' : kindOf(route.method, route.scope),
    timeMs: nowMs,
    tenant: token?.tenant ?? null,
    tokenId: token?.id ?? null,
    tokenName: token?.name ?? null,
    method: route.method,
    route: route.path,
    objectId: places.length > 0 ? places.join('/').slice(0, MAX_OBJECT_ID) : null,
    status: answer.status,
    code: answer.code ?? null,
    address,
    requestId,
    count: 1,
  };
}

function kindOf(method: string, scope: string): AuditKind {
  if (method === 'GET') return 'read';
  return scope === 'write:telemetry' ? 'ingest' : 'write';
}
