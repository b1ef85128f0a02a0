/** Certificates for tests, made by openssl: small keys of elliptic curves, so that they come at once. */
import { execFileSync } from 'node:child_process';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

/** Writes `<name>.crt` and `<name>.key` (0600) for 127.0.0.1 and localhost, valid from now on for a year. */
export function makeCertificate(folder: string, name: string): CertificateFiles {
  const files = { certFile: join(folder, `${name}.crt`), keyFile: join(folder, `${name}.key`) };
  execFileSync(
    'openssl',
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '365', '-subj', `/CN=${name}`],
      ...['-addext', 'subjectAltName=IP:127.0.0.1,DNS:localhost', '-keyout', files.keyFile, '-out', files.certFile],
    ],
    { stdio: 'ignore' },
  );
  chmodSync(files.keyFile, 0o600);
  return files;
}
