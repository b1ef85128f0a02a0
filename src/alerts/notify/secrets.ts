/** Keeps a channel's secrets out of what its receiver says: a server may well echo what it was sent. */
import type { ChannelConfig } from './schema.ts';

const HIDDEN = '********';
const MIN_LENGTH = 4; // a shorter one would blot out half of every message
const MIN_SEGMENT = 8; // shorter parts of a path are words such as "hook" and "v1"
const MAX_ERROR = 400;

/** What no message may show. */
export function secretsOf(config: ChannelConfig): readonly string[] {
  switch (config.type) {
    case 'email':
      return spellings(config.smtp.password);
    case 'slack':
      return [...spellings(config.url), ...partsOf(config.url)];
    case 'webhook':
      return [...spellings(config.secret), ...partsOf(config.url)];
    case 'mqtt':
      return [...spellings(config.password), ...partsOf(config.broker_url)];
  }
}

/** Whatever of a URL may be a token: path and query, whole and in parts, as they stand and as they are read; the longest first. */
function partsOf(address: string): readonly string[] {
  const { pathname, search, searchParams } = new URL(address);
  const segments = pathname.split('/').filter((segment) => segment.length >= MIN_SEGMENT);
  const values = search
    .slice(1)
    .split('&')
    .map((pair) => pair.slice(pair.indexOf('=') + 1));
  const parts = [...segments, ...segments.map(decoded), ...values, ...searchParams.values(), search.slice(1)];
  const path = segments.length > 0 ? [pathname] : [];
  return [...path, ...parts].flatMap(spellings).toSorted((left, right) => right.length - left.length);
}

function decoded(segment: string): string {
  try {
    return decodeURIComponent(segment);
  } catch {
    return segment; // a lone "%" stands for itself
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
