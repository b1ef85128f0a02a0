/** A token may call so often and no more, whatever the wall clock does, and no other token notices. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RateLimiter } from '../../src/api/rate-limit.ts';
import { ApiClient } from '../support/api-client.ts';
import { FakeServices } from '../support/fake-services.ts';
import { ManualClock } from '../support/manual-clock.ts';

const limited = (perMinute: number, burst: number) => {
  const services = new FakeServices();
  services.http = { rateLimit: { perMinute, burst }, corsOrigins: [] };
  return new ApiClient(services);
};

describe('a limit on calls', () => {
  it('says with every answer how many are left, refusals included', async () => {
    const api = limited(60, 3);
    const first = await api.get('/api/twins');
    const second = await api.get('/api/twins/none');
    const unknown = await api.get('/v1/nothing');
    expect([first, second, unknown].map(({ status }) => status)).toEqual([200, 404, 404]);
    expect([first, second, unknown].map(({ headers }) => headers.get('x-ratelimit-remaining'))).toEqual(['2', '1', '0']);
    expect(first.headers.get('x-ratelimit-limit')).toBe('3');
    expect([first, second].map(({ headers }) => headers.get('x-ratelimit-reset'))).toEqual(['1', '2']);
  });

  it('refuses with 429 and the seconds to wait, and lets through after them', async () => {
    const api = limited(6, 1);
    await api.get('/api/twins');
    const refused = await api.get('/api/twins');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).toBe('10');
    expect(refused.headers.get('x-ratelimit-remaining')).toBe('0');
    expect(refused.body.error).toMatchObject({ code: 'RATE_LIMITED', retry_after: 10 });
    api.services.advance(9_999);
    expect((await api.get('/v1/status')).body.error.code).toBe('rate_limited');
    api.services.advance(1);
    expect((await api.get('/api/twins')).status).toBe(200);
  });

  it('is each token’s own, and holds for no public route', async () => {
    const api = limited(1, 1);
    await api.get('/api/twins');
    expect((await api.get('/api/twins')).status).toBe(429);
    expect((await api.get('/api/twins', { token: api.services.addToken() })).status).toBe(200);
    for (let n = 0; n < 5; n++) expect((await api.get('/healthz')).status).toBe(200);
  });

  it('comes before the scope, so that refused calls count as well', async () => {
    const api = limited(1, 1);
    const token = api.services.addToken(['read:packs']);
    expect((await api.get('/api/twins', { token })).status).toBe(403);
    expect((await api.get('/api/twins', { token })).status).toBe(429);
  });

  it('may be off', async () => {
    const response = await new ApiClient().get('/api/twins');
    expect(response.headers.get('x-ratelimit-limit')).toBeNull();
  });

  it('never lets through more than the burst and what time has brought', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 600 }),
        fc.integer({ min: 1, max: 50 }),
        fc.array(fc.integer({ min: 0, max: 5_000 }), { maxLength: 200 }),
        async (perMinute, burst, pauses) => {
          const clock = new ManualClock();
          const limiter = new RateLimiter({ perMinute, burst }, clock);
          let taken = 0;
          for (const pauseMs of pauses) {
            clock.busy(pauseMs);
            clock.stepWall(-pauseMs * 1_000);
            try {
              limiter.take('t');
              taken++;
            } catch (error) {
              expect(error).toMatchObject({ code: 'rate_limited' });
            }
          }
          expect(taken).toBeLessThanOrEqual(burst + (clock.monotonicMs() * perMinute) / 60_000 + 1e-6);
        },
      ),
      { numRuns: 100 },
    );
  });

  it('remembers a bounded number of tokens', () => {
    const limiter = new RateLimiter({ perMinute: 1, burst: 1 }, new ManualClock());
    const take = (n: number) => {
      try {
        return limiter.take(`t${n}`) !== undefined;
      } catch {
        return false;
      }
    };
    for (let n = 0; n <= 1_000; n++) expect(take(n)).toBe(true);
    expect(take(0)).toBe(true); // the longest unused was forgotten
    expect(take(1_000)).toBe(false);
  });
});
