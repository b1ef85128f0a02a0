/** An address that presents unknown tokens waits longer and longer; nobody else does. */
import { describe, expect, it } from 'vitest';
import { newToken } from '../../src/api/auth.ts';
import { BackOff } from '../../src/api/back-off.ts';
import { ApiClient } from '../support/api-client.ts';
import { ManualClock } from '../support/manual-clock.ts';

const at = (address: string) => ({ incoming: { socket: { remoteAddress: address } } });

function call(api: ApiClient, address: string, token: string | null): Promise<Response> {
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  return Promise.resolve(api.api.fetch(new Request('http://box.test/api/twins', { headers }), at(address)));
}

describe('an address with unknown tokens', () => {
  it('gets five free tries, then waits for a second, two, four, at most a minute', async () => {
    const api = new ApiClient();
    const tryOnce = async () => (await call(api, '10.0.0.7', newToken().token)).status;
    for (let n = 0; n < 5; n++) expect(await tryOnce()).toBe(401);
    for (const waitS of [1, 2, 4, 8, 16, 32, 60, 60]) {
      const refused = await call(api, '10.0.0.7', newToken().token);
      expect(refused.status).toBe(429);
      expect(refused.headers.get('retry-after')).toBe(String(waitS));
      api.services.advance(waitS * 1_000);
      expect(await tryOnce()).toBe(401);
    }
  });

  it('does not reach the records while it waits', async () => {
    const api = new ApiClient();
    for (let n = 0; n < 50; n++) await call(api, '10.0.0.7', newToken().token);
    expect(api.services.tokenLookups).toBe(5);
  });

  it('locks out neither other addresses nor a token that was met lately', async () => {
    const api = new ApiClient();
    expect((await call(api, '10.0.0.7', api.token)).status).toBe(200);
    for (let n = 0; n < 6; n++) await call(api, '10.0.0.7', 'garbage');
    expect((await call(api, '10.0.0.7', api.token)).status).toBe(200);
    expect((await call(api, '10.0.0.8', api.services.addToken())).status).toBe(200);
    expect((await call(api, '10.0.0.7', api.services.addToken())).status).toBe(429);
  });

  it('is not one that presents none at all', async () => {
    const api = new ApiClient();
    for (let n = 0; n < 20; n++) expect((await call(api, '10.0.0.7', null)).status).toBe(401);
  });

  it('is forgotten after ten quiet minutes', () => {
    const clock = new ManualClock();
    const backOff = new BackOff(clock);
    for (let n = 0; n < 4; n++) backOff.failed('10.0.0.7');
    clock.busy(600_000);
    backOff.failed('10.0.0.7');
    expect(() => backOff.check('10.0.0.7')).not.toThrow();
  });

  it('is its whole network in IPv6, and itself behind a mapped IPv4', async () => {
    const backOff = new BackOff(new ManualClock());
    for (let n = 0; n < 5; n++) backOff.failed(`2001:db8:1:2::${n}`);
    expect(() => backOff.check('2001:db8:1:2:ffff:1:2:3')).toThrow();
    expect(() => backOff.check('2001:db8:1:3::1')).not.toThrow();
    const loopback = new BackOff(new ManualClock());
    for (let n = 0; n < 5; n++) loopback.failed('::1');
    expect(() => loopback.check('::1')).toThrow();
    expect(() => loopback.check('2001:db8::1')).not.toThrow();
    const api = new ApiClient();
    for (let n = 0; n < 5; n++) await call(api, '::ffff:10.0.0.7', 'garbage');
    expect((await call(api, '10.0.0.7', 'garbage')).status).toBe(429);
    expect((await call(api, '::ffff:10.0.0.8', 'garbage')).status).toBe(401);
  });

  it('is one of a bounded number', () => {
    const backOff = new BackOff(new ManualClock());
    for (let n = 0; n < 5; n++) backOff.failed('10.9.9.9');
    for (let n = 0; n < 10_000; n++) backOff.failed(`10.0.${n >> 8}.${n & 255}`);
    expect(() => backOff.check('10.9.9.9')).not.toThrow();
  });
});
