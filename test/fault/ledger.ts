/** What a client may rely on after a crash: everything acknowledged, and everything it has seen in history. */
import { expect } from 'vitest';
import type { TestDaemon } from '../support/daemon.ts';
import { latest, type SampleQuery, samples } from '../support/history.ts';
import { BASE_MS, expectedValue, hasSample, MQTT_ASSET, REST_ASSET, type Span } from './load.ts';

/** Samples that a client must find again. */
export type Promised = (n: number) => boolean;

/**
 * Asserts that every promised sample of the span is there, and that every sample there is one that was sent, unchanged
 * and once. Returns how many samples there are.
 */
export async function expectKept(
  daemon: TestDaemon,
  series: { asset: string; tag: string },
  span: Span,
  promised: Promised,
): Promise<number> {
  const { asset, tag } = series;
  const missing: Span[] = [];
  const lacks = (from: number, to: number) => {
    for (let n = from; n < to; n++) if (hasSample(tag, n) && promised(n)) missing.push({ from: n, to: n + 1 });
  };
  let next = span.from;
  let found = 0;
  for await (const { timeMs, value, quality } of samples(daemon, { asset, tag, ...rangeOf(span) })) {
    const n = timeMs - BASE_MS;
    if (n < next || !hasSample(tag, n) || value !== expectedValue(tag, n) || quality !== 'good') {
      throw new Error(`${asset}/${tag}: sample ${n} is ${JSON.stringify(value)} (${quality}), after sample ${next - 1}`);
    }
    lacks(next, n);
    next = n + 1;
    found++;
  }
  lacks(next, span.to);
  expect(missing.length, `${asset}/${tag}: lost ${missing.length} samples, the first ${JSON.stringify(missing.slice(0, 5))}`).toBe(0);
  return found;
}

function rangeOf(span: Span): { fromMs: number; toMs: number } {
  return { fromMs: BASE_MS + span.from, toMs: BASE_MS + span.to };
}

/** Follows histories while the daemon lives, and remembers every sample that an answer showed. */
export class Witness {
  readonly #seen = new Map<string, { query: { asset: string; tag: string }; values: Map<number, unknown> }>();
  readonly #fromMs = new Map<string, number>();
  #count = 0;

  /** Samples that an answer has shown, over all rounds. */
  get count(): number {
    return this.#count;
  }

  /** Until the daemon dies or the signal aborts. */
  async run(daemon: TestDaemon, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const [asset, tag] of [
        ['sim', 's0'],
        ['sim', 's19'],
        [REST_ASSET, 'n'],
        [REST_ASSET, 'text'],
        [MQTT_ASSET, 'n'],
      ] as const) {
        if (!(await this.#look(daemon, asset, tag))) return;
      }
    }
  }

  /** Asserts that all that was seen since the last call is there, unchanged. */
  async expectSeen(daemon: TestDaemon): Promise<void> {
    for (const [key, { query, values }] of this.#seen) {
      const times = [...values.keys()];
      if (times.length === 0) continue;
      const found = new Map<number, unknown>();
      const range = rangeOfTimes(times);
      for await (const { timeMs, value } of samples(daemon, { ...query, ...range })) found.set(timeMs, value);
      const gone = times.filter((timeMs) => !Object.is(found.get(timeMs), values.get(timeMs)));
      expect(
        gone.length,
        `${key}: ${gone.length} samples of ${times.length} that history showed are gone or changed, the first at ${gone[0]}`,
      ).toBe(0);
      this.#count += times.length;
      values.clear();
    }
  }

  /** One page from where the last look ended; false when the daemon is gone. */
  async #look(daemon: TestDaemon, asset: string, tag: string): Promise<boolean> {
    const key = `${asset}/${tag}`;
    const fromMs = this.#fromMs.get(key) ?? BASE_MS;
    const seen = this.#seen.get(key) ?? { query: { asset, tag }, values: new Map<number, unknown>() };
    this.#seen.set(key, seen);
    const path = `/v1/telemetry?asset_id=${asset}&tag_name=${tag}&start=${new Date(fromMs).toISOString()}&per_page=2000`;
    const answer = await daemon.get(path).catch(() => undefined); // killed
    if (!answer) return false;
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    for (const row of answer.body.data) seen.values.set(Date.parse(row.timestamp), row.value);
    const last = answer.body.data.at(-1);
    if (last) this.#fromMs.set(key, Date.parse(last.timestamp));
    return true;
  }
}

function rangeOfTimes(times: Iterable<number>): { fromMs: number; toMs: number } {
  let fromMs = Number.POSITIVE_INFINITY;
  let toMs = Number.NEGATIVE_INFINITY;
  for (const timeMs of times) {
    if (timeMs < fromMs) fromMs = timeMs;
    if (timeMs >= toMs) toMs = timeMs + 1;
  }
  return { fromMs, toMs };
}

/** The samples that these spans hold. */
export function within(spans: readonly Span[]): Promised {
  const acknowledged = new Set<number>();
  for (const { from, to } of spans) for (let n = from; n < to; n++) acknowledged.add(n);
  return (n) => acknowledged.has(n);
}

/** Asserts that what is shown as the present value is the newest of the history. */
export async function expectLatestIsNewest(daemon: TestDaemon, query: SampleQuery): Promise<void> {
  let newest: { timeMs: number; value: unknown } | undefined;
  for await (const { timeMs, value } of samples(daemon, query)) newest = { timeMs, value };
  if (newest) expect((await latest(daemon, query.asset)).get(query.tag)).toMatchObject(newest);
}
