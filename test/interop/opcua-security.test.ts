/** SignAndEncrypt with a server that this project did not write: nobody is believed before a person has said so. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, readdir, rename, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { TestDaemon } from '../support/daemon.ts';
import { latest } from '../support/history.ts';
import { eventually, figure } from '../support/wait.ts';
import { leaveOut, open62541, type Peer } from './peers.ts';
import { OPCUA_VALUES, opcuaSource } from './plant.ts';

const run = promisify(execFile);

/** A refused certificate is looked at again each 30 s. */
const TRUSTED_TIMEOUT_MS = 75_000;

const left = await leaveOut('open62541', 'openssl');

describe.skipIf(left)('OPC UA with Basic256Sha256, sign and encrypt', () => {
  let folder: string;
  let server: Peer;
  let daemon: TestDaemon;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'twinbox-opcua-'));
    server = await open62541(...(await serverCredentials(folder)));
    await server.start();
    const security = { security_mode: 'SignAndEncrypt', security_policy: 'Basic256Sha256' };
    daemon = await TestDaemon.start({ sources: [opcuaSource(server.port, security)] });
  });

  afterAll(async () => {
    await daemon?.dispose();
    await server?.kill();
    await rm(folder, { recursive: true, force: true });
  });

  test('an unknown server is refused, and the error says which file to move where; then it is read', async () => {
    const source = await eventually(
      async () => {
        const { body } = await daemon.get('/v1/data-sources');
        return body.data[0].state === 'faulted' ? body.data[0] : undefined;
      },
      { what: 'the source is faulted', timeoutMs: 20_000, explain: () => daemon.log().slice(-4_000) },
    );
    const named = / move it from (\S+) to (\S+)$/.exec(source.reason);
    expect(named, source.reason).not.toBeNull();
    const [, rejected = '', trusted = ''] = named ?? [];
    expect(rejected.startsWith(daemon.dataDir)).toBe(true);
    expect(existsSync(trusted)).toBe(true);
    expect(await latest(daemon, 'cell-1')).toEqual(new Map());

    const files = await readdir(rejected);
    expect(files).toHaveLength(1);
    for (const file of files) await rename(join(rejected, file), join(trusted, file));
    const startMs = performance.now();
    const rows = await eventually(
      async () => {
        const values = await latest(daemon, 'cell-1');
        return values.size === Object.keys(OPCUA_VALUES).length + 1 ? values : undefined;
      },
      { what: 'the trusted server is read', timeoutMs: TRUSTED_TIMEOUT_MS, everyMs: 100, explain: () => daemon.log().slice(-4_000) },
    );
    figure(
      `opcua SignAndEncrypt: data ${Math.round(performance.now() - startMs)} ms after the certificate was moved to trusted (asked each 30 s)`,
    );
    for (const [tag, value] of Object.entries(OPCUA_VALUES)) expect(rows.get(tag), tag).toMatchObject({ value, quality: 'good' });
  });

  test('a restarted daemon still believes it', async () => {
    expect(await daemon.stop()).toBe(0);
    const startedMs = Date.now();
    await daemon.restart();
    await eventually(async () => ((await latest(daemon, 'cell-1')).get('counter')?.timeMs ?? 0) > startedMs || undefined, {
      what: 'new values',
      timeoutMs: 20_000,
      explain: () => daemon.log().slice(-4_000),
    });
  });
});

/** A key and a self-signed certificate as OPC UA Part 6 §6.2.2 wants it: application URI and host in the alternative name. DER files. */
async function serverCredentials(folder: string): Promise<[certificate: string, key: string]> {
  const [certificate, pem, key] = ['server.der', 'server.pem', 'server.key.der'].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  const extensions = [
    'subjectAltName=URI:urn:twinbox:test-server,DNS:localhost,IP:127.0.0.1',
    'keyUsage=critical,digitalSignature,nonRepudiation,keyEncipherment,dataEncipherment,keyCertSign',
    'extendedKeyUsage=serverAuth,clientAuth',
  ].flatMap((extension) => ['-addext', extension]);
  const request = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '30', '-subj', '/O=Test/CN=test-server'];
  await run('openssl', [...request, ...extensions, '-keyout', pem, '-outform', 'DER', '-out', certificate]);
  await run('openssl', ['rsa', '-in', pem, '-outform', 'DER', '-out', key]);
  return [certificate, key];
}
