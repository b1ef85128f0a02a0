/** A request that is sent again does its work once. */
import { describe, expect, it } from 'vitest';
import { Idempotency } from '../../src/api/idempotency.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import { ApiClient } from '../support/api-client.ts';
import { FakeServices } from '../support/fake-services.ts';
import { turn } from '../support/manual-clock.ts';

const BODY = { data: [{ asset_id: 'a', tag_name: 't', value: 1 }] };
const sourceOf = (tags: number) => ({
  name: 'PLC',
  type: 'modbus',
  config: { host: '10.0.0.5' },
  tags: Array.from({ length: tags }, (_, address) => ({ tag_name: `t${address}`, asset_id: 'fan', register_type: 'holding', address })),
});
const widgets = (count: number) => Array.from({ length: count }, () => ({ type: 'text', options: { text: 'x'.repeat(80) } }));
const keyed = (key: string) => ({ headers: { 'Idempotency-Key': key } });

describe('a POST with an Idempotency-Key', () => {
  it('that comes again gets the first answer, and nothing is done again', async () => {
    const api = new ApiClient();
    const first = await api.post('/v1/telemetry', BODY, keyed('order-1'));
    const again = await api.post('/v1/telemetry', BODY, keyed('order-1'));
    expect([first.status, again.status]).toEqual([200, 200]);
    expect(again.body).toEqual(first.body);
    expect(first.headers.get('idempotent-replayed')).toBeNull();
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(again.headers.get('content-type')).toBe('application/json');
    expect(again.headers.get('x-request-id')).not.toBe(first.headers.get('x-request-id'));
    expect(api.services.samples).toHaveLength(1);
  });

  it('does so over a restart', async () => {
    const services = new FakeServices();
    const before = new ApiClient(services);
    await before.post('/v1/telemetry', BODY, keyed('k'));
    const after = new ApiClient(services);
    const again = await after.post('/v1/telemetry', BODY, { ...keyed('k'), token: before.token });
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    expect(services.samples).toHaveLength(1);
  });

  it('is another request with another body or another query, and refused', async () => {
    const api = new ApiClient();
    await api.post('/v1/telemetry', BODY, keyed('k'));
    const otherBody = await api.post('/v1/telemetry', { data: [{ asset_id: 'a', tag_name: 't', value: 2 }] }, keyed('k'));
    const otherQuery = await api.post('/v1/telemetry?x=1', BODY, keyed('k'));
    for (const response of [otherBody, otherQuery]) {
      expect(response.status).toBe(422);
      expect(response.body.error.code).toBe('idempotency_key_reused');
    }
    expect(api.services.samples).toHaveLength(1);
  });

  it('is its own for each token and path', async () => {
    const api = new ApiClient();
    await api.post('/v1/telemetry', BODY, keyed('k'));
    await api.post('/v1/telemetry', BODY, { ...keyed('k'), token: api.services.addToken() });
    await api.post('/v1/telemetry/ingest', BODY, keyed('k'));
    expect(api.services.samples).toHaveLength(3);
  });

  it('waits for the first while that still runs', async () => {
    const api = new ApiClient();
    let commit = () => {};
    api.services.durableGate = new Promise((resolve) => {
      commit = resolve;
    });
    const first = api.post('/v1/telemetry', BODY, keyed('k'));
    const second = api.post('/v1/telemetry', BODY, keyed('k'));
    const other = await api.post('/v1/telemetry', { data: [] }, keyed('k'));
    expect(other.status).toBe(422);
    commit();
    expect((await first).headers.get('idempotent-replayed')).toBeNull();
    expect((await second).headers.get('idempotent-replayed')).toBe('true');
    expect(api.services.samples).toHaveLength(1);
  });

  it('that was refused may be sent again, mended', async () => {
    const api = new ApiClient();
    expect((await api.post('/v1/telemetry', { data: [] }, keyed('k'))).status).toBe(400);
    api.services.durableError = 'disk_full';
    expect((await api.post('/v1/telemetry', BODY, keyed('k'))).status).toBe(507);
    api.services.durableError = null;
    const mended = await api.post('/v1/telemetry', BODY, keyed('k'));
    expect(mended.status).toBe(200);
    expect(mended.headers.get('idempotent-replayed')).toBeNull();
  });

  it.each(['', 'x'.repeat(256), 'a b', 'é'])('must have a usable one: %j is not', async (key) => {
    const response = await new ApiClient().post('/v1/telemetry', BODY, keyed(key));
    expect(response.status).toBe(400);
    expect(response.body.error.details).toEqual([{ field: 'Idempotency-Key', message: 'must be 1 to 255 visible ASCII characters' }]);
  });

  it('is done for those that wait when the first is given up, once for all of them', async () => {
    const services = new FakeServices();
    const idempotency = new Idempotency(services.records, services.clock, silentLog);
    let leave = () => {};
    let done = 0;
    const run = (work: () => Promise<{ status: number; body: unknown }>) =>
      idempotency.run({ tokenId: 't', path: '/', key: 'k', content: [''] }, work);
    const first = run(() => new Promise((_, reject) => (leave = () => reject(new DOMException('left', 'AbortError')))));
    const others = [1, 2, 3].map(() => run(async () => ({ status: 201, body: ++done })));
    await turn();
    leave();
    await expect(first).rejects.toThrow('left');
    expect((await Promise.all(others)).map(({ body, headers }) => [body, headers?.['Idempotent-Replayed']])).toEqual([
      [1, undefined],
      [1, 'true'],
      [1, 'true'],
    ]);
  });

  it('is answered though the answer cannot be kept', async () => {
    const services = new FakeServices();
    const records = { ...services.records, keepAnswer: () => Promise.reject(new GatewayError('disk_full', 'no room')) };
    const idempotency = new Idempotency(records, services.clock, silentLog);
    const answer = await idempotency.run({ tokenId: 't', path: '/', key: 'k', content: [''] }, async () => ({ status: 201, body: 7 }));
    expect(answer).toEqual({ status: 201, body: 7 });
  });

  it('keeps a large answer as well, and none that is no success', async () => {
    const services = new FakeServices();
    const idempotency = new Idempotency(services.records, services.clock, silentLog);
    const run = (key: string, answer: { status: number; body: unknown }) =>
      idempotency.run({ tokenId: 't', path: '/', key, content: [''] }, async () => answer);
    await run('large', { status: 200, body: 'x'.repeat(20_000) });
    await run('refused', { status: 409, body: {} });
    await run('kept', { status: 201, body: {} });
    const kept = [...services.answers.keys()].map((name) => JSON.parse(name).key);
    expect(kept).toEqual(['large', 'kept']);
  });

  it.each<[string, string, unknown]>([
    ['a data source of 3,000 tags', '/v1/data-sources', sourceOf(3_000)],
    ['a dashboard of 200 widgets', '/v1/dashboards', { name: 'All', layout: { columns: 24, widgets: widgets(200) } }],
    ['a twin with much metadata', '/api/twins', { id: 'x', name: 'X', metadata: { note: 'x'.repeat(16_300) } }],
  ])('makes %s once', async (_what, path, json) => {
    const api = new ApiClient();
    const first = await api.post(path, json, keyed('k'));
    const again = await api.post(path, json, keyed('k'));
    expect([first.status, again.status]).toEqual([201, 201]);
    expect(JSON.stringify(first.body).length).toBeGreaterThan(16_384);
    expect(again.body).toEqual(first.body);
    expect(['location', 'etag'].map((name) => again.headers.get(name))).toEqual(
      ['location', 'etag'].map((name) => first.headers.get(name)),
    );
    expect(again.headers.get('idempotent-replayed')).toBe('true');
    const listed = await api.get(`${path}?per_page=100`);
    expect(listed.body.data).toHaveLength(1);
  });
});
