/** The API's certificate is right when the daemon starts, or the file's fault is named. */
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it, test } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { isTlsFault, readTlsPair, validityFault } from '../../src/config/tls-pair.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { makeCertificate } from '../support/certificates.ts';
import { configFolder } from './config-folder.ts';

const DAY_MS = 86_400_000;
const YAML = 'api:\n  tls: { cert: a.crt, key: a.key }\nsources: []\n';

function withFiles() {
  const folder = configFolder();
  const root = dirname(folder.path('x'));
  return { folder, root, files: makeCertificate(root, 'a') };
}

describe('a certificate and its key', () => {
  it('are read with their times and fingerprint', () => {
    const { files } = withFiles();
    const pair = readTlsPair(files);
    if (isTlsFault(pair)) throw new Error(pair.message);
    expect(pair.fingerprint).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/);
    expect(pair.toMs - pair.fromMs).toBe(365 * DAY_MS);
    expect(validityFault(pair, pair.fromMs)).toBeUndefined();
    expect(validityFault(pair, pair.toMs)).toMatch(/^the certificate expired at 20/);
    expect(validityFault(pair, (pair.fromMs - 1) as UnixMs)).toMatch(/^the certificate is valid only from 20/);
  });

  it('stand in the configuration relative to its file', () => {
    const { folder, files } = withFiles();
    expect(folder.load(YAML).tls).toEqual(files);
  });

  test.each<[string, (files: { certFile: string; keyFile: string; root: string }) => void, string]>([
    [
      'a key of another certificate',
      ({ keyFile, root }) => writeFileSync(keyFile, readFileSync(makeCertificate(root, 'b').keyFile)),
      'api.tls.key – a.key does not belong to the certificate in a.crt',
    ],
    [
      'a certificate that is none',
      ({ certFile }) => writeFileSync(certFile, 'hello'),
      'api.tls.cert – a.crt holds no certificate in PEM form',
    ],
    [
      'a key that is none',
      ({ keyFile }) => writeFileSync(keyFile, 'hello'),
      'api.tls.key – a.key holds no private key in PEM form that is not encrypted',
    ],
    [
      'a key that all can read',
      ({ keyFile }) => chmodSync(keyFile, 0o644),
      'api.tls.key – a.key cannot be used: everybody on this machine can read it; chmod 600 it, or 640 with a group of its own',
    ],
    [
      'the two exchanged',
      ({ certFile, keyFile }) => {
        const key = readFileSync(keyFile);
        writeFileSync(keyFile, readFileSync(certFile));
        writeFileSync(certFile, key);
      },
      'api.tls.cert – a.crt holds no certificate in PEM form',
    ],
  ])('%s is a fault with its place', (_name, spoil, message) => {
    const { folder, root, files } = withFiles();
    spoil({ ...files, root });
    const [fault] = folder.faults(YAML);
    expect(fault).toContain('config.yaml:2:');
    expect(fault?.replaceAll(`${root}/`, '')).toContain(message);
  });

  it('that are not there are a fault', () => {
    expect(configFolder().faults(YAML)[0]).toMatch(/config\.yaml:2:16 api\.tls\.cert – a\.crt cannot be used: there is no such file/);
  });

  it('out of their time are a fault of a check, and no reason not to start', () => {
    const { folder } = withFiles();
    const file = folder.write('config.yaml', YAML);
    const later = (Date.now() + 366 * DAY_MS) as UnixMs;
    const checked = loadConfig(file, {}, later);
    expect(checked).toMatchObject({ ok: false, faults: [{ path: 'api.tls.cert', message: expect.stringContaining('expired') }] });
    expect(loadConfig(file, {}).ok).toBe(true);
    expect(loadConfig(file, {}, Date.now() as UnixMs).ok).toBe(true);
  });

  it('must come together', () => {
    expect(configFolder().faults('api: { tls: { cert: a } }\nsources: []\n')[0]).toContain('api.tls.key');
  });
});

test.each(['0.0.0.0:3000', '[::]:3000', 'gateway.plant:3000'])('%s may be listened on without plaintext', (listen) => {
  const config = configFolder().load(`api: { listen: "${listen}" }\nsources: []\n`);
  expect(config).toMatchObject({ listen: { port: 3000 }, allowPlaintext: false });
  expect(config.tls).toBeUndefined();
});
