/** Derived tags over the API: what does not go with the tenant's other sources is refused at its place, and nothing is saved. */
import { describe, expect, it } from 'vitest';
import { ApiClient, type JsonResponse } from '../../support/api-client.ts';

type Tag = Readonly<Record<string, unknown>>;

const calc = (name: string, ...tags: readonly Tag[]) => ({
  name,
  type: 'derived',
  tags: tags.map((tag) => ({ asset_id: 'boiler', ...tag })),
});

const put = (client: ApiClient, path: string, json: unknown) => client.send(path, { method: 'PUT', json });

async function made(client: ApiClient, body: unknown): Promise<string> {
  const { status, headers } = await client.post('/v1/data-sources', body);
  expect(status).toBe(201);
  return headers.get('location') as string;
}

function detailsOf({ status, body }: JsonResponse): readonly { readonly field: string; readonly message: string }[] {
  expect([status, body.error.code]).toEqual([400, 'validation_error']);
  return body.error.details;
}

describe('a source of derived tags', () => {
  it('that would close a circle is refused with the circle, whether it is new, changed or brought back', async () => {
    const client = new ApiClient();
    const first = await made(client, calc('one', { tag_name: 'a', expression: 'x + 1' }, { tag_name: 'b', expression: 'c * 2' }));
    await made(client, { ...calc('two', { tag_name: 'd', expression: 'b' }), enabled: false });
    const { told, records } = client.services.fakeSources;
    const before = [told.length, records.writes];
    const third = calc('three', { tag_name: 'e', expression: 'x' }, { tag_name: 'c', expression: 'd - 1' });
    expect(detailsOf(await client.post('/v1/data-sources', third))).toEqual([
      { field: 'tags.1.expression', message: 'is computed from itself: boiler/c from boiler/d from boiler/b from boiler/c' },
    ]);
    expect([told.length, records.writes]).toEqual(before);
    expect((await put(client, first, calc('one', { tag_name: 'b', expression: 'x' }))).status).toBe(200);
    await made(client, third);
    const circle = 'is computed from itself: boiler/b from boiler/c from boiler/d from boiler/b';
    const closing = await put(client, first, calc('one', { tag_name: 'b', expression: 'c' }));
    expect(detailsOf(closing)).toEqual([{ field: 'tags.0.expression', message: circle }]);
    expect(detailsOf(await client.post(`${first}/rollback`, { revision: 1 }))).toEqual([{ field: 'tags.1.expression', message: circle }]);
    expect((await client.get(first)).body.data.revision).toBe(2);
  });

  it('that computes what another one computes is refused, but not what it computes itself, nor what another tenant does', async () => {
    const client = new ApiClient();
    const heat = { tag_name: 'heat', expression: 'supply - return' };
    const path = await made(client, calc('one', heat));
    const message = `boiler/heat is computed by the source "${path.split('/').at(-1)}" already`;
    const taken = await client.post('/v1/data-sources', calc('two', { ...heat, expression: 'x' }));
    expect(detailsOf(taken)).toEqual([{ field: 'tags.0.expression', message }]);
    expect((await put(client, path, calc('one', { ...heat, expression: 'supply - 20' }))).status).toBe(200);
    const stranger = client.services.addToken(['admin'], { tenant: 'northwind' });
    expect((await client.post('/v1/data-sources', calc('theirs', heat), { token: stranger })).status).toBe(201);
    expect((await client.send(path, { method: 'DELETE' })).status).toBe(204);
    await made(client, calc('two', heat));
  });

  it('takes inputs of sources that are there, of its own, and of readings over REST, and of no others', async () => {
    const client = new ApiClient();
    client.services.fakeSources.put('ds-foreign', { tenant: 'northwind' });
    client.services.fakeSources.put('ds-boiler');
    const from = (id: string) => ({ tag_name: 'y', expression: 'x', inputs: { x: { tag_name: 'y', data_source_id: id } } });
    const path = await made(client, calc('one', from('ds-boiler')));
    for (const id of ['api', 'ds-boiler']) expect((await put(client, path, calc('one', from(id)))).status).toBe(200);
    const own = { tag_name: 'z', expression: 'x', inputs: { x: { tag_name: 'y', data_source_id: path.split('/').at(-1) } } };
    expect((await put(client, path, calc('one', from('api'), own))).status).toBe(200);
    const field = 'tags.0.inputs.x.data_source_id';
    const message = 'there is no data source of this id';
    expect(detailsOf(await client.post('/v1/data-sources', calc('two', { ...from('ds-foreign'), tag_name: 'w' })))).toEqual([
      { field, message },
    ]);
    expect(detailsOf(await put(client, path, calc('one', from('ds-bioler'))))).toEqual([
      { field, message: `${message}; did you mean "ds-boiler"?` },
    ]);
  });

  it('is tried whatever others compute: a trial saves nothing', async () => {
    const client = new ApiClient();
    const heat = calc('one', { tag_name: 'heat', expression: 'supply - return' });
    await made(client, heat);
    expect((await client.post('/v1/data-sources/test', heat)).status).toBe(200);
  });
});
