/** Pages of listed origins may call; nobody else is told anything. */
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../support/api-client.ts';
import { FakeServices } from '../support/fake-services.ts';

const HMI = 'https://hmi.plant:8443';

const client = (origins: readonly string[] = [HMI]) => {
  const services = new FakeServices();
  services.http = { rateLimit: null, corsOrigins: origins };
  return new ApiClient(services);
};

const preflight = (origin: string, api = client()) =>
  api.send('/api/twins', { method: 'OPTIONS', token: null, headers: { Origin: origin, 'Access-Control-Request-Method': 'PATCH' } });

describe('a page of another origin', () => {
  it('may ask without a token what it may send, when it is listed', async () => {
    const response = await preflight(HMI);
    expect(response.status).toBe(204);
    expect(response.headers.get('access-control-allow-origin')).toBe(HMI);
    expect(response.headers.get('access-control-allow-methods')).toContain('PATCH');
    expect(response.headers.get('access-control-allow-headers')).toContain('Authorization');
    expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    expect(response.headers.get('vary')).toBe('Origin');
  });

  it.each(['https://evil.example', 'https://hmi.plant', 'http://hmi.plant:8443', 'https://hmi.plant:8443.evil.example', 'null', ''])(
    'is refused as %j',
    async (origin) => {
      const response = await preflight(origin);
      expect(response.status).toBe(401);
      expect(response.headers.get('access-control-allow-origin')).toBeNull();
    },
  );

  it('reads answers and refusals alike, when it is listed', async () => {
    const api = client();
    for (const path of ['/api/twins', '/api/twins/none', '/healthz']) {
      const response = await api.get(path, { headers: { Origin: HMI } });
      expect(response.headers.get('access-control-allow-origin')).toBe(HMI);
      expect(response.headers.get('access-control-expose-headers')).toContain('X-Request-Id');
      expect(response.headers.get('access-control-allow-credentials')).toBeNull();
    }
    const foreign = await api.get('/api/twins', { headers: { Origin: 'https://evil.example' } });
    expect(foreign.headers.get('access-control-allow-origin')).toBeNull();
    expect(foreign.headers.get('vary')).toBe('Origin');
  });

  it('is told nothing at all where none is listed', async () => {
    const response = await preflight(HMI, client([]));
    expect(response.status).toBe(401);
    for (const [name] of response.headers) expect(name).not.toMatch(/^access-control|^vary$/);
  });
});
