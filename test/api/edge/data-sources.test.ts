/** Data sources over the API: what may be said of one, what is kept of it, what is never shown, and who may not touch it. */
import { describe, expect, it } from 'vitest';
import { ApiClient, type JsonResponse } from '../../support/api-client.ts';

const MQTT = {
  name: 'Broker',
  type: 'mqtt',
  config: { broker_url: 'mqtts://10.0.0.7', username: 'box', password: 'hunter2' },
  tags: [{ topic: 'plants/{asset}/{tag}' }],
};
const OPCUA = {
  name: 'Cell',
  type: 'opcua',
  config: { endpoint: 'opc.tcp://10.0.0.9:4840', authentication: { type: 'username_password', username: 'box', password: 'hunter2' } },
};
const NAMED = { type: 'username_password', username: 'box' };
const KEEPING = { ...NAMED, password: '********' };
const MODBUS = { name: 'PLC', type: 'modbus', config: { host: '10.0.0.5' } };
const REGISTER = { tag_name: 'speed', asset_id: 'fan', register_type: 'holding', address: 4 };

async function made(client: ApiClient, body: unknown): Promise<string> {
  const { status, headers } = await client.post('/v1/data-sources', body);
  expect(status).toBe(201);
  return headers.get('location') as string;
}

const put = (client: ApiClient, path: string, json: unknown, headers: Record<string, string> = {}) =>
  client.send(path, { method: 'PUT', json, headers });

function expectFault(response: JsonResponse, field: string, message?: RegExp): void {
  expect(response.status).toBe(400);
  expect(response.body.error.code).toBe('validation_error');
  const detail = response.body.error.details.find((each: { field: string }) => each.field === field);
  expect(detail, JSON.stringify(response.body.error.details)).toBeDefined();
  if (message) expect(detail.message).toMatch(message);
}

const stored = (client: ApiClient, path: string) => client.services.fakeSources.registry.get(path.split('/').at(-1) as string);

describe('what a source may say', () => {
  it.each([
    ['no type', { name: 'x', config: {} }, 'type'],
    ['an unknown type', { ...MODBUS, type: 'profibus' }, 'type'],
    ['no name', { ...MODBUS, name: undefined }, 'name'],
    ['a device that is not allowed', { ...MODBUS, config: { transport: 'rtu', serial: { path: '/dev/watchdog' } } }, 'config.serial.path'],
    ['a line without its device', { ...MODBUS, config: { transport: 'rtu' } }, 'config.serial'],
    ['no host', { ...MODBUS, config: {} }, 'config.host'],
    ['a port that is none', { ...MODBUS, config: { host: '10.0.0.5', port: 70_000 } }, 'config.port'],
    ['an unknown key of the config', { ...MODBUS, config: { host: '10.0.0.5', prot: 502 } }, 'config.prot'],
    ['a tag without an address', { ...MODBUS, tags: [REGISTER, REGISTER, REGISTER, { ...REGISTER, address: -1 }] }, 'tags.3.address'],
    ['the same tag twice', { ...MODBUS, tags: [REGISTER, REGISTER] }, 'tags.1.tag_name'],
    ['a tag of another protocol', { ...MODBUS, tags: [{ tag_name: 'a', node_id: 'i=1' }] }, 'tags.0.node_id'],
    ['a broker and nothing to read', { ...MQTT, tags: [] }, 'tags'],
    ['a profile that does not exist', { ...MQTT, tags: [], profile: 'none', config: { ...MQTT.config, topics: ['a/{asset}'] } }, 'profile'],
    ['a profile that leads out of its folder', { ...MQTT, tags: [], profile: '../../etc/passwd' }, 'profile'],
    ['no security without a word for it', { ...OPCUA, config: { ...OPCUA.config, security_mode: 'None' } }, 'config.security_mode'],
    ['credentials in a URL', { ...MQTT, config: { broker_url: 'mqtt://a:b@10.0.0.7' } }, 'config.broker_url'],
    ['a mask in place of a secret', { ...MQTT, config: { ...MQTT.config, password: '********' } }, 'config.password'],
    ['an id of its own', { ...MODBUS, id: 'ds-mine' }, 'id'],
    ['a tenant', { ...MODBUS, tenant: 'northwind' }, 'tenant'],
    ['what the box says', { ...MODBUS, status: 'connected', created_at: '2026-01-01T00:00:00Z' }, 'created_at'],
    ['a constructor', { ...MODBUS, constructor: 1 }, 'constructor'],
  ])('is refused with %s, naming the place, and nothing is saved', async (_what, body, field) => {
    const client = new ApiClient();
    expectFault(await client.post('/v1/data-sources', body), field);
    expect(client.services.fakeSources.told).toEqual([]);
    expect(client.services.fakeSources.records.writes).toBe(0);
  });

  it('is refused with __proto__, at the top and inside the config', async () => {
    const client = new ApiClient();
    const top = `{"name":"x","type":"modbus","config":{"host":"10.0.0.5"},"__proto__":{"enabled":false}}`;
    const inside = `{"name":"x","type":"modbus","config":{"host":"10.0.0.5","__proto__":{"port":22}}}`;
    for (const raw of [top, inside]) {
      const response = await client.send('/v1/data-sources', { method: 'POST', raw });
      if (response.status === 201) {
        const { data } = response.body;
        expect([data.enabled, data.config.port]).toEqual([true, 502]);
      } else expect(response.status).toBe(400);
    }
    expect(({} as Record<string, unknown>)['enabled']).toBeUndefined();
  });

  it.each([
    ['mqtt', 'config.tls.ca', (file: string) => ({ ...MQTT, config: { ...MQTT.config, tls: { ca: file } } })],
    [
      'mqtt',
      'config.tls.key',
      (file: string) => ({ ...MQTT, config: { ...MQTT.config, tls: { cert: '/etc/twinbox/certs/a.pem', key: file } } }),
    ],
    [
      'opcua',
      'config.authentication.private_key_file',
      (key: string) => ({
        ...OPCUA,
        config: {
          ...OPCUA.config,
          authentication: { type: 'certificate', certificate_file: '/etc/twinbox/certs/a.pem', private_key_file: key },
        },
      }),
    ],
  ])('of type %s names in %s only files of the folders for it, and is told nothing of others', async (_type, field, body) => {
    const client = new ApiClient();
    await made(client, body('/etc/twinbox/certs/own.pem'));
    const messages = [];
    for (const file of ['/etc/shadow', '/nowhere/at-all', '/root', '/etc/twinbox/certs/../admin.token']) {
      for (const path of ['/v1/data-sources', '/v1/data-sources/test']) {
        const response = await client.post(path, body(file));
        expectFault(response, field);
        messages.push(response.body.error.details[0].message);
      }
    }
    expect(new Set(messages).size).toBe(1);
  });

  it('takes 5,000 tags and no more', async () => {
    const client = new ApiClient();
    const tags = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ tag_name: `t${index}`, register_type: 'holding', address: index }));
    const path = await made(client, { ...MODBUS, tags: tags(5_000) });
    expect((await client.get(path)).body.data.tag_count).toBe(5_000);
    expectFault(await client.post('/v1/data-sources', { ...MODBUS, tags: tags(5_001) }), 'tags');
  });

  it('may be a profile in place of tags', async () => {
    const client = new ApiClient();
    const config = { broker_url: 'mqtt://10.0.0.7', topics: ['swap/{tenant}/packs/{asset}/telemetry'] };
    const path = await made(client, { name: 'Packs', type: 'mqtt', profile: 'generic_json', config });
    const { data } = (await client.get(path)).body;
    expect(data).toMatchObject({ profile: 'generic_json', tags: [] });
    expect(data.tag_count).toBeGreaterThan(5);
    expect((await put(client, path, data)).status).toBe(200);
  });
});

describe('a change', () => {
  it('replaces everything but tags and secrets, which stay when they are left out', async () => {
    const client = new ApiClient();
    const path = await made(client, { ...MODBUS, enabled: false, config: { host: '10.0.0.5', unit_id: 9 }, tags: [REGISTER] });
    const { body } = await put(client, path, { name: 'Other', config: { host: '10.0.0.6' } });
    expect(body.data).toMatchObject({ name: 'Other', enabled: true, config: { host: '10.0.0.6', unit_id: 1 }, tag_count: 1 });
    const cleared = await put(client, path, { name: 'Other', config: { host: '10.0.0.6' }, tags: [] });
    expect(cleared.body.data.tags).toEqual([]);
  });

  it('takes back what a GET has shown, and then changes nothing', async () => {
    const client = new ApiClient();
    for (const body of [MQTT, OPCUA, { ...MODBUS, tags: [REGISTER] }]) {
      const path = await made(client, body);
      const shown = await client.get(path);
      const before = client.services.fakeSources.told.length;
      const again = await put(client, path, shown.body.data);
      expect(again.status).toBe(200);
      expect(again.headers.get('etag')).toBe('"1"');
      expect(client.services.fakeSources.told).toHaveLength(before);
    }
  });

  it('counts a revision, which is the ETag, and wants it where If-Match says so', async () => {
    const client = new ApiClient();
    const path = await made(client, MODBUS);
    expect((await client.get(path)).headers.get('etag')).toBe('"1"');
    expect((await put(client, path, { ...MODBUS, name: 'b' }, { 'If-Match': '"1"' })).headers.get('etag')).toBe('"2"');
    const late = await put(client, path, { ...MODBUS, name: 'c' }, { 'If-Match': '"1"' });
    expect([late.status, late.body.error.code]).toEqual([412, 'precondition_failed']);
    expect((await client.send(path, { method: 'DELETE', headers: { 'If-Match': '"1"' } })).status).toBe(412);
    expect((await client.send(path, { method: 'DELETE', headers: { 'If-Match': '"2"' } })).status).toBe(204);
  });

  it('never makes another type, another id or another time of it', async () => {
    const client = new ApiClient();
    const path = await made(client, MODBUS);
    expectFault(await put(client, path, { ...MQTT }), 'type', /keeps its type, which is modbus/);
    expectFault(await put(client, path, { ...MODBUS, id: 'ds-other' }), 'id', /the id of the path/);
    expectFault(await put(client, path, { ...MODBUS, tenant: 'northwind' }), 'tenant');
    const { body } = await put(client, path, {
      ...MODBUS,
      name: 'b',
      created_at: '1999-01-01T00:00:00Z',
      status: 'connected',
      managed_by: 'config',
    });
    expect(body.data).toMatchObject({ name: 'b', created_at: '2026-01-06T10:30:00Z', managed_by: 'api' });
  });

  it('that cannot be saved is not made', async () => {
    const client = new ApiClient();
    const path = await made(client, MODBUS);
    const { told, records } = client.services.fakeSources;
    const before = told.length;
    records.failing = true;
    const full = await put(client, path, { ...MODBUS, name: 'b' });
    expect([full.status, full.body.error.code]).toEqual([507, 'storage_full']);
    expect((await client.post('/v1/data-sources', MODBUS)).status).toBe(507);
    expect((await client.send(path, { method: 'DELETE' })).status).toBe(507);
    expect(told).toHaveLength(before);
    expect((await client.get(path)).body.data.name).toBe('PLC');
  });

  it('leaves two clients with both of their changes, one after the other', async () => {
    const client = new ApiClient();
    const path = await made(client, MODBUS);
    await Promise.all(['b', 'c', 'd'].map((name) => put(client, path, { ...MODBUS, name })));
    expect((await client.get(path)).headers.get('etag')).toBe('"4"');
    expect((await client.get(`${path}/revisions`)).body.data.map(({ revision }: { revision: number }) => revision)).toEqual([4, 3, 2, 1]);
  });
});

describe('a secret', () => {
  it.each([
    ['mqtt', MQTT, (config: Record<string, unknown>) => config['password']],
    ['opcua', OPCUA, (config: Record<string, unknown>) => (config['authentication'] as Record<string, unknown>)['password']],
  ])('of %s is shown nowhere, and kept when its mask or nothing comes back', async (_type, body, secretOf) => {
    const client = new ApiClient();
    const path = await made(client, body);
    const answers = [await client.get(path), await client.get(`${path}/revisions`), await client.get('/v1/data-sources')];
    for (const answer of answers) expect(JSON.stringify(answer.body)).not.toContain('hunter2');
    const { data } = (answers[0] as JsonResponse).body;
    expect(secretOf(data.config)).toBe('********');
    const masked = await put(client, path, { ...data, name: 'masked' });
    expect(JSON.stringify(masked.body)).not.toContain('hunter2');
    expect(secretOf(stored(client, path)?.config as Record<string, unknown>)).toBe('hunter2');
    const without = JSON.parse(JSON.stringify({ ...data, name: 'without' }, (key, value) => (key === 'password' ? undefined : value)));
    expect((await put(client, path, without)).status).toBe(200);
    expect(secretOf(stored(client, path)?.config as Record<string, unknown>)).toBe('hunter2');
    const other = JSON.parse(JSON.stringify(data).replace('********', 'correct horse'));
    expect((await put(client, path, other)).status).toBe(200);
    expect(secretOf(stored(client, path)?.config as Record<string, unknown>)).toBe('correct horse');
  });

  it.each<[string, { config: object }, object]>([
    ['another host', MQTT, { broker_url: 'mqtts://10.0.0.8', username: 'box', password: '********' }],
    ['another host, with the secret left out', MQTT, { broker_url: 'mqtts://10.0.0.8', username: 'box' }],
    ['another port', MQTT, { broker_url: 'mqtts://10.0.0.7:8884', username: 'box', password: '********' }],
    ['the same host in the clear', MQTT, { broker_url: 'mqtt://10.0.0.7', username: 'box', password: '********' }],
    ['whoever says it is the host', MQTT, { ...MQTT.config, password: '********', tls: { reject_unauthorized: false } }],
    ['another server', OPCUA, { ...OPCUA.config, endpoint: 'opc.tcp://10.0.0.10:4840', authentication: KEEPING }],
    ['another server, with the secret left out', OPCUA, { endpoint: 'opc.tcp://10.0.0.10:4840', authentication: NAMED }],
    ['the same server in the clear', OPCUA, { ...OPCUA.config, security_mode: 'None', allow_insecure: true, authentication: KEEPING }],
  ])('is not carried to %s; sent again, it is', async (_where, body, config) => {
    const client = new ApiClient();
    const path = await made(client, body);
    const field = body === MQTT ? 'config.password' : 'config.authentication.password';
    expectFault(await put(client, path, { ...body, config }), field, /sent again/);
    expect(stored(client, path)).toMatchObject({ revision: 1 });
    const authentication = { ...NAMED, password: 'correct horse' };
    const sent = body === MQTT ? { ...config, password: 'correct horse' } : { ...config, authentication };
    expect((await put(client, path, { ...body, config: sent })).status).toBe(200);
    expect(JSON.stringify(stored(client, path))).not.toContain('hunter2');
  });

  it('stays while the address is only written in another way', async () => {
    const client = new ApiClient();
    const path = await made(client, MQTT);
    const config = { broker_url: 'mqtts://10.0.0.7:8883', username: 'box', password: '********' };
    expect((await put(client, path, { ...MQTT, config })).status).toBe(200);
    expect(stored(client, path)?.config).toMatchObject({ password: 'hunter2' });
  });

  it('is not found by the test of a source that is not saved, whatever mask it sends', async () => {
    const client = new ApiClient();
    await made(client, MQTT);
    const config = { ...MQTT.config, password: '********' };
    expectFault(await client.post('/v1/data-sources/test', { ...MQTT, config }), 'config.password', /mask/);
  });

  it('goes with the user name or the way of authentication that it belongs to', async () => {
    const client = new ApiClient();
    const broker = await made(client, MQTT);
    expect((await put(client, broker, { ...MQTT, config: { broker_url: 'mqtts://10.0.0.7' } })).status).toBe(200);
    expect(JSON.stringify(stored(client, broker))).not.toContain('hunter2');
    const cell = await made(client, OPCUA);
    expect(
      (await put(client, cell, { ...OPCUA, config: { endpoint: OPCUA.config.endpoint, authentication: { type: 'anonymous' } } })).status,
    ).toBe(200);
    expect(JSON.stringify(stored(client, cell))).not.toContain('hunter2');
  });

  it('is forgotten with the source, in all of its revisions', async () => {
    const client = new ApiClient();
    const path = await made(client, MQTT);
    await put(client, path, { ...MQTT, name: 'b' });
    expect((await client.send(path, { method: 'DELETE' })).status).toBe(204);
    const { records } = client.services.fakeSources;
    expect([...(await records.documents('data_source')), ...(await records.documents('data_source_revision'))]).toEqual([]);
  });
});

describe('revisions', () => {
  it('are the last twenty, and any of them can be had back as a revision of its own', async () => {
    const client = new ApiClient();
    const path = await made(client, MQTT);
    for (let round = 2; round <= 25; round++) await put(client, path, { ...MQTT, name: `round ${round}` });
    const { data, meta } = (await client.get(`${path}/revisions`)).body;
    expect(meta).toEqual({ total: 20 });
    expect(data.map(({ revision }: { revision: number }) => revision)).toEqual(Array.from({ length: 20 }, (_, index) => 25 - index));
    expect(data[19]).toMatchObject({ revision: 6, name: 'round 6', config: { password: '********' } });
    const back = await client.post(`${path}/rollback`, { revision: 6 });
    expect(back.status).toBe(200);
    expect(back.body.data).toMatchObject({ name: 'round 6', revision: 26 });
    expect(stored(client, path)?.config).toMatchObject({ password: 'hunter2' });
    expect((await client.post(`${path}/rollback`, { revision: 5 })).status).toBe(404);
    expectFault(await client.post(`${path}/rollback`, { revision: 0 }), 'revision');
    expect((await client.send(`${path}/rollback`, { method: 'POST', json: { revision: 25 }, headers: { 'If-Match': '"1"' } })).status).toBe(
      412,
    );
  });
});

describe('a source of the configuration file', () => {
  it.each([
    ['PUT', '', { name: 'x', config: {} }],
    ['DELETE', '', undefined],
    ['POST', '/rollback', { revision: 1 }],
  ])('answers 409 to %s %s', async (method, path, json) => {
    const client = new ApiClient();
    client.services.addSource({ id: 'ds-press', managedBy: 'config' });
    const { status, body } = await client.send(`/v1/data-sources/ds-press${path}`, { method, ...(json && { json }) });
    expect([status, body.error.code]).toEqual([409, 'managed_by_config']);
  });

  it('is read and tested like any other', async () => {
    const client = new ApiClient();
    client.services.addSource({ id: 'ds-press', managedBy: 'config' });
    const read = await client.get('/v1/data-sources/ds-press');
    expect(read.body.data).toMatchObject({
      managed_by: 'config',
      revision: null,
      updated_at: null,
      stats: { received: 0, errors: 0, last_error: null },
    });
    expect(read.headers.get('etag')).toBeNull();
    expect((await client.get('/v1/data-sources/ds-press/revisions')).body).toEqual({ data: [], meta: { total: 0 } });
    expect((await client.send('/v1/data-sources/ds-press/test', { method: 'POST' })).status).toBe(200);
  });
});

describe('a source that is foreign, absent or deleted', () => {
  it.each([
    ['GET', ''],
    ['PUT', ''],
    ['DELETE', ''],
    ['POST', '/test'],
    ['GET', '/revisions'],
    ['POST', '/rollback'],
  ])('looks the same to %s %s', async (method, suffix) => {
    const client = new ApiClient();
    client.services.fakeSources.put('ds-foreign', { tenant: 'northwind' });
    const gone = await made(client, MODBUS);
    await client.send(gone, { method: 'DELETE' });
    const hasBody = method !== 'GET' && method !== 'DELETE' && suffix !== '/test';
    const json = !hasBody ? undefined : { revision: 1, name: 'x', config: { host: '10.0.0.1' } };
    const bodies = [];
    for (const path of ['/v1/data-sources/ds-foreign', '/v1/data-sources/ds-absent', gone, '/v1/data-sources/__proto__']) {
      const { status, body } = await client.send(`${path}${suffix}`, { method, ...(json && { json }) });
      expect(status).toBe(404);
      bodies.push({ ...body.error, request_id: '' });
    }
    expect(new Set(bodies.map((body) => JSON.stringify(body))).size).toBe(1);
    expect(client.services.fakeSources.registry.get('ds-foreign')?.revision).toBe(1);
  });
});

describe('the audit log', () => {
  it('has every write with its object, refused ones too, and no secret', async () => {
    const client = new ApiClient();
    const path = await made(client, MQTT);
    await put(client, path, { ...MQTT, name: 'b' });
    await put(client, path, { ...MQTT, name: 5 });
    await client.post(`${path}/rollback`, { revision: 1 });
    await client.send(`${path}/test`, { method: 'POST' });
    await client.send(path, { method: 'DELETE' });
    await client.api.close(1_000);
    const id = path.split('/').at(-1);
    const rows = client.services.auditRows.map(({ method, route, objectId, status }) => [method, route, objectId, status]);
    expect(rows).toEqual([
      ['POST', '/v1/data-sources', id, 201],
      ['PUT', '/v1/data-sources/:id', id, 200],
      ['PUT', '/v1/data-sources/:id', id, 400],
      ['POST', '/v1/data-sources/:id/rollback', id, 200],
      ['POST', '/v1/data-sources/:id/test', id, 200],
      ['DELETE', '/v1/data-sources/:id', id, 204],
    ]);
    expect(JSON.stringify(client.services.auditRows)).not.toContain('hunter2');
  });
});
