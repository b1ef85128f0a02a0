/** Reads history, present values and books of a running daemon over REST, as a client would. */
import { expect } from 'vitest';
import type { TestDaemon } from './daemon.ts';

const PAGE_ROWS = 10_000;

export interface Sample {
  readonly timeMs: number;
  readonly value: unknown;
  readonly quality: string;
}

export interface SampleQuery {
  readonly asset: string;
  readonly tag: string;
  readonly fromMs: number;
  /** Not included. */
  readonly toMs: number;
}

/** Every stored sample of the range in order of time, page by page. */
export async function* samples(daemon: TestDaemon, query: SampleQuery): AsyncGenerator<Sample> {
  const range = `start=${new Date(query.fromMs).toISOString()}&end=${new Date(query.toMs).toISOString()}`;
  const path = `/v1/telemetry?asset_id=${query.asset}&tag_name=${query.tag}&${range}&per_page=${PAGE_ROWS}`;
  let cursor: string | null = '';
  while (cursor !== null) {
    const { status, body } = await daemon.get(cursor === '' ? path : `${path}&cursor=${encodeURIComponent(cursor)}`);
    expect(status, JSON.stringify(body)).toBe(200);
    for (const row of body.data) yield { timeMs: Date.parse(row.timestamp), value: row.value, quality: row.quality };
    cursor = body.meta.next_cursor;
  }
}

export async function allSamples(daemon: TestDaemon, query: SampleQuery): Promise<readonly Sample[]> {
  const all: Sample[] = [];
  for await (const sample of samples(daemon, query)) all.push(sample);
  return all;
}

/** The present value of each tag of an asset. */
export async function latest(daemon: TestDaemon, asset: string): Promise<ReadonlyMap<string, Sample>> {
  const { status, body } = await daemon.get(`/v1/telemetry/latest?asset_id=${asset}`);
  expect(status, JSON.stringify(body)).toBe(200);
  // biome-ignore lint/suspicious/noExplicitAny: JSON as it came
  const rows: any[] = body.data;
  return new Map(rows.map((row) => [row.tag_name, { timeMs: Date.parse(row.timestamp), value: row.value, quality: row.quality }]));
}

/** Asserts for every source that each reading received is accounted for. */
export async function expectBalancedBooks(daemon: TestDaemon): Promise<void> {
  const { status, body } = await daemon.get('/v1/status');
  expect(status, JSON.stringify(body)).toBe(200);
  for (const { id, ledger } of body.data.sources) {
    const { received, committed, deadbanded, deduplicated, in_flight } = ledger;
    const accounted = committed + deadbanded + deduplicated + sum(ledger.rejected) + sum(ledger.dropped) + in_flight;
    expect(accounted, `${id}: ${JSON.stringify(ledger)}`).toBe(received);
  }
}

/** The values of a metric, by their labels as the text of the scrape has them. */
export async function scrape(daemon: TestDaemon, name: string): Promise<ReadonlyMap<string, number>> {
  const response = await fetch(`${daemon.url}/metrics`, { headers: { Authorization: `Bearer ${daemon.token}` } });
  expect(response.status).toBe(200);
  const lines = (await response.text()).split('\n').filter((line) => line.startsWith(name));
  return new Map(lines.map((line) => [line.slice(name.length, line.lastIndexOf(' ')), Number(line.slice(line.lastIndexOf(' ')))]));
}

function sum(counts: Record<string, number>): number {
  return Object.values(counts).reduce((total, count) => total + count, 0);
}
