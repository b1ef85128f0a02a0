/** Whatever comes in: never our mistake, always an answer in the form of its family. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Route } from '../../src/api/route.ts';
import { ApiClient, type JsonResponse } from '../support/api-client.ts';
import { at, sensor } from '../support/fake-services.ts';

const client = new ApiClient();
client.services.addTwin({ id: 'pump-101', sensors: [sensor('pump-101', 'temperature')] });
client.services.addSource({ id: 'ds-press' });
for (const minute of [0, 5, 10]) {
  const timeMs = at(`2026-01-06T10:${String(minute).padStart(2, '0')}:00Z`);
  client.services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs, value: minute });
}

const NAMES = [
  ...['page', 'per_page', 'sort', 'type', 'status', 'search', 'fields', 'start_date', 'end_date', 'start', 'end', 'interval', 'agg'],
  ...['aggregation', 'tz', 'cursor', 'data_source_id', 'asset_id', 'tag_name', 'tags', '__proto__', 'constructor', 'toString'],
];

const hostile = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }).map((text) => text.replaceAll(/\p{Cs}/gu, '')),
  fc.constantFrom(
    '0',
    '1',
    '-1',
    '1e1',
    '0x10',
    '999999999',
    '1e309',
    'NaN',
    '',
    ',',
    'null',
    '%',
    '\0',
    '1d',
    '1s',
    '10000d',
    '999999999d',
  ),
  fc.constantFrom(
    'avg',
    'count',
    'last',
    'active',
    'equipment',
    'connected',
    '-name',
    '+id',
    'Europe/Berlin',
    'UTC',
    '+01:00',
    'row-1',
    'WzEsMl0',
  ),
  fc.constantFrom(
    '2026-01-06T10:00:00Z',
    '0000-01-01',
    '9999-12-31T23:59:59Z',
    '2026-02-30',
    'pump-101',
    'temperature',
    '../etc',
    '2026-01-06',
  ),
);

const query = fc
  .array(fc.tuple(fc.constantFrom(...NAMES), hostile), { maxLength: 5 })
  .map((pairs) => pairs.map(([name, value]) => `${name}=${encodeURIComponent(value)}`).join('&'));

const rawQuery = fc.webQueryParameters();

const point = fc.record(
  {
    asset_id: fc.oneof(fc.constant('pump-101'), hostile, fc.jsonValue()),
    tag_name: fc.oneof(fc.constant('temperature'), hostile, fc.jsonValue()),
    value: fc.oneof(fc.double(), hostile, fc.jsonValue()),
    timestamp: fc.oneof(fc.constant('2026-01-06T10:00:00Z'), hostile, fc.jsonValue()),
    quality: fc.oneof(fc.constantFrom('good', 'bad'), fc.jsonValue()),
  },
  { requiredKeys: [] },
);

const body = fc.oneof(
  fc.record({ data: fc.array(point, { maxLength: 4 }) }).map((value) => JSON.stringify(value)),
  fc.json(),
  fc.string(),
);

const pathId = fc.oneof(fc.constant('pump-101'), fc.constant('temperature'), hostile.map(encodeURIComponent), fc.webSegment());

function expectForm(path: string, response: JsonResponse): void {
  expect(response.status).toBeLessThan(500);
  const { body } = response;
  if (response.status === 204) {
    expect(body).toBeUndefined();
    return;
  }
  if (response.status < 400) {
    const bare =
      ['/healthz', '/readyz', '/metrics', '/v1/backup', '/v1/stream'].includes(path) || /^\/(docs|openapi|api\/docs)/.test(path)
        ? body
        : body.data;
    expect(bare).toBeDefined();
    return;
  }
  expect(body.error.code).toMatch(path.startsWith('/api/') ? /^[A-Z_]+$/ : /^[a-z_]+$/);
  expect(body.error.message).not.toBe('');
  expect(body.error.request_id).toBe(response.headers.get('x-request-id'));
  for (const detail of body.error.details ?? []) expect(detail).toEqual({ field: expect.any(String), message: expect.any(String) });
}

describe('random requests', () => {
  it.each(client.api.routes as Route[])('to $method $path get an answer in form', async (route) => {
    await fc.assert(
      fc.asyncProperty(pathId, pathId, fc.oneof(query, rawQuery), body, async (id, sensorId, search, raw) => {
        const path = route.path.replace(/:(sensor|actuator)Id/, sensorId).replace(':id', id);
        const json = route.method === 'GET' ? {} : { raw };
        expectForm(route.path, await client.send(`${path}?${search}`, { method: route.method, ...json }));
      }),
      { numRuns: 150 },
    );
  });

  it('to known things get an answer in form whatever the query', async () => {
    const paths = [
      '/api/twins',
      '/api/twins/pump-101/sensors/temperature/history',
      '/v1/telemetry',
      '/v1/telemetry/latest',
      '/v1/data-sources',
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), query, async (path, search) => {
        expectForm(path, await client.get(`${path}?${search}`));
      }),
      { numRuns: 500 },
    );
  });
});
