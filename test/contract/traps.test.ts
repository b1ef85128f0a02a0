/** What HTTP and its libraries do by default and this API must not: each trap a test, over the whole table of routes where it concerns them all. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { Route } from '../../src/api/route.ts';
import { ApiClient } from '../support/api-client.ts';
import { FakeServices, sensor } from '../support/fake-services.ts';

const API_SOURCES = join(import.meta.dirname, '../../src/api');
const KIB = 1_024;

function plant(): ApiClient {
  const services = new FakeServices();
  services.addTwin({ id: 'pump', managedBy: 'api', sensors: [sensor('pump', 'level')] });
  return new ApiClient(services);
}

const routes: readonly Route[] = plant().api.routes;
const named = (list: readonly Route[]) => list.map((route) => ({ name: `${route.method} ${route.path}`, route }));
const withBody = routes.filter(({ operation }) => operation?.body !== undefined);
const needingBody = withBody.filter(({ operation }) => operation?.body?.optional !== true);
const concrete = (path: string) => path.replaceAll(/:\w+/g, 'pump');
const invalidStatus = (path: string) => (path.startsWith('/api/') ? 422 : 400);
/** What a path names comes before what is sent to it, and little is called pump. */
const isElsewhere = (status: number) => status === 404 || status === 409;

/** The text of every file of the API. */
const sources = readdirSync(API_SOURCES, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts'))
  .map((name) => ({ name, text: readFileSync(join(API_SOURCES, name), 'utf8') }));
const using = (pattern: RegExp) => sources.filter(({ text }) => pattern.test(text)).map(({ name }) => name);

describe('a body without a Content-Type, which libraries leave unread', () => {
  it('concerns routes of every kind', () => {
    expect(needingBody.length).toBeGreaterThan(5);
    expect(withBody.length).toBeGreaterThan(needingBody.length);
  });

  it.each(named(withBody))('is never taken unvalidated: $name', async ({ route: { method, path } }) => {
    const response = await plant().send(concrete(path), { method, raw: '{"no such field":1}', headers: { 'Content-Type': '' } });
    expect([404, 409, 415]).toContain(response.status);
  });

  it.each(named(withBody.filter(({ operation }) => operation?.body?.optional)))(
    'is validated where it may be left out: $name',
    async ({ route: { method, path } }) => {
      const client = plant();
      for (const raw of ['{"no such field":1}', 'null', '[]']) {
        const { status } = await client.send(concrete(path), { method, raw });
        if (!isElsewhere(status)) expect(status, raw).toBe(invalidStatus(path));
      }
      const malformed = await client.send(concrete(path), { method, raw: '{' });
      if (!isElsewhere(malformed.status)) expect(malformed.status).toBe(400);
      for (const options of [{}, { raw: '' }]) {
        const { status } = await client.send(concrete(path), { method, ...options });
        if (!isElsewhere(status)) expect(status).toBeLessThan(300);
      }
    },
  );
});

describe('malformed JSON, and an empty body with a JSON type', () => {
  it.each(named(needingBody))('is a 400, in the spelling of its family: $name', async ({ route: { method, path } }) => {
    for (const raw of ['', '{"a":', '{} {}', "{'a':1}", '{"a":NaN}']) {
      const { status, body } = await plant().send(concrete(path), { method, raw });
      if (isElsewhere(status)) continue;
      expect(status, raw).toBe(400);
      expect(body.error.code).toBe(path.startsWith('/api/') ? 'INVALID_JSON' : 'malformed_json');
    }
  });
});

describe('a Content-Type', () => {
  it.each(['application/json, application/json', 'text/json', 'application/jsonp', 'application/json5', 'json', ';', 'application /json'])(
    'that only looks like JSON (%j) is a 415',
    async (type) => {
      const response = await plant().send('/api/twins/pump', { method: 'PATCH', raw: '{}', headers: { 'Content-Type': type } });
      expect([response.status, response.body.error.code]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
    },
  );

  it.each([
    'application/json',
    'APPLICATION/JSON',
    'application/json;charset=utf-8',
    'application/json ; x=y',
    'application/merge-patch+json',
  ])('of JSON (%j) is taken', async (type) => {
    const response = await plant().send('/api/twins/pump', { method: 'PATCH', raw: '{}', headers: { 'Content-Type': type } });
    expect(response.status).toBe(200);
  });
});

describe('numbers in queries', () => {
  const paged = routes.filter(({ operation }) => operation?.query && 'page' in operation.query.shape);

  it('concern every list', () => {
    expect(paged.length).toBeGreaterThan(3);
  });

  it.each(named(paged))('are digits and nothing else: $name', async ({ route: { path, operation } }) => {
    const client = plant();
    const url = concrete(path).replace(/sensors\/pump/, 'sensors/level');
    const parameters = ['page', 'per_page'].filter((name) => name in (operation?.query?.shape ?? {}));
    for (const parameter of parameters) {
      for (const text of ['0x10', '1e1', '+1', '-1', '1.0', '%201', '', '0', '9'.repeat(30), 'NaN', '%00']) {
        const { status, body } = await client.get(`${url}?${parameter}=${text}`);
        if (isElsewhere(status)) continue;
        expect(status, `${parameter}=${text}`).toBe(invalidStatus(path));
        expect(body.error.details[0].field).toBe(parameter);
      }
    }
  });

  it('are never coerced by the library', () => {
    expect(using(/z\s*\.coerce/)).toEqual([]);
  });
});

describe('methods and paths', () => {
  const paths = [...new Set(routes.map(({ path }) => path))].map((path) => {
    const leadsHere = (route: Route) =>
      new RegExp(`^${route.path.replaceAll('.', '\\.').replaceAll(/:\w+/g, '[^/]+')}$`).test(concrete(path));
    const methods: readonly string[] = routes.filter(leadsHere).map(({ method }) => method);
    return { path, methods };
  });

  it.each(paths)('a wrong method on $path is a 405 that lists the right ones', async ({ path, methods }) => {
    const client = plant();
    const wrong = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'PROPFIND'].filter((method) => !methods.includes(method));
    for (const method of wrong) {
      const response = await client.send(concrete(path), { method });
      const listed = response.headers.get('Allow')?.split(', ') ?? [];
      expect(response.status, method).toBe(405);
      expect(listed).toEqual(expect.arrayContaining([...methods, 'OPTIONS']));
      expect(listed).not.toContain(method);
    }
    const options = await client.send(concrete(path), { method: 'OPTIONS' });
    expect([options.status, options.headers.get('Allow')?.includes(methods[0] as string)]).toEqual([204, true]);
  });

  it.each(paths.filter(({ methods, path }) => methods.includes('GET') && path !== '/v1/stream'))(
    'a slash at the end of $path changes nothing, and HEAD is GET without its body',
    async ({ path }) => {
      const client = plant();
      const plain = await client.get(concrete(path));
      expect((await client.get(`${concrete(path)}/`)).status).toBe(plain.status);
      const head = await client.send(concrete(path), { method: 'HEAD' });
      expect([head.status, head.body]).toEqual([plain.status, undefined]);
    },
  );

  it.each([
    'pump%2Fsensors',
    'pump%00',
    '%00',
    '..%2F..%2Fetc',
    '%2e%2e%2f',
    'pump%5c',
    'pump%0d%0aX:1',
    '__proto__',
    'constructor',
    'toString',
  ])('an id such as %s names nothing', async (id) => {
    const client = plant();
    expect(await client.get(`/api/twins/${id}`)).toMatchObject({ status: 404, body: { error: { code: 'TWIN_NOT_FOUND' } } });
    expect(await client.get(`/api/twins/pump/sensors/${id}/history`)).toMatchObject({ body: { error: { code: 'SENSOR_NOT_FOUND' } } });
  });
});

describe('JSON', () => {
  const create = (raw: string | Uint8Array<ArrayBuffer>, client = plant()) => client.send('/api/twins', { method: 'POST', raw });

  it('members called __proto__ are left out where anything may stand, constructor is data like any other, and no prototype is touched', async () => {
    const client = plant();
    const metadata = '{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"keep":1}';
    expect((await create(`{"id":"a","name":"A","metadata":${metadata}}`, client)).status).toBe(201);
    await client.send('/api/twins/a', { method: 'PATCH', raw: '{"metadata":{"__proto__":{"polluted":2}}}' });
    const kept = (await client.get('/api/twins/a')).body.data.metadata;
    expect(kept).toEqual({ constructor: { prototype: { polluted: 1 } }, keep: 1 });
    expect(Object.keys(kept)).not.toContain('__proto__');
    expect((Object.prototype as { polluted?: number }).polluted).toBeUndefined();
  });

  it('members called __proto__ and constructor are unknown fields everywhere else', async () => {
    for (const key of ['__proto__', 'constructor', 'prototype']) {
      const { status, body } = await create(`{"id":"a","name":"A","${key}":{"admin":true}}`);
      expect(status).toBe(422);
      expect(body.error.details).toEqual([{ field: key, message: 'is not a known field' }]);
    }
  });

  it('a key that stands twice counts once, as the last, and what was validated is what is kept', async () => {
    const client = plant();
    const { body } = await create('{"id":"../etc","id":"b","name":"","name":"B"}', client);
    expect(body.data).toMatchObject({ id: 'b', name: 'B' });
    expect((await create('{"id":"c","name":"C","id":"../etc"}', client)).status).toBe(422);
  });

  it('may be 32 levels deep and no more, and is looked at before it is parsed', async () => {
    const nested = (levels: number) => `{"id":"a","name":"A","metadata":${'{"a":'.repeat(levels - 1)}1${'}'.repeat(levels - 1)}}`;
    expect((await create(nested(32))).status).toBe(201);
    expect((await create(nested(33))).body.error.code).toBe('INVALID_JSON');
    expect((await create('['.repeat(KIB * KIB - 1))).body.error.code).toBe('INVALID_JSON');
  });

  it('must be UTF-8', async () => {
    for (const bytes of [[0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xf4, 0x90, 0x80, 0x80]]) {
      const raw = Uint8Array.from([...Buffer.from('{"id":"a","name":"'), ...bytes, ...Buffer.from('"}')]);
      expect(await create(raw)).toMatchObject({ status: 400, body: { error: { message: 'The body is not UTF-8.' } } });
    }
  });
});

describe('a large body', () => {
  it('is not parsed by the library, which keeps all of it in memory', () => {
    expect(using(/parseBody|\.formData\(|\.blob\(/)).toEqual([]);
  });
});

describe('preconditions', () => {
  it.each([
    ['*', 200],
    ['"1"', 200],
    ['"7", "1"', 200],
    ['W/"1"', 412],
    ['W/"1", "2"', 412],
    ['"2"', 412],
    ['1', 412],
    ['', 412],
  ])('If-Match %j on revision 1 answers %i', async (ifMatch, status) => {
    const response = await plant().send('/api/twins/pump', { method: 'PATCH', json: { name: 'P' }, headers: { 'If-Match': ifMatch } });
    expect(response.status).toBe(status);
    if (status === 412) expect(response.body.error.code).toBe('PRECONDITION_FAILED');
  });

  it('If-None-Match never hides live values, and spares what only a version changes', async () => {
    const client = plant();
    const twin = await client.get('/api/twins/pump', { headers: { 'If-None-Match': '"1"' } });
    expect([twin.status, twin.headers.get('ETag')]).toEqual([200, '"1"']);
    const tag = (await client.get('/openapi.json')).headers.get('ETag') as string;
    for (const known of [tag, `W/${tag}`, `"x", ${tag}`, '*']) {
      expect((await client.get('/openapi.json', { headers: { 'If-None-Match': known } })).status).toBe(304);
    }
  });
});

describe('headers', () => {
  it('are set by no middleware, each of which costs every request: the gate is the only one', () => {
    expect(using(/\.use\(|hono\/(cors|etag|logger|secure-headers|body-limit|bearer-auth)/)).toEqual([]);
  });

  it('of CORS are there only where origins are listed', async () => {
    const response = await plant().get('/api/twins', { headers: { Origin: 'https://evil.example' } });
    expect([...response.headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  });
});

describe('who may pass', () => {
  it('is decided for every path, also for those that are not there, before anything else', async () => {
    const tricks = ['/api//twins', '/./api/twins', '/api/twins/..', '/%61pi/twins', '/v1/../api/twins', '/API/twins', '/docs/../v1/status'];
    for (const path of [...tricks, '/', '/nothing', '/docs/page.html', '/docs/..%2f..%2fpackage.json', '/v1', '/api']) {
      expect((await plant().get(path, { token: null })).status, path).toBe(401);
    }
  });

  it('leaves only a fixed table of files without a token', () => {
    expect(using(/serveStatic|createReadStream/)).toEqual([]);
  });
});

describe('the description page', () => {
  it('loads nothing from elsewhere: plants are offline', async () => {
    const client = plant();
    for (const path of ['/docs', '/docs/page.js', '/docs/page.css']) {
      const { status, body } = await client.get(path, { token: null });
      expect(status).toBe(200);
      expect(String(body)).not.toMatch(/(?:src|href|url|import|fetch)\s*[=(]?\s*["'(]*(?:https?:)?\/\//i);
    }
  });
});

describe('the table of routes', () => {
  it('is whole before the first request: only one file registers, once', () => {
    expect(using(/\bapp\.(on|get|post|put|patch|delete|all|route)\(/)).toEqual(['api.ts']);
    expect(new Set(routes.map(({ method, path }) => `${method} ${path}`)).size).toBe(routes.length);
  });

  it('validates without waiting: schemas that run asynchronously are slower on every request', () => {
    expect(using(/parseAsync|spa\(/)).toEqual([]);
  });
});

describe('a repeated POST', () => {
  const BODY = { data: [{ asset_id: 'a', tag_name: 't', value: 1 }] };
  const keyed = { headers: { 'Idempotency-Key': 'k' } };

  it('is answered from what was kept, and what was answered had been kept before', async () => {
    const services = new FakeServices();
    const before = new ApiClient(services);
    await before.post('/v1/telemetry', BODY, keyed);
    expect(services.answers.size).toBe(1);
    const afterCrash = await new ApiClient(services).post('/v1/telemetry', BODY, { ...keyed, token: before.token });
    expect(afterCrash.headers.get('Idempotent-Replayed')).toBe('true');
    expect(services.samples).toHaveLength(1);
  });
});
