/** Takes secrets out of log fields, and makes JSON of what JSON cannot say. */
import { isGatewayError, messageOf } from '../core/errors.ts';
import type { LogFields } from '../core/log.ts';

const HIDDEN = '********';
const SECRET_KEY = /(password|passwd|passphrase|secret|token|authorization|cookie|apikey|privatekey|credentials?)$/;
const CREDENTIALS_IN_URL = /([a-z][a-z0-9+.-]{0,15}:\/\/)[^/@\s]+@/gi; // a scheme without bound would take quadratic time
const BEARER = /\b(Bearer|Basic)\s+[A-Za-z0-9._~+/=-]{8,}/gi;
const MAX_DEPTH = 6; // log fields are flat; deeper is an object that came along by mistake
const MAX_ENTRIES = 100;

/** A copy in which values of secret keys, and credentials inside texts, read `********`. */
export function redactFields(fields: LogFields): LogFields {
  return objectOf(Object.entries(fields), 0);
}

/** The text without credentials in URLs and authorization headers. */
export function redactText(text: string): string {
  return text.replace(CREDENTIALS_IN_URL, `$1${HIDDEN}@`).replace(BEARER, `$1 ${HIDDEN}`);
}

function objectOf(entries: readonly (readonly [string, unknown])[], depth: number): Record<string, unknown> {
  return Object.fromEntries(
    entries.slice(0, MAX_ENTRIES).map(([key, value]) => [key, isSecretKey(key) ? HIDDEN : plain(value, depth + 1)]),
  );
}

/** `password`, `api_token`, `adminToken`, `X-Api-Key`. */
function isSecretKey(key: string): boolean {
  return SECRET_KEY.test(key.toLowerCase().replaceAll(/[_-]/g, ''));
}

function plain(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactText(value);
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return errorOf(value);
  if (depth > MAX_DEPTH) return '[too deep]';
  if (ArrayBuffer.isView(value)) return `[${value.byteLength} bytes]`;
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'invalid date' : value.toISOString();
  if (Array.isArray(value)) return value.slice(0, MAX_ENTRIES).map((item: unknown) => plain(item, depth + 1));
  if (value instanceof Map || value instanceof Set) return `[${value.size} entries]`;
  return objectOf(Object.entries(value), depth);
}

/** Operating errors are told by code and message; anything else is a mistake of ours, for which the stack is wanted. */
function errorOf(error: Error): Readonly<Record<string, unknown>> {
  const message = redactText(messageOf(error));
  if (isGatewayError(error)) return { code: error.code, message };
  return { type: error.name, message, ...(error.stack !== undefined && { stack: redactText(error.stack) }) };
}
