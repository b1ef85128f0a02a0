/** The one gate that every request passes: who calls, then the route, then the form of the answer. */
import { randomUUID } from 'node:crypto';
import type { Context } from 'hono';
import { messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import { Authenticator, requireScope } from './auth.ts';
import { ApiError, familyOf, type Problem, problemOf } from './problem.ts';
import { respond } from './respond.ts';
import type { Answer, Route } from './route.ts';
import type { ApiServices } from './services.ts';

export class Gate {
  readonly #authenticator: Authenticator;
  readonly #log: Log;
  readonly #throttled: ThrottledLog;

  constructor({ records, clock, log }: Pick<ApiServices, 'records' | 'clock' | 'log'>) {
    this.#authenticator = new Authenticator(records, clock);
    this.#log = log;
    this.#throttled = new ThrottledLog(log, clock);
  }

  pass(c: Context, route: Route): Promise<Response> {
    return this.#answer(c, async () => {
      if (route.scope === null) return route.handle();
      const token = await this.#authenticator.authenticate(c.req.header('authorization'));
      requireScope(token, route.scope);
      return route.handle({ request: c.req, tenant: token.tenant });
    });
  }

  /** No route: a stranger is not told so. */
  refuse(c: Context, allowed: readonly string[]): Promise<Response> {
    return this.#answer(c, async () => {
      await this.#authenticator.authenticate(c.req.header('authorization'));
      if (allowed.length === 0) throw new ApiError('not_found', 'There is nothing at this path.');
      const allow = [...allowed, ...(allowed.includes('GET') ? ['HEAD'] : [])].join(', ');
      throw new ApiError('method_not_allowed', `This path takes ${allow}.`, { headers: { Allow: allow } });
    });
  }

  async #answer(c: Context, work: () => Promise<Answer>): Promise<Response> {
    const requestId = randomUUID();
    try {
      return respond(await work(), requestId);
    } catch (thrown) {
      // When the client has gone, whatever waited for it ends with the reason of that.
      const error = c.req.raw.signal.aborted ? new ApiError('bad_request', 'The client closed the connection.') : thrown;
      const problem = problemOf(error, familyOf(c.req.path), requestId);
      this.#report(c, problem, error, requestId);
      return respond(problem, requestId);
    }
  }

  #report(c: Context, problem: Problem, error: unknown, requestId: string): void {
    if (problem.status < 500) return;
    const fields = { request_id: requestId, method: c.req.method, path: c.req.path, code: problem.code, error: messageOf(error) };
    if (problem.code !== 'internal_error') this.#throttled.warn(problem.code, fields, 'request refused');
    else this.#log.error({ ...fields, stack: error instanceof Error ? error.stack : undefined }, 'request failed');
  }
}
