/** Writes by publishing a command, once, and waiting until the tag's own topic shows the value. */
import type { Clock } from '../../core/clock.ts';
import { GatewayError } from '../../core/errors.ts';
import { isBad } from '../../core/status.ts';
import type { Scalar } from '../../core/tag.ts';
import { checkedNumber, checkWritable, FLOAT64, rawBoolean, rawFloat, rawText, type WriteRule } from '../command.ts';
import type { Readback, Reading, TagRef } from '../driver.ts';
import type { Inflow } from './inflow.ts';
import type { Link } from './link.ts';
import { DEFAULT_WRITE_TIMEOUT_MS, type MqttTag } from './options.ts';
import type { ReadValue } from './payload.ts';
import type { Routes } from './routes.ts';
import { fillTopic } from './topic.ts';

export interface WriterOptions {
  readonly link: Link;
  readonly inflow: Inflow;
  readonly routes: Routes;
  readonly sourceId: string;
  readonly clock: Clock;
}

type Raw = number | boolean | string;

export class Writer {
  readonly #options: WriterOptions;

  constructor(options: WriterOptions) {
    this.#options = options;
  }

  /** Rejects as `Driver.write` promises; `timeout` when the tag says nothing in time: the device may have carried it out. */
  async write(ref: TagRef, value: Scalar, signal: AbortSignal): Promise<Readback> {
    const { routes, sourceId, link } = this.#options;
    const tag = routes.tagOf(ref);
    if (!tag) throw new GatewayError('unknown_tag', `source "${sourceId}" has no tag "${ref.tagName}" of "${ref.assetId}"`);
    checkWritable(ref.tagName, tag);
    if (tag.write_topic === undefined) throw new GatewayError('not_writable', `tag "${ref.tagName}" has no write_topic`);
    const raw = rawOf(value, tag);
    const topic = fillTopic(tag.write_topic, { asset: ref.assetId, tag: ref.tagName });
    const timeoutMs = tag.write_timeout_ms ?? DEFAULT_WRITE_TIMEOUT_MS;
    const seen = this.#watch(ref, raw); // before the command goes out: the device may be quick
    try {
      await link.publish(topic, payloadOf(raw, tag), tag.write_retain ?? false, signal);
      return await this.#outcome(ref, tag, seen, { timeoutMs, signal });
    } finally {
      seen.end();
    }
  }

  #watch(ref: TagRef, raw: Raw) {
    let last: ReadValue | undefined;
    let show = () => {};
    const shown = new Promise<void>((resolve) => {
      show = resolve;
    });
    const end = this.#options.inflow.watch(ref, (read) => {
      last = read;
      if (!isBad(read.status) && isSame(read.value, raw)) show();
    });
    return { shown, end, last: () => last };
  }

  async #outcome(
    ref: TagRef,
    tag: MqttTag,
    seen: { readonly shown: Promise<void>; last(): ReadValue | undefined },
    { timeoutMs, signal }: { readonly timeoutMs: number; readonly signal: AbortSignal },
  ): Promise<Readback> {
    const { clock, link } = this.#options;
    const waiting = new AbortController();
    const cancel = () => waiting.abort(signal.reason);
    signal.addEventListener('abort', cancel, { once: true });
    if (signal.aborted) cancel();
    const first = await Promise.race([
      seen.shown.then(() => true as const),
      link.lost,
      clock.sleep(timeoutMs, waiting.signal).then(() => false as const),
    ]).finally(() => {
      signal.removeEventListener('abort', cancel);
      waiting.abort();
    });
    if (first instanceof GatewayError) throw first;
    const last = seen.last();
    if (last) return { reading: this.#readingOf(ref, tag, last), confirmed: first };
    throw new GatewayError('timeout', `the broker took the command, but no reading of "${ref.tagName}" came within ${timeoutMs} ms`);
  }

  #readingOf({ assetId, tagName }: TagRef, { scale = 1, offset = 0 }: MqttTag, { value, status, timeMs }: ReadValue): Reading {
    return { assetId, tagName, value: typeof value === 'number' ? value * scale + offset : value, status, timeMs };
  }
}

/** Many devices keep a fraction in 32 bits, and then say 0.10000000149011612 for 0.1. */
function isSame(said: ReadValue['value'], raw: Raw): boolean {
  if (said === raw) return true;
  return typeof said === 'number' && typeof raw === 'number' && !Number.isInteger(raw) && Math.fround(said) === Math.fround(raw);
}

/** What the device would say of this value on its own topic, before scaling. Throws `invalid_value`. */
function rawOf(value: Scalar, tag: MqttTag): Raw {
  const rule: WriteRule = {
    ...tag,
    write_min: largest(tag.write_min, tag.min),
    write_max: smallest(tag.write_max, tag.max),
  };
  switch (tag.data_type) {
    case 'boolean':
      return rawBoolean(value);
    case 'string':
      return rawText(value);
    case 'number':
      return rawNumber(value, rule);
    case undefined:
      return typeof value === 'string' ? rawText(value) : typeof value === 'boolean' ? value : rawNumber(value, rule);
  }
}

/** A JSON number is a double: a bigint that none holds is refused. */
function rawNumber(value: Scalar, rule: WriteRule): number {
  const number = checkedNumber(value, rule);
  if (typeof number === 'bigint' && BigInt(Number(number)) !== number) {
    throw new GatewayError('invalid_value', `${number} is beyond what a JSON number holds exactly`);
  }
  return rawFloat(Number(number), rule, FLOAT64);
}

function largest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined ? other : other === undefined ? one : Math.max(one, other);
}

function smallest(one: number | undefined, other: number | undefined): number | undefined {
  return one === undefined ? other : other === undefined ? one : Math.min(one, other);
}

/** `{value}` in a payload of more than that is JSON, so that text has its quotes. */
function payloadOf(raw: Raw, tag: MqttTag): string {
  const template = tag.write_payload ?? VALUE;
  const said = raw === true ? (tag.write_true ?? true) : raw === false ? (tag.write_false ?? false) : raw;
  return template.replaceAll(VALUE, () => (template === VALUE ? String(said) : JSON.stringify(said)));
}

const VALUE = '{value}';
