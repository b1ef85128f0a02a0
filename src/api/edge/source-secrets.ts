/** Secrets in a source's config: never shown, and kept when they come back as they were shown or not at all. */
import { SECRET_KEY } from '../../core/secret-key.ts';

/** What is shown in place of a secret. */
export const MASK = '********';

type Fields = Readonly<Record<string, unknown>>;

/** A copy with every secret masked. */
export function masked(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(masked);
  if (!isFields(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [key, SECRET_KEY.test(key) && inner !== undefined ? MASK : masked(inner)]);
  return Object.fromEntries(entries);
}

/**
 * What a client sent, with the secrets of `present` where it sent their mask, or nothing. A secret belongs to what stands
 * beside it: it is not kept where the `type` is another or the `username` has gone. Neither is changed.
 */
export function withKeptSecrets(sent: unknown, present: unknown): unknown {
  if (!isFields(sent) || !isFields(present)) return sent;
  const kept = new Map<string, unknown>(Object.entries(sent));
  const isSame = sent['type'] === present['type'] && (sent['username'] !== undefined || present['username'] === undefined);
  for (const [key, value] of Object.entries(present)) {
    const its = kept.get(key);
    if (!SECRET_KEY.test(key)) {
      if (its !== undefined) kept.set(key, withKeptSecrets(its, value));
    } else if (isSame && (its === undefined || its === MASK)) kept.set(key, value);
  }
  return Object.fromEntries(kept);
}

/** Dot paths of the secrets of `whole`, made by `withKeptSecrets`, that the client did not send. */
export function keptIn(whole: unknown, sent: unknown, path: string): readonly string[] {
  if (!isFields(whole)) return [];
  const its = isFields(sent) ? sent : {};
  return Object.entries(whole).flatMap(([key, value]) => {
    const at = `${path}.${key}`;
    if (!SECRET_KEY.test(key)) return keptIn(value, its[key], at);
    return value !== undefined && (its[key] === undefined || its[key] === MASK) ? [at] : [];
  });
}

/** Dot paths of secrets that are still a mask: there was none to keep. */
export function masksIn(value: unknown, path: string): readonly string[] {
  if (!isFields(value)) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const at = `${path}.${key}`;
    return SECRET_KEY.test(key) && inner === MASK ? [at] : masksIn(inner, at);
  });
}

function isFields(value: unknown): value is Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
