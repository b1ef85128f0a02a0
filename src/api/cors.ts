/** Which pages of other origins may call this API from a browser: those of the list, and never with cookies. (Fetch standard, §3.2) */
import type { Answer, Method } from './route.ts';

const METHODS: readonly Method[] = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'];
const REQUEST_HEADERS = [
  ...['Authorization', 'Content-Type', 'If-Match', 'If-None-Match', 'Idempotency-Key', 'Last-Event-ID', 'X-Request-Id'],
  'X-Rootd-Tenant',
];
const RESPONSE_HEADERS = [
  ...['ETag', 'Location', 'Retry-After', 'Idempotent-Replayed', 'X-Request-Id'],
  ...['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'],
];
const PREFLIGHT_S = 600; // the longest that every browser takes

export class Cors {
  readonly #origins: ReadonlySet<string>;

  /** Origins as browsers send them: `https://hmi.plant:8443`. */
  constructor(origins: readonly string[]) {
    this.#origins = new Set(origins);
  }

  /** What every answer says; nothing at all where no origin is listed. */
  headers(origin: string | undefined): Readonly<Record<string, string>> {
    if (this.#origins.size === 0) return {};
    if (!this.#allows(origin)) return { Vary: 'Origin' };
    return { Vary: 'Origin', 'Access-Control-Allow-Origin': origin, 'Access-Control-Expose-Headers': RESPONSE_HEADERS.join(', ') };
  }

  /** The answer to a preflight of a listed origin, the same for every path, as it comes without a token. Undefined for any other request. */
  preflight(method: string, origin: string | undefined, requested: string | undefined): Answer | undefined {
    if (method !== 'OPTIONS' || requested === undefined || !this.#allows(origin)) return undefined;
    return {
      status: 204,
      body: undefined,
      headers: {
        'Access-Control-Allow-Methods': METHODS.join(', '),
        'Access-Control-Allow-Headers': REQUEST_HEADERS.join(', '),
        'Access-Control-Max-Age': String(PREFLIGHT_S),
      },
    };
  }

  #allows(origin: string | undefined): origin is string {
    return origin !== undefined && this.#origins.has(origin);
  }
}
