/** A certificate and its key as the API serves them: read from two PEM files, and known to belong together. */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { toIso, type UnixMs } from '../core/time.ts';
import { ownMessage, readTextFile } from './text-file.ts';

export interface TlsFiles {
  /** Absolute; PEM, the server's certificate first, then those that lead to its issuer. */
  readonly certFile: string;
  /** Absolute; PEM, not encrypted. */
  readonly keyFile: string;
}

export interface TlsPair {
  readonly cert: string;
  readonly key: string;
  /** SHA-256 of the certificate, hexadecimal with colons, as browsers and openssl show it. */
  readonly fingerprint: string;
  readonly fromMs: UnixMs;
  readonly toMs: UnixMs;
}

/** What is wrong, and with which of the two. */
export interface TlsFault {
  readonly part: 'cert' | 'key';
  readonly message: string;
}

const MAX_BYTES = 64 * 1024;
const READABLE_BY_ALL = 0o004;

/** Never throws. Says nothing of time: see `validityFault`. */
export function readTlsPair({ certFile, keyFile }: TlsFiles): TlsPair | TlsFault {
  const cert = attempt('cert', certFile, () => readTextFile(certFile, MAX_BYTES).text);
  if (typeof cert !== 'string') return cert;
  const key = attempt('key', keyFile, () => readKeyFile(keyFile));
  if (typeof key !== 'string') return key;
  const certificate = parseCertificate(cert);
  if (!certificate) return { part: 'cert', message: `${certFile} holds no certificate in PEM form` };
  const privateKey = parseKey(key);
  if (!privateKey) return { part: 'key', message: `${keyFile} holds no private key in PEM form that is not encrypted` };
  if (!certificate.checkPrivateKey(privateKey))
    return { part: 'key', message: `${keyFile} does not belong to the certificate in ${certFile}` };
  const unusable = attempt('cert', certFile, () => createSecureContext({ cert, key }) && undefined);
  if (unusable) return unusable;
  return {
    cert,
    key,
    fingerprint: certificate.fingerprint256,
    fromMs: Date.parse(certificate.validFrom) as UnixMs,
    toMs: Date.parse(certificate.validTo) as UnixMs,
  };
}

export function isTlsFault(outcome: TlsPair | TlsFault): outcome is TlsFault {
  return 'part' in outcome;
}

/** What clients will say of the certificate at `nowMs`; undefined when nothing. */
export function validityFault(pair: TlsPair, nowMs: UnixMs): string | undefined {
  if (pair.toMs <= nowMs) return `the certificate expired at ${toIso(pair.toMs)}`;
  if (pair.fromMs > nowMs) return `the certificate is valid only from ${toIso(pair.fromMs)} on`;
  return undefined;
}

function attempt<Value>(part: TlsFault['part'], file: string, act: () => Value): Value | TlsFault {
  try {
    return act();
  } catch (error) {
    return { part, message: `${file} cannot be used: ${ownMessage(error)}` };
  }
}

function readKeyFile(file: string): string {
  const { text, mode } = readTextFile(file, MAX_BYTES);
  if (mode & READABLE_BY_ALL) throw new Error('everybody on this machine can read it; chmod 600 it, or 640 with a group of its own');
  return text;
}

function parseCertificate(pem: string): X509Certificate | undefined {
  try {
    return new X509Certificate(pem);
  } catch (error) {
    return notPem(error);
  }
}

function parseKey(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch (error) {
    return notPem(error);
  }
}

/** OpenSSL names the place in its parser, which helps nobody. */
function notPem(error: unknown): undefined {
  if (!(error instanceof Error)) throw error;
  return undefined;
}
