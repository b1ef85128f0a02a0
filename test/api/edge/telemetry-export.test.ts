/** GET /v1/telemetry as CSV and NDJSON: the same rows as the JSON, whole, exact, at the client's pace. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { BAD_NO_COMMUNICATION, UNCERTAIN } from '../../../src/core/status.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ApiClient } from '../../support/api-client.ts';
import { at } from '../../support/fake-services.ts';
import { parseCsv } from '../../support/parse-csv.ts';

const START = at('2026-01-06T10:00:00Z');
const CSV = { headers: { Accept: 'text/csv' } };
const LINES = { headers: { Accept: 'application/x-ndjson' } };

function withMinutes(minutes: number, tags = ['a', 'b', 'c']): ApiClient {
  const client = new ApiClient();
  for (let minute = 0; minute < minutes; minute++) {
    for (const tag of tags)
      client.services.addSample({ asset: 'pump', tag, timeMs: (START + minute * 60_000) as UnixMs, value: minute / 3 });
  }
  return client;
}

const linesOf = (body: string) =>
  body
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));

/** The response itself, whose body is read as the test wants. */
function open(client: ApiClient, path: string, accept: string, init: RequestInit = {}): Promise<Response> {
  const headers = { Authorization: `Bearer ${client.token}`, Accept: accept };
  return Promise.resolve(client.api.fetch(new Request(`http://box.test${path}`, { headers, ...init })));
}

describe('an export', () => {
  it('has all rows of the range, as the pages of the JSON have them', async () => {
    const client = withMinutes(30);
    for (const query of [
      '',
      '?tag_name=b',
      '?interval=5m',
      '?aggregation=max',
      '?interval=10m&aggregation=count&tag_name=a,c',
      '?start=2026-01-06T10:07:00Z&interval=5m',
    ]) {
      const json = (await client.get(`/v1/telemetry${query}`)).body.data;
      expect(json.length).toBeGreaterThan(0);
      expect(linesOf((await client.get(`/v1/telemetry${query}`, LINES)).body)).toEqual(json);
      const [head, ...rows] = parseCsv((await client.get(`/v1/telemetry${query}`, CSV)).body);
      expect(head).toEqual(Object.keys(json[0]));
      expect(rows).toEqual(json.map((row: object) => Object.values(row).map(String)));
    }
  });

  it('goes on over the end of a page of the store, and over the end of a slice of buckets', async () => {
    const client = withMinutes(4_000, ['a', 'b', 'c', 'd', 'e', 'f']);
    const range = 'start=2026-01-06T10:00:30Z&end=2026-01-09';
    const samples = linesOf((await client.get(`/v1/telemetry?${range}`, LINES)).body);
    expect(samples).toHaveLength(6 * (62 * 60 - 1));
    const all = client.services.samples.filter(({ timeMs }) => timeMs > START && timeMs < at('2026-01-09'));
    expect(samples.map(({ value }) => value)).toEqual(all.map(({ value }) => value));
    const asked: { from: number; to: number }[] = [];
    const { aggregate } = client.services.store;
    client.services.store.aggregate = (query) => {
      asked.push(query.range);
      return aggregate(query);
    };
    const buckets = linesOf((await client.get(`/v1/telemetry?${range}&interval=1m`, LINES)).body);
    expect(buckets.map(({ timestamp, value }) => [timestamp, value])).toEqual(samples.map(({ timestamp, value }) => [timestamp, value]));
    expect(asked.length).toBeGreaterThan(1);
    for (const [index, { from, to }] of asked.entries()) {
      expect(to - from).toBeLessThanOrEqual(20_000 * 10_000);
      if (index > 0) expect(from).toBe(asked[index - 1]?.to);
    }
  });

  it('writes every kind of value so that it can be read exactly', async () => {
    const client = new ApiClient();
    const add = (tag: string, value: number | string | boolean | bigint | null, more = {}) =>
      client.services.addSample({ source: 'ds-1', asset: 'a', tag, timeMs: START, value, ...more });
    add('1', 0.1 + 0.2);
    add('2', Math.fround(23.4), { valueType: 'f32' });
    add('3', 2n ** 63n);
    add('4', true);
    add('5', 'say "hi", you\r\n');
    add('6', '');
    add('7', null, { status: BAD_NO_COMMUNICATION });
    add('8', '1e5', { status: UNCERTAIN });
    add('=cmd()', -1.5);
    add('9', '=HYPERLINK("http://x")');
    const { body } = await client.get('/v1/telemetry', CSV);
    expect(body).toBe(
      [
        'timestamp,asset_id,tag_name,value,quality,data_source_id',
        '2026-01-06T10:00:00Z,"a","1",0.30000000000000004,good,"ds-1"',
        '2026-01-06T10:00:00Z,"a","2",23.4,good,"ds-1"',
        '2026-01-06T10:00:00Z,"a","3",9223372036854775808,good,"ds-1"',
        '2026-01-06T10:00:00Z,"a","4",true,good,"ds-1"',
        '2026-01-06T10:00:00Z,"a","5","say ""hi"", you\r\n",good,"ds-1"',
        '2026-01-06T10:00:00Z,"a","6","",good,"ds-1"',
        '2026-01-06T10:00:00Z,"a","7",,bad,"ds-1"',
        '2026-01-06T10:00:00Z,"a","8","1e5",uncertain,"ds-1"',
        '2026-01-06T10:00:00Z,"a","9","\'=HYPERLINK(""http://x"")",good,"ds-1"',
        '2026-01-06T10:00:00Z,"a","\'=cmd()",-1.5,good,"ds-1"',
        '',
      ].join('\r\n'),
    );
    const lines = linesOf((await client.get('/v1/telemetry', LINES)).body);
    expect(lines.map(({ tag_name, value }) => [tag_name, value])).toEqual([
      ['1', 0.1 + 0.2],
      ['2', 23.4],
      ['3', '9223372036854775808'],
      ['4', true],
      ['5', 'say "hi", you\r\n'],
      ['6', ''],
      ['7', null],
      ['8', '1e5'],
      ['9', '=HYPERLINK("http://x")'],
      ['=cmd()', -1.5],
    ]);
  });

  it('says what it is and what to call it', async () => {
    const client = withMinutes(1);
    const csv = await client.get('/v1/telemetry', CSV);
    expect(csv.headers.get('content-type')).toBe('text/csv; charset=utf-8; header=present');
    expect(csv.headers.get('content-disposition')).toBe('attachment; filename="telemetry-20260106T103000Z.csv"');
    expect(csv.headers.get('cache-control')).toBe('no-store');
    const lines = await client.get('/v1/telemetry', LINES);
    expect(lines.headers.get('content-type')).toBe('application/x-ndjson');
    expect(lines.headers.get('content-disposition')).toContain('.ndjson"');
    const head = await open(client, '/v1/telemetry', 'text/csv', { method: 'HEAD' });
    expect(head.headers.get('content-type')).toContain('text/csv');
    expect(await head.text()).toBe('');
  });

  it('of nothing is a header line, or no line at all', async () => {
    const client = new ApiClient();
    expect((await client.get('/v1/telemetry', CSV)).body).toBe('timestamp,asset_id,tag_name,value,quality,data_source_id\r\n');
    expect((await client.get('/v1/telemetry?interval=1m', CSV)).body).toBe('timestamp,asset_id,tag_name,value,quality,count\r\n');
    expect((await client.get('/v1/telemetry', LINES)).body).toBeUndefined();
  });

  it('shows a tenant nothing of another', async () => {
    const client = withMinutes(2);
    const token = client.services.addToken(['admin'], { tenant: 'northwind' });
    expect((await client.get('/v1/telemetry', { ...LINES, token })).body).toBeUndefined();
  });

  it.each(['page=1', 'per_page=10', 'cursor=row-1'])('has no pages: %s is refused', async (query) => {
    const { status, body } = await withMinutes(1).get(`/v1/telemetry?${query}`, CSV);
    expect(status).toBe(400);
    expect(body.error.details[0].field).toBe(query.split('=')[0]);
  });

  it('is refused in the form of every refusal, before anything is sent', async () => {
    const client = withMinutes(1);
    const tooMany = await client.get('/v1/telemetry?interval=1s&start=2025-01-01', CSV);
    expect(tooMany.body.error.code).toBe('range_too_large');
    expect((await client.get('/v1/telemetry', { headers: { Accept: 'text/html' } })).body.error.code).toBe('not_acceptable');
    expect((await client.get('/v1/telemetry', { headers: { Accept: 'text/html' } })).status).toBe(406);
    client.services.store.raw = () => Promise.reject(new GatewayError('store_stalled', 'the disk hangs'));
    for (let again = 0; again < 10; again++) expect((await client.get('/v1/telemetry', CSV)).body.error.code).toBe('store_stalled');
  });

  it('ends by an error when the store fails in the middle, so that no part passes for the whole', async () => {
    const client = withMinutes(2_000);
    const { raw } = client.services.store;
    let pages = 0;
    client.services.store.raw = (query) => (++pages > 1 ? Promise.reject(new Error('broken')) : raw(query));
    const response = await open(client, '/v1/telemetry?start=2026-01-06&end=2026-01-09', 'text/csv');
    expect(response.status).toBe(200);
    await expect(response.text()).rejects.toThrow();
  });
});

describe('a client of an export', () => {
  const RANGE = '/v1/telemetry?start=2026-01-06&end=2026-01-09';

  /** A client, and the pages that its store was asked for. */
  function counted() {
    const client = withMinutes(4_000, ['a', 'b', 'c', 'd', 'e']);
    const { raw } = client.services.store;
    const asked = { pages: 0 };
    client.services.store.raw = (query) => {
      asked.pages++;
      return raw(query);
    };
    return { client, asked };
  }
  const settle = () => new Promise((resolve) => setTimeout(resolve, 20));

  it('who reads nothing is read nothing for', async () => {
    const { client, asked } = counted();
    const response = await open(client, RANGE, 'text/csv');
    await settle();
    expect(asked.pages).toBe(1);
    expect((await client.get('/v1/telemetry?tag_name=a')).status).toBe(200);
    await response.body?.cancel();
  });

  it('who goes ends the query and makes room for the next', async () => {
    const { client, asked } = counted();
    const reader = (await open(client, RANGE, 'text/csv')).body?.getReader();
    await reader?.read();
    await reader?.cancel();
    const before = asked.pages;
    await settle();
    expect(asked.pages).toBe(before);
    for (let again = 0; again < 10; again++) await (await open(client, RANGE, 'text/csv')).body?.cancel();
    expect((await open(client, RANGE, 'text/csv')).status).toBe(200);
  });

  it('has two at once, and all have eight', async () => {
    const { client } = counted();
    const first = [await open(client, RANGE, 'text/csv'), await open(client, RANGE, 'application/x-ndjson')];
    const refused = await client.get(RANGE, CSV);
    expect(refused.status).toBe(503);
    expect(refused.body.error.code).toBe('overloaded');
    expect(refused.headers.get('retry-after')).toBe('1');
    const others = [1, 2, 3, 4].map((name) => client.services.addToken(['admin'], { name: `t${name}` }));
    const statuses = [];
    for (const token of others) {
      for (const _ of [1, 2]) {
        statuses.push(
          (await open(client, RANGE, 'text/csv', { headers: { Authorization: `Bearer ${token}`, Accept: 'text/csv' } })).status,
        );
      }
    }
    expect(statuses).toEqual([200, 200, 200, 200, 200, 200, 503, 503]);
    await first[0]?.text();
    expect((await open(client, RANGE, 'text/csv')).status).toBe(200);
  });
});
