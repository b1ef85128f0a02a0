/** The certificate store: what we make for ourselves and whom we believe. */
import { X509Certificate } from 'node:crypto';
import { copyFile, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { EndpointDescription, OPCUACertificateManager } from 'node-opcua';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/clock.ts';
import { silentLog } from '../../../src/core/log.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { checkServer, openIdentity } from '../../../src/drivers/opcua/security.ts';

const DAY_MS = 86_400_000;
let folder: string;

const context = (stateDir: string, nowMs: () => number = systemClock.now) => ({
  log: silentLog,
  clock: { ...systemClock, now: () => nowMs() as UnixMs },
  stateDir,
  report: () => undefined,
});

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-pki-'));
});

afterAll(() => rm(folder, { recursive: true, force: true }));

describe('our own identity', () => {
  it('is made once, for five years, with our ApplicationUri, and its key is for us alone', async () => {
    const [first, second] = await Promise.all([openIdentity(context(join(folder, 'own'))), openIdentity(context(join(folder, 'own')))]);
    expect(second?.store).toBe(first?.store);
    if (!first) throw new Error('no identity');
    const certificate = new X509Certificate(await readFile(first.certificateFile));
    expect(certificate.subjectAltName).toContain(`URI:${first.applicationUri}`);
    expect((Date.parse(certificate.validTo) - systemClock.now()) / DAY_MS).toBeGreaterThan(5 * 365 - 3);
    expect((await stat(first.privateKeyFile)).mode & 0o077).toBe(0);
    const again = await openIdentity(context(join(folder, 'own')));
    expect(new X509Certificate(await readFile(again.certificateFile)).fingerprint256).toBe(certificate.fingerprint256);
  });

  it('gets a new certificate for the same key when the old one has expired', async () => {
    const stateDir = join(folder, 'old');
    const before = await openIdentity(context(stateDir, () => systemClock.now() - 6 * 365 * DAY_MS));
    const old = new X509Certificate(await readFile(before.certificateFile));
    const after = await openIdentity(context(stateDir));
    const renewed = new X509Certificate(await readFile(after.certificateFile));
    expect(Date.parse(old.validTo)).toBeLessThan(systemClock.now());
    expect(Date.parse(renewed.validTo)).toBeGreaterThan(systemClock.now());
    expect(renewed.publicKey.equals(old.publicKey)).toBe(true);
  });
});

describe('a server', () => {
  let maker: OPCUACertificateManager;

  beforeAll(async () => {
    maker = new OPCUACertificateManager({ rootFolder: join(folder, 'maker'), disableFileWatchers: true });
    await maker.initialize();
  });

  afterAll(() => maker.dispose());

  /** A server that shows a self-signed certificate, valid for `days` from `startMs`. */
  async function serverWith(name: string, startMs: number, days: number) {
    const file = join(folder, `${name}.pem`);
    await maker.createSelfSignedCertificate({
      applicationUri: `urn:${name}`,
      dns: [name],
      subject: `/CN=${name}`,
      startDate: new Date(startMs),
      validity: days,
      outputFile: file,
    });
    const { raw } = new X509Certificate(await readFile(file));
    return { file, endpoint: new EndpointDescription({ serverCertificate: raw, server: { applicationUri: `urn:${name}` } }) };
  }

  it('is refused while it is unknown and believed once its certificate lies among the trusted', async () => {
    const identity = await openIdentity(context(join(folder, 'own')));
    const { file, endpoint } = await serverWith('plc', systemClock.now() - DAY_MS, 30);
    await expect(checkServer(identity, endpoint, 'plc')).rejects.toMatchObject({
      code: 'authentication_failed',
      message: expect.stringContaining(identity.store.rejectedFolder),
    });
    await copyFile(file, join(identity.store.trustedFolder, basename(file)));
    await rm(identity.store.rejectedFolder, { recursive: true });
    await expect(checkServer(identity, endpoint, 'any-name')).resolves.toBeUndefined();
  });

  it('is refused with a certificate that has expired, trusted or not', async () => {
    const identity = await openIdentity(context(join(folder, 'own')));
    const { file, endpoint } = await serverWith('past', systemClock.now() - 30 * DAY_MS, 10);
    await copyFile(file, join(identity.store.trustedFolder, basename(file)));
    await expect(checkServer(identity, endpoint, 'past')).rejects.toMatchObject({
      code: 'authentication_failed',
      message: expect.stringContaining('Time'),
    });
  });

  it('that shows nothing is refused', async () => {
    const identity = await openIdentity(context(join(folder, 'own')));
    await expect(checkServer(identity, new EndpointDescription({}), 'plc')).rejects.toMatchObject({ code: 'authentication_failed' });
  });
});
