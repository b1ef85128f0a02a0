/** The description of the API is whole, valid, and says what the routes do. */
import { describe, expect, it } from 'vitest';
import { errorsOf, openApiDocument } from '../../src/api/openapi.ts';
import type { Operation } from '../../src/api/operation.ts';
import { PROBLEMS } from '../../src/api/problem.ts';
import { ok, type Route, route } from '../../src/api/route.ts';
import { problemSchema } from '../../src/api/schema.ts';
import { ApiClient } from '../support/api-client.ts';

type Json = Record<string, unknown>;

const client = new ApiClient();
const { routes } = client.api;
const document = openApiDocument(routes, '1.2.3') as Json & { paths: Record<string, Record<string, Json>> };
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ name: `${method.toUpperCase()} ${path}`, path, operation })),
);

/** What is not as OpenAPI 3.1 and JSON Schema 2020-12 want it, each with its place. */
function faultsOf(description: Json): string[] {
  const faults: string[] = [];
  const walk = (value: unknown, at: string): void => {
    if (typeof value !== 'object' || value === null) return;
    for (const [key, inner] of Object.entries(value)) {
      const place = `${at}/${key}`;
      if (key === '$ref' && resolve(description, String(inner)) === undefined) faults.push(`${place} leads nowhere: ${String(inner)}`);
      if (key === '$ref' && inner === at) faults.push(`${place} leads to itself`);
      if (key === 'schema') faults.push(...schemaFaults(inner, place));
      if (place.startsWith('#/components/schemas/') && at === '#/components/schemas') faults.push(...schemaFaults(inner, place));
      if (key !== 'example') walk(inner, place);
    }
  };
  walk(description, '#');
  return faults;
}

function resolve(description: Json, ref: string): unknown {
  if (!ref.startsWith('#/')) return undefined;
  return ref
    .slice(2)
    .split('/')
    .reduce<unknown>((value, key) => (value as Json | undefined)?.[key], description);
}

const TYPES = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null'];
const KEYWORDS = [
  ...['$ref', 'type', 'properties', 'required', 'additionalProperties', 'propertyNames', 'items', 'prefixItems', 'enum', 'const'],
  ...['anyOf', 'oneOf', 'allOf', 'not', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'minLength', 'maxLength', 'pattern'],
  ...['format', 'minItems', 'maxItems', 'description', 'default', 'title', 'readOnly', 'contentMediaType', 'contentEncoding'],
];

function schemaFaults(schema: unknown, at: string): string[] {
  if (typeof schema === 'boolean') return [];
  if (typeof schema !== 'object' || schema === null) return [`${at} is no schema`];
  const { type, required = [], properties = {} } = schema as { type?: unknown; required?: string[]; properties?: Json };
  return [
    ...Object.keys(schema).flatMap((key) => (KEYWORDS.includes(key) ? [] : [`${at} has ${key}, which JSON Schema does not`])),
    ...[type ?? []].flat().flatMap((one) => (TYPES.includes(String(one)) ? [] : [`${at} has the type ${String(one)}`])),
    ...required.flatMap((name) => (name in properties ? [] : [`${at} requires ${name}, which it has not`])),
    ...Object.entries(properties).flatMap(([name, inner]) => schemaFaults(inner, `${at}/properties/${name}`)),
    ...['items', 'additionalProperties', 'propertyNames'].flatMap((key) =>
      key in schema ? schemaFaults((schema as Json)[key], `${at}/${key}`) : [],
    ),
    ...['anyOf', 'oneOf', 'allOf'].flatMap((key) =>
      (((schema as Json)[key] as unknown[] | undefined) ?? []).flatMap((inner, index) => schemaFaults(inner, `${at}/${key}/${index}`)),
    ),
  ];
}

interface DescribedResponse {
  readonly description: string;
  readonly headers: Readonly<Record<string, Json>>;
  readonly content?: Readonly<Record<string, { readonly schema: unknown }>>;
}

/** Of an operation, by status, those that are referred to as well. */
function responsesOf(operation: Json): Record<string, DescribedResponse> {
  const entries = Object.entries(operation['responses'] as Record<string, Json>);
  return Object.fromEntries(
    entries.map(([status, given]) => [status, ('$ref' in given ? resolve(document, String(given['$ref'])) : given) as DescribedResponse]),
  );
}

describe('the table of routes', () => {
  it.each(routes as Route[])('describes $method $path', ({ operation, scope, method, path }) => {
    const described = operation as Operation;
    expect(described, `${method} ${path} has no description: wrap it in documented()`).toBeDefined();
    expect(described.summary).toMatch(/^[A-Z][^.]{5,80}$/);
    expect(described.id).toMatch(/^[a-z][A-Za-z]+$/);
    expect(described.answers.length).toBeGreaterThan(0);
    for (const answer of described.answers) {
      const hasBody = answer.schema !== undefined || answer.type !== undefined;
      expect(hasBody, `the answer ${answer.status} has neither a schema nor a type`).toBe(answer.status !== 204);
      if (answer.schema)
        expect(answer.schema.parse(answer.example), 'the example has fields that its schema has not').toEqual(answer.example);
    }
    if (described.body && scope !== null) expect(() => described.body?.schema.parse(described.body.example)).not.toThrow();
    if (method === 'POST' || method === 'PUT' || method === 'PATCH') expect(described.answers[0]?.status).toBeLessThan(300);
    for (const code of errorsOf({ operation, scope, method, path } as Route, described)) expect(Object.keys(PROBLEMS)).toContain(code);
  });

  it('would not let a route through that has no description', () => {
    const bare = route('GET', '/v1/new', 'read:assets', () => ok({}));
    expect(bare.operation).toBeUndefined();
    expect(Object.keys(openApiDocument([bare], '1')['paths'] as object)).toEqual([]);
  });
});

describe('the document', () => {
  it('is OpenAPI 3.1 with every operation, each under a name of its own', () => {
    expect(document['openapi']).toBe('3.1.0');
    expect(operations).toHaveLength(routes.length);
    const ids = operations.map(({ operation }) => operation['operationId']);
    expect(new Set(ids).size).toBe(ids.length);
  });

  it('has no fault, and would be found to have one', () => {
    expect(faultsOf(document)).toEqual([]);
    expect(faultsOf({ a: { $ref: '#/components/schemas/None' } })).toHaveLength(1);
    expect(faultsOf({ a: { $ref: '#/a' } })).toEqual(['#/a/$ref leads to itself']);
    expect(faultsOf({ schema: { type: 'text', id: 'X', required: ['a'] } })).toHaveLength(3);
    expect(faultsOf({ components: { schemas: { Twin: { type: 'text', bogus: 1 } } } })).toHaveLength(2);
  });

  it.each(operations)('says of $name who may call it, what it takes and all it answers', ({ path, operation }) => {
    const places = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
    const parameters = (operation['parameters'] ?? []) as { name: string; in: string }[];
    expect(parameters.filter((each) => each.in === 'path').map(({ name }) => name)).toEqual(places);
    expect(new Set(parameters.map(({ name }) => name)).size).toBe(parameters.length);
    const responses = responsesOf(operation);
    const isPublic = (operation['security'] as unknown[]).length === 0;
    if (!isPublic) expect(Object.keys(responses)).toEqual(expect.arrayContaining(['401', '403', '429', '500']));
    for (const [status, { description, content }] of Object.entries(responses)) {
      expect(description).not.toBe('');
      if (status !== '204' && status !== '304') expect(Object.values(content ?? {})[0]?.schema).toBeDefined();
    }
  });

  it('says which headers a call may have, as the route declares what it heeds', () => {
    const headers = (method: string, path: string) => {
      const parameters = document.paths[path]?.[method]?.['parameters'] as Json[];
      return parameters.filter((each) => each['in'] === 'header').map(({ name }) => name);
    };
    expect(headers('get', '/api/twins/{id}')).toEqual(['X-Request-Id']);
    expect(headers('patch', '/api/twins/{id}')).toEqual(['If-Match', 'X-Request-Id']);
    expect(headers('delete', '/api/twins/{id}')).toEqual(['If-Match', 'X-Request-Id']);
    expect(headers('post', '/api/twins')).toEqual(['Idempotency-Key', 'X-Request-Id']);
    expect(headers('get', '/v1/dashboards/{id}')).toEqual(['If-None-Match', 'X-Request-Id']);
    expect(headers('get', '/openapi.json')).toEqual(['If-None-Match', 'X-Request-Id']);
  });

  it('says which headers an answer may have', () => {
    const headers = (method: string, path: string, status: string) =>
      Object.keys(responsesOf(document.paths[path]?.[method] as Json)[status]?.headers ?? {});
    const always = ['X-Request-Id', 'X-RateLimit-Limit', 'X-RateLimit-Remaining', 'X-RateLimit-Reset'];
    expect(headers('post', '/api/twins', '201')).toEqual(['ETag', 'Location', 'Idempotent-Replayed', ...always]);
    expect(headers('get', '/v1/dashboards/{id}', '304')).toEqual(['ETag', ...always]);
    expect(headers('get', '/api/twins', '401')).toEqual(['WWW-Authenticate', ...always]);
    expect(headers('get', '/api/twins', '429')).toEqual(['Retry-After', ...always]);
    expect(headers('get', '/api/twins', '503')).toEqual(['Retry-After', ...always]);
    expect(headers('get', '/healthz', '200')).toEqual(['X-Request-Id']);
  });

  it('keeps the spelling of each family', () => {
    const codes = (path: string, status: string) => responsesOf(document.paths[path]?.['get'] as Json)[status]?.description;
    expect(codes('/api/twins/{id}', '404')).toBe('`TWIN_NOT_FOUND`');
    expect(codes('/api/twins', '422')).toBe('`VALIDATION_ERROR`, `INVALID_TWIN_TYPE`');
    expect(codes('/v1/telemetry', '400')).toBe('`bad_request`, `validation_error`, `invalid_cursor`, `range_too_large`');
  });

  it('describes query parameters as they are read', () => {
    const parameters = document.paths['/api/twins']?.['get']?.['parameters'] as Json[];
    expect(parameters.find(({ name }) => name === 'per_page')).toEqual({
      name: 'per_page',
      in: 'query',
      required: false,
      schema: { type: 'integer', minimum: 1, maximum: 100, default: 20 },
    });
    const latest = document.paths['/v1/telemetry/latest']?.['get']?.['parameters'] as Json[];
    expect(latest.find(({ name }) => name === 'asset_id')).toMatchObject({ required: true });
  });
});

describe('the pages', () => {
  it.each(['/openapi.json', '/api/docs/openapi.json'])('%s is open to all and the document itself', async (path) => {
    const response = await client.get(path, { token: null });
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(response.body).toEqual(JSON.parse(JSON.stringify(openApiDocument(routes, client.services.version))));
  });

  it('are kept by a browser for as long as they hold', async () => {
    const first = await client.get('/openapi.json', { token: null });
    const etag = first.headers.get('etag') as string;
    const again = await client.get('/openapi.json', { token: null, headers: { 'If-None-Match': etag } });
    expect(again.status).toBe(304);
    expect(again.body).toBeUndefined();
    expect(again.headers.get('etag')).toBe(etag);
    expect(first.headers.get('cache-control')).toBe('no-cache');
    expect((await client.get('/openapi.json', { token: null, headers: { 'If-None-Match': '"other"' } })).status).toBe(200);
  });

  const text = async (path: string) => {
    const response = await client.api.fetch(new Request(`http://box.test${path}`));
    return {
      type: response.headers.get('content-type'),
      csp: response.headers.get('content-security-policy'),
      text: await response.text(),
    };
  };

  it('need nothing from another machine and no inline script', async () => {
    const page = await text('/docs');
    expect(page.type).toBe('text/html; charset=utf-8');
    expect(page.csp).toContain("default-src 'self'");
    const assets = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url as string);
    expect(assets.sort()).toEqual(['/docs/page.css', '/docs/page.js', '/openapi.json']);
    for (const url of assets) expect((await client.api.fetch(new Request(`http://box.test${url}`))).status).toBe(200);
    expect(page.text).not.toMatch(/<script>|<style|style=|\son\w+=/);
    for (const url of assets) expect((await text(url)).text).not.toMatch(/https?:\/\/|\/\/[a-z]+\.|innerHTML|eval\(/);
  });

  it('are a list: nothing beside it can be read', async () => {
    for (const path of ['/docs/openapi.ts', '/docs/..%2fgate.ts', '/docs/%2e%2e/api.ts', '/docs//page.js', '/docs/page.html']) {
      expect((await client.get(path)).status).toBe(404);
    }
  });
});

describe('refusals', () => {
  it('have the form that the document gives them', async () => {
    const api = new ApiClient();
    const refused = [await api.get('/api/twins/none'), await api.get('/v1/nothing'), await api.post('/v1/telemetry', { data: [{}] })];
    for (const { body } of refused) expect(problemSchema.parse(body)).toEqual(body);
  });
});
