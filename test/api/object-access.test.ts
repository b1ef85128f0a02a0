/** Every route that names an object, asked for one that the caller must not have: it is not there, and nothing becomes of it. */
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { ALERT, call, client, guarded, type Row } from './guarded-routes.ts';

const named = guarded.filter(({ foreign }) => foreign === 'not found');
/** Of an alert and of a channel there is no DELETE. */
const DELETABLE = /^\/(?:api\/twins|v1\/(?:data-sources|dashboards|alert-rules))\/pump-101/;

const withId = (row: Row, id: string): Row => ({ ...row, path: row.path.replace('pump-101', id).replace(ALERT, id) });

/** What its owner sees of everything that a route of the table may name. */
async function everything(api: ApiClient): Promise<unknown> {
  const paths = ['/api/twins/pump-101', '/api/twins', '/v1/telemetry/latest?asset_id=pump-101', `/v1/alerts/${api.services.alertId}`];
  const objects = ['data-sources', 'dashboards', 'alert-rules'].flatMap((kind) => [`/v1/${kind}`, `/v1/${kind}/pump-101`]);
  const seen = [];
  for (const path of [...paths, ...objects, '/v1/alerts']) {
    const { status, body } = await api.get(path);
    expect(status).toBe(200);
    seen.push([path, body]);
  }
  return seen;
}

async function refusal(api: ApiClient, row: Row, headers: Record<string, string> = {}, token?: string): Promise<unknown> {
  const { status, body } = await call(api, row, token ?? api.token, headers);
  expect(status).toBe(404);
  return { ...body.error, request_id: '' };
}

describe('an object that is not the caller’s', () => {
  it.each(named)('looks to $name as one that never was, and stays as it is', async (row) => {
    const api = await client();
    const before = await everything(api);
    const token = api.services.addToken(['admin'], { tenant: 'northwind' });
    const absent = await refusal(api, withId(row, 'nothing'), {}, token);
    expect(await refusal(api, row, {}, token)).toEqual(absent);
    expect(await refusal(api, withId(row, '__proto__'), {}, token)).toEqual(absent);
    for (const header of ['X-Tenant', 'X-Tenant-Id', 'X-Tenant-ID, X-Tenant']) {
      const forged = Object.fromEntries(header.split(', ').map((name) => [name, 'default']));
      expect(await refusal(api, row, forged, token)).toEqual(absent);
    }
    expect(await everything(api)).toEqual(before);
  });

  it.each(named.filter(({ path }) => DELETABLE.test(path)))('looks to $name as one that never was when it is deleted', async (row) => {
    const api = await client();
    const [object = ''] = DELETABLE.exec(row.path) ?? [];
    expect((await api.send(object, { method: 'DELETE' })).status).toBe(204);
    expect(await refusal(api, row)).toEqual(await refusal(api, withId(row, 'nothing')));
  });
});

const FORGED = 'forged-by-the-caller';
const KEYS = ['__proto__', 'constructor', 'id', 'tenant', 'status', 'created_at'];
const writes = guarded.filter(({ method }) => method !== 'GET' && method !== 'DELETE');

/** What is made over the Twin API is named by its maker. */
const isOwnToSet = ({ json }: Row, key: string) => typeof json === 'object' && json !== null && key in json;

describe('a key that no caller may set', () => {
  it.each(writes.flatMap((row) => KEYS.filter((key) => !isOwnToSet(row, key)).map((key) => ({ ...row, key }))))(
    '$name does not take $key',
    async ({ key, ...row }) => {
      const api = await client();
      const said = JSON.stringify(row.json ?? {});
      const raw = `${said.slice(0, -1)}${said === '{}' ? '' : ','}${JSON.stringify(key)}:${JSON.stringify(FORGED)}}`;
      const path = row.path.replace(ALERT, api.services.alertId);
      const { status, body } = await api.send(path, { method: row.method, raw });
      expect(status).toBeLessThan(500);
      if (status < 400) expect(JSON.stringify([body, await everything(api)])).not.toContain(FORGED);
      else expect(JSON.stringify(body.error)).toContain(key);
      expect(({} as Record<string, unknown>)['status']).toBeUndefined();
    },
  );
});

const ofPoints = guarded.filter(({ path }) => path.startsWith('/v1/telemetry') && path !== '/v1/telemetry/latest');

describe('a key that no caller may set of a reading', () => {
  const posts = ofPoints.filter(({ method }) => method === 'POST');
  it.each(posts.flatMap((row) => KEYS.map((key) => ({ ...row, key }))))('$name does not take $key', async ({ key, ...row }) => {
    const api = await client();
    const raw = `{"data":[{"asset_id":"pump-101","tag_name":"temperature","value":1,${JSON.stringify(key)}:${JSON.stringify(FORGED)}}]}`;
    const before = api.services.samples.length;
    const { status, body } = await api.send(row.path, { method: 'POST', raw });
    if (status === 200) expect(JSON.stringify(await everything(api))).not.toContain(FORGED);
    else {
      expect([status, body.error.details[0].field]).toEqual([400, `data.0.${key}`]);
      expect(api.services.samples).toHaveLength(before);
    }
  });
});

describe('a POST that takes no body', () => {
  const { routes } = new ApiClient().api;
  const bare = writes.filter(({ name }) => {
    const operation = routes.find(({ method, path }) => `${method} ${path}` === name)?.operation;
    return operation !== undefined && operation.body === undefined;
  });

  it.each(bare)('$name says so to whoever sends one, and does nothing', async (row) => {
    const api = await client();
    const before = await everything(api);
    const path = row.path.replace(ALERT, api.services.alertId);
    const sent = ['{"minutes":5}', '[]', '"x"', '{"a":'];
    const met = [];
    for (const raw of sent) met.push((await api.send(path, { method: 'POST', raw })).body.error.code.toLowerCase());
    expect(met).toEqual(['validation_error', 'validation_error', 'validation_error', 'malformed_json']);
    expect(await everything(api)).toEqual(before);
    expect((await api.send(path, { method: 'POST', raw: '{}' })).status).toBe(row.status ?? 200);
  });
});
