/** Every route against every kind of caller. A route that is not classified here fails. */
import { describe, expect, it } from 'vitest';
import { newToken } from '../../src/api/auth.ts';
import { SCOPES, type Scope } from '../../src/core/scope.ts';
import { ApiClient, type JsonResponse } from '../support/api-client.ts';
import { at, FakeServices, sensor } from '../support/fake-services.ts';

interface Guarded {
  readonly scope: Scope;
  /** A request that succeeds with the scope, in the tenant `default`. */
  readonly path: string;
  readonly json?: unknown;
  /**
   * What a token of another tenant meets: the object is not there, or a list that shows nothing of this tenant, or
   * a refusal, as the whole box is for an admin of the tenant `default`.
   */
  readonly foreign: 'not found' | 'own' | 'operator';
  /** Of success; 200 when absent. */
  readonly status?: number;
}

const POINT = { data: [{ asset_id: 'pump-101', tag_name: 'temperature', value: 1 }] };

const NEW_SOURCE = { name: 'New', type: 'modbus', config: { host: '10.0.0.7' } };
const CHANGED_SOURCE = { name: 'Changed', config: { host: '10.0.0.8' } };
const RULE = { name: 'Hot', condition: { tag_name: 'temperature', operator: 'gt', value: 80 } };
/** Stands for the id that the alert of this tenant gets. */
const ALERT = '{alert}';

const GUARDED: Readonly<Record<string, Guarded>> = {
  'GET /v1/status': { scope: 'read:assets', path: '/v1/status', foreign: 'own' },
  'GET /metrics': { scope: 'admin', path: '/metrics', foreign: 'operator' },
  'GET /v1/backup': { scope: 'admin', path: '/v1/backup', foreign: 'operator' },
  'GET /v1/audit': { scope: 'admin', path: '/v1/audit', foreign: 'own' },
  'GET /api/twins': { scope: 'read:assets', path: '/api/twins', foreign: 'own' },
  'GET /api/twins/:id': { scope: 'read:assets', path: '/api/twins/pump-101', foreign: 'not found' },
  'GET /api/twins/:id/status': { scope: 'read:assets', path: '/api/twins/pump-101/status', foreign: 'not found' },
  'POST /api/twins/:id/sync': { scope: 'write:assets', path: '/api/twins/pump-101/sync', foreign: 'not found' },
  'GET /api/twins/:id/sensors/:sensorId/history': {
    scope: 'read:telemetry',
    path: '/api/twins/pump-101/sensors/temperature/history',
    foreign: 'not found',
  },
  'POST /api/twins': { scope: 'write:assets', path: '/api/twins', json: { id: 'new-1', name: 'New' }, foreign: 'own', status: 201 },
  'PATCH /api/twins/:id': { scope: 'write:assets', path: '/api/twins/pump-101', json: {}, foreign: 'not found' },
  'DELETE /api/twins/:id': { scope: 'write:assets', path: '/api/twins/pump-101', foreign: 'not found', status: 204 },
  'POST /api/twins/:id/sensors': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/sensors',
    json: { id: 'flow', name: 'Flow', unit: '' },
    foreign: 'not found',
    status: 201,
  },
  'PATCH /api/twins/:id/sensors/:sensorId': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/sensors/temperature',
    json: { max_value: 1 },
    foreign: 'not found',
  },
  'DELETE /api/twins/:id/sensors/:sensorId': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/sensors/temperature',
    foreign: 'not found',
    status: 204,
  },
  'POST /api/twins/:id/actuators': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/actuators',
    json: { id: 'valve', name: 'Valve', type: 'binary' },
    foreign: 'not found',
    status: 201,
  },
  'PATCH /api/twins/:id/actuators/:actuatorId': {
    scope: 'write:control',
    path: '/api/twins/pump-101/actuators/power',
    json: { current_state: true },
    foreign: 'not found',
  },
  'DELETE /api/twins/:id/actuators/:actuatorId': {
    scope: 'write:assets',
    path: '/api/twins/pump-101/actuators/power',
    foreign: 'not found',
    status: 204,
  },
  'GET /v1/data-sources': { scope: 'read:assets', path: '/v1/data-sources', foreign: 'own' },
  'POST /v1/data-sources': { scope: 'write:assets', path: '/v1/data-sources', json: NEW_SOURCE, foreign: 'own', status: 201 },
  'POST /v1/data-sources/test': { scope: 'write:assets', path: '/v1/data-sources/test', json: NEW_SOURCE, foreign: 'own' },
  'GET /v1/data-sources/:id': { scope: 'read:assets', path: '/v1/data-sources/pump-101', foreign: 'not found' },
  'PUT /v1/data-sources/:id': { scope: 'write:assets', path: '/v1/data-sources/pump-101', json: CHANGED_SOURCE, foreign: 'not found' },
  'DELETE /v1/data-sources/:id': { scope: 'write:assets', path: '/v1/data-sources/pump-101', foreign: 'not found', status: 204 },
  'POST /v1/data-sources/:id/test': { scope: 'write:assets', path: '/v1/data-sources/pump-101/test', foreign: 'not found' },
  'GET /v1/data-sources/:id/revisions': { scope: 'read:assets', path: '/v1/data-sources/pump-101/revisions', foreign: 'not found' },
  'POST /v1/data-sources/:id/rollback': {
    scope: 'write:assets',
    path: '/v1/data-sources/pump-101/rollback',
    json: { revision: 1 },
    foreign: 'not found',
  },
  'GET /v1/telemetry': { scope: 'read:telemetry', path: '/v1/telemetry', foreign: 'own' },
  'GET /v1/telemetry/latest': { scope: 'read:telemetry', path: '/v1/telemetry/latest?asset_id=pump-101', foreign: 'own' },
  'GET /v1/stream': { scope: 'read:telemetry', path: '/v1/stream', foreign: 'own' },
  'POST /v1/telemetry': { scope: 'write:telemetry', path: '/v1/telemetry', json: POINT, foreign: 'own' },
  'POST /v1/telemetry/ingest': { scope: 'write:telemetry', path: '/v1/telemetry/ingest', json: POINT, foreign: 'own' },
  'GET /v1/notification-channels': { scope: 'admin', path: '/v1/notification-channels', foreign: 'own' },
  'POST /v1/notification-channels/:name/test': {
    scope: 'admin',
    path: '/v1/notification-channels/pump-101/test',
    foreign: 'not found',
  },
  'GET /v1/dashboards': { scope: 'read:assets', path: '/v1/dashboards', foreign: 'own' },
  'POST /v1/dashboards': { scope: 'write:assets', path: '/v1/dashboards', json: { name: 'New' }, foreign: 'own', status: 201 },
  'GET /v1/dashboards/:id': { scope: 'read:assets', path: '/v1/dashboards/pump-101', foreign: 'not found' },
  'PUT /v1/dashboards/:id': { scope: 'write:assets', path: '/v1/dashboards/pump-101', json: { name: 'New' }, foreign: 'not found' },
  'DELETE /v1/dashboards/:id': { scope: 'write:assets', path: '/v1/dashboards/pump-101', foreign: 'not found', status: 204 },
  'GET /v1/alert-rules': { scope: 'read:alerts', path: '/v1/alert-rules', foreign: 'own' },
  'POST /v1/alert-rules': { scope: 'write:alerts', path: '/v1/alert-rules', json: RULE, foreign: 'own', status: 201 },
  'GET /v1/alert-rules/:id': { scope: 'read:alerts', path: '/v1/alert-rules/pump-101', foreign: 'not found' },
  'PUT /v1/alert-rules/:id': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101', json: RULE, foreign: 'not found' },
  'DELETE /v1/alert-rules/:id': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101', foreign: 'not found', status: 204 },
  'POST /v1/alert-rules/:id/enable': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101/enable', foreign: 'not found' },
  'POST /v1/alert-rules/:id/unshelve': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101/unshelve', foreign: 'not found' },
  'POST /v1/alert-rules/:id/disable': { scope: 'write:alerts', path: '/v1/alert-rules/pump-101/disable', foreign: 'not found' },
  'GET /v1/alerts': { scope: 'read:alerts', path: '/v1/alerts', foreign: 'own' },
  'GET /v1/alerts/:id': { scope: 'read:alerts', path: `/v1/alerts/${ALERT}`, foreign: 'not found' },
  'POST /v1/alerts/:id/acknowledge': { scope: 'write:alerts', path: `/v1/alerts/${ALERT}/acknowledge`, foreign: 'not found' },
  'POST /v1/alerts/:id/resolve': { scope: 'write:alerts', path: `/v1/alerts/${ALERT}/resolve`, foreign: 'not found' },
  'POST /v1/alerts/:id/shelve': {
    scope: 'write:alerts',
    path: `/v1/alerts/${ALERT}/shelve`,
    json: { minutes: 5 },
    foreign: 'not found',
  },
  'POST /v1/alerts/:id/unshelve': { scope: 'write:alerts', path: `/v1/alerts/${ALERT}/unshelve`, foreign: 'not found' },
  'POST /v1/dashboards/:id/duplicate': {
    scope: 'write:assets',
    path: '/v1/dashboards/pump-101/duplicate',
    foreign: 'not found',
    status: 201,
  },
};

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

/** Anything of this tenant that must not reach another one. */
const MARK = 'only-of-default';

async function client(): Promise<ApiClient> {
  const services = new FakeServices();
  services.addTwin({
    id: 'pump-101',
    name: MARK,
    sensors: [sensor('pump-101', 'temperature')],
    actuators: [{ id: 'power', name: 'Power', type: 'binary' }],
  });
  services.addSource({ id: MARK });
  services.addChannel({ name: 'pump-101', target: MARK });
  services.addDashboard('pump-101', MARK);
  services.fakeSources.put('pump-101', { name: MARK });
  services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs: at('2026-01-06T10:29:00Z'), value: MARK });
  services.auditRows.push({
    kind: 'write',
    timeMs: at('2026-01-06T10:00:00Z'),
    tenant: 'default',
    tokenId: MARK,
    tokenName: MARK,
    method: 'PATCH',
    route: '/x',
    objectId: null,
    status: 200,
    code: null,
    address: null,
    requestId: MARK,
    count: 1,
  });
  await services.addAlert('pump-101', MARK);
  return new ApiClient(services);
}

const guarded = Object.entries(GUARDED).map(([name, route]) => ({ name, ...route, method: name.split(' ')[0] as string }));
type Row = (typeof guarded)[number];

function call(
  api: ApiClient,
  { path, method, json }: Row,
  token: string | null,
  headers: Record<string, string> = {},
): Promise<JsonResponse> {
  return api.send(path.replace(ALERT, api.services.alertId), { method, token, headers, ...(json === undefined ? {} : { json }) });
}

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
      const unknown = await call(api, { ...row, path: row.path.replace('pump-101', 'nothing') }, token);
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
