/** The certificate that the API shows: made, kept, exchanged without a restart, and never lost to a bad file. */
import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { afterEach, describe, expect, it } from 'vitest';
import { createApi } from '../../src/api/api.ts';
import { type Listening, listen } from '../../src/api/server.ts';
import { type Certificate, openTls } from '../../src/app/tls.ts';
import type { LoadedConfig } from '../../src/config/loaded.ts';
import { systemClock } from '../../src/core/clock.ts';
import { type Log, silentLog } from '../../src/core/log.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { useTempDirs } from '../store/temp-dir.ts';
import { makeCertificate } from '../support/certificates.ts';
import { FakeServices } from '../support/fake-services.ts';
import { ManualClock } from '../support/manual-clock.ts';

const DAY_MS = 86_400_000;
const tempDir = useTempDirs();
const running: Listening[] = [];
afterEach(() => Promise.all(running.splice(0).map((server) => server.close(0))));

function logged(): { readonly lines: string[]; readonly log: Log } {
  const lines: string[] = [];
  const line = (level: string) => (_fields: object, message: string) => lines.push(`${level} ${message}`);
  const log: Log = { debug: () => {}, info: line('info'), warn: line('warn'), error: line('error'), child: () => log };
  return { lines, log };
}

const config = (more: Partial<LoadedConfig>) => ({ listen: { host: '0.0.0.0', port: 0 }, allowPlaintext: false, ...more }) as LoadedConfig;

async function serve(certificate: Certificate): Promise<Listening> {
  const server = await listen({
    host: '127.0.0.1',
    port: 0,
    api: createApi(new FakeServices()),
    clock: systemClock,
    log: silentLog,
    tls: certificate.pair,
  });
  running.push(server);
  return server;
}

async function handshake(port: number, options: object = {}): Promise<TLSSocket> {
  const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options });
  await once(socket, 'secureConnect');
  return socket;
}

async function shownTo(port: number): Promise<string> {
  const socket = await handshake(port);
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

describe('a box without a certificate of its operator', () => {
  it('speaks plain HTTP to itself, and to others only where that is allowed', async () => {
    const options = { clock: systemClock, log: silentLog };
    const dataDir = tempDir();
    expect(await openTls(config({ dataDir, listen: { host: '127.0.0.1', port: 0 } }), options)).toBeUndefined();
    expect(await openTls(config({ dataDir, allowPlaintext: true }), options)).toBeUndefined();
  });

  it('makes one for others, keeps it over a restart, and makes another when it has ended', async () => {
    const dataDir = tempDir();
    const clock = new ManualClock(Date.now() as UnixMs);
    const { lines, log } = logged();
    const first = await openTls(config({ dataDir }), { clock, log });
    const key = join(dataDir, 'tls', 'key.pem');
    expect(statSync(key).mode & 0o777).toBe(0o600);
    const certificate = new X509Certificate(readFileSync(join(dataDir, 'tls', 'certificate.pem')));
    expect(certificate.fingerprint256).toBe(first?.pair.fingerprint);
    expect(certificate.checkHost(hostname())).toBe(hostname());
    expect(certificate.checkHost('localhost')).toBe('localhost');
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
    expect((await openTls(config({ dataDir }), { clock, log }))?.pair).toEqual(first?.pair);
    expect(lines).toEqual(['info made a certificate for the API; clients must be told to trust it']);

    clock.stepWall(6 * 365 * DAY_MS);
    const next = await openTls(config({ dataDir }), { clock, log });
    expect(next?.pair.fingerprint).not.toBe(first?.pair.fingerprint);
    expect(statSync(key).mode & 0o777).toBe(0o600);
  });

  it('makes another a day before the one it shows ends, without a restart', async () => {
    const dataDir = tempDir();
    const clock = new ManualClock(Date.now() as UnixMs);
    const { lines, log } = logged();
    const certificate = (await openTls(config({ dataDir }), { clock, log })) as Certificate;
    const server = await serve(certificate);
    const before = await shownTo(server.port);
    const stop = new AbortController();
    const watching = certificate.run((pair) => server.useCertificate(pair), stop.signal);
    clock.stepWall(certificate.pair.toMs - DAY_MS - 600_000 - clock.now());
    await clock.advance(60_000);
    await systemClock.sleep(50); // a look at the disk, which finds nothing to do
    expect(await shownTo(server.port)).toBe(before);
    await until(clock, () => lines.includes('info the API serves a new certificate'));
    expect(await shownTo(server.port)).not.toBe(before);
    expect(certificate.pair.toMs - clock.now()).toBeGreaterThan(365 * DAY_MS);
    expect(lines.filter((line) => line.startsWith('error'))).toEqual([]);
    stop.abort();
    await watching;
  });

  it('serves on what it has while another cannot be made, and tries again each hour', async () => {
    const dataDir = tempDir();
    const clock = new ManualClock(Date.now() as UnixMs);
    const { lines, log } = logged();
    const certificate = (await openTls(config({ dataDir }), { clock, log })) as Certificate;
    const stop = new AbortController();
    const watching = certificate.run(() => {}, stop.signal);
    const inTheWay = join(dataDir, 'tls', 'key.pem.new');
    mkdirSync(join(inTheWay, 'no file'), { recursive: true });
    clock.stepWall(certificate.pair.toMs - DAY_MS - clock.now());
    const refused = 'error the certificate of the API cannot be renewed; the old one is served on';
    await until(clock, () => lines.includes(refused));
    rmSync(inTheWay, { recursive: true });
    await until(clock, () => lines.includes('info the API serves a new certificate'));
    expect(lines.filter((line) => line === refused)).toHaveLength(1);
    stop.abort();
    await watching;
  });
});

describe('the API over TLS', () => {
  const opened = async () => {
    const folder = tempDir();
    const files = makeCertificate(folder, 'api');
    const clock = new ManualClock(Date.now() as UnixMs); // after the certificate, which is not valid before it was made
    const { lines, log } = logged();
    const certificate = (await openTls(config({ tls: files }), { clock, log })) as Certificate;
    return { folder, files, lines, clock, certificate };
  };

  it('answers those who trust its certificate', async () => {
    const { files, certificate } = await opened();
    const server = await serve(certificate);
    const status = await new Promise((resolve, reject) => {
      const sent = request({ host: '127.0.0.1', port: server.port, path: '/healthz', ca: readFileSync(files.certFile) }, (response) => {
        response.resume();
        resolve(response.statusCode);
      });
      sent.on('error', reject);
      sent.end();
    });
    expect(status).toBe(200);
  });

  it('speaks TLS 1.2 and newer', async () => {
    const { certificate } = await opened();
    const { port } = await serve(certificate);
    for (const version of ['TLSv1.2', 'TLSv1.3']) {
      const socket = await handshake(port, { minVersion: version, maxVersion: version });
      expect(socket.getProtocol()).toBe(version);
      socket.destroy();
    }
    const old = handshake(port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' });
    await expect(old).rejects.toThrow();
  });

  it('shows a certificate that was renewed within a minute, without a restart', async () => {
    const { folder, files, lines, clock, certificate } = await opened();
    const server = await serve(certificate);
    const before = await shownTo(server.port);
    const stop = new AbortController();
    const watching = certificate.run((pair) => server.useCertificate(pair), stop.signal);
    const renewed = makeCertificate(folder, 'renewed');
    copyFileSync(renewed.certFile, files.certFile);
    copyFileSync(renewed.keyFile, files.keyFile);
    await until(clock, () => lines.includes('info the API serves a new certificate'));
    expect(await shownTo(server.port)).not.toBe(before);
    expect(await shownTo(server.port)).toBe(new X509Certificate(readFileSync(renewed.certFile)).fingerprint256);
    stop.abort();
    await watching;
  });

  it('goes on with the old one while the new files are wrong, and takes them when they are right', async () => {
    const { folder, files, lines, clock, certificate } = await opened();
    const server = await serve(certificate);
    const before = await shownTo(server.port);
    const stop = new AbortController();
    const watching = certificate.run((pair) => server.useCertificate(pair), stop.signal);
    const renewed = makeCertificate(folder, 'renewed');
    copyFileSync(renewed.certFile, files.certFile); // its key is to follow
    const refused = 'error the new certificate of the API cannot be used; the old one is served on';
    await until(clock, () => lines.includes(refused));
    await clock.advance(300_000);
    expect(lines.filter((line) => line === refused)).toHaveLength(1);
    expect(await shownTo(server.port)).toBe(before);
    writeFileSync(files.keyFile, readFileSync(renewed.keyFile), { mode: 0o600 });
    await until(clock, () => lines.includes('info the API serves a new certificate'));
    expect(await shownTo(server.port)).not.toBe(before);
    stop.abort();
    await watching;
  });

  it('warns for a month before its certificate ends, and serves it beyond', async () => {
    const { lines, clock, certificate } = await opened();
    const stop = new AbortController();
    const watching = certificate.run(() => {}, stop.signal);
    expect(lines).toEqual([]);
    clock.stepWall(340 * DAY_MS);
    await until(clock, () => lines.includes('warn the certificate of the API expires soon'));
    clock.stepWall(30 * DAY_MS);
    await clock.advance(DAY_MS);
    await until(clock, () => lines.some((line) => line.startsWith('error the certificate expired at')));
    stop.abort();
    await watching;
  });

  it('does not start with files that are no certificate', async () => {
    const { files } = await opened();
    writeFileSync(files.certFile, 'none');
    const again = openTls(config({ tls: files }), { clock: systemClock, log: silentLog });
    await expect(again).rejects.toMatchObject({ code: 'config_invalid', message: expect.stringContaining('api.tls.cert') });
  });
});

/** Turns the hands minute by minute for as long as the test may take; between them the machine looks at its disk. */
async function until(clock: ManualClock, done: () => boolean): Promise<void> {
  while (!done()) {
    await clock.advance(60_000);
    await systemClock.sleep(5);
  }
}
