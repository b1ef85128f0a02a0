/** TLS: certificates are checked, ours and theirs. Needs the openssl command to make certificates. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { startBroker, type TestBroker } from './aedes-broker.ts';
import { type Harness, harness, until } from './harness.ts';

const openssl = spawnSync('openssl', ['version']).status === 0;
if (!openssl) process.stderr.write('skipped: TLS tests need the openssl command to make certificates\n');

describe.skipIf(!openssl)('a TLS broker', () => {
  const dir = mkdtempSync(join(tmpdir(), 'mqtt-tls-'));
  const file = (name: string): string => join(dir, name);
  const run = (...args: string[]): void => {
    execFileSync('openssl', args, { stdio: 'pipe' });
  };
  /** Makes `<name>.key` and `<name>.pem`, signed by the test's authority. */
  const issue = (name: string, subjectAltName: string): void => {
    writeFileSync(file(`${name}.ext`), `subjectAltName=${subjectAltName}`);
    run(
      'req',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-keyout',
      file(`${name}.key`),
      '-subj',
      `/CN=${name}`,
      '-out',
      file(`${name}.csr`),
    );
    run(
      'x509',
      '-req',
      '-in',
      file(`${name}.csr`),
      '-CA',
      file('ca.pem'),
      '-CAkey',
      file('ca.key'),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      file(`${name}.ext`),
      '-out',
      file(`${name}.pem`),
    );
  };
  let broker: TestBroker;
  let made: Harness | undefined;

  beforeAll(async () => {
    run(
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '2',
      '-keyout',
      file('ca.key'),
      '-out',
      file('ca.pem'),
      '-subj',
      '/CN=test authority',
    );
    issue('broker', 'DNS:broker.plant,IP:127.0.0.1');
    issue('box', 'DNS:box');
    const read = (name: string): Buffer => readFileSync(file(name));
    broker = await startBroker({
      tls: { cert: read('broker.pem'), key: read('broker.key'), ca: read('ca.pem'), requestCert: true, rejectUnauthorized: true },
    });
  });

  afterEach(async () => {
    await made?.stop();
    made = undefined;
  });

  afterAll(async () => {
    await broker?.close();
    rmSync(dir, { recursive: true });
  });

  const start = (tls: Record<string, unknown>): Promise<unknown> => {
    made = harness({ broker_url: `mqtts://127.0.0.1:${broker.port}`, tls }, [{ topic: 'x', tag_name: 'x' }]);
    return made.start();
  };

  test('with the authority and our own certificate the link stands', async () => {
    await start({ ca: file('ca.pem'), cert: file('box.pem'), key: file('box.key') });
    await broker.publish('x', '1');
    await until(() => made?.recording.readings.length === 1, 'the reading');
  });

  test('a name that the certificate holds may be expected instead of the host', async () => {
    await start({ ca: file('ca.pem'), cert: file('box.pem'), key: file('box.key'), server_name: 'broker.plant' });
  });

  test('without the authority the broker is not trusted', async () => {
    await expect(start({ cert: file('box.pem'), key: file('box.key') })).rejects.toMatchObject({ code: 'authentication_failed' });
  });

  test('a certificate for another name is not trusted', async () => {
    await expect(
      start({ ca: file('ca.pem'), cert: file('box.pem'), key: file('box.key'), server_name: 'other.plant' }),
    ).rejects.toMatchObject({
      code: 'authentication_failed',
    });
  });

  test('without our own certificate the broker refuses us', async () => {
    await expect(start({ ca: file('ca.pem') })).rejects.toMatchObject({ code: 'authentication_failed' });
  });

  test('a certificate file that is missing, or holds none, is named', async () => {
    await expect(start({ ca: file('nothing.pem') })).rejects.toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining('tls.ca'),
    });
    writeFileSync(file('empty.pem'), 'no certificate');
    await expect(start({ cert: file('empty.pem'), key: file('box.key') })).rejects.toMatchObject({ code: 'config_invalid' });
  });
});
