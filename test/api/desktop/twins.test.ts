/** GET /api/twins and GET /api/twins/{id}. */
import { describe, expect, it } from 'vitest';
import { BAD_NO_COMMUNICATION } from '../../../src/core/status.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ApiClient } from '../../support/api-client.ts';
import { at, sensor } from '../../support/fake-services.ts';

function withTwins(count: number): ApiClient {
  const client = new ApiClient();
  for (let index = 0; index < count; index++) {
    client.services.addTwin({ id: `twin-${index}`, createdMs: (index * 1_000) as UnixMs });
  }
  return client;
}

const ids = (response: { body: { data: { id: string }[] } }) => response.body.data.map(({ id }) => id);

describe('the list of twins', () => {
  it('comes in pages with links that keep the other parameters', async () => {
    const page = await withTwins(25).get('/api/twins?status=active&page=2&per_page=10');
    expect(page.body.data).toHaveLength(10);
    expect(page.body.links).toEqual({
      self: '/api/twins?page=2&per_page=10&status=active',
      first: '/api/twins?page=1&per_page=10&status=active',
      prev: '/api/twins?page=1&per_page=10&status=active',
      next: '/api/twins?page=3&per_page=10&status=active',
      last: '/api/twins?page=3&per_page=10&status=active',
    });
    const { links } = (await withTwins(25).get('/api/twins?search=a%20%26%3D')).body;
    expect(links.self).toBe('/api/twins?page=1&per_page=20&search=a+%26%3D');
  });

  it('has no link beyond its edges, and no rows past its end', async () => {
    const client = withTwins(5);
    const only = await client.get('/api/twins');
    expect(Object.keys(only.body.links)).toEqual(['self', 'first', 'last']);
    const past = await client.get('/api/twins?page=9&per_page=2');
    expect(past.status).toBe(200);
    expect(past.body.data).toEqual([]);
    expect(past.body.links.prev).toBe('/api/twins?page=3&per_page=2');
    expect(past.body.links.next).toBeUndefined();
  });

  it('reaches every twin exactly once by following next', async () => {
    const client = withTwins(23);
    const seen: string[] = [];
    for (let link = '/api/twins?per_page=5&sort=-type'; link; ) {
      const response = await client.get(link);
      seen.push(...ids(response));
      link = response.body.links.next;
    }
    expect(seen).toHaveLength(23);
    expect(new Set(seen).size).toBe(23);
  });

  it.each([
    'page=0',
    'page=-1',
    'page=1.5',
    'page=0x10',
    'page=1e1',
    'page=',
    'per_page=0',
    'per_page=101',
    'per_page=1e9',
    'page=9999999999',
  ])('refuses %s', async (query) => {
    const response = await withTwins(1).get(`/api/twins?${query}`);
    expect(response.status).toBe(422);
    expect(response.body.error.code).toBe('VALIDATION_ERROR');
    expect(response.body.error.details[0].field).toBe(query.split('=')[0]);
  });

  it('names all parameters that are wrong at once', async () => {
    const { body } = await withTwins(1).get('/api/twins?page=x&sort=colour&status=gone');
    expect(body.error.details.map(({ field }: { field: string }) => field)).toEqual(['page', 'sort', 'status']);
  });

  it('sorts by any column both ways, by id among equals', async () => {
    const client = new ApiClient();
    client.services.addTwin({ id: 'c', name: 'Alpha', createdMs: 3 as UnixMs });
    client.services.addTwin({ id: 'a', name: 'Beta', createdMs: 1 as UnixMs });
    client.services.addTwin({ id: 'b', name: 'Beta', createdMs: 2 as UnixMs });
    expect(ids(await client.get('/api/twins'))).toEqual(['a', 'b', 'c']);
    expect(ids(await client.get('/api/twins?sort=-created_at'))).toEqual(['c', 'b', 'a']);
    expect(ids(await client.get('/api/twins?sort=-name'))).toEqual(['a', 'b', 'c']);
    expect(ids(await client.get('/api/twins?sort=+name'))).toEqual(['c', 'a', 'b']);
    expect((await client.get('/api/twins?sort=constructor')).status).toBe(422);
  });

  it('filters by type, status and words', async () => {
    const client = new ApiClient();
    client.services.addTwin({ id: 'oven', type: 'kiln', description: 'Fires CLAY' });
    client.services.addTwin({ id: 'old', name: 'Retired Pump', status: 'archived' });
    expect(ids(await client.get('/api/twins?type=kiln'))).toEqual(['oven']);
    expect(ids(await client.get('/api/twins?status=archived'))).toEqual(['old']);
    expect(ids(await client.get('/api/twins?search=clay'))).toEqual(['oven']);
    expect(ids(await client.get('/api/twins?search=PUMP'))).toEqual(['old']);
    expect(ids(await client.get('/api/twins?type=vehicle'))).toEqual([]);
    const unknown = await client.get('/api/twins?type=spaceship');
    expect(unknown.status).toBe(422);
    expect(unknown.body.error.code).toBe('INVALID_TWIN_TYPE');
  });

  it('gives the fields that are asked for, and refuses unknown ones', async () => {
    const client = withTwins(1);
    expect((await client.get('/api/twins?fields=name,status')).body.data).toEqual([{ id: 'twin-0', name: 'twin-0', status: 'active' }]);
    expect((await client.get('/api/twins?fields=name,secret')).body.error.details[0].field).toBe('fields');
  });
});

describe('a twin', () => {
  it('shows the present value of each sensor, and the last good one with its time when the link is down', async () => {
    const client = new ApiClient();
    client.services.addTwin({
      id: 'press',
      sensors: [
        sensor('press', 'force', { minValue: 0, unit: 'kN' }),
        sensor('press', 'never', { binding: { asset: 'x', tag: 'y' }, bindingExplicit: true }),
      ],
    });
    const tag = { source: 'ds-1', asset: 'press', tag: 'force' };
    client.services.addSample({ ...tag, valueType: 'f64', timeMs: at('2026-01-06T10:00:00.250Z'), value: 12.5 });
    client.services.addSample({ ...tag, valueType: 'f64', timeMs: at('2026-01-06T10:01:00Z'), value: null, status: BAD_NO_COMMUNICATION });
    const { data } = (await client.get('/api/twins/press')).body;
    expect(data.sensors).toEqual([
      {
        id: 'force',
        name: 'force',
        description: null,
        unit: 'kN',
        current_value: 12.5,
        min_value: 0,
        max_value: null,
        last_updated: '2026-01-06T10:00:00.250Z',
        quality: 'bad',
      },
      expect.objectContaining({ current_value: null, last_updated: null, quality: 'bad', binding: { asset_id: 'x', tag_name: 'y' } }),
    ]);
  });

  it('shows a switch as true or false even where the device keeps a number', async () => {
    const client = new ApiClient();
    const binding = { asset: 'press', tag: 'power' };
    client.services.addTwin({
      id: 'press',
      actuators: [
        { id: 'power', name: 'Power', type: 'binary', binding },
        { id: 'loose', name: 'Loose', type: 'continuous' },
      ],
    });
    client.services.addSample({ ...binding, timeMs: at('2026-01-06T10:00:00Z'), value: 1 });
    const { actuators } = (await client.get('/api/twins/press')).body.data;
    expect(actuators[0]).toMatchObject({
      current_state: true,
      last_updated: '2026-01-06T10:00:00Z',
      binding: { asset_id: 'press', tag_name: 'power' },
    });
    expect(actuators[1]).toMatchObject({ current_state: null, last_updated: null });
  });

  it('that is unknown is told so', async () => {
    const response = await new ApiClient().get('/api/twins/nothing');
    expect(response.status).toBe(404);
    expect(response.body.error).toEqual({
      code: 'TWIN_NOT_FOUND',
      message: 'There is no twin with this id.',
      request_id: response.headers.get('x-request-id'),
    });
  });
});
