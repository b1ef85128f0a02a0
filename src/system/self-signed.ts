/** Makes a certificate for this box and its key, where the operator has given none. Import it lazily: its library is the OPC UA driver's. */
import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import { dirname } from 'node:path';
import { crypto_utils, LogLevel, setLogLevel } from 'node-opcua-client';
import type { UnixMs } from '../core/time.ts';

setLogLevel(LogLevel.Error); // at once, for the library warns on stdout while it loads, where only our log lines belong

const DAY_MS = 86_400_000;
const VALIDITY_MS = 5 * 365 * DAY_MS; // whoever pinned the fingerprint must look again after that
/** Backdated, for clients whose clock is behind ours. */
const BACKDATED_MS = DAY_MS;
const KEY_BITS = 2048;

export interface SelfSignedFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/**
 * Writes both files in PEM form, the key with mode 0600; a crash between them leaves a pair that does not fit and is made
 * anew. The certificate names the host, its addresses and `localhost`. Takes a second or two.
 */
export async function makeSelfSigned({ certFile, keyFile }: SelfSignedFiles, nowMs: UnixMs): Promise<void> {
  const { privateKey } = await crypto_utils.generateKeyPair(KEY_BITS);
  const { cert } = await crypto_utils.createSelfSignedCertificate({
    privateKey,
    applicationUri: `urn:${hostname()}:twinbox`,
    dns: [...new Set([hostname(), 'localhost'])],
    ip: addresses(),
    subject: `/CN=${hostname()}/O=twinbox`,
    notBefore: new Date(nowMs - BACKDATED_MS),
    notAfter: new Date(nowMs + VALIDITY_MS),
    purpose: crypto_utils.CertificatePurpose.ForApplication,
  });
  const { privPem } = await crypto_utils.privateKeyToPEM(privateKey);
  await mkdir(dirname(keyFile), { recursive: true, mode: 0o700 });
  await replace(keyFile, privPem, 0o600);
  await replace(certFile, cert, 0o644);
}

/** Whole or not at all. */
async function replace(file: string, text: string, mode: number): Promise<void> {
  const fresh = `${file}.new`;
  await rm(fresh, { force: true });
  await writeFile(fresh, text, { mode, flush: true });
  await rename(fresh, file);
}

/** Of this machine now; whoever calls it by another must look at the fingerprint. */
function addresses(): string[] {
  const found = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  return [...new Set(found.filter(({ scopeid }) => !scopeid).map(({ address }) => address))];
}
