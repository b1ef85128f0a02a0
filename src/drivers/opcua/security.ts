/** Who we are to a server and which servers we believe: one certificate store on disk, shared by all OPC UA sources. */
import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { OPCUACertificateManager } from 'node-opcua-certificate-manager';
import { crypto_utils, type EndpointDescription, StatusCodes } from 'node-opcua-client';
import { GatewayError } from '../../core/errors.ts';
import type { DriverContext } from '../driver.ts';

const APPLICATION_NAME = 'twinbox';
const DAY_MS = 86_400_000;
const VALIDITY_DAYS = 5 * 365;
/** Backdated, for servers whose clock is behind ours. */
const BACKDATED_MS = DAY_MS;
/** From here on each connect warns: servers must be told of the new certificate before the old one ends. */
const EXPIRY_WARNING_MS = 30 * DAY_MS;
const KEY_BITS = 2048;

export interface Identity {
  readonly applicationName: string;
  readonly applicationUri: string;
  readonly certificateFile: string;
  readonly privateKeyFile: string;
  readonly store: OPCUACertificateManager;
}

/** One store for each folder in this process: two of them would race to make the first key. */
const stores = new Map<string, Promise<OPCUACertificateManager>>();

/**
 * Opens the store under `stateDir` (`own`, `trusted/certs`, `rejected`, `issuers`), made with a key pair and a
 * certificate on first use. The certificate names our ApplicationUri and holds for five years; an expired one is
 * replaced. (OPC UA Part 6 §6.2.2)
 */
export async function openIdentity(context: DriverContext): Promise<Identity> {
  const { stateDir, clock, log } = context;
  let opening = stores.get(stateDir);
  if (!opening) {
    opening = openStore(stateDir);
    stores.set(stateDir, opening);
    opening.catch(() => stores.delete(stateDir)); // the next try starts afresh
  }
  const store = await opening;
  const identity: Identity = {
    applicationName: APPLICATION_NAME,
    applicationUri: `urn:${hostname()}:${APPLICATION_NAME}`,
    certificateFile: join(store.rootDir, 'own', 'certs', 'twinbox.pem'),
    privateKeyFile: store.privateKey,
    store,
  };
  const leftMs = await remainingMs(identity.certificateFile, clock.now());
  if (leftMs === undefined || leftMs <= 0) {
    await renew(identity, clock.now());
    log.info({ certificate: identity.certificateFile }, 'made a certificate for OPC UA; servers must be told to trust it');
  } else if (leftMs < EXPIRY_WARNING_MS) {
    const days = Math.floor(leftMs / DAY_MS);
    log.warn({ certificate: identity.certificateFile, days }, 'our OPC UA certificate expires soon; delete it to get a new one');
  }
  return identity;
}

/**
 * Checks the certificate that a server shows against the store. A certificate in `trusted/certs` is believed as it is;
 * one from a trusted issuer must also name the server's URI and the host we call. (OPC UA Part 4 §6.1.3)
 * Rejects `authentication_failed`, saying where the certificate lies and what to do; unknown ones go to `rejected`.
 */
export async function checkServer(identity: Identity, endpoint: EndpointDescription, host: string): Promise<void> {
  const { store } = identity;
  const shown = endpoint.serverCertificate as Buffer | null;
  const chain = shown?.length ? crypto_utils.split_der(shown) : [];
  const [leaf] = chain;
  if (!leaf) throw new GatewayError('authentication_failed', 'the server shows no certificate');
  await store.reloadCertificates(); // a person may just have moved a file
  const status = await store.checkCertificate(chain);
  const certificate = new X509Certificate(leaf);
  const name = `the certificate of the server (${certificate.subject.replaceAll('\n', ', ')}, SHA-1 ${certificate.fingerprint.replaceAll(':', '')})`;
  if (status.equals(StatusCodes.BadCertificateUntrusted)) {
    throw new GatewayError(
      'authentication_failed',
      `${name} is not trusted; if it is the right one, move it from ${store.rejectedFolder} to ${store.trustedFolder}`,
    );
  }
  if (!status.isGood())
    throw new GatewayError('authentication_failed', `${name} is refused: ${status.name}, valid to ${certificate.validTo}`);
  if ((await store.getTrustStatus(leaf)).isGood()) return;
  const uri = endpoint.server.applicationUri;
  if (!uri || !(certificate.subjectAltName ?? '').includes(`URI:${uri}`)) {
    throw new GatewayError('authentication_failed', `${name} does not name the server's ApplicationUri ${uri}`);
  }
  if (!certificate.checkHost(host) && !certificate.checkIP(host)) {
    throw new GatewayError('authentication_failed', `${name} does not name the host ${host}`);
  }
}

async function openStore(rootFolder: string): Promise<OPCUACertificateManager> {
  const store = new OPCUACertificateManager({
    rootFolder,
    keySize: KEY_BITS,
    automaticallyAcceptUnknownCertificate: false,
    disableFileWatchers: true, // the folders are read again at each check
  });
  store.referenceCounter++; // ours, so that a client that goes does not dispose of it
  await store.initialize();
  return store;
}

async function renew(identity: Identity, nowMs: number): Promise<void> {
  await rm(identity.certificateFile, { force: true });
  await identity.store.createSelfSignedCertificate({
    applicationUri: identity.applicationUri,
    dns: [hostname()],
    subject: `/CN=${APPLICATION_NAME}@${hostname()}/O=${APPLICATION_NAME}`,
    startDate: new Date(nowMs - BACKDATED_MS),
    validity: VALIDITY_DAYS,
    outputFile: identity.certificateFile,
  });
}

async function remainingMs(certificateFile: string, nowMs: number): Promise<number | undefined> {
  if (!existsSync(certificateFile)) return undefined;
  const certificate = new X509Certificate(await readFile(certificateFile));
  return Date.parse(certificate.validTo) - nowMs;
}
