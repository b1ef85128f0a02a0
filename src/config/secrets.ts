/** Secrets that a configuration names instead of holding: `${env:X}`, `${file:/path}`, `${cred:name}`. */
import { resolve } from 'node:path';
import { GatewayError } from '../core/errors.ts';
import { ownMessage, readTextFile } from './text-file.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface SecretSources {
  readonly env: Environment;
  /** The folder that a relative `${file:…}` starts from: that of the configuration file. */
  readonly baseDir: string;
}

export interface Interpolated {
  readonly text: string;
  /** The secrets that are now part of the text. */
  readonly secrets: readonly string[];
}

/** How to name a secret, for messages. */
export const REFERENCE_FORMS = `\${env:NAME}, \${file:/path} or \${cred:NAME}`;

const MAX_SECRET_BYTES = 64 * 1024; // a certificate chain with its key is about 10 KiB
const REFERENCE = /\$\$\{|\$\{([^}]*)\}/g;
const CREDENTIAL_NAME = /^[A-Za-z0-9._-]{1,255}$/;

/** True when the text names a secret. */
export function hasReference(text: string): boolean {
  return /\$\{[^}]*\}/.test(text.replaceAll('$${', ''));
}

/** Puts the secrets in; `$${` stands for a plain `${`. Throws `config_invalid`, naming the reference and never a secret. */
export function interpolate(text: string, sources: SecretSources): Interpolated {
  const secrets: string[] = [];
  const filled = text.replace(REFERENCE, (whole: string, reference: string | undefined) => {
    if (reference === undefined) return '${';
    const secret = lookUp(whole, reference, sources);
    secrets.push(secret);
    return secret;
  });
  return { text: filled, secrets };
}

function lookUp(whole: string, reference: string, sources: SecretSources): string {
  const [, kind, name = ''] = /^(env|file|cred):(.+)$/.exec(reference) ?? [];
  switch (kind) {
    case 'env': {
      const value = sources.env[name];
      if (!value) throw missing(whole, `the environment variable ${name} is ${value === undefined ? 'not set' : 'empty'}`);
      return value;
    }
    case 'file':
      return secretFile(whole, resolve(sources.baseDir, name));
    case 'cred': {
      const folder = sources.env['CREDENTIALS_DIRECTORY'];
      if (!folder) throw missing(whole, 'there are no systemd credentials here ($CREDENTIALS_DIRECTORY is not set)');
      if (!CREDENTIAL_NAME.test(name) || /^\.+$/.test(name)) throw missing(whole, 'a credential has a plain file name');
      return secretFile(whole, resolve(folder, name));
    }
    default:
      throw missing(whole, `write ${REFERENCE_FORMS}; for a plain "\${" write "$\${"`);
  }
}

function secretFile(whole: string, file: string): string {
  let text: string;
  try {
    text = readTextFile(file, MAX_SECRET_BYTES).text;
  } catch (cause) {
    throw missing(whole, `the file ${file} cannot be read: ${ownMessage(cause)}`, cause);
  }
  const secret = text.replace(/\r?\n$/, '');
  if (!secret) throw missing(whole, `the file ${file} is empty`);
  return secret;
}

function missing(whole: string, reason: string, cause?: unknown): GatewayError {
  return new GatewayError('config_invalid', `the secret ${whole} is missing: ${reason}`, { cause });
}
