/**
 * B8: CPU time a sample from the ring to sealed chunks, every commit synced, and to the file of a day; against the engine that
 * keeps rows. Options: seconds of the plant (3600), rounds (5), seconds between commits (10).
 */
import { join } from 'node:path';
import { ColumnarEngine } from '../src/store/engine/columnar.ts';
import type { Engine } from '../src/store/engine.ts';
import { RowsEngine } from '../src/store/rows/engine.ts';
import { PlantClock, PlantFeed } from './plant-feed.ts';
import { ReferencePlant, START_MS, type Stretch } from './reference-data.ts';
import { type Benchmark, median, round } from './result.ts';
import { StepTimes } from './step-times.ts';
import { inTemporaryFolder } from './temporary-folder.ts';

/** Rows cost so much that a short stretch of the plant tells it. */
const ROWS_SECONDS = 60;
const DAY_MS = 86_400_000;

interface Cost {
  /** µs of CPU time a sample. */
  readonly write: number;
  readonly sealed: number;
  readonly compacted: number;
}

function fail(what: string, error: unknown): never {
  throw new Error(what, { cause: error });
}

function first(stretch: Stretch, seconds: number): Stretch {
  return { ...stretch, seconds: Math.min(seconds, stretch.seconds) };
}

/** Whole quarters of an hour from the ring to sealed chunks, then to the file of the day. */
export async function columnarCost(plant: ReferencePlant, stretch: Stretch, flushSeconds: number, steps = new StepTimes()): Promise<Cost> {
  return inTemporaryFolder(async (dir) => {
    const clock = new PlantClock();
    const engine = new ColumnarEngine({ dir, clock, report: fail, hook: steps.hook });
    const feed = new PlantFeed(engine, clock, { flushSeconds, steps });
    await feed.open(plant);
    await feed.feed(stretch, START_MS);
    clock.nowMs += 10_000;
    await feed.settle();
    const { samples, writeUs, backgroundUs } = feed;
    const last = { ...first(stretch, 1), timesMs: stretch.timesMs.slice(0, stretch.tags).map((timeMs) => timeMs + 2 * DAY_MS) };
    await feed.feed(last, START_MS + 2 * DAY_MS); // the day is over when the next one's samples are there
    await feed.settle();
    await engine.close();
    return {
      write: writeUs / samples,
      sealed: (writeUs + backgroundUs) / samples,
      compacted: (feed.writeUs + feed.backgroundUs) / samples,
    };
  });
}

export async function rowsCost(plant: ReferencePlant, stretch: Stretch, flushSeconds: number): Promise<number> {
  return inTemporaryFolder(async (dir) => {
    const clock = new PlantClock();
    const engine: Engine = new RowsEngine(join(dir, 'rows.db'), clock);
    const feed = new PlantFeed(engine, clock, { flushSeconds });
    await feed.open(plant);
    await feed.feed(first(stretch, ROWS_SECONDS), START_MS);
    await engine.close();
    return feed.writeUs / feed.samples;
  });
}

export const benchmark: Benchmark = {
  title: 'CPU time a sample, ring to sealed, every commit synced (1,000 tags at 1 s)',
  async run([seconds = '3600', rounds = '5', flushSeconds = '10']) {
    const plant = new ReferencePlant();
    const stretch = plant.next(Number(seconds));
    const cold = new StepTimes();
    const steps = new StepTimes();
    const costs: (Cost & { readonly rows: number })[] = [];
    for (let count = 0; count < Number(rounds); count++) {
      const cost = await columnarCost(plant, stretch, Number(flushSeconds), count === 0 ? cold : steps);
      const rows = await rowsCost(plant, stretch, Number(flushSeconds));
      costs.push({ ...cost, rows });
      console.log(
        `  round ${count + 1}: write ${cost.write.toFixed(3)}, sealed ${cost.sealed.toFixed(3)}, compacted ${cost.compacted.toFixed(3)}, rows ${rows.toFixed(3)} µs`,
      );
    }
    console.log(`  longest step of round 1, while its code is compiled: ${cold.longestMs.toFixed(1)} ms; of the others:`);
    steps.print();
    const everySecond = await columnarCost(plant, stretch, 1);
    const of = (name: keyof Cost | 'rows') => round(median(costs.map((cost) => cost[name])));
    return {
      metrics: {
        us_per_sample: of('sealed'),
        us_per_sample_written: of('write'),
        us_per_sample_compacted: of('compacted'),
        us_per_sample_synced_each_second: round(everySecond.sealed),
        us_per_sample_rows: of('rows'),
        times_cheaper_than_rows: round(of('rows') / of('sealed'), 1),
        longest_step_ms: round(Math.max(cold.longestMs, steps.longestMs), 1),
        longest_step_warm_ms: round(steps.longestMs, 1),
      },
      goal: { us_per_sample: 0.2 },
    };
  },
};
