/** The life of a token; who may call what is in auth-matrix.test.ts. */
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { Authenticator, hashToken, newToken } from '../../src/api/auth.ts';
import { BackOff } from '../../src/api/back-off.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { ApiClient } from '../support/api-client.ts';
import { FakeServices, sensor } from '../support/fake-services.ts';

const client = () => {
  const made = new ApiClient();
  made.services.addTwin({ id: 'pump-101', sensors: [sensor('pump-101', 'temperature')] });
  return made;
};

/** A request without a connection. */
const NOBODY = { address: null, connection: null };

describe('a path that no route has', () => {
  it.each(['/', '/v1', '/v1/nothing', '/api/nothing', '/api/twins/pump-101/unknown', '//api/twins', '/.env'])(
    'tells a stranger nothing of %s',
    async (path) => {
      expect((await client().get(path, { token: null })).status).toBe(401);
      expect((await client().get(path)).status).toBe(404);
    },
  );
});

describe('a token', () => {
  it('is tbx_, 43 characters and their CRC-32 in six, and only its hash can be kept', () => {
    const { token, sha256 } = newToken();
    expect(token).toMatch(/^tbx_[A-Za-z0-9_-]{49}$/);
    expect(Buffer.from(token.slice(-6), 'base64url').readUInt32BE()).toBe(crc32(token.slice(0, -6)));
    expect(sha256).toMatch(/^[0-9a-f]{64}$/);
    expect(hashToken(token)).toBe(sha256);
  });

  it.each([
    ['garbage', 'Bearer garbage'],
    ['another scheme', 'Basic dXNlcjpwYXNz'],
    ['an unknown token', `Bearer ${newToken().token}`],
    ['no token', 'Bearer'],
    ['nothing', ''],
  ])('must be one that the box knows: %s is not', async (_name, authorization) => {
    const response = await client().get('/api/twins', { token: null, headers: { Authorization: authorization } });
    expect(response.status).toBe(401);
  });

  it('does not reach the records unless it looks like one', async () => {
    const api = client();
    for (const token of ['gar bage', 'garbäge', 'a'.repeat(513), '"']) await api.get('/api/twins', { token });
    expect(api.services.tokenLookups).toBe(0);
  });

  it('may have another form where the box did not make it, as one that the file names by its hash', async () => {
    const api = client();
    for (const token of ['your-token', 'AbC+/12~._-==', `tbx_${'A'.repeat(43)}`]) {
      api.services.addToken(['read:assets'], { sha256: hashToken(token) });
      expect((await api.get('/api/twins', { token })).status).toBe(200);
      expect((await api.get('/api/twins', { token: token.toLowerCase().replace(/^[yt]/, (first) => first.toUpperCase()) })).status).toBe(
        401,
      );
    }
  });

  it('ends when it expires', async () => {
    const api = client();
    const token = api.services.addToken(['admin'], { expiresMs: (api.services.nowMs + 500) as never });
    expect((await api.get('/api/twins', { token })).status).toBe(200);
    api.services.advance(500);
    expect((await api.get('/api/twins', { token })).status).toBe(401);
  });

  it('is looked up once a second however often it comes, so that a revocation shows within one', async () => {
    const api = client();
    await Promise.all(Array.from({ length: 50 }, () => api.get('/api/twins')));
    await api.get('/api/twins');
    expect(api.services.tokenLookups).toBe(1);
    api.services.revoke(api.token);
    api.services.advance(999);
    expect((await api.get('/api/twins')).status).toBe(200);
    api.services.advance(1);
    expect((await api.get('/api/twins')).status).toBe(401);
  });

  it('sees its own tenant alone: what others have looks like what nobody has', async () => {
    const api = client();
    const token = api.services.addToken(['admin'], { tenant: 'northwind' });
    const foreign = await api.get('/api/twins/pump-101', { token });
    const unknown = await api.get('/api/twins/nothing', { token });
    expect(foreign.status).toBe(404);
    expect({ ...foreign.body.error, request_id: '' }).toEqual({ ...unknown.body.error, request_id: '' });
    expect((await api.get('/api/twins', { token })).body.data).toEqual([]);
  });
});

describe('a connection that is kept', () => {
  const at = { address: '192.0.2.7', connection: {} };

  function box() {
    const services = new FakeServices();
    const authenticator = new Authenticator(services.records, services.clock, new BackOff(services.clock));
    return { services, present: async (token: string) => authenticator.authenticate(`Bearer ${token}`, at) };
  }

  it('is judged by the token of each request, however often that changes', async () => {
    const { services, present } = box();
    const [one, other] = [services.addToken(['read:assets']), services.addToken(['admin'])];
    expect((await present(one)).scopes).toEqual(['read:assets']);
    expect((await present(one)).scopes).toEqual(['read:assets']);
    expect((await present(other)).scopes).toEqual(['admin']);
    await expect(present('tbx_unknown')).rejects.toMatchObject({ code: 'unauthorized' });
    await expect(present('tbx_unknown')).rejects.toMatchObject({ code: 'unauthorized' });
    expect((await present(one)).scopes).toEqual(['read:assets']);
  });

  it('does not outlive the revocation of its token by more than a second', async () => {
    const { services, present } = box();
    const token = services.addToken(['admin']);
    await present(token);
    services.revoke(token);
    services.advance(1_000);
    await expect(present(token)).rejects.toMatchObject({ code: 'unauthorized' });
  });
});

describe('a store that falls silent', () => {
  const patientClock = (state: { nowMs: number }) => ({
    now: () => state.nowMs as UnixMs,
    monotonicMs: () => state.nowMs,
    sleep: async (durationMs: number) => {
      state.nowMs += durationMs;
    },
  });

  it('does not lock out a token that was known a moment ago, and locks it out in the end', async () => {
    const { token, sha256 } = newToken();
    const stored = { id: 't', name: 't', sha256, tenant: 'default', scopes: [], createdMs: 0 as UnixMs, expiresMs: null, revokedMs: null };
    const state = { nowMs: 0, silent: false };
    const records = { tokenByHash: async () => (state.silent ? new Promise<never>(() => undefined) : stored) };
    const clock = patientClock(state);
    const authenticator = new Authenticator(records, clock, new BackOff(clock));
    await authenticator.authenticate(`Bearer ${token}`, NOBODY);
    state.silent = true;
    state.nowMs += 30_000;
    expect((await authenticator.authenticate(`Bearer ${token}`, NOBODY)).id).toBe('t');
    state.nowMs += 60_000;
    const unanswered = Promise.resolve(authenticator.authenticate(`Bearer ${token}`, NOBODY)).then(() => 'let in');
    expect(await Promise.race([unanswered, new Promise((resolve) => setImmediate(() => resolve('waits')))])).toBe('waits');
  });

  it('is waited for by one timer, however many requests come meanwhile', async () => {
    const services = new FakeServices();
    let timers = 0;
    const clock = {
      ...services.clock,
      sleep: () => {
        timers++;
        return new Promise<never>(() => undefined);
      },
    };
    const authenticator = new Authenticator(services.records, clock, new BackOff(clock));
    const header = `Bearer ${services.addToken(['read:assets'])}`;
    await authenticator.authenticate(header, NOBODY);
    for (let second = 1; second <= 2; second++) {
      services.advance(1_000);
      const tokens = await Promise.all(Array.from({ length: 20 }, () => authenticator.authenticate(header, NOBODY)));
      expect(tokens.map(({ scopes }) => scopes)).toEqual(Array.from({ length: 20 }, () => ['read:assets']));
      expect(timers).toBe(second);
    }
  });
});
