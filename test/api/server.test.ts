/** The server under the API, on a real socket. */
import { once } from 'node:events';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createApi } from '../../src/api/api.ts';
import { type Listening, listen } from '../../src/api/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { HistoryReads } from '../../src/store/telemetry.ts';
import { at, FakeServices, sensor } from '../support/fake-services.ts';

const HOST = '127.0.0.1';
const DEADLINE_MS = 500;

const running: Listening[] = [];
const sockets: Socket[] = [];

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(running.splice(0).map((server) => server.close(0)));
});

async function start(services = new FakeServices(), limits = {}) {
  const server = await listen({ host: HOST, port: 0, api: createApi(services), clock: systemClock, log: silentLog, limits });
  running.push(server);
  const token = services.addToken();
  const headers = { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' };
  return { server, services, headers, url: `http://${HOST}:${server.port}` };
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, HOST);
  sockets.push(socket);
  socket.on('error', () => socket.destroy()); // a reset is one of the ways in which the server may end it
  await once(socket, 'connect');
  return socket;
}

/** All that the server says until it closes the connection. */
async function talk(port: number, text: string): Promise<string> {
  const socket = await dial(port);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk) => chunks.push(chunk));
  socket.write(text);
  await once(socket, 'close');
  return Buffer.concat(chunks).toString();
}

const POINT = { asset_id: 'a', tag_name: 't', value: 1 };

describe('the server', () => {
  it('answers over the wire as it does inside', async () => {
    const { url, headers } = await start();
    const posted = await fetch(`${url}/v1/telemetry`, { method: 'POST', headers, body: JSON.stringify({ data: [POINT] }) });
    expect(posted.status).toBe(200);
    expect(await posted.json()).toEqual({ data: { accepted: 1, rejected: 0, duplicates: 0, errors: [] } });
    expect(posted.headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
    expect((await fetch(`${url}/api/twins`)).status).toBe(401);
  });

  it('names the address that it cannot listen on', async () => {
    const { server } = await start();
    const again = listen({ host: HOST, port: server.port, api: createApi(new FakeServices()), clock: systemClock, log: silentLog });
    await expect(again).rejects.toMatchObject({
      code: 'listen_failed',
      message: `cannot listen on ${HOST}:${server.port}: another program listens there`,
    });
    const foreign = listen({ host: '192.0.2.1', port: 0, api: createApi(new FakeServices()), clock: systemClock, log: silentLog });
    await expect(foreign).rejects.toMatchObject({ code: 'listen_failed', message: expect.stringContaining('192.0.2.1:0') });
  });

  it('does not take a request that is being worked on for a silent peer, but one that says nothing', async () => {
    let commit = () => {};
    const { server, services, url, headers } = await start(new FakeServices(), { silentSocketMs: 400 });
    services.durableGate = new Promise((resolve) => {
      commit = resolve;
    });
    const posted = fetch(`${url}/v1/telemetry`, { method: 'POST', headers, body: JSON.stringify({ data: [POINT] }) });
    await talk(server.port, ''); // ends because it is silent, and so would the other have been
    await talk(server.port, 'POST /v1/telemetry HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{');
    commit();
    expect((await posted).status).toBe(200);
  });

  it.each([
    ['with a length', true],
    ['in chunks', false],
  ])('refuses a body that is too large %s, and the connection serves on', async (_name, withLength) => {
    const { server, url, headers } = await start();
    const body = Buffer.alloc(5 * 1024 * 1024, ' ');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(
        {
          host: HOST,
          port: server.port,
          path: '/v1/telemetry',
          method: 'POST',
          headers: { ...headers, ...(withLength ? { 'Content-Length': body.length } : {}) },
        },
        (response) => {
          response.resume();
          resolve(response.statusCode);
        },
      );
      sent.on('error', reject);
      sent.end(body);
    });
    expect(status).toBe(413);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it.each([
    ['malformed JSON', '{"data":', 'application/json', 400],
    ['no body', '', 'application/json', 400],
    ['another type', '{"data":[]}', 'text/plain', 415],
  ])('refuses %s', async (_name, body, type, status) => {
    const { url, headers } = await start();
    const response = await fetch(`${url}/v1/telemetry`, { method: 'POST', headers: { ...headers, 'Content-Type': type }, body });
    expect(response.status).toBe(status);
    expect((await response.json()) as object).toHaveProperty('error.request_id', response.headers.get('x-request-id'));
  });

  it.each([
    ['garbage', '\x00\x01\x02garbage\r\n\r\n'],
    ['an OPC UA hello', 'HELF\x20\x00\x00\x00\x00\x00\x00\x00'],
    ['no Host', 'GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n'],
    ['two lengths', 'POST /v1/telemetry HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['a length and chunks', 'POST /v1/telemetry HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
    ['a Host that is none', 'GET /healthz HTTP/1.1\r\nHost: a b/c\r\nConnection: close\r\n\r\n'],
    ['a header of 20 KB', `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20_000)}\r\n\r\n`],
    ['garbage after a good request', 'GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n\x00\x01garbage\r\n\r\n'],
  ])('survives %s', async (_name, text) => {
    const { server, url } = await start();
    const answer = await talk(server.port, text);
    expect(answer).toMatch(/HTTP\/1\.1 4\d\d/);
    expect(answer).toMatch(/"error":\{"code":"(bad_request|headers_too_large)"/);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it('answers requests that come in one packet, in their order', async () => {
    const { server } = await start();
    const get = (path: string, last = false) => `GET ${path} HTTP/1.1\r\nHost: x\r\n${last ? 'Connection: close\r\n' : ''}\r\n`;
    const answer = await talk(server.port, get('/healthz') + get('/api/twins') + get('/readyz', true));
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 200', 'HTTP/1.1 401', 'HTTP/1.1 200']);
  });

  it('takes an absolute URL for its path alone', async () => {
    const { server } = await start();
    expect(await talk(server.port, 'GET http://elsewhere/api/twins HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n')).toContain(
      'HTTP/1.1 401',
    );
  });

  it('goes on when a client leaves in the middle of its body', async () => {
    const { server, url, headers, services } = await start();
    const socket = await dial(server.port);
    socket.write(
      `POST /v1/telemetry HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.Authorization}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"data"`,
    );
    while (services.tokenLookups === 0) await systemClock.sleep(5);
    socket.destroy();
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it.each<[keyof HistoryReads, string, string?]>([
    ['raw', '/v1/telemetry?asset_id=pump-101'],
    ['raw', '/v1/telemetry?asset_id=pump-101', 'text/csv'],
    ['count', '/v1/telemetry?asset_id=pump-101'],
    ['aggregate', '/v1/telemetry?asset_id=pump-101&interval=5m'],
    ['aggregate', '/v1/telemetry?asset_id=pump-101&interval=5m', 'application/x-ndjson'],
    ['count', '/api/twins/pump-101/sensors/temperature/history'],
    ['raw', '/api/twins/pump-101/sensors/temperature/history'],
    ['gaps', '/api/twins/pump-101/sensors/temperature/history'],
    ['aggregate', '/api/twins/pump-101/sensors/temperature/history?interval=5m'],
    ['asOf', '/api/twins/pump-101?at=2026-01-06'],
  ])('withdraws the question "%s" of %s when the client leaves', async (call, path, accept = 'application/json') => {
    const { server, headers, services } = await start();
    services.addTwin({ id: 'pump-101', sensors: [sensor('pump-101', 'temperature')] });
    services.addSample({ asset: 'pump-101', tag: 'temperature', timeMs: (services.nowMs - 1_000) as UnixMs, value: 1 });
    const asked = new Promise<AbortSignal>((resolve) => {
      const waiting = (_query: unknown, signal?: AbortSignal) => {
        if (signal) resolve(signal);
        return new Promise<never>(() => undefined);
      };
      Object.assign(services.store, { [call]: waiting });
    });
    const socket = await dial(server.port);
    socket.write(`GET ${path} HTTP/1.1\r\nHost: x\r\nAccept: ${accept}\r\nAuthorization: ${headers.Authorization}\r\n\r\n`);
    const signal = await asked;
    expect(signal.aborted).toBe(false);
    socket.destroy();
    await once(signal, 'abort');
  });
});

describe('a client that dawdles', () => {
  const QUICK = { headersTimeout: 200, requestTimeout: 400, connectionsCheckingInterval: 50 };

  it.each([
    ['with its headers', 'GET /healthz HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['with its body', 'POST /v1/telemetry HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'],
  ])('%s is told so and cut off, and others are served meanwhile', async (_name, text) => {
    const { server, url } = await start(new FakeServices(), QUICK);
    const crowd = Array.from({ length: 50 }, () => talk(server.port, text));
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
    for (const answer of await Promise.all(crowd)) expect(answer).toMatch(/HTTP\/1\.1 (408|401)/);
  });

  it('finds no place beside 256 others, and one again when they have gone', async () => {
    const { server, url } = await start();
    const crowd = await Promise.all(Array.from({ length: 256 }, () => dial(server.port)));
    const [, ...others] = crowd;
    const late = await dial(server.port);
    await once(late, 'close');
    for (const socket of others) socket.destroy();
    await systemClock.sleep(50);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });
});

describe('the stop', () => {
  it('lets a running request end', async () => {
    const { server, services, url, headers } = await start();
    let commit = () => {};
    services.durableGate = new Promise((resolve) => {
      commit = resolve;
    });
    const answer = fetch(`${url}/v1/telemetry`, { method: 'POST', headers, body: JSON.stringify({ data: [POINT] }) });
    while (services.samples.length === 0) await systemClock.sleep(5);
    const closed = server.close(10_000);
    await expect(fetch(`${url}/healthz`)).rejects.toThrow();
    commit();
    expect((await answer).status).toBe(200);
    await closed;
  });

  it('does not wait for a keep-alive, for one who says nothing, or to be told twice', async () => {
    const { server, url } = await start();
    await (await fetch(`${url}/healthz`)).text();
    await dial(server.port);
    const startedMs = performance.now();
    await Promise.all([server.close(DEADLINE_MS), server.close(DEADLINE_MS)]);
    expect(performance.now() - startedMs).toBeLessThan(3 * DEADLINE_MS);
  });

  it('cuts off a request that does not end within the deadline', async () => {
    const { server, services, url, headers } = await start();
    services.durableGate = new Promise(() => {});
    const answer = fetch(`${url}/v1/telemetry`, { method: 'POST', headers, body: JSON.stringify({ data: [POINT] }) });
    const cut = expect(answer).rejects.toThrow();
    while (services.samples.length === 0) await systemClock.sleep(5);
    const startedMs = performance.now();
    await server.close(DEADLINE_MS);
    const tookMs = performance.now() - startedMs;
    await cut;
    expect(tookMs).toBeGreaterThanOrEqual(DEADLINE_MS);
    expect(tookMs).toBeLessThan(3 * DEADLINE_MS);
  });

  const LARGE = '/v1/telemetry?per_page=10000';

  /** Answers LARGE with 40 MB, more than the buffers of two sockets hold. */
  function withLargeAnswer(): FakeServices {
    const services = new FakeServices();
    const value = 'x'.repeat(4_096);
    services.addSample({ asset: 'a', tag: 't', timeMs: at('2026-01-06T10:00:00Z'), value });
    services.store.raw = async ({ limit }) => ({
      next: null,
      columns: {
        rows: limit,
        series: new Uint32Array(limit),
        timeMs: new Float64Array(limit),
        numbers: new Float64Array(limit),
        status: new Uint32Array(limit),
        wide: Array.from({ length: limit }, () => value),
      },
    });
    return services;
  }

  it('lets a slow client read its answer to the end', async () => {
    const { server, headers, url } = await start(withLargeAnswer());
    const answer = await fetch(url + LARGE, { headers });
    const closed = server.close(15_000);
    expect((await answer.text()).length).toBeGreaterThan(40_000_000);
    await closed;
  });

  it('cuts off a client that does not read', async () => {
    const { server, headers } = await start(withLargeAnswer());
    const socket = await dial(server.port);
    socket.pause();
    socket.write(`GET ${LARGE} HTTP/1.1\r\nHost: x\r\nAuthorization: ${headers.Authorization}\r\n\r\n`);
    while (socket.readableLength === 0) await systemClock.sleep(5);
    const startedMs = performance.now();
    await server.close(DEADLINE_MS);
    const tookMs = performance.now() - startedMs;
    expect(tookMs).toBeGreaterThanOrEqual(DEADLINE_MS);
    expect(tookMs).toBeLessThan(3 * DEADLINE_MS);
  });
});
