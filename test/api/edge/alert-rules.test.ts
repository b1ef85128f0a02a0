/** Alert rules over the API: revisions, rules of the file, and what nobody may say of one. */
import { describe, expect, it } from 'vitest';
import { draft } from '../../alerts/rig.ts';
import { ApiClient } from '../../support/api-client.ts';

const RULE = { name: 'Hot', condition: { tag_name: 'temperature', operator: 'gt', value: 80 } };

async function withRule() {
  const client = new ApiClient();
  const { headers, body } = await client.post('/v1/alert-rules', RULE);
  return { client, body, etag: headers.get('etag') as string, path: headers.get('location') as string };
}

type Write = readonly [method: string, suffix: string, json: unknown];
const WRITES: readonly Write[] = [
  ['PUT', '', { ...RULE, name: 'Hotter' }],
  ['POST', '/disable', undefined],
  ['POST', '/enable', undefined],
  ['DELETE', '', undefined],
];

const write = (client: ApiClient, path: string, [method, suffix, json]: Write, headers: Record<string, string> = {}) =>
  client.send(path + suffix, { method, headers, ...(json === undefined ? {} : { json }) });

describe('the revision of a rule', () => {
  it('is its ETag, one more with each change, and the same after a change that is none', async () => {
    const { client, etag, path } = await withRule();
    expect(etag).toBe('"1"');
    const etags: (string | null)[] = [];
    for (const each of [WRITES[0], WRITES[0], WRITES[1], WRITES[1], WRITES[2]]) {
      etags.push((await write(client, path, each as Write)).headers.get('etag'));
    }
    expect(etags).toEqual(['"2"', '"2"', '"3"', '"3"', '"4"']);
    expect((await client.get(path)).headers.get('etag')).toBe('"4"');
  });

  it.each(WRITES)('is asked for by If-Match of %s %s, which changes nothing when it is another', async (...each) => {
    const { client, body, etag, path } = await withRule();
    for (const ifMatch of ['"2"', 'W/"1"', '"ar-1"']) {
      const late = await write(client, path, each, { 'If-Match': ifMatch });
      expect([late.status, late.body.error.code]).toEqual([412, 'precondition_failed']);
    }
    expect((await client.get(path)).body).toEqual(body);
    expect((await write(client, path, each, { 'If-Match': `"7", ${etag}` })).status).toBeLessThan(300);
  });

  it('does not answer 304, as the state of the rule lives', async () => {
    const { client, etag, path } = await withRule();
    expect((await client.get(path, { headers: { 'If-None-Match': etag } })).status).toBe(200);
  });
});

describe('a rule of the configuration file', () => {
  it.each(WRITES)('answers 409 to %s %s and stays as it is', async (...each) => {
    const client = new ApiClient();
    await client.services.alerting.load([{ tenant: 'default', id: 'ar-hot', ...draft() }]);
    const before = (await client.get('/v1/alert-rules/ar-hot')).body;
    expect(before.data).toMatchObject({ managed_by: 'config', enabled: true });
    const { status, body } = await write(client, '/v1/alert-rules/ar-hot', each);
    expect([status, body.error.code]).toEqual([409, 'managed_by_config']);
    expect((await client.get('/v1/alert-rules/ar-hot')).body).toEqual(before);
  });
});

describe('what nobody may say of a rule', () => {
  it.each([
    ['tenant', 'northwind'],
    ['id', 'ar-mine'],
    ['created_at', '2026-01-01T00:00:00Z'],
    ['updated_at', '2026-01-01T00:00:00Z'],
    ['state', 'firing'],
    ['managed_by', 'config'],
    ['revision', 7],
    ['constructor', {}],
  ])('is refused at birth: %s', async (field, value) => {
    const client = new ApiClient();
    const { status, body } = await client.post('/v1/alert-rules', { ...RULE, [field]: value });
    expect([status, body.error.details?.[0].field]).toEqual([400, field]);
    expect((await client.get('/v1/alert-rules')).body.meta.total).toBe(0);
    expect(client.services.alerting.rules.list('northwind')).toEqual([]);
  });

  it.each([
    ['tenant', 'northwind'],
    ['id', 'ar-other'],
    ['revision', 7],
  ])('is refused in a change: %s', async (field, value) => {
    const { client, body, path } = await withRule();
    const changed = await client.send(path, { method: 'PUT', json: { ...RULE, name: 'Mine', [field]: value } });
    expect([changed.status, changed.body.error.details?.[0].field]).toEqual([400, field]);
    expect((await client.get(path)).body).toEqual(body);
  });

  it('is passed over when an answer is sent back with other words for what the box alone knows', async () => {
    const { client, body, path } = await withRule();
    client.services.advance(60_000);
    const own = { state: 'firing', managed_by: 'config', created_at: '2020-01-01T00:00:00Z', updated_at: '2020-01-01T00:00:00Z' };
    const { status, body: after } = await client.send(path, {
      method: 'PUT',
      json: { ...body.data, ...own, data_source_id: null, name: 'Warm' },
    });
    expect(status).toBe(200);
    expect(after.data).toEqual({ ...body.data, name: 'Warm', updated_at: '2026-01-06T10:31:00Z' });
  });

  it.each([
    ['__proto__', '{"name":"x","condition":{"tag_name":"t","operator":"gt","value":1},"__proto__":{"enabled":false}}'],
    ['condition.__proto__', '{"name":"x","condition":{"tag_name":"t","operator":"gt","value":1,"__proto__":{"asset_id":"a"}}}'],
  ])('is refused as a prototype: %s', async (field, raw) => {
    const client = new ApiClient();
    const { status, body } = await client.send('/v1/alert-rules', { method: 'POST', raw });
    expect([status, body.error.details?.[0].field]).toEqual([400, field]);
    expect((await client.get('/v1/alert-rules')).body.meta.total).toBe(0);
  });
});
