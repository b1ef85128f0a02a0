/** Keeps a channel's secrets out of what its receiver says: a server may well echo what it was sent. */
import type { ChannelConfig } from './schema.ts';

const HIDDEN = '********';
const MIN_LENGTH = 4; // a shorter one would blot out half of every message
const MAX_ERROR = 400;

/** What no message may show. */
export function secretsOf(config: ChannelConfig): readonly string[] {
  switch (config.type) {
    case 'email':
      return spellings(config.smtp.password);
    case 'slack':
      return [...spellings(config.url), ...spellings(new URL(config.url).pathname)];
    case 'webhook':
      return [...spellings(config.secret), ...spellings(new URL(config.url).search.slice(1))];
    case 'mqtt':
      return [...spellings(config.password), ...spellings(new URL(config.broker_url).search.slice(1))];
  }
}

/** The message without secrets and control characters, cut to what a list can show. */
export function shownError(message: string, secrets: readonly string[]): string {
  const hidden = secrets.reduce((text, secret) => text.replaceAll(secret, HIDDEN), message);
  return hidden.replaceAll(/[\p{Cc}\s]+/gu, ' ').slice(0, MAX_ERROR);
}

/** A login sends it in Base64. */
function spellings(secret: string | undefined): readonly string[] {
  if (secret === undefined || secret.length < MIN_LENGTH) return [];
  return [secret, Buffer.from(secret).toString('base64')];
}
