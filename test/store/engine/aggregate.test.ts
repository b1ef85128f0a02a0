/** Aggregates from rollups: of compacted days and of sealed windows, wherever buckets fit their cells and wherever they do not. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../../src/core/clock.ts';
import type { SeriesId } from '../../../src/core/tag.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import { RowsEngine } from '../../../src/store/rows/engine.ts';
import type { AggregateColumns, Aggregation, Step } from '../../../src/store/telemetry.ts';
import { Feed } from '../contract/feed.ts';
import { range } from '../contract/rig.ts';
import { useTempDirs } from '../temp-dir.ts';

const MINUTE = 60_000;
const DAY = 1440 * MINUTE;
const START = Date.UTC(2026, 2, 2);
const BAD = 0x8000_0000;
const UNCERTAIN = 0x4000_0000;
const AGGREGATIONS: readonly Aggregation[] = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last'];

const newDir = useTempDirs();

function fail(what: string): never {
  throw new Error(`damage reported: ${what}`);
}

/** A day that is compacted and most of one that is sealed, of series that lie in two bundles; the same in rows. */
async function filled() {
  const dir = newDir();
  let nowMs = START;
  const clock: Clock = { ...systemClock, now: () => nowMs as UnixMs };
  const engine = new ColumnarEngine({ dir, clock, report: fail });
  const rows = new RowsEngine(join(newDir(), 'rows.db'), clock);
  const feeds = [new Feed(rows, await rows.open()), new Feed(engine, await engine.open())] as const;
  const series: SeriesId[] = [];
  for (const feed of feeds) {
    series.length = 0;
    for (let tag = 0; tag < 70; tag++) series.push(feed.define(`tag ${String(tag).padStart(2, '0')}`));
    for (let minute = 0; minute < 2 * 1440; minute++) {
      for (const [which, id] of [series[0], series[1], series[69]].entries()) {
        const status = which === 1 && minute % 7 < 3 ? (minute % 2 === 0 ? BAD : UNCERTAIN) : 0;
        feed.add(id as SeriesId, START + minute * MINUTE + which, Math.sin(minute) * 100, status);
      }
      if (minute % 60 === 59) await feed.commit();
    }
  }
  nowMs = START + 2 * DAY;
  while (await engine.expire());
  return { dir, clock, engine, rows, asked: [series[0], series[1], series[69]] as SeriesId[] };
}

function expectSame(mine: AggregateColumns, its: AggregateColumns): void {
  for (const column of ['series', 'timeMs', 'count', 'uncertain'] as const) expect([...mine[column]]).toEqual([...its[column]]);
  for (const [index, value] of mine.values.entries()) expect(value).toBeCloseTo(its.values[index] as number, 9);
}

describe('aggregates', () => {
  it('are the same from rollups and from samples, whether buckets fit the cells or not', async () => {
    const { engine, rows, asked } = await filled();
    const steps: readonly (Step | undefined)[] = [5, 7, 10, 35, 60, 1440].map((minutes) => ({ ms: minutes * MINUTE }));
    for (const day of [START, START + DAY]) {
      // In the first two, steps of seven minutes have their first and last edges on the cells' grid, and none between.
      const hours = [range(day + 10 * MINUTE, day + 55 * MINUTE), range(day + 5 * MINUTE, day + 50 * MINUTE)];
      for (const within of [...hours, range(day, day + DAY - 16 * MINUTE), range(day + 1, day + 9e6)]) {
        for (const [index, step] of [...steps, undefined].entries()) {
          const aggregation = AGGREGATIONS[index % AGGREGATIONS.length] as Aggregation;
          const query = { series: asked, range: within, aggregation, ...(step ? { step } : {}) };
          expectSame(await engine.aggregate(query), await rows.aggregate(query));
        }
      }
    }
    await engine.close();
    await rows.close();
  });

  it.each(AGGREGATIONS)('take %s of sealed windows from their rollups, not from the chunks', async (aggregation) => {
    const { dir, clock, engine, rows, asked } = await filled();
    await engine.close();
    const database = new Database(join(dir, 'store.db'));
    expect(database.prepare('DELETE FROM chunk').run().changes).toBeGreaterThan(0);
    database.close();
    const again = new ColumnarEngine({ dir, clock, report: fail });
    await again.open();
    const query = { series: asked, range: range(START, START + 2 * DAY - 15 * MINUTE), step: { ms: 10 * MINUTE }, aggregation };
    expectSame(await again.aggregate(query), await rows.aggregate(query));
    await again.close();
    await rows.close();
  });
});
