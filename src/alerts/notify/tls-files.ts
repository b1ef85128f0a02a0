/** Reads the files of a channel's `tls`, at each sending, so that exchanged ones count at once. */
import { readFile } from 'node:fs/promises';
import { GatewayError, messageOf } from '../../core/errors.ts';
import type { TlsConfig } from './schema.ts';

/** In the words of Node's `tls.connect`. */
export interface TlsOptions {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
  readonly servername?: string;
  readonly minVersion: 'TLSv1.2';
}

/** Rejects `config_invalid` when a file cannot be read. */
export async function tlsOptions({ ca, cert, key, server_name: servername }: TlsConfig = {}): Promise<TlsOptions> {
  return {
    minVersion: 'TLSv1.2',
    ...(ca !== undefined && { ca: await pem(ca) }),
    ...(cert !== undefined && { cert: await pem(cert) }),
    ...(key !== undefined && { key: await pem(key) }),
    ...(servername !== undefined && { servername }),
  };
}

async function pem(file: string): Promise<Buffer> {
  try {
    return await readFile(file);
  } catch (cause) {
    throw new GatewayError('config_invalid', `${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

/** Node's and OpenSSL's codes for a certificate that one of the two sides does not accept. */
const CERTIFICATE = /CERT|UNABLE_TO_|SELF_SIGNED|HOSTNAME_MISMATCH|ALERT_(?:UNKNOWN_CA|ACCESS_DENIED|HANDSHAKE_FAILURE)|ERR_TLS/;

/** Why no connection came about. `place` is shown. */
export function connectionError(place: string, cause: unknown): GatewayError {
  const code: unknown = cause instanceof Error && 'code' in cause ? cause.code : undefined;
  const certificate = typeof code === 'string' && CERTIFICATE.test(code);
  const reason = certificate ? `the certificate was not accepted: ${messageOf(cause)}` : messageOf(cause);
  return new GatewayError(certificate ? 'authentication_failed' : 'not_connected', `${place}: ${reason}`, { cause });
}
