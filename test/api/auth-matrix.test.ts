/** Every route against every kind of caller. A route that is not classified in `GUARDED` fails. */
import { describe, expect, it } from 'vitest';
import { newToken } from '../../src/api/auth.ts';
import { SCOPES } from '../../src/core/scope.ts';
import { ApiClient, type JsonResponse } from '../support/api-client.ts';
import { ALERT, call, client, GUARDED, guarded, MARK, type Row } from './guarded-routes.ts';

const PUBLIC = [
  '/healthz',
  '/readyz',
  '/openapi.json',
  '/api/docs/openapi.json',
  '/favicon.ico',
  '/docs',
  '/docs/page.css',
  '/docs/page.js',
];

function expectRefusal(response: JsonResponse, row: Row, status: number, code: string): void {
  expect(response.status).toBe(status);
  const desktop = row.path.startsWith('/api/');
  expect(response.body.error.code).toBe(desktop ? code.toUpperCase() : code);
  expect(response.body.error.request_id).toBe(response.headers.get('x-request-id'));
  expect(JSON.stringify(response.body)).not.toContain(MARK);
  if (status === 401) expect(response.headers.get('www-authenticate')).toBe('Bearer');
}

describe('the route table', () => {
  const { routes } = new ApiClient().api;

  it('holds no route that is not classified here, and none is classified that it does not hold', () => {
    expect(
      routes
        .filter(({ scope }) => scope !== null)
        .map(({ method, path }) => `${method} ${path}`)
        .sort(),
    ).toEqual(Object.keys(GUARDED).sort());
    expect(
      routes
        .filter(({ scope }) => scope === null)
        .map(({ path }) => path)
        .sort(),
    ).toEqual([...PUBLIC].sort());
  });

  it.each(routes.filter(({ scope }) => scope !== null))('asks for the scope that $method $path is meant for', ({ method, path, scope }) => {
    expect(scope).toBe(GUARDED[`${method} ${path}`]?.scope);
  });
});

describe('a public route', () => {
  it.each(PUBLIC)('%s answers without a token, and is no less open with a wrong one', async (path) => {
    for (const headers of [{}, { Authorization: 'Bearer garbage' }]) {
      const response = await (await client()).api.fetch(new Request(`http://box.test${path}`, { headers }));
      expect(response.status).toBe(path === '/favicon.ico' ? 204 : 200);
      expect(await response.text()).not.toContain(MARK);
    }
  });
});

describe('without a valid token', () => {
  const cases: readonly (readonly [string, Record<string, string>])[] = [
    ['no token', {}],
    ['garbage', { Authorization: 'Bearer garbage' }],
    ['an unknown token', { Authorization: `Bearer ${newToken().token}` }],
    ['another scheme', { Authorization: 'Basic dXNlcjpwYXNz' }],
    ['nothing behind the scheme', { Authorization: 'Bearer ' }],
  ];
  const table = guarded.flatMap((row) => cases.map(([kind, headers]) => ({ ...row, kind, headers })));

  it.each(table)('$name refuses $kind', async ({ headers, ...row }) => {
    expectRefusal(await call(await client(), row, null, headers), row, 401, 'unauthorized');
  });

  it.each(guarded)('$name refuses a right token in a wrong scheme', async (row) => {
    const api = await client();
    expectRefusal(await call(api, row, null, { Authorization: `Token ${api.token}` }), row, 401, 'unauthorized');
    expectRefusal(await call(api, row, null, { Authorization: api.token }), row, 401, 'unauthorized');
  });

  it.each(guarded)('$name refuses one that has expired', async (row) => {
    const api = await client();
    const token = api.services.addToken(['admin'], { expiresMs: api.services.nowMs });
    expectRefusal(await call(api, row, token), row, 401, 'unauthorized');
  });

  it.each(guarded)('$name refuses one that was revoked', async (row) => {
    const api = await client();
    const token = api.services.addToken(['admin']);
    api.services.revoke(token);
    expectRefusal(await call(api, row, token), row, 401, 'unauthorized');
  });
});

describe('with a valid token', () => {
  it.each(guarded)('$name wants its scope alone', async (row) => {
    for (const scope of [row.scope, 'admin']) {
      const api = await client();
      expect((await call(api, row, api.services.addToken([scope]))).status).toBe(row.status ?? 200);
    }
  });

  it.each(guarded)('$name refuses one of all other scopes', async (row) => {
    const api = await client();
    const others = SCOPES.filter((scope) => scope !== row.scope && scope !== 'admin');
    const response = await call(api, row, api.services.addToken(others));
    expectRefusal(response, row, 403, 'forbidden');
    expect(response.body.error.message).toContain(row.scope);
  });

  it.each(guarded.filter(({ foreign }) => foreign === 'not found'))(
    '$name looks to another tenant as if it were not there',
    async (row) => {
      const api = await client();
      const token = api.services.addToken(['admin'], { tenant: 'northwind' });
      const foreign = await call(api, row, token);
      const unknown = await call(api, { ...row, path: row.path.replace('pump-101', 'nothing').replace(ALERT, 'nothing') }, token);
      expect(foreign.status).toBe(404);
      expect({ ...foreign.body.error, request_id: '' }).toEqual({ ...unknown.body.error, request_id: '' });
    },
  );

  it.each(guarded.filter(({ foreign }) => foreign === 'operator'))('$name is refused to an admin of another tenant', async (row) => {
    const api = await client();
    expectRefusal(await call(api, row, api.services.addToken(['admin'], { tenant: 'northwind' })), row, 403, 'forbidden');
  });

  it.each(guarded.filter(({ foreign }) => foreign === 'own'))(
    '$name shows and changes for another tenant nothing but its own',
    async (row) => {
      const api = await client();
      const before = api.services.samples.length;
      const response = await call(api, row, api.services.addToken(['admin'], { tenant: 'northwind' }));
      expect(response.status).toBe(row.status ?? 200);
      expect(JSON.stringify(response.body)).not.toContain(MARK);
      for (const { series } of api.services.samples.slice(before)) expect(api.services.series.definition(series).tenant).toBe('northwind');
    },
  );
});
