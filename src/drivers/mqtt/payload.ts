/** From the bytes of one message to values: JSON or plain text, its time, and what makes a value no good one. */
import type { RejectReason } from '../../core/emit.ts';
import { BAD, BAD_DECODING_ERROR, BAD_OUT_OF_RANGE, GOOD, type StatusCode } from '../../core/status.ts';
import { MAX_TEXT_LENGTH } from '../../core/tag.ts';
import { MAX_TIME_MS, MIN_TIME_MS, parseTime, type UnixMs } from '../../core/time.ts';
import type { JsonPath } from './json-path.ts';

/** A message beyond this is refused: memory is bounded, and a plant's telemetry is a thousand times smaller. */
export const MAX_PAYLOAD_BYTES = 1 << 20;
/** Deeper JSON is refused before it is parsed; the HTTP API has the same bound. */
export const MAX_JSON_DEPTH = 32;

/** How one tag is read from a message. */
export interface ReadingRule {
  /** Absent: the payload itself is the value. */
  readonly path: JsonPath | undefined;
  readonly timePath: JsonPath | undefined;
  readonly dataType: 'number' | 'boolean' | 'string' | undefined;
  readonly scale: number | undefined;
  readonly offset: number | undefined;
  /** Of the scaled value. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

export interface ReadValue {
  /** Not scaled: that is done where readings enter. null when the status says why there is none. */
  readonly value: number | boolean | string | null;
  readonly status: StatusCode;
  /** `undefined` when the message gives no time. */
  readonly timeMs: UnixMs | undefined;
  /** What stood in the payload; undefined where that is no single value, or too long to keep. */
  readonly raw: string | number | boolean | null | undefined;
}

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The payload of one message, decoded at most once however many tags read it. */
export class Payload {
  readonly #bytes: Uint8Array;
  #text: string | undefined;
  #document: unknown;
  #state: 'new' | 'text' | 'json' | 'malformed' = 'new';
  #timePath: JsonPath | undefined;
  #time: UnixMs | 'invalid_time' | undefined;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** The value of a tag; `undefined` when the message says nothing of it; a reason when it can't be understood. */
  read(rule: ReadingRule): ReadValue | RejectReason | undefined {
    if (!this.#openText()) return 'malformed';
    if (rule.path === undefined) {
      const raw = plainValue(this.#text ?? '', rule);
      return raw === undefined ? 'malformed' : convert(raw, rule, undefined);
    }
    if (!this.#openJson()) return 'malformed';
    const raw = rule.path(this.#document);
    if (raw === undefined) return undefined;
    const timeMs = rule.timePath && this.#timeAt(rule.timePath);
    return timeMs === 'invalid_time' ? timeMs : convert(raw, rule, timeMs);
  }

  #openText(): boolean {
    if (this.#state === 'new') {
      this.#state = 'malformed';
      if (this.#bytes.length <= MAX_PAYLOAD_BYTES) {
        this.#text = decodeUtf8(this.#bytes);
        if (this.#text !== undefined) this.#state = 'text';
      }
    }
    return this.#text !== undefined;
  }

  #openJson(): boolean {
    if (this.#state === 'text') {
      this.#state = 'malformed';
      const parsed = parseJson(this.#text ?? '');
      if (parsed !== undefined) {
        this.#document = parsed;
        this.#state = 'json';
      }
    }
    return this.#state === 'json';
  }

  /** The tags of a message share one path as a rule, so the last time found is kept. */
  #timeAt(path: JsonPath): UnixMs | 'invalid_time' | undefined {
    if (path !== this.#timePath) {
      this.#timePath = path;
      this.#time = readTime(path(this.#document));
    }
    return this.#time;
  }
}

function decodeUtf8(bytes: Uint8Array): string | undefined {
  try {
    return utf8.decode(bytes);
  } catch {
    return undefined; // not UTF-8: the caller counts it as malformed
  }
}

/** The parsed document (which may be null); `undefined` when it is no JSON or nested too deeply. */
function parseJson(text: string): unknown {
  if (depthOf(text) > MAX_JSON_DEPTH) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // not JSON: the caller counts it as malformed
  }
}

/** How deep objects and arrays nest; right for valid JSON, never too small for any other. */
function depthOf(text: string): number {
  let deepest = 0;
  let depth = 0;
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (quoted) {
      if (code === 0x5c) at++;
      else if (code === 0x22) quoted = false;
    } else if (code === 0x22) quoted = true;
    else if (code === 0x7b || code === 0x5b) deepest = Math.max(deepest, ++depth);
    else if (code === 0x7d || code === 0x5d) depth--;
  }
  return deepest;
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?$/i;
/** What devices and their bridges write where they have no number. */
const NO_NUMBER = /^(?:|nan|null|none|n\/a|unknown|unavailable|[+-]?inf(?:inity)?)$/i;
const TRUE = /^(?:true|on|yes|1)$/i;
const FALSE = /^(?:false|off|no|0)$/i;

/** A payload that is no JSON document but a value; `undefined` when it looks like a document and nobody asked for text. */
function plainValue(text: string, rule: ReadingRule): unknown {
  if (rule.dataType !== undefined) return text;
  const trimmed = text.trim();
  if (DECIMAL.test(trimmed)) return Number(trimmed);
  if (trimmed === 'true' || trimmed === 'false') return trimmed === 'true';
  return trimmed.startsWith('{') || trimmed.startsWith('[') ? undefined : text;
}

function convert(found: unknown, rule: ReadingRule, timeMs: UnixMs | undefined): ReadValue | 'too_long' {
  const raw = keepable(found);
  let value = coerce(found, rule.dataType);
  if (value === undefined) return { value: null, status: BAD_DECODING_ERROR, timeMs, raw };
  if (typeof value === 'string' && value.length > MAX_TEXT_LENGTH) return 'too_long';
  if (typeof value === 'number') {
    const scaled = value * (rule.scale ?? 1) + (rule.offset ?? 0);
    if (!Number.isFinite(scaled)) value = null;
    else if (scaled < (rule.min ?? -Infinity) || scaled > (rule.max ?? Infinity))
      return { value: null, status: BAD_OUT_OF_RANGE, timeMs, raw };
  }
  return { value, status: value === null ? BAD : GOOD, timeMs, raw };
}

function keepable(found: unknown): ReadValue['raw'] {
  if (typeof found === 'string') return found.length <= MAX_TEXT_LENGTH ? found : undefined;
  return typeof found === 'number' || typeof found === 'boolean' || found === null ? found : undefined;
}

/** null: the device says that it has no value. `undefined`: this is no value of the type. */
function coerce(raw: unknown, dataType: ReadingRule['dataType']): number | boolean | string | null | undefined {
  if (raw === null) return null;
  if (typeof raw !== 'number' && typeof raw !== 'boolean' && typeof raw !== 'string') return undefined;
  if (dataType === 'string') return String(raw);
  if (typeof raw !== 'string')
    return dataType === undefined || typeof raw === dataType ? raw : dataType === 'number' ? Number(raw) : asBoolean(String(raw));
  const text = raw.trim();
  if (dataType === 'number') return DECIMAL.test(text) ? Number(text) : NO_NUMBER.test(text) ? null : undefined;
  if (dataType === 'boolean') return NO_NUMBER.test(text) ? null : asBoolean(text);
  return text === '' || /^nan$/i.test(text) ? null : raw;
}

function asBoolean(text: string): boolean | undefined {
  return TRUE.test(text) ? true : FALSE.test(text) ? false : undefined;
}

/**
 * A message's time: RFC 3339 text, or a number (also as text) since 1970, in seconds below 1e11, milliseconds below
 * 1e14, microseconds below 1e17, else nanoseconds; so milliseconds mean what they say from March 1973 on. null and
 * empty text are no time.
 */
export function readTime(raw: unknown): UnixMs | 'invalid_time' | undefined {
  if (raw === undefined || raw === null || raw === '') return undefined;
  if (typeof raw === 'string' && !DECIMAL.test(raw)) return parseTime(raw) ?? 'invalid_time';
  if (typeof raw !== 'string' && typeof raw !== 'number') return 'invalid_time';
  const number = Number(raw);
  const size = Math.abs(number);
  const timeMs = Math.trunc(size < 1e11 ? number * 1e3 : size < 1e14 ? number : size < 1e17 ? number / 1e3 : number / 1e6);
  return timeMs >= MIN_TIME_MS && timeMs <= MAX_TIME_MS ? (timeMs as UnixMs) : 'invalid_time';
}
