/** The one place that turns errors into HTTP: code → status, and the spelling of each family of routes. */
import { ERRORS, type ErrorCode, isGatewayError } from '../core/errors.ts';

/** `/api/…` spells UPPER_SNAKE and answers 422 to invalid input; all else spells lower_snake and answers 400. */
export type Family = 'desktop' | 'edge';

export interface Detail {
  /** Dot path: `data.3.value`. */
  readonly field: string;
  readonly message: string;
}

interface ProblemKind {
  readonly status: number;
  /** Where the desktop family differs in more than upper case. */
  readonly desktop?: { readonly code?: string; readonly status?: number };
  readonly headers?: Readonly<Record<string, string>>;
}

const RETRY_SOON = { 'Retry-After': '1' };
const RETRY_LATER = { 'Retry-After': '5' };

/** Every code that this API answers with. */
export const PROBLEMS = {
  malformed_json: { status: 400, desktop: { code: 'INVALID_JSON' } },
  validation_error: { status: 400, desktop: { status: 422 } },
  invalid_cursor: { status: 400 },
  range_too_large: { status: 400 },
  bad_request: { status: 400 },
  unauthorized: { status: 401, headers: { 'WWW-Authenticate': 'Bearer' } },
  forbidden: { status: 403 },
  not_found: { status: 404 },
  twin_not_found: { status: 404 },
  sensor_not_found: { status: 404 },
  actuator_not_found: { status: 404 },
  method_not_allowed: { status: 405 },
  not_acceptable: { status: 406 },
  request_timeout: { status: 408 },
  conflict: { status: 409 },
  data_source_in_use: { status: 409 },
  managed_by_config: { status: 409 },
  limit_reached: { status: 409 },
  twin_exists: { status: 409 },
  twin_archived: { status: 409 },
  sensor_exists: { status: 409 },
  sensor_bound: { status: 409 },
  actuator_exists: { status: 409 },
  alert_resolved: { status: 409 },
  actuator_read_only: { status: 409 },
  precondition_failed: { status: 412 },
  payload_too_large: { status: 413 },
  unsupported_media_type: { status: 415 },
  invalid_twin_type: { status: 422 },
  idempotency_key_reused: { status: 422 },
  rate_limited: { status: 429 },
  headers_too_large: { status: 431 },
  internal_error: { status: 500 },
  actuator_write_failed: { status: 502 },
  sync_failed: { status: 502 },
  overloaded: { status: 503, headers: RETRY_SOON },
  store_failed: { status: 503, headers: RETRY_LATER },
  store_stalled: { status: 503, headers: RETRY_LATER },
  stopped: { status: 503, headers: RETRY_LATER },
  actuator_write_timeout: { status: 504, desktop: { code: 'ACTUATOR_WRITE_FAILED' } },
  sync_timed_out: { status: 504, desktop: { code: 'SYNC_FAILED' } },
  storage_full: { status: 507 },
} as const satisfies Record<string, ProblemKind>;

export type ProblemCode = keyof typeof PROBLEMS;

/** Operating errors that an API call can meet. Any other that gets here is our mistake and answers 500. */
const OF_GATEWAY: Partial<Record<ErrorCode, ProblemCode>> = {
  actuator_exists: 'actuator_exists',
  actuator_not_found: 'actuator_not_found',
  alert_resolved: 'alert_resolved',
  conflict: 'conflict',
  disk_full: 'storage_full',
  invalid_cursor: 'invalid_cursor',
  limit_reached: 'limit_reached',
  managed_by_config: 'managed_by_config',
  overloaded: 'overloaded',
  range_too_large: 'range_too_large',
  revision_not_found: 'not_found',
  sensor_exists: 'sensor_exists',
  sensor_not_found: 'sensor_not_found',
  source_not_found: 'not_found',
  stopped: 'stopped',
  store_failed: 'store_failed',
  store_stalled: 'store_stalled',
  twin_archived: 'twin_archived',
  twin_exists: 'twin_exists',
  twin_not_found: 'twin_not_found',
};

interface ApiErrorOptions {
  readonly details?: readonly Detail[];
  readonly headers?: Readonly<Record<string, string>>;
  /** Seconds after which the same request may be sent again; also as Retry-After. */
  readonly retryAfterS?: number;
}

/** A refusal whose message the caller may read. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: ProblemCode;
  readonly details: readonly Detail[] | undefined;
  readonly headers: Readonly<Record<string, string>> | undefined;
  readonly retryAfterS: number | undefined;

  constructor(code: ProblemCode, message: string, options: ApiErrorOptions = {}) {
    super(message);
    this.code = code;
    this.details = options.details;
    this.headers = options.headers;
    this.retryAfterS = options.retryAfterS;
  }
}

/** Of one answer. */
export const MAX_DETAILS = 100; // enough to see the pattern; 5,000 wrong points need no 5,000 sentences

/** A validation error; its message says how many details were left out. */
export function invalid(details: readonly Detail[]): ApiError {
  const first = details[0];
  const message = details.length === 1 && first ? `${first.field}: ${first.message}` : `${details.length} fields are invalid`;
  const more = details.length > MAX_DETAILS ? ` (the first ${MAX_DETAILS} are listed)` : '';
  return new ApiError('validation_error', message + more, { details: details.slice(0, MAX_DETAILS) });
}

export function familyOf(path: string): Family {
  return path === '/api' || path.startsWith('/api/') ? 'desktop' : 'edge';
}

export interface Problem {
  readonly code: ProblemCode;
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: unknown;
}

/** HTTP status of the code in a family. */
export function statusIn(family: Family, code: ProblemCode): number {
  const kind: ProblemKind = PROBLEMS[code];
  return (family === 'desktop' ? kind.desktop?.status : undefined) ?? kind.status;
}

/** How a family spells the code. */
export function spellingIn(family: Family, code: ProblemCode): string {
  const kind: ProblemKind = PROBLEMS[code];
  return family === 'desktop' ? (kind.desktop?.code ?? code.toUpperCase()) : code;
}

/** What to answer to anything that was thrown. Only an ApiError speaks in its own words: others may know paths and hosts. */
export function problemOf(error: unknown, family: Family, requestId: string): Problem {
  const code = error instanceof ApiError ? error.code : (isGatewayError(error) && OF_GATEWAY[error.code]) || 'internal_error';
  const kind: ProblemKind = PROBLEMS[code];
  const own = error instanceof ApiError ? error : undefined;
  const retryAfter = own?.retryAfterS === undefined ? undefined : { 'Retry-After': String(own.retryAfterS) };
  return {
    code,
    status: statusIn(family, code),
    headers: { ...kind.headers, ...retryAfter, ...own?.headers },
    body: {
      error: {
        code: spellingIn(family, code),
        message: publicMessage(error, code),
        ...(own?.details ? { details: own.details } : undefined),
        ...(own?.retryAfterS === undefined ? undefined : { retry_after: own.retryAfterS }),
        request_id: requestId,
      },
    },
  };
}

function publicMessage(error: unknown, code: ProblemCode): string {
  if (error instanceof ApiError) return error.message;
  if (code !== 'internal_error' && isGatewayError(error)) return ERRORS[error.code];
  return 'Something went wrong on our side; the log has it under this request id.';
}
