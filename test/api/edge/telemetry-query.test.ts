/** GET /v1/telemetry and GET /v1/telemetry/latest. */
import { describe, expect, it } from 'vitest';
import { BAD_NO_COMMUNICATION, UNCERTAIN } from '../../../src/core/status.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ApiClient, type JsonResponse } from '../../support/api-client.ts';
import { at } from '../../support/fake-services.ts';

const START = at('2026-01-06T10:00:00Z');

interface TelemetryRow {
  readonly timestamp: string;
  readonly asset_id: string;
  readonly tag_name: string;
  readonly value: unknown;
}

/** Two pumps with two tags each, a sample a minute from 10:00 on; the value is the minute. */
function withSamples(minutes: number): ApiClient {
  const client = new ApiClient();
  for (let minute = 0; minute < minutes; minute++) {
    for (const asset of ['pump-b', 'pump-a']) {
      for (const tag of ['temperature', 'pressure']) {
        const source = asset === 'pump-a' ? 'ds-1' : 'ds-2';
        client.services.addSample({ source, asset, tag, timeMs: (START + minute * 60_000) as UnixMs, value: minute });
      }
    }
  }
  return client;
}

const rowsOf = (response: JsonResponse) => response.body.data as TelemetryRow[];
const keys = (response: JsonResponse) => rowsOf(response).map((row) => `${row.timestamp.slice(14, 16)} ${row.asset_id}/${row.tag_name}`);

/** Follows next_cursor to its end. */
async function follow(client: ApiClient, path: string): Promise<string[]> {
  const seen: string[] = [];
  for (let cursor = ''; ; ) {
    const response = await client.get(path + cursor);
    seen.push(...keys(response));
    const next = response.body.meta.next_cursor;
    if (next === null) return seen;
    cursor = `&cursor=${encodeURIComponent(next)}`;
  }
}

describe('telemetry', () => {
  it('comes by time, asset and tag, over the last hour', async () => {
    const response = await withSamples(2).get('/v1/telemetry');
    expect(keys(response)).toEqual([
      '00 pump-a/pressure',
      '00 pump-a/temperature',
      '00 pump-b/pressure',
      '00 pump-b/temperature',
      '01 pump-a/pressure',
      '01 pump-a/temperature',
      '01 pump-b/pressure',
      '01 pump-b/temperature',
    ]);
    expect(response.body.data[0]).toEqual({
      timestamp: '2026-01-06T10:00:00Z',
      asset_id: 'pump-a',
      tag_name: 'pressure',
      value: 0,
      quality: 'good',
      data_source_id: 'ds-1',
    });
    expect(response.body.meta).toEqual({ page: 1, per_page: 1_000, total: 8, next_cursor: null });
  });

  it.each([
    ['asset_id=pump-a', 4],
    ['asset_id=pump-a,pump-b&tag_name=pressure', 4],
    ['data_source_id=ds-2&tag_name=pressure', 2],
    ['asset_id=pump-a&data_source_id=ds-2', 0],
    ['asset_id=../etc/passwd', 0],
    ['asset_id=', 8],
    ['start=2026-01-06T10:01:00Z', 4],
    ['end=2026-01-06T10:01:00Z', 4],
    ['start=2026-01-06&end=2026-01-06T10:00:00.001', 4],
  ])('is filtered by %s', async (query, count) => {
    const response = await withSamples(2).get(`/v1/telemetry?${query}`);
    expect(response.status).toBe(200);
    expect(rowsOf(response)).toHaveLength(count);
    expect(response.body.meta.total).toBe(count);
  });

  it('is not that of another tenant', async () => {
    const client = withSamples(1);
    client.services.addSample({ tenant: 'northwind', asset: 'pump-a', tag: 'secret', timeMs: START, value: 1 });
    expect((await client.get('/v1/telemetry?tag_name=secret')).body.data).toEqual([]);
  });

  it('can be read to the end by pages and by cursors, raw and in buckets', async () => {
    const client = withSamples(10);
    const all = keys(await client.get('/v1/telemetry'));
    expect(all).toHaveLength(40);
    for (const mode of ['per_page=7', 'per_page=7&interval=1m', 'per_page=40', 'per_page=1&interval=1m']) {
      expect(await follow(client, `/v1/telemetry?${mode}`)).toEqual(all);
    }
    const paged = await Promise.all([1, 2, 3, 4, 5, 6].map((page) => client.get(`/v1/telemetry?per_page=7&page=${page}`)));
    expect(paged.flatMap(keys)).toEqual(all);
    expect((await client.get('/v1/telemetry?page=9')).body).toMatchObject({ data: [], meta: { total: 40, next_cursor: null } });
  });

  it('keeps its place by cursor while older rows arrive', async () => {
    const client = withSamples(4);
    const first = await client.get('/v1/telemetry?interval=1m&per_page=3');
    client.services.addSample({ asset: 'pump-0', tag: 'late', timeMs: START, value: 1 });
    const second = await client.get(`/v1/telemetry?interval=1m&per_page=3&cursor=${first.body.meta.next_cursor}`);
    expect(keys(second)[0]).toBe('00 pump-b/temperature');
  });

  it.each(['cursor=nonsense', 'cursor=row-1&interval=1m', 'cursor=W10&interval=1m'])('refuses %s', async (query) => {
    const response = await withSamples(1).get(`/v1/telemetry?${query}`);
    expect(response.status).toBe(400);
    expect(response.body.error.code).toBe('invalid_cursor');
  });

  it('says so when it stopped counting', async () => {
    const client = withSamples(1);
    client.services.store.count = async ({ atMost }) => atMost;
    expect((await client.get('/v1/telemetry')).body.meta).toMatchObject({ total: 1_000_000, total_capped: true });
  });

  it('is the mean of each interval, with the number of samples, uncertain if one was, without the bad', async () => {
    const client = new ApiClient();
    const tag = { asset: 'pump', tag: 't', valueType: 'f64' } as const;
    client.services.addSample({ ...tag, timeMs: START, value: 1 });
    client.services.addSample({ ...tag, timeMs: (START + 10_000) as UnixMs, value: 4, status: UNCERTAIN });
    client.services.addSample({ ...tag, timeMs: (START + 20_000) as UnixMs, value: null, status: BAD_NO_COMMUNICATION });
    client.services.addSample({ ...tag, timeMs: (START + 300_000) as UnixMs, value: 7 });
    const base = { asset_id: 'pump', tag_name: 't' };
    expect((await client.get('/v1/telemetry?interval=5m')).body.data).toEqual([
      { timestamp: '2026-01-06T10:00:00Z', ...base, value: 2.5, quality: 'uncertain', count: 2 },
      { timestamp: '2026-01-06T10:05:00Z', ...base, value: 7, quality: 'good', count: 1 },
    ]);
    expect((await client.get('/v1/telemetry?aggregation=max&start=2026-01-06T09:59:00Z')).body.data).toEqual([
      { timestamp: '2026-01-06T09:59:00Z', ...base, value: 7, quality: 'uncertain', count: 3 },
    ]);
  });

  it.each([
    ['aggregation=median', 'aggregation'],
    ['aggregation=first', 'aggregation'],
    ['interval=1y', 'interval'],
    ['start=2026-01-07', 'start'],
    ['start=now', 'start'],
    ['per_page=10001', 'per_page'],
    ['page=0', 'page'],
    ['page=2&cursor=row-1', 'page'],
    ['tz=Nowhere', 'tz'],
  ])('refuses %s', async (query, field) => {
    const response = await withSamples(1).get(`/v1/telemetry?${query}`);
    expect(response.status).toBe(400);
    expect(response.body.error).toMatchObject({ code: 'validation_error', details: [{ field }] });
  });

  it('refuses more buckets than one answer may be made of, over all its tags', async () => {
    const client = withSamples(1);
    const tooMany = await client.get('/v1/telemetry?interval=1s&start=2026-01-01T00:00:00Z');
    expect(tooMany.status).toBe(400);
    expect(tooMany.body.error.code).toBe('range_too_large');
    expect((await client.get('/v1/telemetry?interval=1s&start=2026-01-01T00:00:00Z&asset_id=pump-a&tag_name=pressure')).status).toBe(200);
  });

  it('refuses one row over more days than one answer may be made of, over all its tags', async () => {
    const client = withSamples(1);
    const tooMany = await client.get('/v1/telemetry?aggregation=max&start=0001-01-01');
    expect(tooMany.status).toBe(400);
    expect(tooMany.body.error).toMatchObject({
      code: 'range_too_large',
      message: expect.stringContaining('a shorter range or fewer tags'),
    });
    const one = await client.get('/v1/telemetry?aggregation=max&start=0001-01-01&asset_id=pump-a&tag_name=pressure');
    expect([one.status, one.body.data.length]).toEqual([200, 1]);
    const csv = await client.get('/v1/telemetry?aggregation=max&start=0001-01-01', { headers: { Accept: 'text/csv' } });
    expect(csv.body.error.code).toBe('range_too_large');
  });

  it('shows text, switches and large integers as what they are', async () => {
    const client = new ApiClient();
    client.services.addSample({ asset: 'a', tag: '1', timeMs: START, value: 'running' });
    client.services.addSample({ asset: 'a', tag: '2', timeMs: START, value: true });
    client.services.addSample({ asset: 'a', tag: '3', timeMs: START, value: 2n ** 63n });
    client.services.addSample({ asset: 'a', tag: '4', timeMs: START, value: Math.fround(23.4), valueType: 'f32' });
    const values = rowsOf(await client.get('/v1/telemetry')).map(({ value }) => value);
    expect(values).toEqual(['running', true, '9223372036854775808', 23.4]);
  });
});

describe('latest values', () => {
  it('come for all tags of the asset, or for those that are asked for, with the missing named', async () => {
    const client = withSamples(3);
    const all = await client.get('/v1/telemetry/latest?asset_id=pump-a');
    expect(all.body).toEqual({
      data: ['pressure', 'temperature'].map((tag_name) => ({
        timestamp: '2026-01-06T10:02:00Z',
        asset_id: 'pump-a',
        tag_name,
        value: 2,
        quality: 'good',
        data_source_id: 'ds-1',
      })),
      meta: { page: 1, per_page: 2, total: 2, missing: [] },
    });
    const some = await client.get('/v1/telemetry/latest?asset_id=pump-a&tags=flow,temperature,flow');
    expect(rowsOf(some).map(({ tag_name }) => tag_name)).toEqual(['temperature']);
    expect(some.body.meta.missing).toEqual(['flow']);
  });

  it('keep the last good value and its time after the link went down', async () => {
    const client = withSamples(1);
    const tag = { source: 'ds-1', asset: 'pump-a', tag: 'pressure', valueType: 'f64' } as const;
    client.services.addSample({ ...tag, timeMs: (START + 60_000) as UnixMs, value: null, status: BAD_NO_COMMUNICATION });
    const { body } = await client.get('/v1/telemetry/latest?asset_id=pump-a&tags=pressure');
    expect(body.data).toMatchObject([{ timestamp: '2026-01-06T10:00:00Z', value: 0, quality: 'bad' }]);
  });

  it('need an asset, and are none for an unknown one', async () => {
    const client = withSamples(1);
    for (const query of ['', '?asset_id=']) {
      const response = await client.get(`/v1/telemetry/latest${query}`);
      expect(response.status).toBe(400);
      expect(response.body.error.details[0].field).toBe('asset_id');
    }
    expect((await client.get('/v1/telemetry/latest?asset_id=none')).body.data).toEqual([]);
  });
});

describe('data sources', () => {
  it('are listed by age, filtered by type and status', async () => {
    const client = new ApiClient();
    client.services.addSource({ id: 'b', type: 'opcua', state: 'degraded', createdMs: 2 as UnixMs });
    client.services.addSource({ id: 'c', type: 'modbus', state: 'back_off', reason: 'no answer', createdMs: 1 as UnixMs });
    client.services.addSource({ id: 'a', type: 'modbus', createdMs: 2 as UnixMs });
    client.services.addSource({ id: 'x', tenant: 'northwind' });
    const ids = async (query: string) => (await client.get(`/v1/data-sources${query}`)).body.data.map(({ id }: { id: string }) => id);
    expect(await ids('')).toEqual(['c', 'a', 'b']);
    expect(await ids('?type=modbus')).toEqual(['c', 'a']);
    expect(await ids('?status=connected')).toEqual(['a', 'b']);
    expect(await ids('?status=disconnected')).toEqual(['c']);
    expect(await ids('?page=2&per_page=2')).toEqual(['b']);
    expect((await client.get('/v1/data-sources?per_page=101')).status).toBe(400);
    expect((await client.get('/v1/data-sources?status=up')).body.error.details[0].field).toBe('status');
    expect((await client.get('/v1/data-sources?type=modbus&status=disconnected')).body).toEqual({
      data: [
        {
          id: 'c',
          name: 'c',
          type: 'modbus',
          endpoint: '10.0.0.5:502',
          status: 'disconnected',
          state: 'back_off',
          reason: 'no answer',
          tag_count: 0,
          managed_by: 'config',
          created_at: '1970-01-01T00:00:00.001Z',
        },
      ],
      meta: { page: 1, per_page: 20, total: 1 },
    });
  });
});
