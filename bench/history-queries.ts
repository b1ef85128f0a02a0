/**
 * B17: history, in process: 1 tag 24 h by the minute; 10 tags 1 h raw; 1 tag 30 d by the hour; 100 tags 1 d by five minutes; and the
 * last on a day that is sealed but not compacted. Option: how often each is asked (15).
 */
import type { SeriesId } from '../src/core/tag.ts';
import type { UnixMs } from '../src/core/time.ts';
import { ColumnarEngine } from '../src/store/engine/columnar.ts';
import type { Engine } from '../src/store/engine.ts';
import type { TimeRange } from '../src/store/telemetry.ts';
import { PlantClock, PlantFeed } from './plant-feed.ts';
import { ReferencePlant, START_MS } from './reference-data.ts';
import { type Benchmark, cpuUs, median, round } from './result.ts';
import { inTemporaryFolder } from './temporary-folder.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const STRETCH_SECONDS = 900;
export const TAGS = 100;
/** As many tags have a month. */
const LONG_TAGS = 4;
export const DAYS = 30;

function fail(what: string, error: unknown): never {
  throw new Error(what, { cause: error });
}

/** Thirty days in day files, of all tags on the last one; then one that is only sealed. */
export async function fillMonth(dir: string): Promise<PlantClock> {
  const plant = new ReferencePlant({ tags: TAGS });
  const clock = new PlantClock();
  const engine = new ColumnarEngine({ dir, clock, report: fail });
  const feed = new PlantFeed(engine, clock, { flushSeconds: 60 });
  await feed.open(plant);
  for (let second = 0; second < (DAYS + 1) * 86_400; second += STRETCH_SECONDS) {
    const tags = second < (DAYS - 1) * 86_400 ? LONG_TAGS : TAGS;
    await feed.feed(plant.next(STRETCH_SECONDS, tags), START_MS + second * 1000);
  }
  clock.nowMs = START_MS + (DAYS + 1) * DAY_MS + 10_000;
  await feed.settle();
  await engine.close();
  console.log(`  ${(feed.samples / 1e6).toFixed(1)} M samples`);
  return clock;
}

interface Query {
  readonly name: string;
  /** Returns the number of rows, which must be `rows`. */
  ask(engine: Engine): Promise<number>;
  readonly rows: readonly [least: number, most: number];
}

function range(fromDay: number, days: number): TimeRange {
  return { from: (START_MS + fromDay * DAY_MS) as UnixMs, to: (START_MS + (fromDay + days) * DAY_MS) as UnixMs };
}

function ids(count: number): SeriesId[] {
  return Array.from({ length: count }, (_, index) => (index + 1) as SeriesId);
}

function averages(name: string, ...[tags, within, stepMs]: readonly [number, TimeRange, number]): Query {
  const buckets = (tags * (within.to - within.from)) / stepMs;
  return {
    name,
    ask: async (engine) => (await engine.aggregate({ series: ids(tags), range: within, step: { ms: stepMs }, aggregation: 'avg' })).rows,
    rows: [buckets * 0.98, buckets],
  };
}

const hour = { from: (START_MS + (DAYS - 0.5) * DAY_MS) as UnixMs, to: (START_MS + (DAYS - 0.5) * DAY_MS + HOUR_MS) as UnixMs };
const QUERIES: readonly Query[] = [
  averages('1 tag, 24 h by 1 min', 1, range(DAYS - 1, 1), 60_000),
  {
    name: '10 tags, 1 h raw',
    ask: async (engine) => (await engine.raw({ series: ids(10), range: hour, limit: 100_000 })).columns.rows,
    rows: [35_000, 36_000],
  },
  averages('1 tag, 30 d by 1 h', 1, range(0, DAYS), HOUR_MS),
  averages('100 tags, 1 d by 5 min', TAGS, range(DAYS - 1, 1), 300_000),
  averages('the same, not compacted', TAGS, range(DAYS, 1), 300_000),
];

interface Time {
  readonly firstMs: number;
  readonly ms: number;
  readonly cpuMs: number;
}

async function timeOf(engine: Engine, { name, ask, rows }: Query, times: number): Promise<Time> {
  const taken: { ms: number; cpuMs: number }[] = [];
  for (let call = 0; call <= times; call++) {
    const [startMs, startUs] = [performance.now(), cpuUs()];
    const got = await ask(engine);
    taken.push({ ms: performance.now() - startMs, cpuMs: (cpuUs() - startUs) / 1000 });
    if (got < rows[0] || got > rows[1]) throw new Error(`${name}: ${got} rows`);
  }
  const [first, ...warm] = taken;
  const time = { firstMs: first?.ms ?? Number.NaN, ms: median(warm.map(({ ms }) => ms)), cpuMs: median(warm.map(({ cpuMs }) => cpuMs)) };
  console.log(`  ${name.padEnd(24)} first ${time.firstMs.toFixed(2)}, warm ${time.ms.toFixed(2)} ms, CPU ${time.cpuMs.toFixed(2)} ms`);
  return time;
}

export const benchmark: Benchmark = {
  title: 'history queries in process, warm median',
  run([times = '15']) {
    return inTemporaryFolder(async (dir) => {
      const clock = await fillMonth(dir);
      const engine = new ColumnarEngine({ dir, clock, report: fail });
      await engine.open();
      const taken: Time[] = [];
      for (const query of QUERIES) taken.push(await timeOf(engine, query, Number(times)));
      await engine.close();
      const of = (name: keyof Time) => taken.slice(0, 4).map((time) => round(time[name], 2));
      const present = taken[4] as Time;
      return {
        metrics: {
          ms: of('ms'),
          cpu_ms: of('cpuMs'),
          first_ms: of('firstMs'),
          not_compacted_ms: round(present.ms, 2),
          not_compacted_first_ms: round(present.firstMs, 2),
        },
        goal: { ms: [5, 20, 2, 5], not_compacted_ms: 25 },
      };
    });
  },
};
