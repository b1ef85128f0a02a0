/** GET /v1/stream on real sockets: a hundred clients of which one stalls, headers, refusals and the stop. */
import { once } from 'node:events';
import { get, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { type Api, createApi } from '../../../src/api/api.ts';
import { type Listening, listen } from '../../../src/api/server.ts';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import { GOOD } from '../../../src/core/status.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import { FakeServices } from '../../support/fake-services.ts';
import { SseReader } from '../../support/sse.ts';
import { eventually } from '../../support/wait.ts';

const HOST = '127.0.0.1';
const CLIENTS = 100;
const ROUNDS = 30;
const ROUND_MS = 100;
/** A megabyte a round: more than the kernel keeps for a client that reads nothing. */
const FLOOD_ROWS = 1_000;
const FLOOD_TEXT = 'x'.repeat(900);
const QUEUE_BYTES = 262_144;

class RealTime extends FakeServices {
  override readonly clock = systemClock;
}

const running: { readonly server: Listening; readonly api: Api }[] = [];

afterEach(async () => {
  for (const { server, api } of running.splice(0)) {
    api.endStreams();
    await server.close(0);
  }
});

async function start(services = new RealTime()) {
  const api = createApi(services);
  const server = await listen({ host: HOST, port: 0, api, clock: systemClock, log: silentLog });
  running.push({ server, api });
  return { services, api, server };
}

interface Client extends SseReader {
  response: IncomingMessage;
  ended: boolean;
}

async function open(port: number, token: string, query = ''): Promise<Client> {
  const call = get({ host: HOST, port, path: `/v1/stream${query}`, headers: { Authorization: `Bearer ${token}` }, agent: false });
  const [response] = (await once(call, 'response')) as [IncomingMessage];
  expect(response.statusCode).toBe(200);
  return Object.assign(new SseReader(), { response, ended: false });
}

function read(client: Client): Client {
  client.response.on('data', (chunk) => client.take(chunk));
  client.response.on('error', () => undefined); // cut off by the server's end
  client.response.on('close', () => {
    client.ended = true;
  });
  return client;
}

function series(services: FakeServices, asset: string, tag: string, value: number | string): SeriesId {
  services.addSample({ asset, tag, timeMs: services.nowMs, value });
  return services.samples.at(-1)?.series as SeriesId;
}

describe('a hundred clients', () => {
  it('get every message, ten a second, while one stalls, which has its queue and no more', async () => {
    const { services, api, server } = await start();
    const level = series(services, 'pump', 'level', 0);
    const flood = series(services, 'camera', 'line', '');
    const tokens = Array.from({ length: 5 }, () => services.addToken(['read:telemetry']));
    const others: Client[] = [];
    for (let index = 1; index < CLIENTS; index++) others.push(read(await open(server.port, tokens[index % 5] as string, '?asset_id=pump')));
    const stalled = await open(server.port, tokens[0] as string, '?asset_id=camera');
    expect(api.streams().streams).toBe(CLIENTS);

    let mostQueued = 0;
    for (let round = 0; round < ROUNDS; round++) {
      services.listener?.number(level, services.nowMs, round, GOOD, false);
      for (let row = 0; row < FLOOD_ROWS; row++) services.listener?.text(flood, services.nowMs, FLOOD_TEXT, GOOD, false);
      await sleep(ROUND_MS);
      mostQueued = Math.max(mostQueued, api.streams().queuedBytes);
    }
    const expected = Array.from({ length: ROUNDS }, (_, round) => round);
    for (const client of others) {
      await eventually(() => (client.rows.length >= ROUNDS ? true : undefined), { what: 'all messages', timeoutMs: 10_000 });
      expect(client.rows.map(({ value }) => value)).toEqual(expected);
      expect(client.dropped).toBe(0);
    }
    expect(mostQueued).toBeGreaterThan(QUEUE_BYTES / 2); // it did stall
    expect(mostQueued).toBeLessThanOrEqual(QUEUE_BYTES);
    read(stalled);
    await eventually(() => (stalled.rows.length + stalled.dropped === ROUNDS * FLOOD_ROWS ? true : undefined), {
      what: 'every reading got or told as dropped',
      timeoutMs: 20_000,
      explain: () => `${stalled.rows.length} got, ${stalled.dropped} dropped`,
    });
    expect(stalled.dropped).toBeGreaterThan(0);
    expect(api.streams()).toMatchObject({ streams: CLIENTS, queuedBytes: 0 });
  });
});

describe('the answer', () => {
  it('is an event stream that nothing on the way keeps back', async () => {
    const { services, server } = await start();
    const { response } = await open(server.port, services.addToken(['read:telemetry']));
    expect(response.headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      'transfer-encoding': 'chunked',
    });
    expect(response.headers['content-length']).toBeUndefined();
    expect(response.headers['x-request-id']).toBeDefined();
    response.destroy();
  });

  it('to HEAD has the headers and leaves no stream behind', async () => {
    const { services, api, server } = await start();
    const headers = { Authorization: `Bearer ${services.addToken(['read:telemetry'])}` };
    const call = request({ host: HOST, port: server.port, path: '/v1/stream', method: 'HEAD', headers, agent: false }).end();
    const [response] = (await once(call, 'response')) as [IncomingMessage];
    expect(response.headers['content-type']).toBe('text/event-stream');
    await once(response.resume(), 'end');
    expect(api.streams().streams).toBe(0);
  });

  it('is taken from the token’s rate once, and a refusal is no stream', async () => {
    const services = new RealTime();
    services.http = { rateLimit: { perMinute: 1, burst: 2 }, corsOrigins: [] };
    const { server } = await start(services);
    const token = services.addToken(['read:telemetry']);
    const client = read(await open(server.port, token));
    expect(client.response.headers['x-ratelimit-remaining']).toBe('1');
    await sleep(3 * ROUND_MS);
    read(await open(server.port, token));
    const refused = await fetch(`http://${HOST}:${server.port}/v1/stream`, { headers: { Authorization: `Bearer ${token}` } });
    expect(refused.status).toBe(429);
    expect(await refused.json()).toHaveProperty('error.code', 'rate_limited');
    expect((await fetch(`http://${HOST}:${server.port}/v1/stream`)).status).toBe(401);
  });
});

describe('the end', () => {
  it('of a client frees its place', async () => {
    const { services, api, server } = await start();
    const client = read(await open(server.port, services.addToken(['read:telemetry'])));
    expect(api.streams().streams).toBe(1);
    client.response.destroy();
    await eventually(() => (api.streams().streams === 0 ? true : undefined), { what: 'no stream', timeoutMs: 5_000 });
    expect(services.listener).toBeUndefined();
  });

  it('of the box ends streams before it waits for answers, and the server closes', async () => {
    const { services, api, server } = await start();
    const token = services.addToken(['read:telemetry']);
    const clients = [read(await open(server.port, token)), read(await open(server.port, token))];
    api.endStreams();
    let closed = false;
    const closing = server.close(60_000).then(() => {
      closed = true;
    });
    await eventually(() => (closed && clients.every(({ ended }) => ended) ? true : undefined), { what: 'closed', timeoutMs: 10_000 });
    await closing;
  });
});
