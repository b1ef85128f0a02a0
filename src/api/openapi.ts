/** The API's own description, OpenAPI 3.1, made from the table of routes and the very schemas that they validate with. */
import { z } from 'zod';
import { ANSWER_HEADERS } from './answer-headers.ts';
import { headerParameters, headersOf, isRevalidated, refusalHeaders } from './openapi-headers.ts';
import type { Operation } from './operation.ts';
import { type Family, familyOf, type ProblemCode, spellingIn, statusIn } from './problem.ts';
import type { Route } from './route.ts';
import { problemSchema } from './schema.ts';

type Json = Readonly<Record<string, unknown>>;

const INTRODUCTION = [
  'Every call but the public ones carries `Authorization: Bearer <token>`. Times are RFC 3339; ranges start with their start and end',
  'before their end. Unknown fields of a body are refused, unknown query parameters ignored. Every refusal has the same form; every',
  'answer names its request in `X-Request-Id`, which a client may choose. A POST with an `Idempotency-Key` may be sent again.',
  'A method that a path does not have is answered 405, with those that it has in `Allow`.',
].join('\n');

/** Of every call with a token. */
const SCOPED_ERRORS: readonly ProblemCode[] = ['bad_request', 'unauthorized', 'forbidden', 'rate_limited', 'internal_error', 'stopped'];
const BODY_ERRORS: readonly ProblemCode[] = ['malformed_json', 'validation_error', 'payload_too_large', 'unsupported_media_type'];
const QUERY_ERRORS: readonly ProblemCode[] = ['validation_error'];
const POST_ERRORS: readonly ProblemCode[] = ['idempotency_key_reused'];

/** Every code that the operation can answer with. */
export function errorsOf(route: Route, operation: Operation): readonly ProblemCode[] {
  if (route.scope === null) return operation.errors;
  return [
    ...new Set([
      ...SCOPED_ERRORS,
      ...(operation.query ? QUERY_ERRORS : []),
      ...(operation.body ? BODY_ERRORS : []),
      ...(route.method === 'POST' ? POST_ERRORS : []),
      ...operation.errors,
    ]),
  ];
}

/** Plain JSON. Routes without a description are left out; a test lets there be none. */
export function openApiDocument(routes: readonly Route[], version: string): Json {
  const parts: Parts = { schemas: new Schemas(), responses: {} };
  const paths: Record<string, Record<string, Json>> = {};
  for (const route of routes) {
    if (!route.operation) continue;
    const path = route.path.replaceAll(/:(\w+)/g, '{$1}');
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, route.operation, parts) };
  }
  // No operation is answered so, but a call that misses them all.
  for (const route of routes) if (route.scope !== null) refusal(route, ['method_not_allowed'], parts);
  const groups = [...new Set(routes.flatMap(({ operation }) => operation?.group ?? []))];
  return {
    openapi: '3.1.0',
    info: {
      title: 'twinbox',
      version,
      summary: 'Live twins, telemetry and the state of an edge gateway',
      description: INTRODUCTION,
      license: LICENSE,
    },
    servers: [{ url: '/' }],
    tags: groups.map((name) => ({ name })),
    paths,
    components: {
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      headers: ANSWER_HEADERS,
      responses: parts.responses,
      schemas: parts.schemas.named,
    },
  };
}

const LICENSE = { name: 'Apache-2.0', identifier: 'Apache-2.0' };

/** What several operations share. */
interface Parts {
  readonly schemas: Schemas;
  readonly responses: Record<string, Json>;
}

function operationOf(route: Route, operation: Operation, parts: Parts): Json {
  const { id, summary, description, group, query, body, answers } = operation;
  const { schemas } = parts;
  const parameters = [
    ...pathParameters(route.path),
    ...(query ? queryParameters(schemas.of(query)) : []),
    ...headerParameters(route, operation),
  ];
  return {
    operationId: id,
    summary,
    ...(description && { description }),
    tags: [group],
    security: route.scope === null ? [] : [{ token: [route.scope] }],
    parameters,
    ...(body && {
      requestBody: {
        required: body.optional !== true,
        content: { 'application/json': { schema: schemas.of(body.schema), example: body.example } },
      },
    }),
    responses: {
      ...Object.fromEntries(answers.map((answer) => [answer.status, { headers: headersOf(route, answer), ...successOf(answer, schemas) }])),
      ...(isRevalidated(route, answers) && { 304: unchanged(route, operation) }),
      ...refusals(route, operation, parts),
    },
  };
}

function successOf({ description, schema, type, example, otherTypes = [] }: Operation['answers'][number], schemas: Schemas): Json {
  if (!schema && type === undefined) return { description };
  const media = schema ? { schema: schemas.of(schema), example } : { schema: { type: 'string' } };
  const others = otherTypes.map((other) => [other, { schema: { type: 'string' } }] as const);
  return { description, content: { [type ?? 'application/json']: media, ...Object.fromEntries(others) } };
}

function unchanged(route: Route, { answers }: Operation): Json {
  const headers = answers.filter(({ etag }) => etag === 'body').map((answer) => headersOf(route, answer));
  return { description: 'What the caller has still holds', headers: Object.assign({}, ...headers) };
}

/** One response for each status, naming the codes that share it. */
function refusals(route: Route, operation: Operation, parts: Parts): Json {
  const family: Family = familyOf(route.path);
  const byStatus = new Map<number, ProblemCode[]>();
  for (const code of errorsOf(route, operation)) {
    const status = statusIn(family, code);
    byStatus.set(status, [...(byStatus.get(status) ?? []), code]);
  }
  const responses = [...byStatus].map(([status, codes]) => [status, refusal(route, codes, parts)] as const);
  return Object.fromEntries(responses.sort(([left], [right]) => left - right));
}

/** Those alike are written once and referred to, by the names of their codes. */
function refusal(route: Route, codes: readonly ProblemCode[], { schemas, responses }: Parts): Json {
  const spelled = codes.map((code) => spellingIn(familyOf(route.path), code));
  const name = [...(route.scope === null ? ['public'] : []), ...spelled].join('.');
  const example = {
    error: { code: spelled[0], message: 'What is wrong, for people.', request_id: '5f0c7f0e-2b1d-4f7e-9c55-0d6b8e1f3a21' },
  };
  responses[name] ??= {
    description: spelled.map((code) => `\`${code}\``).join(', '),
    headers: refusalHeaders(route, codes),
    content: { 'application/json': { schema: schemas.of(problemSchema), example } },
  };
  return { $ref: `#/components/responses/${name}` };
}

function pathParameters(path: string): Json[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({ name, in: 'path', required: true, schema: { type: 'string' } }));
}

function queryParameters(schema: Json): Json[] {
  const required = (schema['required'] ?? []) as readonly string[];
  return Object.entries(schema['properties'] as Readonly<Record<string, Json>>).map(([name, { description, ...rest }]) => ({
    name,
    in: 'query',
    required: required.includes(name),
    ...(description !== undefined && { description }),
    schema: rest,
  }));
}

/** JSON Schemas of zod's; those with an id are written once and referred to. */
class Schemas {
  readonly named: Record<string, unknown> = {};

  of(schema: z.ZodType): Json {
    const { $schema: _, $defs = {}, ...root } = z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input', unrepresentable: 'any' });
    for (const [name, definition] of Object.entries($defs)) this.#name(name, definition as Json);
    const { id } = schema.meta() ?? {};
    if (id === undefined) return referring(root) as Json;
    if (!Object.hasOwn($defs, id)) this.#name(id, root); // else the root but refers to it
    return { $ref: `#/components/schemas/${id}` };
  }

  #name(name: string, definition: Json): void {
    const { id: _, ...rest } = definition;
    this.named[name] = referring(rest);
  }
}

/** With the references as the document has them. */
function referring(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(referring);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]: [string, unknown]) =>
      key === '$ref' && typeof inner === 'string' ? [key, inner.replace('#/$defs/', '#/components/schemas/')] : [key, referring(inner)],
    ),
  );
}
