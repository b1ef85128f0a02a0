/** The traps that only a real socket shows; the others are in `traps.test.ts`. */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createApi } from '../../src/api/api.ts';
import { listen } from '../../src/api/server.ts';
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { GOOD } from '../../src/core/status.ts';
import type { SeriesId } from '../../src/core/tag.ts';
import { FakeServices, sensor } from '../support/fake-services.ts';

const HOST = '127.0.0.1';
const KIB = 1_024;

const undo: (() => unknown)[] = [];
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function serve() {
  const services = new FakeServices();
  services.addTwin({ id: 'pump', managedBy: 'api', sensors: [sensor('pump', 'level')] });
  const api = createApi(services);
  const server = await listen({ host: HOST, port: 0, api, clock: systemClock, log: silentLog });
  undo.push(() => server.close(0));
  return { services, api, server, token: services.addToken() };
}

async function dial(port: number): Promise<Socket> {
  const socket = connect(port, HOST);
  undo.push(() => socket.destroy());
  socket.on('error', () => socket.destroy());
  await once(socket, 'connect');
  return socket;
}

/** All that the server says until it closes the connection. */
async function talk(port: number, text: string): Promise<string> {
  const socket = await dial(port);
  let said = '';
  socket.on('data', (chunk) => {
    said += String(chunk);
  });
  socket.write(text);
  await once(socket, 'close');
  return said;
}

const requestOf = (line: string, headers: readonly string[], body: string) =>
  `${line} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n${headers.join('\r\n')}\r\n\r\n${body}`;

describe('a body', () => {
  it('that is malformed or empty is a 400 and no 500', async () => {
    const { server, token } = await serve();
    const headers = [`Authorization: Bearer ${token}`, 'Content-Type: application/json'];
    for (const body of ['', '{']) {
      expect(await talk(server.port, requestOf('POST /api/twins', headers, body))).toMatch(/^HTTP\/1\.1 400 [\s\S]*"INVALID_JSON"/);
    }
  });

  it('with two Content-Types is refused, whichever comes first', async () => {
    const { server, token } = await serve();
    const types = ['Content-Type: application/json', 'Content-Type: text/plain'];
    const ask = (headers: string[]) =>
      talk(server.port, requestOf('PATCH /api/twins/pump', [`Authorization: Bearer ${token}`, ...headers], '{}'));
    for (const headers of [types, types.toReversed()]) expect(await ask(headers)).toMatch(/^HTTP\/1\.1 415 /);
    expect(await ask(types.slice(0, 1))).toMatch(/^HTTP\/1\.1 200 /);
  });

  it('in chunks is counted while it comes, and refused at the limit, not at its end', async () => {
    const { server, token } = await serve();
    const socket = await dial(server.port);
    let said = '';
    socket.on('data', (chunk) => {
      said += String(chunk);
    });
    const headers = `Authorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked`;
    socket.write(`POST /api/twins HTTP/1.1\r\nHost: x\r\n${headers}\r\n\r\n`);
    const chunk = `${(64 * KIB).toString(16)}\r\n${' '.repeat(64 * KIB)}\r\n`;
    for (let sent = 0; sent <= 17; sent++) socket.write(chunk); // and never the last one
    while (!said.includes('\r\n\r\n')) await systemClock.sleep(5);
    expect(said).toMatch(/^HTTP\/1\.1 413 /);
    expect((await fetch(`http://${HOST}:${server.port}/healthz`)).status).toBe(200);
  });
});

describe('a request', () => {
  it('with a header of 20 KB is a 431, and the server serves on', async () => {
    const { server } = await serve();
    const answer = await talk(server.port, `GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: ${'x'.repeat(20 * KIB)}\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 [\s\S]*headers_too_large/);
    expect((await fetch(`http://${HOST}:${server.port}/healthz`)).status).toBe(200);
  });
});

describe('a reader of the stream who stalls', () => {
  it('does not hold up the stop', async () => {
    const { services, api, server } = await serve();
    const token = services.addToken(['read:telemetry']);
    const socket = await dial(server.port);
    socket.pause();
    socket.write(`GET /v1/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
    while (api.streams().streams === 0) await systemClock.sleep(5);
    services.addSample({ asset: 'pump', tag: 'line', timeMs: services.nowMs, value: '' });
    const series = services.samples.at(-1)?.series as SeriesId;
    while (api.streams().queuedBytes === 0) {
      for (let row = 0; row < 64; row++) services.listener?.text(series, services.nowMs, 'x'.repeat(1_000), GOOD, false);
      await systemClock.sleep(5);
    }
    api.endStreams();
    await server.close(600_000); // what waited for this would outlast the test
    expect(api.streams()).toMatchObject({ streams: 0, queuedBytes: 0 });
  });
});
