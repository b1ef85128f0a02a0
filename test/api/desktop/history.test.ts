/** GET /api/twins/{id}/sensors/{id}/history. */
import { describe, expect, it } from 'vitest';
import { BAD_NO_COMMUNICATION, UNCERTAIN } from '../../../src/core/status.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ApiClient } from '../../support/api-client.ts';
import { at, sensor } from '../../support/fake-services.ts';

const PATH = '/api/twins/pump-101/sensors/temperature/history';
const START = at('2026-01-06T09:00:00Z');

/** One sample each 10 s from 09:00 on, of value 0, 1, 2, … */
function withSamples(count: number): ApiClient {
  const client = new ApiClient();
  client.services.addTwin({ id: 'pump-101', sensors: [sensor('pump-101', 'temperature'), sensor('pump-101', 'unfed')] });
  for (let index = 0; index < count; index++) {
    client.services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs: (START + index * 10_000) as UnixMs, value: index });
  }
  return client;
}

describe('the history of a sensor', () => {
  it('is raw without an interval, over the last 24 hours, in pages', async () => {
    const { body } = await withSamples(250).get(`${PATH}?page=3&per_page=100`);
    expect(body.data).toHaveLength(50);
    expect(body.data[0]).toEqual({ timestamp: '2026-01-06T09:33:20Z', value: 200, quality: 'good' });
    expect(body.meta).toEqual({
      pagination: { total_items: 250, total_pages: 3, current_page: 3, per_page: 100 },
      aggregation: { interval: null, start_date: '2026-01-05T10:30:00Z', end_date: '2026-01-06T10:30:00Z' },
      gaps: [],
    });
    expect(body.links.prev).toBe(`${PATH}?page=2&per_page=100`);
  });

  it('is the mean of each interval, empty ones left out', async () => {
    const client = withSamples(12);
    client.services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs: at('2026-01-06T09:05:00Z'), value: 7, status: UNCERTAIN });
    const { body } = await client.get(`${PATH}?interval=1m`);
    expect(body.data).toEqual([
      { timestamp: '2026-01-06T09:00:00Z', value: 2.5, quality: 'good' },
      { timestamp: '2026-01-06T09:01:00Z', value: 8.5, quality: 'good' },
      { timestamp: '2026-01-06T09:05:00Z', value: 7, quality: 'uncertain' },
    ]);
    expect(body.meta.aggregation).toMatchObject({ interval: '1m', function: 'avg', tz: 'UTC' });
  });

  it.each([
    ['min', 0],
    ['max', 5],
    ['sum', 15],
    ['count', 6],
    ['first', 0],
    ['last', 5],
  ])('gives the %s of each interval', async (agg, value) => {
    expect((await withSamples(6).get(`${PATH}?interval=90s&agg=${agg}`)).body.data[0].value).toBe(value);
  });

  it('pages through intervals too', async () => {
    const { body } = await withSamples(60).get(`${PATH}?interval=1m&page=2&per_page=4`);
    expect(body.data.map(({ value }: { value: number }) => value)).toEqual([26.5, 32.5, 38.5, 44.5]);
    expect(body.meta.pagination).toEqual({ total_items: 10, total_pages: 3, current_page: 2, per_page: 4 });
  });

  it('takes times with any offset, also where a URL decoder took the plus', async () => {
    const page = await withSamples(60).get(`${PATH}?start_date=2026-01-06T11:01:00+02:00&end_date=2026-01-06T09:02:00`);
    expect(page.body.data).toHaveLength(6);
    expect(page.body.meta.aggregation).toMatchObject({ start_date: '2026-01-06T09:01:00Z', end_date: '2026-01-06T09:02:00Z' });
  });

  it('names the gaps', async () => {
    const client = withSamples(2);
    const tag = { asset: 'pump-101', tag: 'temperature', valueType: 'f64' } as const;
    client.services.addSample({ ...tag, timeMs: at('2026-01-06T09:10:00Z'), value: null, status: BAD_NO_COMMUNICATION });
    client.services.addSample({ ...tag, timeMs: at('2026-01-06T09:20:00Z'), value: 4 });
    const { body } = await client.get(PATH);
    expect(body.data[2]).toEqual({ timestamp: '2026-01-06T09:10:00Z', value: null, quality: 'bad' });
    expect(body.meta.gaps).toEqual([{ start_date: '2026-01-06T09:10:00Z', end_date: '2026-01-06T09:20:00Z' }]);
  });

  it('of a sensor that never had a value is empty', async () => {
    const response = await withSamples(1).get('/api/twins/pump-101/sensors/unfed/history?interval=1h');
    expect(response.status).toBe(200);
    expect(response.body.data).toEqual([]);
    expect(response.body.meta.pagination.total_items).toBe(0);
  });

  it('follows the binding of the sensor, and its source where it names one', async () => {
    const client = new ApiClient();
    const bound = { asset: 'elsewhere', tag: 'raw t', source: 'ds-1' };
    client.services.addTwin({ id: 'pump-101', sensors: [sensor('pump-101', 'temperature', { binding: bound })] });
    client.services.addSample({ asset: 'elsewhere', tag: 'raw t', source: 'ds-1', timeMs: START, value: 1 });
    client.services.addSample({ asset: 'elsewhere', tag: 'raw t', source: 'ds-2', timeMs: (START + 1_000) as UnixMs, value: 2 });
    expect((await client.get(PATH)).body.data.map(({ value }: { value: number }) => value)).toEqual([1]);
  });

  it.each([
    ['start_date=2026-01-06T10:00:00Z&end_date=2026-01-06T10:00:00Z', 'start_date'],
    ['start_date=2030-01-01', 'start_date'],
    ['start_date=yesterday', 'start_date'],
    ['end_date=2026-02-30', 'end_date'],
    ['interval=5', 'interval'],
    ['interval=0m', 'interval'],
    ['interval=100ms', 'interval'],
    ['interval=-1m', 'interval'],
    ['interval=10001d', 'interval'],
    ['agg=median&interval=1m', 'agg'],
    ['agg=min', 'agg'],
    ['tz=Mars/Olympus&interval=1d', 'tz'],
    ['tz=%2B01:00&interval=1d', 'tz'],
    ['per_page=1001', 'per_page'],
  ])('refuses %s', async (query, field) => {
    const response = await withSamples(1).get(`${PATH}?${query}`);
    expect(response.status).toBe(422);
    expect(response.body.error.details[0].field).toBe(field);
  });

  it('asks the store for days of the zone', async () => {
    const client = withSamples(1);
    const asked: unknown[] = [];
    const { aggregate } = client.services.store;
    client.services.store.aggregate = (query) => {
      asked.push(query.step);
      return aggregate(query);
    };
    await client.get(`${PATH}?interval=1d&tz=Europe/Berlin`);
    await client.get(`${PATH}?interval=1d`);
    await client.get(`${PATH}?interval=1h&tz=Europe/Berlin`);
    await client.get(`${PATH}?interval=7d&tz=Europe/Berlin`);
    await client.get(`${PATH}?interval=48h&tz=Europe/Berlin`);
    await client.get(`${PATH}?interval=25h&tz=Europe/Berlin`);
    expect(asked).toEqual([
      { calendar: '1d', tz: 'Europe/Berlin' },
      { ms: 86_400_000 },
      { ms: 3_600_000 },
      { days: 7, tz: 'Europe/Berlin' },
      { days: 2, tz: 'Europe/Berlin' },
      { ms: 90_000_000 },
    ]);
  });

  it('refuses more buckets than one answer may be made of', async () => {
    const response = await withSamples(1).get(`${PATH}?interval=1s&start_date=2016-01-01`);
    expect(response.status).toBe(400);
    expect(response.body.error.code).toBe('RANGE_TOO_LARGE');
  });

  it('says so when it stopped counting', async () => {
    const client = withSamples(1);
    client.services.store.count = async ({ atMost }) => atMost;
    const { pagination } = (await client.get(PATH)).body.meta;
    expect(pagination).toMatchObject({ total_items: 1_000_000, total_capped: true });
  });

  it('tells an unknown sensor from an unknown twin', async () => {
    const client = withSamples(1);
    expect((await client.get('/api/twins/pump-101/sensors/none/history')).body.error.code).toBe('SENSOR_NOT_FOUND');
    expect((await client.get('/api/twins/none/sensors/temperature/history')).body.error.code).toBe('TWIN_NOT_FOUND');
  });
});
