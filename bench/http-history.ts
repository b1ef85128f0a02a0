/**
 * B17 over HTTP: its four queries as `GET /v1/telemetry` at the built daemon, on a month that the engine has written beforehand; all pages
 * of an answer by their cursors, to the last byte. Warm median. Option: how often each is asked (15).
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { toIso } from '../src/core/time.ts';
import { TestDaemon } from '../test/support/daemon.ts';
import { DAYS, fillMonth, TAGS } from './history-queries.ts';
import { definitionsOf } from './plant-feed.ts';
import { ReferencePlant, START_MS } from './reference-data.ts';
import { type Benchmark, median, round } from './result.ts';
import { inTemporaryFolder } from './temporary-folder.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const PAGE_ROWS = 10_000;

interface Query {
  readonly name: string;
  readonly parameters: Readonly<Record<string, string>>;
  readonly rows: readonly [least: number, most: number];
}

/** The first tags of the plant, from a time after its start. */
function tagsOf(count: number, fromMs: number, lengthMs: number): Readonly<Record<string, string>> {
  const defs = definitionsOf(new ReferencePlant({ tags: TAGS })).slice(0, count);
  return {
    asset_id: [...new Set(defs.map(({ asset }) => asset))].join(','),
    tag_name: defs.map(({ tag }) => tag).join(','),
    start: toIso(START_MS + fromMs),
    end: toIso(START_MS + fromMs + lengthMs),
    per_page: String(PAGE_ROWS),
  };
}

const lastDayMs = (DAYS - 1) * DAY_MS;
const QUERIES: readonly Query[] = [
  { name: '1 tag, 24 h by 1 min', parameters: { ...tagsOf(1, lastDayMs, DAY_MS), interval: '1m' }, rows: [1_411, 1_440] },
  { name: '10 tags, 1 h raw', parameters: tagsOf(10, lastDayMs + 12 * HOUR_MS, HOUR_MS), rows: [35_000, 36_000] },
  { name: '1 tag, 30 d by 1 h', parameters: { ...tagsOf(1, 0, DAYS * DAY_MS), interval: '1h' }, rows: [705, 720] },
  { name: '100 tags, 1 d by 5 min', parameters: { ...tagsOf(TAGS, lastDayMs, DAY_MS), interval: '5m' }, rows: [28_224, 28_800] },
];

/** Returns how many rows all pages had. */
async function ask({ url, token }: TestDaemon, parameters: Readonly<Record<string, string>>): Promise<number> {
  let rows = 0;
  for (let cursor: string | null = ''; cursor !== null; ) {
    const query = new URLSearchParams(cursor === '' ? parameters : { ...parameters, cursor });
    const response = await fetch(`${url}/v1/telemetry?${query}`, { headers: { Authorization: `Bearer ${token}` } });
    if (response.status !== 200) throw new Error(`${response.status}: ${await response.text()}`);
    const page = (await response.json()) as { readonly data: readonly unknown[]; readonly meta: { readonly next_cursor: string | null } };
    rows += page.data.length;
    cursor = page.meta.next_cursor;
  }
  return rows;
}

export const benchmark: Benchmark = {
  title: 'history queries over HTTP, warm median',
  run([times = '15']) {
    return inTemporaryFolder(async (dir) => {
      const telemetry = join(dir, 'data', 'telemetry');
      mkdirSync(telemetry, { recursive: true });
      await fillMonth(telemetry);
      const daemon = await TestDaemon.start({ data_dir: join(dir, 'data') });
      try {
        const medians: number[] = [];
        const firsts: number[] = [];
        for (const { name, parameters, rows } of QUERIES) {
          const takenMs: number[] = [];
          for (let call = 0; call <= Number(times); call++) {
            const startMs = performance.now();
            const got = await ask(daemon, parameters);
            takenMs.push(performance.now() - startMs);
            if (got < rows[0] || got > rows[1]) throw new Error(`${name}: ${got} rows`);
          }
          firsts.push(round(takenMs.shift() as number, 1));
          medians.push(round(median(takenMs), 1));
          console.log(`  ${name.padEnd(24)} first ${firsts.at(-1)}, warm ${medians.at(-1)} ms`);
        }
        return { metrics: { ms: medians, first_ms: firsts }, goal: {} };
      } finally {
        await daemon.dispose();
      }
    });
  },
};
