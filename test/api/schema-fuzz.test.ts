/** Every route, fed from its own schemas: never our mistake, always an answer of the form that the description gives. */
import { setTimeout as sleep } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { errorsOf } from '../../src/api/openapi.ts';
import { headersOf, refusalHeaders } from '../../src/api/openapi-headers.ts';
import { familyOf, type ProblemCode, spellingIn, statusIn } from '../../src/api/problem.ts';
import type { Route } from '../../src/api/route.ts';
import { problemSchema } from '../../src/api/schema.ts';
import { ApiClient, type JsonResponse } from '../support/api-client.ts';
import { arbitraryOf, arbitraryQuery } from '../support/arbitrary-of.ts';
import { at, sensor } from '../support/fake-services.ts';

const RUNS = Number(process.env['TWINBOX_FUZZ_RUNS'] ?? 60);

/** A plant for each route, so that what one request has changed meets no other route's. */
async function plant(): Promise<ApiClient> {
  const client = new ApiClient();
  const { services } = client;
  services.addTwin({
    id: 'pump-101',
    description: 'a pump',
    sensors: [sensor('pump-101', 'temperature', { bindingExplicit: true, minValue: 0, maxValue: 1 }), sensor('pump-101', 'none')],
    actuators: [{ id: 'power', name: 'Power', type: 'binary', binding: { asset: 'pump-101', tag: 'power', source: 'ds-press' } }],
    metadata: { maker: 'x', deep: { a: [1, null] } },
  });
  services.addDashboard('pump-101', 'Pump');
  services.addChannel({ name: 'pump-101', lastError: { code: 'timeout', message: 'no answer', timeMs: services.nowMs } });
  services.addSource({ id: 'ds-press', state: 'back_off', reason: 'no answer', lastError: 'timeout' });
  services.fakeSources.put('pump-101', { type: 'simulator', config: { polling_interval_ms: 1_000, seed: 1 } });
  services.owners.set('pump-101/power', { source: 'ds-press', writable: true });
  for (const minute of [0, 5, 10]) {
    const timeMs = at(`2026-01-06T10:${String(minute).padStart(2, '0')}:00Z`);
    services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs, value: minute });
  }
  await services.addAlert('pump-101', 'Hot');
  return client;
}

/** Stands for the id that the alert gets. */
const ALERT = '{alert}';

const place = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('pump-101', 'temperature', 'power', 'ds-press', ALERT) },
  // An empty segment or one of dots makes the path another route's.
  { weight: 1, arbitrary: fc.webSegment().filter((segment) => !/^(\.|%2e)*$/i.test(segment)) },
  { weight: 1, arbitrary: fc.constantFrom('..%2f..%2fetc', '%00', '__proto__', 'constructor', 'x'.repeat(300), '%E0%A4%A', 'none') },
);

/** Every answer has them; they are for browsers, or say what the media type of the description says. */
const UNDESCRIBED = [
  ...['cache-control', 'content-security-policy', 'cross-origin-resource-policy', 'referrer-policy', 'x-content-type-options'],
  ...['x-frame-options', 'content-type'],
];

/** No header that the description has not, and what it promises of success is there. */
function expectDescribedHeaders(route: Route, { status, headers }: JsonResponse): void {
  const answer = route.operation?.answers.find((each) => each.status === status);
  const codes = route.operation ? errorsOf(route, route.operation) : [];
  const described = answer
    ? headersOf(route, answer)
    : refusalHeaders(route, [...codes.filter((code) => statusIn(familyOf(route.path), code) === status), ...(SWALLOWED[status] ?? [])]);
  const names = Object.keys(described).map((name) => name.toLowerCase());
  for (const name of headers.keys()) if (!UNDESCRIBED.includes(name)) expect(names, `${status} of ${route.path}`).toContain(name);
  expect(headers.has('x-request-id')).toBe(true);
  if (answer?.etag === 'body' || status === 201) expect(headers.has('etag')).toBe(true); // a source of the file has no revision
  if (status === 201) expect(headers.has('location')).toBe(true);
}

/** A path that another one's place has swallowed is answered by that one, or by none. */
const SWALLOWED: Readonly<Record<number, readonly ProblemCode[]>> = { 404: ['not_found'], 405: ['method_not_allowed'] };

/** How the schema library's own sentences begin; a person gets ours. */
const LIBRARY_WORDS = /"message":"(?:Invalid|Too (?:big|small)|Unrecognized)/;

/** The answer is one that the route's description has, to the last field. */
function expectDescribed(route: Route, response: JsonResponse): void {
  expectDescribedHeaders(route, response);
  const answer = route.operation?.answers.find(({ status }) => status === response.status);
  if (answer) {
    if (answer.schema) expect(answer.schema.parse(response.body)).toEqual(response.body);
    if (answer.status === 204) expect(response.body).toBeUndefined();
    return;
  }
  expect(response.status).toBeLessThan(500);
  expect(problemSchema.parse(response.body)).toEqual(response.body);
  expect(JSON.stringify(response.body.error.details ?? [])).not.toMatch(LIBRARY_WORDS);
  const family = familyOf(route.path);
  const known = route.operation ? errorsOf(route, route.operation).map((code) => spellingIn(family, code)) : [];
  expect([...known, spellingIn(family, 'not_found'), spellingIn(family, 'method_not_allowed')]).toContain(response.body.error.code);
}

const { routes } = new ApiClient().api;

/** A hundred times what the slowest of them takes on a busy machine: beyond it nothing comes any more. */
const HANGING_MS = 10_000;

async function answered(response: Promise<JsonResponse>, path: string): Promise<JsonResponse> {
  const done = new AbortController();
  const hung = sleep(HANGING_MS, undefined, { signal: done.signal }).then(() => Promise.reject(new Error(`no answer of ${path}`)));
  hung.catch(() => undefined); // it was answered in time
  try {
    return await Promise.race([response, hung]);
  } finally {
    done.abort();
  }
}

describe('requests made from a route’s own schemas', () => {
  it.each(routes)('to $method $path', async (route) => {
    const client = await plant();
    const { operation } = route;
    const query = operation?.query ? arbitraryQuery(operation.query) : fc.constant('');
    const body = operation?.body ? arbitraryOf(operation.body.schema) : fc.constant(undefined);
    await fc.assert(
      fc.asyncProperty(fc.infiniteStream(place), query, body, async (places, search, json) => {
        const path = route.path.replaceAll(/:\w+/g, () => places.next().value.replace(ALERT, client.services.alertId));
        const sent = client.send(`${path}?${search}`, { method: route.method, ...(json === undefined ? {} : { json }) });
        const response = await answered(sent, path);
        expectDescribed(route, response);
      }),
      { numRuns: RUNS },
    );
  });
});

/** A schema cannot tell which sources there are. */
function withKnownSource(json: unknown): unknown {
  const refers = typeof json === 'object' && json !== null && 'data_source_id' in json && typeof json.data_source_id === 'string';
  return refers ? { ...json, data_source_id: 'ds-press' } : json;
}

describe('the requests that are made', () => {
  it.each(routes)('reach the inside of $method $path, not only its refusals', async (route) => {
    const client = await plant();
    const { operation } = route;
    const id = route.path.startsWith('/v1/alerts/') ? client.services.alertId : 'pump-101';
    const path = route.path
      .replace(':sensorId', 'temperature')
      .replace(':actuatorId', 'power')
      .replace(':name', 'pump-101')
      .replace(':id', id);
    const query = operation?.query ? fc.sample(arbitraryQuery(operation.query), { numRuns: 200, seed: 7 }) : [''];
    const bodies = operation?.body ? fc.sample(arbitraryOf(operation.body.schema), { numRuns: 200, seed: 7 }) : [undefined];
    // Members that must suit each other are seldom found by chance.
    if (path.startsWith('/v1/alert-rules')) bodies.push(operation?.body?.example);
    if (path.endsWith('/actuators/power')) bodies.push({ current_state: true });
    if (path === '/v1/data-sources/pump-101') bodies.push({ name: 'Pump', config: {} });
    let reached = false;
    for (let run = 0; run < 201 && !reached; run++) {
      const json = withKnownSource(bodies[run % bodies.length]);
      const search = query[run % query.length];
      const response = await client.send(`${path}?${search}`, { method: route.method, ...(json === undefined ? {} : { json }) });
      reached = response.status < 300;
    }
    expect(reached).toBe(true);
  });
});
