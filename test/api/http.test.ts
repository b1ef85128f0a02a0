/** Rules that hold on every route: methods, bodies, paths, headers and the form of errors. */
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../src/core/errors.ts';
import type { Log, LogFields } from '../../src/core/log.ts';
import { silentLog } from '../../src/core/log.ts';
import { ApiClient } from '../support/api-client.ts';
import { FakeServices } from '../support/fake-services.ts';

const POINT = { asset_id: 'Pump_001', tag_name: 'temperature', value: 65.5 };

describe('methods and paths', () => {
  it('say which methods a path takes', async () => {
    const response = await new ApiClient().send('/v1/telemetry', { method: 'DELETE' });
    expect(response.status).toBe(405);
    expect(response.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS');
    expect(response.body.error.code).toBe('method_not_allowed');
  });

  it.each(['PUT', 'PATCH', 'PROPFIND'])('do not take %s for a missing page', async (method) => {
    const response = await new ApiClient().send('/api/twins', { method });
    expect(response.status).toBe(405);
    expect(response.body.error.code).toBe('METHOD_NOT_ALLOWED');
  });

  it('answer OPTIONS with what a path takes, to those who may know', async () => {
    const response = await new ApiClient().send('/v1/telemetry', { method: 'OPTIONS' });
    expect(response.status).toBe(204);
    expect(response.headers.get('allow')).toBe('GET, POST, HEAD, OPTIONS');
    expect((await new ApiClient().send('/v1/telemetry', { method: 'OPTIONS', token: null })).status).toBe(401);
    expect((await new ApiClient().send('/v1/nothing', { method: 'OPTIONS' })).status).toBe(404);
  });

  it('answer HEAD like GET without the body', async () => {
    const response = await new ApiClient().send('/api/twins', { method: 'HEAD' });
    expect(response.status).toBe(200);
    expect(response.body).toBeUndefined();
  });

  it('take a slash at the end', async () => {
    expect((await new ApiClient().get('/api/twins/')).status).toBe(200);
    expect((await new ApiClient().get('/v1/telemetry/latest/?asset_id=a')).status).toBe(200);
  });

  it.each(['..%2f..%2fetc%2fpasswd', '%00', '%2e%2e', 'a%20b', '%E0%A4%A', '%25%32%66', 'x'.repeat(500), '__proto__', 'constructor'])(
    'find no twin under %s',
    async (id) => {
      const response = await new ApiClient().get(`/api/twins/${id}`);
      expect(response.status).toBe(404);
    },
  );
});

describe('every response', () => {
  it.each(['/healthz', '/api/twins', '/api/twins/none', '/nothing'])('of %s carries the headers that guard it', async (path) => {
    const { headers } = await new ApiClient().get(path);
    expect(headers.get('content-security-policy')).toBe(
      "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; object-src 'none'",
    );
    expect(headers.get('x-content-type-options')).toBe('nosniff');
    expect(headers.get('x-frame-options')).toBe('DENY');
    expect(headers.get('cache-control')).toBe('no-store');
    expect(headers.get('content-type')).toBe('application/json');
    expect(headers.get('access-control-allow-origin')).toBeNull();
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
  });
});

describe('a request body', () => {
  const post = (raw: string | Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}) =>
    new ApiClient().send('/v1/telemetry', { method: 'POST', raw, headers });

  it.each(['', '{', '{"data":[}', 'nonsense', '{"data":1}}', '\u0000'])('that is not JSON (%j) is refused as such', async (raw) => {
    const response = await post(raw);
    expect(response.status).toBe(400);
    expect(response.body.error.code).toBe('malformed_json');
  });

  it('must be UTF-8', async () => {
    const response = await post(Uint8Array.of(0x22, 0xff, 0xfe, 0x22));
    expect(response.body.error).toMatchObject({ code: 'malformed_json', message: 'The body is not UTF-8.' });
  });

  it('may be nested 32 levels deep and no more', async () => {
    const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels);
    expect((await post(nested(32))).body.error.code).toBe('validation_error');
    expect((await post(nested(33))).body.error.code).toBe('malformed_json');
    expect((await post(nested(1_000_000))).body.error.code).toBe('malformed_json');
    expect((await post(JSON.stringify({ text: `\\"${'['.repeat(100)}` }))).body.error.code).toBe('validation_error');
    expect((await post(`${'{"a":'.repeat(33)}1${'}'.repeat(33)}`)).body.error.code).toBe('malformed_json');
  });

  it.each(['text/plain', 'application/x-www-form-urlencoded', 'multipart/form-data; boundary=x', 'application/jsonp', ''])(
    'of type %j is refused',
    async (type) => {
      const response = await post(JSON.stringify({ data: [POINT] }), { 'Content-Type': type });
      expect(response.status).toBe(415);
      expect(response.body.error.code).toBe('unsupported_media_type');
    },
  );

  it('may name a charset, and may not be compressed', async () => {
    const body = JSON.stringify({ data: [POINT] });
    expect((await post(body, { 'Content-Type': 'Application/JSON; charset=utf-8' })).status).toBe(200);
    expect((await post(body, { 'Content-Encoding': 'gzip' })).status).toBe(415);
  });

  it('is refused when it is too large, whether it says so or not', async () => {
    const large = ' '.repeat(4 * 1024 * 1024 + 1);
    expect((await post(large)).status).toBe(413);
    const declared = await post('{}', { 'Content-Length': String(4 * 1024 * 1024 + 1) });
    expect(declared.status).toBe(413);
    expect(declared.body.error.code).toBe('payload_too_large');
  });

  it('is taken up to the limit', async () => {
    const body = JSON.stringify({ data: [POINT] });
    expect((await post(body.padEnd(4 * 1024 * 1024))).status).toBe(200);
  });

  it('names fields that nobody knows', async () => {
    const response = await new ApiClient().post('/v1/telemetry', { data: [{ ...POINT, unit: 'C' }], more: 1 });
    expect(response.status).toBe(400);
    expect(response.body.error.details).toEqual([
      { field: 'data.0.unit', message: 'is not a known field' },
      { field: 'more', message: 'is not a known field' },
    ]);
  });

  it.each(['__proto__', 'constructor'])('cannot smuggle %s in', async (key) => {
    const response = await post(`{"data":[{"asset_id":"a","tag_name":"t","value":1,"${key}":{"x":1}}]}`);
    expect(response.status).toBe(400);
    expect(response.body.error.details).toEqual([{ field: `data.0.${key}`, message: 'is not a known field' }]);
  });
});

class BrokenServices extends FakeServices {
  readonly errors: LogFields[] = [];
  error: unknown = new Error('secret /etc/path');
  override readonly log: Log = { ...silentLog, error: (fields) => this.errors.push(fields), child: () => this.log };
  override readonly stream = () => {
    throw this.error;
  };
}

describe('an error', () => {
  it('of ours is a 500 that says nothing of the inside but where to look', async () => {
    const services = new BrokenServices();
    const response = await new ApiClient(services).get('/v1/status');
    expect(response.status).toBe(500);
    expect(response.body.error.code).toBe('internal_error');
    expect(JSON.stringify(response.body)).not.toContain('secret');
    expect(services.errors).toMatchObject([{ request_id: response.body.error.request_id, error: 'secret /etc/path', path: '/v1/status' }]);
  });

  it.each([
    ['store_failed', 503, '5'],
    ['store_stalled', 503, '5'],
    ['stopped', 503, '5'],
    ['overloaded', 503, '1'],
    ['disk_full', 507, null],
    ['not_connected', 500, null],
  ] as const)('of the kind %s is a %i', async (code, status, retryAfter) => {
    const services = new BrokenServices();
    services.error = new GatewayError(code, 'secret /etc/path');
    const response = await new ApiClient(services).get('/v1/status');
    expect(response.status).toBe(status);
    expect(response.headers.get('retry-after')).toBe(retryAfter);
    expect(JSON.stringify(response.body)).not.toContain('secret');
  });
});

describe('the box', () => {
  it('is ready when nothing is missing', async () => {
    const api = new ApiClient();
    expect((await api.get('/readyz')).body).toEqual({ status: 'ready' });
    api.services.missing = ['store'];
    const response = await api.get('/readyz');
    expect(response.status).toBe(503);
    expect(response.body).toEqual({ status: 'not_ready', missing: ['store'] });
    expect((await api.get('/healthz')).status).toBe(200);
  });

  it('shows the sources of the caller with their ledgers, and the store', async () => {
    const api = new ApiClient();
    const ledger = {
      received: 10,
      committed: 7,
      deadbanded: 1,
      deduplicated: 0,
      rejected: { malformed: 2 },
      dropped: {},
      inFlight: 0,
      clockAhead: 1,
    };
    api.services.addSource({ id: 'ds-press', ledger, errors: 3, lastError: 'timeout', state: 'back_off', reason: 'no answer' });
    api.services.addSource({ id: 'ds-foreign', tenant: 'northwind' });
    api.services.fault = 'disk_full';
    const { data } = (await api.get('/v1/status')).body;
    expect(data.rest.ledger).toMatchObject({ received: 3, committed: 2, in_flight: 1 });
    expect(data.sources).toEqual([
      expect.objectContaining({
        id: 'ds-press',
        status: 'disconnected',
        state: 'back_off',
        errors: 3,
        last_error: 'timeout',
        ledger: {
          received: 10,
          committed: 7,
          deadbanded: 1,
          deduplicated: 0,
          rejected: { malformed: 2 },
          dropped: {},
          in_flight: 0,
          clock_ahead: 1,
        },
      }),
    ]);
    expect(data.store).toMatchObject({
      engine: 'fake',
      profile: 'balanced',
      lag: 0,
      fault: 'disk_full',
      damage: { found: 1, last: 'records.db: it was damaged' },
    });
  });

  it('GET /metrics gives the whole box to an admin, as text', async () => {
    const api = new ApiClient();
    const scrape = (token: string) =>
      api.api.fetch(new Request('http://box.test/metrics', { headers: { Authorization: `Bearer ${token}` } }));
    const response = await scrape(api.token);
    expect(response.status).toBe(200);
    expect(response.headers.get('Content-Type')).toBe('text/plain; version=0.0.4');
    expect(await response.text()).toBe('twinbox_ring_slots 16\n');
    expect((await scrape(api.services.addToken(['read:assets', 'read:telemetry']))).status).toBe(403);
  });
});
