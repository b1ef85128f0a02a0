/** POST /v1/telemetry. */
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../support/api-client.ts';
import { FakeServices } from '../../support/fake-services.ts';

const NOW = '2026-01-06T10:30:00Z';
const POINT = { asset_id: 'Pump_001', tag_name: 'temperature', value: 65.5, timestamp: '2026-01-06T10:00:00Z' };

const post = (client: ApiClient, data: unknown, path = '/v1/telemetry') => client.post(path, { data });
const stored = async (client: ApiClient, query = '') => (await client.get(`/v1/telemetry?end=2026-01-06T10:36:00Z${query}`)).body.data;

describe('readings over REST', () => {
  it.each(['/v1/telemetry', '/v1/telemetry/ingest'])('that are sent to %s can be read back', async (path) => {
    const client = new ApiClient();
    const response = await post(
      client,
      [POINT, { ...POINT, tag_name: 'on', value: false, quality: 'uncertain' }, { ...POINT, tag_name: 'zähler 1', value: 'läuft' }],
      path,
    );
    expect(response.status).toBe(200);
    expect(response.body).toEqual({ data: { accepted: 3, rejected: 0, duplicates: 0, errors: [] } });
    expect(await stored(client)).toEqual([
      { timestamp: POINT.timestamp, asset_id: 'Pump_001', tag_name: 'on', value: false, quality: 'uncertain', data_source_id: 'api' },
      { timestamp: POINT.timestamp, asset_id: 'Pump_001', tag_name: 'temperature', value: 65.5, quality: 'good', data_source_id: 'api' },
      { timestamp: POINT.timestamp, asset_id: 'Pump_001', tag_name: 'zähler 1', value: 'läuft', quality: 'good', data_source_id: 'api' },
    ]);
  });

  it('belong to the tenant of the token', async () => {
    const client = new ApiClient();
    const token = client.services.addToken(['write:telemetry'], { tenant: 'northwind' });
    await client.post('/v1/telemetry', { data: [POINT] }, { token });
    expect(await stored(client)).toEqual([]);
    expect(client.services.samples).toHaveLength(1);
  });

  it('get the time of their arrival when they have none', async () => {
    const client = new ApiClient();
    const { timestamp: _, ...timeless } = POINT;
    await post(client, [timeless]);
    expect(await stored(client)).toMatchObject([{ timestamp: NOW }]);
  });

  it('are taken up to 5 minutes ahead and rejected one by one beyond', async () => {
    const client = new ApiClient();
    const ahead = (timestamp: string) => ({ ...POINT, timestamp });
    const response = await post(client, [
      ahead('2026-01-06T10:35:00.001Z'),
      ahead('2026-01-06T10:35:00Z'),
      ahead('1970-01-01'),
      ahead('2030-01-01'),
    ]);
    expect(response.status).toBe(200);
    expect(response.body.data).toEqual({
      accepted: 2,
      rejected: 2,
      duplicates: 0,
      errors: [
        { index: 0, field: 'timestamp', message: 'lies more than 5 minutes ahead of this box' },
        { index: 3, field: 'timestamp', message: 'lies more than 5 minutes ahead of this box' },
      ],
    });
    expect(client.services.rejections).toEqual(['invalid_time', 'invalid_time']);
    expect(await stored(client)).toHaveLength(1);
  });

  it('are taken from the oldest day that is kept on, and rejected one by one before it', async () => {
    const client = new ApiClient();
    const times = ['2025-12-30T00:00:00Z', '2025-12-29T23:59:59.999Z', '2026-01-06T10:00:00Z'];
    const points = times.map((timestamp) => ({ ...POINT, timestamp }));
    expect((await post(client, points)).body.data.accepted).toBe(3);
    client.services.maxAgeMs = 7 * 86_400_000;
    expect((await post(client, points)).body.data).toMatchObject({
      accepted: 2,
      errors: [{ index: 1, field: 'timestamp', message: 'is older than samples are kept: before 2025-12-30T00:00:00Z' }],
    });
    client.services.trusted = false;
    expect((await post(client, points)).body.data.accepted).toBe(3);
  });

  it('are not refused for their time while the box does not know its own', async () => {
    const client = new ApiClient();
    client.services.trusted = false;
    expect((await post(client, [{ ...POINT, timestamp: '2026-06-01' }])).body.data.accepted).toBe(1);
  });

  it('of a wrong year are refused even then', async () => {
    const client = new ApiClient();
    client.services.trusted = false;
    const response = await post(client, [POINT, { ...POINT, timestamp: '2099-01-06T10:00:00Z' }]);
    expect(response.body.data).toMatchObject({ accepted: 1, rejected: 1 });
    expect(response.body.data.errors).toEqual([
      {
        index: 1,
        field: 'timestamp',
        message: 'lies after 2026-07-05T10:30:00Z, the latest that this box believes as long as its clock is not set',
      },
    ]);
  });

  it('that are all rejected are an error', async () => {
    const client = new ApiClient();
    const response = await post(client, [{ ...POINT, timestamp: '2030-01-01' }]);
    expect(response.status).toBe(400);
    expect(response.body.error).toMatchObject({
      code: 'validation_error',
      details: [{ field: 'data.0.timestamp', message: 'lies more than 5 minutes ahead of this box' }],
    });
    expect(client.services.samples).toEqual([]);
  });

  it('count as duplicates when they overwrite one of the same request', async () => {
    const client = new ApiClient();
    const { timestamp: _, ...timeless } = POINT;
    const response = await post(client, [POINT, { ...POINT, value: 66 }, { ...POINT, tag_name: 'other' }, timeless, timeless]);
    expect(response.body.data).toMatchObject({ accepted: 5, duplicates: 2 });
    expect(await stored(client, '&tag_name=temperature')).toMatchObject([{ value: 66 }, { timestamp: NOW }]);
  });

  it('may be sent again', async () => {
    const client = new ApiClient();
    await post(client, [POINT]);
    await post(client, [POINT]);
    expect(await stored(client)).toHaveLength(1);
  });

  it.each<[string, object, string, string]>([
    ['no asset', { asset_id: undefined }, 'asset_id', 'is required'],
    ['no tag', { tag_name: undefined }, 'tag_name', 'is required'],
    ['no value', { value: undefined }, 'value', 'is required'],
    ['the value null', { value: null }, 'value', 'must be a finite number, a boolean or text'],
    ['an object for a value', { value: { x: 1 } }, 'value', 'must be a finite number, a boolean or text'],
    ['text that is too long', { value: 'x'.repeat(1025) }, 'value', 'must be at most 1024 characters'],
    ['half a character', { value: '\ud800' }, 'value', 'must not hold half a surrogate pair'],
    ['an asset that is no id', { asset_id: '../etc' }, 'asset_id', 'must be 1–128'],
    ['a tag with a line break', { tag_name: 'a\nb' }, 'tag_name', 'must be 1–128 printable characters'],
    ['a time that is none', { timestamp: '2026-02-30' }, 'timestamp', 'must be an RFC 3339 time'],
    ['a number for a time', { timestamp: 1767693600 }, 'timestamp', 'must be an RFC 3339 time, such as'],
    ['a quality that is none', { quality: 'fair' }, 'quality', 'must be good, uncertain or bad'],
  ])('are all refused when one has %s', async (_name, change, field, message) => {
    const client = new ApiClient();
    const response = await post(client, [POINT, POINT, POINT, { ...POINT, ...change }]);
    expect(response.status).toBe(400);
    expect(response.body.error.code).toBe('validation_error');
    expect(response.body.error.details).toEqual([{ field: `data.3.${field}`, message: expect.stringContaining(message) }]);
    expect(client.services.samples).toEqual([]);
  });

  it('must be finite', async () => {
    const client = new ApiClient();
    const raw = '{"data":[{"asset_id":"a","tag_name":"t","value":1e309}]}';
    expect((await client.send('/v1/telemetry', { method: 'POST', raw })).body.error.details[0].field).toBe('data.0.value');
  });

  it.each([
    ['null', null],
    ['a list', [POINT]],
    ['nothing in it', {}],
    ['no points', { data: [] }],
    ['points that are no list', { data: POINT }],
  ])('come in an object with a list: %s is refused', async (_name, json) => {
    const response = await new ApiClient().post('/v1/telemetry', json);
    expect(response.status).toBe(400);
    expect(response.body.error.code).toBe('validation_error');
  });

  it('are at most 5,000, and what is wrong with many is told of the first hundred', async () => {
    const client = new ApiClient();
    const many = (count: number, point: object) => Array.from({ length: count }, () => point);
    expect((await post(client, many(5_000, POINT))).body.data).toMatchObject({ accepted: 5_000, duplicates: 4_999 });
    expect((await post(client, many(5_001, POINT))).body.error.details).toEqual([
      { field: 'data', message: 'must hold at most 5000 points' },
    ]);
    const wrong = await post(client, many(5_000, {}));
    expect(wrong.body.error.details).toHaveLength(100);
    expect(wrong.body.error.message).toContain('15000 fields');
  });

  it('find a full ring: nothing is kept, and the client is told to come again', async () => {
    const client = new ApiClient();
    client.services.hasRoom = false;
    const response = await post(client, [POINT]);
    expect(response.status).toBe(503);
    expect(response.headers.get('retry-after')).toBe('1');
    expect(response.body.error.code).toBe('overloaded');
    client.services.fault = 'disk_full';
    expect((await post(client, [POINT])).status).toBe(507);
    expect(client.services.samples).toEqual([]);
  });

  it('find no room beside the definitions of their new series: nothing is kept', async () => {
    class Tight extends FakeServices {
      override readonly door = (tenant: string) => {
        let asked = 0;
        return { ...new FakeServices().door(tenant), reserve: () => asked++ === 0, number: () => expect.fail('a reading was pushed') };
      };
    }
    const response = await post(new ApiClient(new Tight()), [POINT]);
    expect(response.status).toBe(503);
  });

  it('of nothing but series that the box cannot take are refused by the name of the limit', async () => {
    const client = new ApiClient();
    client.services.maxSeries = 0;
    const response = await post(client, [POINT, { ...POINT, tag_name: 'other' }]);
    expect(response.status).toBe(409);
    expect(response.body.error.code).toBe('limit_reached');
    expect(client.services.samples).toEqual([]);
  });

  it('of a series that the box cannot take are rejected, the others kept', async () => {
    const client = new ApiClient();
    client.services.maxSeries = 1;
    const response = await post(client, [POINT, { ...POINT, tag_name: 'other' }, { ...POINT, timestamp: '2030-01-01' }]);
    expect(response.body.data).toMatchObject({
      accepted: 1,
      rejected: 2,
      errors: [
        { index: 1, field: 'tag_name' },
        { index: 2, field: 'timestamp' },
      ],
    });
  });

  it.each([
    ['disk_full', 507, 'storage_full'],
    ['store_failed', 503, 'store_failed'],
    ['stopped', 503, 'stopped'],
  ] as const)('that the store cannot keep for %s are a %i', async (error, status, code) => {
    const client = new ApiClient();
    client.services.durableError = error;
    const response = await post(client, [POINT]);
    expect(response.status).toBe(status);
    expect(response.body.error.code).toBe(code);
    expect(JSON.stringify(response.body)).not.toContain('secret-path');
  });

  it('are answered only once they are on disk', async () => {
    const client = new ApiClient();
    let commit = () => {};
    client.services.durableGate = new Promise((resolve) => {
      commit = resolve;
    });
    let answered = false;
    const answer = post(client, [POINT]).finally(() => {
      answered = true;
    });
    while (client.services.samples.length === 0) await new Promise((resolve) => setImmediate(resolve));
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(answered).toBe(false);
    commit();
    expect((await answer).status).toBe(200);
  });
});
