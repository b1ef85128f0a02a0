/** Which headers a route's requests and answers may have, found from what it declares. */
import type { AnswerHeader } from './answer-headers.ts';
import type { Operation, OperationAnswer } from './operation.ts';
import { PROBLEMS, type ProblemCode } from './problem.ts';
import type { Route } from './route.ts';

type Json = Readonly<Record<string, unknown>>;

const RATE_LIMIT = ['X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'] as const;

/** Parameters in the header that the operation reads. `Accept` may not be one: the media types of the answer say it. (OpenAPI 3.1 §4.8.12.1) */
export function headerParameters(route: Route, { answers, errors }: Operation): Json[] {
  return [
    ...(errors.includes('precondition_failed')
      ? [parameter('If-Match', 'An ETag: the call is refused with 412 where there is another revision by now')]
      : []),
    ...(isRevalidated(route, answers)
      ? [parameter('If-None-Match', 'ETags that the caller has: the answer is 304 where one of them still holds')]
      : []),
    ...(route.scope !== null && route.method === 'POST' ? [IDEMPOTENCY_KEY] : []),
    parameter('X-Request-Id', 'A name for the request; one that is not of this form is replaced', {
      type: 'string',
      pattern: '^[A-Za-z0-9._:-]{1,128}$',
    }),
  ];
}

const IDEMPOTENCY_KEY = parameter('Idempotency-Key', 'Sent again within a day, the same request gets the answer of the first', {
  type: 'string',
  pattern: '^[\\x21-\\x7e]{1,255}$',
});

function parameter(name: string, description: string, schema: Json = { type: 'string' }): Json {
  return { name, in: 'header', required: false, description, schema };
}

/** Whether the operation may answer 304. */
export function isRevalidated(route: Route, answers: readonly OperationAnswer[]): boolean {
  return route.method === 'GET' && answers.some(({ etag }) => etag === 'body');
}

/** Of one answer of success. */
export function headersOf(route: Route, { status, etag, headers = [] }: OperationAnswer): Json {
  return references([
    ...(etag ? (['ETag'] as const) : []),
    ...(status === 201 ? (['Location'] as const) : []),
    ...(route.scope !== null && route.method === 'POST' ? (['Idempotent-Replayed'] as const) : []),
    ...headers,
    ...always(route),
  ]);
}

/** Of a refusal with one of the codes. */
export function refusalHeaders(route: Route, codes: readonly ProblemCode[]): Json {
  return references([...codes.flatMap(ownHeaders), ...always(route)]);
}

const WITH_REFUSAL: Readonly<Partial<Record<ProblemCode, readonly AnswerHeader[]>>> = {
  rate_limited: ['Retry-After'],
  method_not_allowed: ['Allow'],
};

function ownHeaders(code: ProblemCode): readonly AnswerHeader[] {
  const kind = PROBLEMS[code];
  const headers = 'headers' in kind ? (Object.keys(kind.headers) as AnswerHeader[]) : [];
  return [...headers, ...(WITH_REFUSAL[code] ?? [])];
}

function always(route: Route): readonly AnswerHeader[] {
  return ['X-Request-Id', ...(route.scope === null ? [] : RATE_LIMIT)];
}

/** A header is named once, however many codes bring it. */
function references(names: readonly AnswerHeader[]): Json {
  return Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }]));
}
