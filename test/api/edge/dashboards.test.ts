/** /v1/dashboards: made, read, replaced, deleted and duplicated; what is wrong is named, what is open is kept. */
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../support/api-client.ts';

const widget = (more: object = {}) => ({ type: 'gauge', position: { x: 0, y: 0, w: 6, h: 4 }, ...more });
const PATH = '/v1/dashboards';

async function made(client: ApiClient, draft: object = { name: 'Pumps' }) {
  const response = await client.post(PATH, draft);
  expect(response.status).toBe(201);
  return response.body.data;
}

describe('making a dashboard', () => {
  it('gives it an id, the defaults, a place and a tag', async () => {
    const client = new ApiClient();
    const { status, body, headers } = await client.post(PATH, { name: 'Pumps' });
    expect(status).toBe(201);
    expect(body.data).toEqual({
      id: expect.stringMatching(/^dash-[a-z2-7]{12}$/),
      name: 'Pumps',
      description: null,
      layout: { columns: 24, widgets: [] },
      created_at: '2026-01-06T10:30:00Z',
      updated_at: '2026-01-06T10:30:00Z',
    });
    expect(headers.get('location')).toBe(`${PATH}/${body.data.id}`);
    expect(headers.get('etag')).toBe('"1"');
    expect((await client.get(`${PATH}/${body.data.id}`)).body).toEqual(body);
  });

  it('keeps widgets as they came, each with an id, its own or one that is made', async () => {
    const client = new ApiClient();
    const open = { custom: [1, { deep: null }], data: { asset_id: 'a', tags: ['t'] }, options: { 'any key': true }, type: 'my_own' };
    const { layout } = await made(client, {
      name: 'Open',
      layout: { columns: 12, widgets: [widget({ id: 'left' }), open, { type: 'text' }] },
    });
    expect(layout.columns).toBe(12);
    expect(layout.widgets).toEqual([
      widget({ id: 'left' }),
      { ...open, id: expect.stringMatching(/^widget-[a-z2-7]{12}$/) },
      { type: 'text', id: expect.stringMatching(/^widget-/) },
    ]);
    expect(layout.widgets[1].id).not.toBe(layout.widgets[2].id);
  });

  it('keeps members that are named like parts of the language, and lets them be nothing else', async () => {
    const client = new ApiClient();
    const text =
      '{"name":"P","layout":{"widgets":[{"type":"t","__proto__":{"x":1},"constructor":{"prototype":{"y":2}},"data":{"__proto__":{"z":3}}}]}}';
    const { body, status } = await client.send(PATH, { method: 'POST', raw: text });
    expect(status).toBe(201);
    const shown = JSON.stringify((await client.get(`${PATH}/${body.data.id}`)).body.data.layout.widgets[0]);
    expect(shown).toContain('"__proto__":{"x":1}');
    expect(shown).toContain('"data":{"__proto__":{"z":3}}');
    for (const name of ['x', 'y', 'z']) expect(name in {}).toBe(false);
  });

  it.each([
    [{}, 'name'],
    [{ name: '' }, 'name'],
    [{ name: 'x'.repeat(257) }, 'name'],
    [{ name: 1 }, 'name'],
    [{ name: 'P', description: 'x'.repeat(2_049) }, 'description'],
    [{ name: 'P', colour: 'red' }, 'colour'],
    [{ name: 'P', id: 'mine' }, 'id'],
    [{ name: 'P', tenant: 'northwind' }, 'tenant'],
    [{ name: 'P', layout: null }, 'layout'],
    [{ name: 'P', layout: { rows: 1 } }, 'layout.rows'],
    [{ name: 'P', layout: { columns: 0 } }, 'layout.columns'],
    [{ name: 'P', layout: { columns: 49 } }, 'layout.columns'],
    [{ name: 'P', layout: { columns: 2.5 } }, 'layout.columns'],
    [{ name: 'P', layout: { widgets: {} } }, 'layout.widgets'],
    [{ name: 'P', layout: { widgets: Array.from({ length: 201 }, () => ({ type: 't' })) } }, 'layout.widgets'],
    [{ name: 'P', layout: { widgets: ['text'] } }, 'layout.widgets.0'],
    [{ name: 'P', layout: { widgets: [{}] } }, 'layout.widgets.0.type'],
    [{ name: 'P', layout: { widgets: [{ type: 'x'.repeat(65) }] } }, 'layout.widgets.0.type'],
    [{ name: 'P', layout: { widgets: [{ type: 't', id: '../x' }] } }, 'layout.widgets.0.id'],
    [
      {
        name: 'P',
        layout: {
          widgets: [
            { type: 't', id: 'a' },
            { type: 't', id: 'a' },
          ],
        },
      },
      'layout.widgets.1.id',
    ],
    [{ name: 'P', layout: { widgets: [{ type: 't', data: [] }] } }, 'layout.widgets.0.data'],
    [{ name: 'P', layout: { widgets: [{ type: 't', options: 'big' }] } }, 'layout.widgets.0.options'],
    [{ name: 'P', layout: { widgets: [{ type: 't', position: { x: 0, y: 0, w: 1 } }] } }, 'layout.widgets.0.position.h'],
    [{ name: 'P', layout: { widgets: [{ type: 't', position: { x: -1, y: 0, w: 1, h: 1 } }] } }, 'layout.widgets.0.position.x'],
    [{ name: 'P', layout: { widgets: [{ type: 't', position: { x: 0, y: 0, w: 1, h: 1, z: 1 } }] } }, 'layout.widgets.0.position.z'],
    [{ name: 'P', layout: { columns: 12, widgets: [{ type: 't', position: { x: 7, y: 0, w: 6, h: 1 } }] } }, 'layout.widgets.0.position'],
  ])('refuses %j, naming the place', async (draft, field) => {
    const client = new ApiClient();
    const { status, body } = await client.post(PATH, draft);
    expect(status).toBe(400);
    expect(body.error.code).toBe('validation_error');
    expect(body.error.details.map((detail: { field: string }) => detail.field)).toContain(field);
    expect((await client.get(PATH)).body.data).toEqual([]);
  });

  it('takes the largest grid and as many widgets as it says', async () => {
    const widgets = Array.from({ length: 200 }, () => widget({ position: { x: 47, y: 0, w: 1, h: 1 } }));
    const { layout } = await made(new ApiClient(), { name: 'x'.repeat(256), layout: { columns: 48, widgets } });
    expect(new Set(layout.widgets.map(({ id }: { id: string }) => id)).size).toBe(200);
  });

  it('refuses more than 256 KiB', async () => {
    const large = { name: 'P', layout: { widgets: [{ type: 'text', data: { text: 'x'.repeat(256 * 1024) } }] } };
    const { status, body } = await new ApiClient().post(PATH, large);
    expect(status).toBe(413);
    expect(body.error.code).toBe('payload_too_large');
  });

  it('is refused beyond 500 in a tenant, and leaves room for another tenant', async () => {
    const client = new ApiClient();
    for (let made = 0; made < 500; made++) client.services.addDashboard(`d${made}`, 'One of many');
    const { status, body } = await client.post(PATH, { name: 'One more' });
    expect(status).toBe(409);
    expect(body.error.code).toBe('limit_reached');
    expect((await client.send(`${PATH}/d7`, { method: 'PUT', json: { name: 'Changed' } })).status).toBe(200);
    const token = client.services.addToken(['admin'], { tenant: 'northwind' });
    expect((await client.post(PATH, { name: 'Theirs' }, { token })).status).toBe(201);
    await client.send(`${PATH}/d7`, { method: 'DELETE' });
    expect((await client.post(PATH, { name: 'One more' })).status).toBe(201);
  });

  it('is refused beyond 16 MiB in a tenant', async () => {
    const client = new ApiClient();
    const large = { name: 'Large', layout: { widgets: [{ type: 'text', data: { text: 'x'.repeat(255 * 1024) } }] } };
    const answers = [];
    for (let index = 0; index < 65; index++) answers.push(await client.post(PATH, large));
    expect(answers.map(({ status }) => status).lastIndexOf(201)).toBe(63);
    expect(answers.at(-1)?.body.error.code).toBe('limit_reached');
  });
});

describe('a list of dashboards', () => {
  it('is by age and by pages, without widgets', async () => {
    const client = new ApiClient();
    for (const name of ['A', 'B', 'C']) {
      await made(client, { name, layout: { widgets: [widget()] } });
      client.services.advance(1_000);
    }
    const { body } = await client.get(`${PATH}?per_page=2`);
    expect(body.meta).toEqual({ page: 1, per_page: 2, total: 3 });
    expect(body.data.map(({ name }: { name: string }) => name)).toEqual(['A', 'B']);
    expect(body.data[0]).toEqual({
      id: expect.stringMatching(/^dash-/),
      name: 'A',
      description: null,
      widget_count: 1,
      created_at: '2026-01-06T10:30:00Z',
      updated_at: '2026-01-06T10:30:00Z',
    });
    expect((await client.get(`${PATH}?per_page=2&page=2`)).body.data).toHaveLength(1);
    expect((await client.get(`${PATH}?per_page=101`)).status).toBe(400);
  });
});

describe('replacing a dashboard', () => {
  it('takes an answer back that was edited, and gives defaults for what is left out', async () => {
    const client = new ApiClient();
    const before = await made(client, { name: 'Pumps', description: 'Old', layout: { columns: 10, widgets: [widget({ id: 'a' })] } });
    client.services.advance(5_000);
    const edited = await client.send(`${PATH}/${before.id}`, { method: 'PUT', json: { ...before, name: 'Renamed' } });
    expect(edited.status).toBe(200);
    expect(edited.body.data).toEqual({ ...before, name: 'Renamed', updated_at: '2026-01-06T10:30:05Z' });
    expect(edited.headers.get('etag')).toBe('"2"');
    const bare = await client.send(`${PATH}/${before.id}`, { method: 'PUT', json: { name: 'Bare' } });
    expect(bare.body.data).toMatchObject({ description: null, layout: { columns: 24, widgets: [] }, created_at: before.created_at });
    expect((await client.get(`${PATH}/${before.id}`)).body).toEqual(bare.body);
  });

  it('is refused for another id, a body that is not one, and an unknown dashboard, which it does not make', async () => {
    const client = new ApiClient();
    const { id } = await made(client);
    const other = await client.send(`${PATH}/${id}`, { method: 'PUT', json: { name: 'P', id: 'dash-other' } });
    expect(other.status).toBe(400);
    expect(other.body.error.details).toEqual([{ field: 'id', message: expect.stringContaining('path') }]);
    expect((await client.send(`${PATH}/${id}`, { method: 'PUT', json: { name: 'P', tenant: 'x' } })).status).toBe(400);
    expect((await client.send(`${PATH}/dash-none`, { method: 'PUT', json: { name: 'P' } })).status).toBe(404);
    expect((await client.get(PATH)).body.meta.total).toBe(1);
  });

  it('and deleting hold to the revision that If-Match names; a known revision is not sent again', async () => {
    const client = new ApiClient();
    const { id } = await made(client);
    const put = (etag: string) => client.send(`${PATH}/${id}`, { method: 'PUT', json: { name: 'P' }, headers: { 'If-Match': etag } });
    expect((await put('"1"')).status).toBe(200);
    expect((await put('"1"')).body.error.code).toBe('precondition_failed');
    const known = await client.get(`${PATH}/${id}`, { headers: { 'If-None-Match': '"2"' } });
    expect(known.status).toBe(304);
    const changed = await client.send(`${PATH}/${id}`, { method: 'PUT', json: { name: 'Third' }, headers: { 'If-None-Match': '"3"' } });
    expect([changed.status, changed.headers.get('etag')]).toEqual([200, '"3"']); // what was done is told, whatever the client has
    const remove = (etag: string) => client.send(`${PATH}/${id}`, { method: 'DELETE', headers: { 'If-Match': etag } });
    expect((await remove('"1"')).status).toBe(412);
    expect((await remove('"3"')).status).toBe(204);
    expect((await remove('"3"')).status).toBe(404);
  });

  it('twice at once with the same revision succeeds once', async () => {
    const client = new ApiClient();
    const { id } = await made(client);
    const put = (name: string) => client.send(`${PATH}/${id}`, { method: 'PUT', json: { name }, headers: { 'If-Match': '"1"' } });
    const answers = await Promise.all([put('A'), put('B')]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
  });
});

describe('a dashboard of another tenant', () => {
  it('is neither listed, read, changed, copied nor deleted', async () => {
    const client = new ApiClient();
    const { id } = await made(client);
    const token = client.services.addToken(['admin'], { tenant: 'northwind' });
    expect((await client.get(PATH, { token })).body.data).toEqual([]);
    for (const [method, path, json] of [
      ['GET', id, undefined],
      ['PUT', id, { name: 'Taken' }],
      ['DELETE', id, undefined],
      ['POST', `${id}/duplicate`, undefined],
    ] as const) {
      expect((await client.send(`${PATH}/${path}`, { method, token, ...(json && { json }) })).status).toBe(404);
    }
    expect((await client.get(`${PATH}/${id}`)).body.data.name).toBe('Pumps');
  });
});

describe('a copy', () => {
  it('is the same under a new name, with ids of its own', async () => {
    const client = new ApiClient();
    const original = await made(client, {
      name: 'Pumps',
      description: 'd',
      layout: { columns: 6, widgets: [widget({ id: 'a', x: 1 }), widget()] },
    });
    const { status, body, headers } = await client.post(`${PATH}/${original.id}/duplicate`, undefined);
    expect(status).toBe(201);
    expect(headers.get('location')).toBe(`${PATH}/${body.data.id}`);
    expect(body.data.id).not.toBe(original.id);
    expect(body.data).toMatchObject({ name: 'Pumps (copy)', description: 'd', layout: { columns: 6 } });
    const ids = (dashboard: typeof original) => dashboard.layout.widgets.map(({ id }: { id: string }) => id);
    for (const id of ids(body.data)) expect(ids(original)).not.toContain(id);
    const bare = (dashboard: typeof original) => dashboard.layout.widgets.map(({ id, ...rest }: { id: string }) => rest);
    expect(bare(body.data)).toEqual(bare(original));
    expect((await client.get(`${PATH}/${original.id}`)).body.data).toEqual(original);
  });

  it('has a name that may be sent back, however long the first one was', async () => {
    const client = new ApiClient();
    const original = await made(client, { name: '👩'.repeat(128) });
    const { body } = await client.post(`${PATH}/${original.id}/duplicate`, undefined);
    expect(body.data.name).toBe(`${'👩'.repeat(124)} (copy)`);
    expect((await client.send(`${PATH}/${body.data.id}`, { method: 'PUT', json: body.data })).status).toBe(200);
  });
});

describe('when the records fail', () => {
  it('nothing is changed, and it goes on by itself', async () => {
    const client = new ApiClient();
    const { id } = await made(client);
    client.services.documents.failing = true;
    const failed = await client.send(`${PATH}/${id}`, { method: 'PUT', json: { name: 'Lost' } });
    expect(failed.status).toBe(507);
    expect(failed.body.error.message).not.toContain('secret');
    expect((await client.get(`${PATH}/${id}`)).body.data.name).toBe('Pumps');
    client.services.documents.failing = false;
    expect((await client.send(`${PATH}/${id}`, { method: 'PUT', json: { name: 'Kept' } })).headers.get('etag')).toBe('"2"');
  });
});
