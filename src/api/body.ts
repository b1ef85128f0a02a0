/** Request bodies: size, type, encoding and depth first, then the shape. */
import { setImmediate } from 'node:timers/promises';
import type { Context } from 'hono';
import { requireExact } from './exact-json.ts';
import { ApiError } from './problem.ts';

export const JSON_BODY_LIMIT_BYTES = 1024 * 1024;
export const TELEMETRY_BODY_LIMIT_BYTES = 4 * 1024 * 1024;
const MAX_DEPTH = 32;
const LARGE_BYTES = 64 * 1024; // some 0.3 ms to look through, and twice as long to parse

const JSON_TYPE = /^application\/(?:merge-patch\+)?json\s*(?:;|$)/i;

/** The parsed body. Throws `unsupported_media_type`, `payload_too_large`, `malformed_json`, or `validation_error` for what parsing would change. */
export async function readJson(request: Context['req'], limitBytes: number): Promise<unknown> {
  if (!JSON_TYPE.test(request.header('content-type') ?? '')) {
    throw new ApiError('unsupported_media_type', 'The Content-Type must be application/json.');
  }
  const encoding = request.header('content-encoding');
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new ApiError('unsupported_media_type', 'A compressed body is not supported.');
  }
  const bytes = await readBytes(request, limitBytes);
  if (isDeeperThan(bytes, MAX_DEPTH)) throw new ApiError('malformed_json', `The body is nested deeper than ${MAX_DEPTH} levels.`);
  const isLarge = bytes.length > LARGE_BYTES;
  // Whoever came meanwhile waits for one of the three steps, not for all of them.
  if (isLarge) await setImmediate();
  const { text, value } = parseJson(bytes);
  if (isLarge) await setImmediate();
  requireExact(text);
  return value;
}

/** The parsed body, or undefined where there is none. An empty one is none, whatever its Content-Type says. Throws as `readJson`. */
export async function readOptionalJson(request: Context['req'], limitBytes: number): Promise<unknown> {
  const bytes = await readBytes(request, limitBytes);
  return bytes.length === 0 ? undefined : readJson(request, limitBytes);
}

const read = new WeakMap<Context['req'], Promise<Uint8Array>>();

/** The body as it came, however often it is asked for. Throws `payload_too_large` or `bad_request`. */
export function readBytes(request: Context['req'], limitBytes: number): Promise<Uint8Array> {
  const known = read.get(request);
  if (known) return known;
  const bytes = receive(request, limitBytes);
  read.set(request, bytes);
  return bytes;
}

/** With a Content-Length the HTTP parser has bounded the body already; without one it is counted while it comes. */
async function receive(request: Context['req'], limitBytes: number): Promise<Uint8Array> {
  const tooLarge = () => new ApiError('payload_too_large', `The body is larger than ${limitBytes} bytes.`);
  const declared = request.header('content-length');
  if (declared !== undefined) {
    if (Number(declared) > limitBytes) throw tooLarge();
    const bytes = new Uint8Array(await request.raw.arrayBuffer().catch(endedEarly));
    if (bytes.length > limitBytes) throw tooLarge();
    return bytes;
  }
  const chunks: Uint8Array[] = [];
  let size = 0;
  const reader = request.raw.body?.getReader();
  for (;;) {
    const chunk = await reader?.read().catch(endedEarly);
    if (!chunk?.value) return Buffer.concat(chunks, size);
    size += chunk.value.length;
    if (size > limitBytes) {
      await reader?.cancel();
      throw tooLarge();
    }
    chunks.push(chunk.value);
  }
}

function endedEarly(): never {
  throw new ApiError('bad_request', 'The body ended before it was complete.');
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

function parseJson(bytes: Uint8Array): { readonly text: string; readonly value: unknown } {
  try {
    const text = utf8.decode(bytes);
    return { text, value: JSON.parse(text) };
  } catch (error) {
    // The parser's own words quote the body and help; the decoder's name an internal buffer.
    throw new ApiError(
      'malformed_json',
      error instanceof SyntaxError ? `The body is not JSON: ${error.message}` : 'The body is not UTF-8.',
    );
  }
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Looked at before parsing: V8 takes seconds for a million levels. No byte of a longer UTF-8 sequence looks like any of these. */
function isDeeperThan(bytes: Uint8Array, levels: number): boolean {
  let depth = 0;
  let inText = false;
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index];
    if (inText) {
      if (byte === BACKSLASH) index++;
      else if (byte === QUOTE) inText = false;
    } else if (byte === QUOTE) inText = true;
    else if (byte === OPEN_BRACKET || byte === OPEN_BRACE) {
      if (++depth > levels) return true;
    } else if (byte === CLOSE_BRACKET || byte === CLOSE_BRACE) depth--;
  }
  return false;
}
