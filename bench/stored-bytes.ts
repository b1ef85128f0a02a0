/**
 * B7: bytes a stored sample of whole days of the reference plant, day files, rollups and SQLite's own pages included. Options:
 * days (1), tags (1000). `store.db` keeps free pages, which the next day fills: they and the log are stated by themselves.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { ColumnarEngine } from '../src/store/engine/columnar.ts';
import { PlantClock, PlantFeed } from './plant-feed.ts';
import { ReferencePlant, START_MS } from './reference-data.ts';
import { type Benchmark, round } from './result.ts';
import { inTemporaryFolder } from './temporary-folder.ts';

const DAY_SECONDS = 86_400;
const STRETCH_SECONDS = 900;

interface Sizes {
  /** The day files. */
  readonly days: number;
  /** Pages of `store.db` that hold something, and the free ones. */
  readonly used: number;
  readonly free: number;
  readonly log: number;
}

function sizesOf(dir: string): Sizes {
  const size = (path: string) => statSync(join(dir, path)).size;
  const database = new Database(join(dir, 'store.db'), { readonly: true });
  const number = (pragma: string) => Number(database.pragma(pragma, { simple: true }));
  const [pages, free, pageBytes] = [number('page_count'), number('freelist_count'), number('page_size')];
  database.close();
  return {
    days: readdirSync(join(dir, 'day')).reduce((sum, file) => sum + size(join('day', file)), 0),
    used: (pages - free) * pageBytes,
    free: free * pageBytes,
    log: readdirSync(dir).reduce((sum, file) => sum + (/^wal-\d+\.log$/.test(file) ? size(file) : 0), 0),
  };
}

export const benchmark: Benchmark = {
  title: 'bytes a stored sample, whole days of the reference plant (1,000 tags at 1 s)',
  run([days = '1', tags = '1000']) {
    return inTemporaryFolder(async (dir) => {
      const plant = new ReferencePlant({ tags: Number(tags) });
      const clock = new PlantClock();
      const report = (what: string, error: unknown) => {
        throw new Error(what, { cause: error });
      };
      const engine = new ColumnarEngine({ dir, clock, report });
      const feed = new PlantFeed(engine, clock, { flushSeconds: 10 });
      await feed.open(plant);
      const end = Number(days) * DAY_SECONDS;
      let sealed: Sizes | undefined;
      for (let second = 0; second < end; second += STRETCH_SECONDS) {
        if (second + STRETCH_SECONDS === DAY_SECONDS) sealed = sizesOf(dir); // before the first day is compacted
        await feed.feed(plant.next(STRETCH_SECONDS), START_MS + second * 1000);
      }
      const sealedSamples = Math.min(feed.samples, DAY_SECONDS * Number(tags)) * (1 - STRETCH_SECONDS / DAY_SECONDS);
      const { samples } = feed;
      await feed.feed(plant.next(2 * STRETCH_SECONDS), START_MS + end * 1000); // after a quarter of an hour the day is closed
      await feed.settle();
      await engine.close();
      const sizes = sizesOf(dir);
      const each = (bytes: number) => round(bytes / samples, 4);
      return {
        metrics: {
          bytes_per_sample: each(sizes.days + sizes.used),
          day_files: each(sizes.days),
          store_db_used: each(sizes.used),
          with_free_pages: each(sizes.days + sizes.used + sizes.free),
          with_free_pages_and_log: each(sizes.days + sizes.used + sizes.free + sizes.log),
          sealed_not_compacted: round((sealed ? sealed.used : Number.NaN) / sealedSamples, 4),
          samples,
          cpu_us_per_sample: round((feed.writeUs + feed.backgroundUs) / feed.samples),
        },
        goal: { bytes_per_sample: 0.9 },
      };
    });
  },
};
