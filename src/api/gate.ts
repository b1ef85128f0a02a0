/** The one gate that every request passes: who calls, how often, the route, the form of the answer, and the trace it leaves. */
import type { Context } from 'hono';
import { z } from 'zod';
import { messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import type { StoredToken } from '../store/records.ts';
import { auditEntryOf } from './audit-entry.ts';
import type { AuditLog } from './audit-log.ts';
import { Authenticator, requireScope } from './auth.ts';
import { BackOff } from './back-off.ts';
import { JSON_BODY_LIMIT_BYTES, readBytes, readOptionalJson } from './body.ts';
import { unlessKnown } from './conditional.ts';
import { Cors } from './cors.ts';
import { connectionOf, type Exchange } from './exchange.ts';
import { Idempotency } from './idempotency.ts';
import type { OpenStreams } from './open-streams.ts';
import { ApiError, familyOf, type Problem, problemOf } from './problem.ts';
import { RateLimiter } from './rate-limit.ts';
import { requestIdOf } from './request-id.ts';
import { commonHeaders, respond } from './respond.ts';
import type { Answer, Call, Route, ScopedRoute } from './route.ts';
import type { ApiServices } from './services.ts';
import { mended, type Soon, whenThere } from './soon.ts';
import { validate } from './validate.ts';

const NOTHING = z.strictObject({});

export class Gate {
  readonly #authenticator: Authenticator;
  readonly #rates: RateLimiter;
  readonly #cors: Cors;
  readonly #idempotency: Idempotency;
  readonly #audit: AuditLog;
  readonly #streams: OpenStreams;
  readonly #clock: ApiServices['clock'];
  readonly #log: Log;
  readonly #throttled: ThrottledLog;

  constructor(
    { records, clock, log, http }: Pick<ApiServices, 'records' | 'clock' | 'log' | 'http'>,
    audit: AuditLog,
    streams: OpenStreams,
  ) {
    this.#authenticator = new Authenticator(records, clock, new BackOff(clock));
    this.#rates = new RateLimiter(http.rateLimit, clock);
    this.#cors = new Cors(http.corsOrigins);
    this.#idempotency = new Idempotency(records, clock, log);
    this.#audit = audit;
    this.#streams = streams;
    this.#clock = clock;
    this.#log = log;
    this.#throttled = new ThrottledLog(log, clock);
  }

  pass(c: Context, route: Route): Soon<Response> {
    const exchange = this.#open(c);
    const answer = this.#answer(c, exchange, () => {
      const given = route.scope === null ? route.handle({ request: c.req }) : this.#call(c, route, exchange);
      return route.method === 'GET' ? whenThere(given, (each) => unlessKnown(each, c.req.header('if-none-match'))) : given;
    });
    return whenThere(answer, (given) => this.#leave(c, route, exchange, given));
  }

  /** No route, or none for this method: a stranger is not told which, unless a listed origin asks before it calls. */
  refuse(c: Context, allowed: readonly string[]): Soon<Response> {
    const exchange = this.#open(c);
    const origin = c.req.header('origin');
    const preflight = this.#cors.preflight(c.req.method, origin, c.req.header('access-control-request-method'));
    if (preflight) return respond(preflight, exchange.headers);
    const answer = this.#answer(c, exchange, () => whenThere(this.#admit(c, exchange), () => withoutRoute(c, allowed)));
    return whenThere(answer, (given) => this.#leave(c, undefined, exchange, given));
  }

  /** `route` is undefined where there is none. */
  #leave(c: Context, route: Route | undefined, exchange: Exchange, answer: Answer): Response {
    const entry = auditEntryOf(c, route, { exchange, answer, nowMs: this.#clock.now() });
    if (entry) this.#audit.record(entry);
    if (answer.stream) this.#streams.add(c);
    return respond(answer, exchange.headers);
  }

  #open(c: Context): Exchange {
    const requestId = requestIdOf(c.req.header('x-request-id'));
    const { address, connection } = connectionOf(c);
    const headers = Object.assign(commonHeaders(requestId), this.#cors.headers(c.req.header('origin')));
    return { requestId, address, connection, headers };
  }

  /** Throws `unauthorized` or `rate_limited`. */
  #admit(c: Context, exchange: Exchange): Soon<StoredToken> {
    const known = this.#authenticator.authenticate(c.req.header('authorization'), exchange);
    return whenThere(known, (token) => {
      exchange.token = token;
      Object.assign(exchange.headers, this.#rates.take(token.id));
      return token;
    });
  }

  #call(c: Context, route: ScopedRoute, exchange: Exchange): Soon<Answer> {
    return whenThere(this.#admit(c, exchange), (token) => {
      requireScope(token, route.scope);
      const call = { request: c.req, tenant: token.tenant, token, requestId: exchange.requestId };
      const key = route.method === 'POST' ? c.req.header('idempotency-key') : undefined;
      return key === undefined || isUpload(c) ? handled(route, call) : this.#once(key, route, call);
    });
  }

  /** Under its Idempotency-Key. */
  async #once(key: string, route: ScopedRoute, call: Call): Promise<Answer> {
    const { pathname, search } = new URL(call.request.url);
    const body = await readBytes(call.request, route.operation?.body?.limitBytes ?? JSON_BODY_LIMIT_BYTES);
    const keyed = { tokenId: call.token.id, path: pathname, key, content: [search, body] };
    return this.#idempotency.run(keyed, async () => handled(route, call));
  }

  #answer(c: Context, exchange: Exchange, work: () => Soon<Answer>): Soon<Answer> {
    return mended(work, (thrown) => {
      // When the client has gone, whatever waited for it ends with the reason of that.
      const error = c.req.raw.signal.aborted ? new ApiError('bad_request', 'The client closed the connection.') : thrown;
      const problem = problemOf(error, familyOf(c.req.path), exchange.requestId);
      this.#report(c, problem, error, exchange.requestId);
      return problem;
    });
  }

  #report(c: Context, problem: Problem, error: unknown, requestId: string): void {
    if (problem.status < 500) return;
    const fields = { request_id: requestId, method: c.req.method, path: c.req.path, code: problem.code, error: messageOf(error) };
    if (problem.code !== 'internal_error') this.#throttled.warn(problem.code, fields, 'request refused');
    else this.#log.error({ ...fields, stack: error instanceof Error ? error.stack : undefined }, 'request failed');
  }
}

function handled(route: ScopedRoute, call: Call): Soon<Answer> {
  const { method, operation } = route;
  const takesNoBody = method === 'POST' && operation !== undefined && operation.body === undefined;
  return takesNoBody ? withoutBody(route, call) : route.handle(call);
}

/** Rejects `validation_error` or `malformed_json` for a body that the route has no use for: its sender expects something of it. */
async function withoutBody(route: ScopedRoute, call: Call): Promise<Answer> {
  const body = await readOptionalJson(call.request, JSON_BODY_LIMIT_BYTES);
  if (body !== undefined) validate(NOTHING, body);
  return route.handle(call);
}

/** Throws `not_found` or `method_not_allowed`. */
function withoutRoute(c: Context, allowed: readonly string[]): Answer {
  if (allowed.length === 0) throw new ApiError('not_found', 'There is nothing at this path.');
  const allow = [...allowed, ...(allowed.includes('GET') ? ['HEAD'] : []), 'OPTIONS'].join(', ');
  if (c.req.method === 'OPTIONS') return { status: 204, body: undefined, headers: { Allow: allow } };
  throw new ApiError('method_not_allowed', `This path takes ${allow}.`, { headers: { Allow: allow } });
}

/** A file of hundreds of megabytes is streamed to disk and not hashed beforehand. */
function isUpload(c: Context): boolean {
  return /^multipart\//i.test(c.req.header('content-type') ?? '');
}
