/** Requests made from every route's own schemas, at the built daemon: each is answered, in time, and never as our mistake. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { errorsOf } from '../../src/api/openapi.ts';
import { familyOf, statusIn } from '../../src/api/problem.ts';
import type { Route } from '../../src/api/route.ts';
import { ApiClient } from '../support/api-client.ts';
import { arbitraryOf, arbitraryQuery } from '../support/arbitrary-of.ts';
import { TestDaemon } from '../support/daemon.ts';
import { SIMULATED_SOURCE } from './plant.ts';

const RUNS = Number(process.env['TWINBOX_FUZZ_RUNS'] ?? 10);
/** A sync waits for its devices for as long as the body says, the stream goes on for ever: the first byte is what counts. */
const HANGING_MS = 20_000;

const place = fc.constantFrom('sim-1', 'counter', 'ds-sim', 'none', '..%2f..%2fetc', '%00', '__proto__', '%E0%A4%A', 'x'.repeat(300));

const { routes } = new ApiClient().api;

describe('the daemon, asked what its routes’ schemas allow', () => {
  let daemon: TestDaemon;

  beforeAll(async () => {
    daemon = await TestDaemon.start({ sources: [SIMULATED_SOURCE] });
    expect((await daemon.post('/api/twins', { id: 'tank', name: 'Tank' })).status).toBe(201);
  });

  afterAll(() => daemon?.dispose());

  const statusOf = async (method: string, path: string, json: unknown) => {
    const stop = new AbortController();
    const timer = setTimeout(() => stop.abort(new Error(`${method} ${path} has no answer`)), HANGING_MS);
    try {
      const response = await fetch(`${daemon.url}${path}`, {
        method,
        headers: { Authorization: `Bearer ${daemon.token}`, 'Content-Type': 'application/json' },
        signal: stop.signal,
        ...(json === undefined ? {} : { body: JSON.stringify(json) }),
      });
      await response.body?.cancel();
      return response.status;
    } finally {
      clearTimeout(timer);
    }
  };

  it.each(routes as Route[])('answers $method $path', async (route) => {
    const { operation, method } = route;
    const query = operation?.query ? arbitraryQuery(operation.query) : fc.constant('');
    const body = operation?.body ? arbitraryOf(operation.body.schema) : fc.constant(undefined);
    const refusals = operation ? errorsOf(route, operation).map((code) => statusIn(familyOf(route.path), code)) : [];
    const known = [...refusals, ...(operation?.answers ?? []).map((answer) => answer.status)];
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(place), query, body, async (places, search, json) => {
        const path = route.path.replaceAll(/:\w+/g, () => places.next().value);
        const status = await statusOf(method, `${path}?${search}`, json);
        expect(status).not.toBe(500);
        if (status > 500) expect(known).toContain(status);
      }),
      { numRuns: RUNS },
    );
  });

  it('serves on', async () => {
    expect((await daemon.get('/api/twins/tank')).status).toBeLessThan(500);
    expect((await daemon.get('/v1/status')).body.data.store.fault).toBeNull();
    expect(await daemon.stop()).toBe(0);
  });
});
