/** Answers the port's reads from slabs of runs. */
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import { ColumnsBuilder } from '../columns.ts';
import { Ranking } from '../ranking.ts';
import {
  type AggregateColumns,
  type AggregateQuery,
  type Columns,
  GAP_LOOK_BACK_MS,
  type Gap,
  type RawPage,
  type RawQuery,
  type SeriesQuery,
} from '../telemetry.ts';
import { Aggregate } from './aggregate.ts';
import { DAY_MS } from './grid.ts';
import { isUsable, type Sample } from './latest.ts';
import { mergeTag, type RankedRun, visitMerged } from './merge.ts';
import { backward, forward, type Layout, runOf, type Slab, sampleAt } from './reader.ts';
import type { Rollups } from './rollups.ts';
import type { Run } from './run.ts';

const BAD = 0x8000_0000;
/** A day without any costs some milliseconds for each series: a value that is older than a month is of no use as the present one. */
const LOOK_BACK_MS = 31 * DAY_MS;

/** A sample and whose it is. */
interface Found extends Sample {
  readonly series: SeriesId;
}

export class Query {
  readonly #layout: Layout;
  readonly #rollups: Rollups;
  readonly #definition: (series: SeriesId) => SeriesDef | undefined;
  readonly #guard: () => void;

  /** `guard` is called every now and then, and throws when a query has gone on for too long. */
  constructor(layout: Layout, rollups: Rollups, definition: (series: SeriesId) => SeriesDef | undefined, guard = () => {}) {
    this.#layout = layout;
    this.#rollups = rollups;
    this.#definition = definition;
    this.#guard = guard;
  }

  raw(query: RawQuery): RawPage {
    const ranking = this.#rank(query.series);
    const start = query.cursor === undefined ? undefined : ranking.resume(query.cursor);
    const range = start ? { from: Math.max(start.timeMs, query.range.from) as UnixMs, to: query.range.to } : query.range;
    const columns = new ColumnsBuilder();
    let skip = query.skip ?? 0;
    let next: string | null = null;
    const take = ({ rank, series, run }: RankedRun, index: number): boolean => {
      const timeMs = run.timeMs[index] as number;
      if (start && timeMs === start.timeMs && rank < start.rank) return true;
      if (skip > 0) {
        skip--;
        return true;
      }
      if (columns.rows === query.limit) {
        next = last;
        return false;
      }
      columns.add(series, timeMs, run.wide?.[index] ?? (run.numbers[index] as number), run.status?.[index] ?? 0);
      if (columns.rows === query.limit) last = ranking.cursor(timeMs, rank);
      return true;
    };
    let last: string | null = null;
    for (const slab of forward(this.#layout, range, query.series)) {
      const runs = this.#ranked(ranking, slab);
      if (skip > 0 && !start && ranking.simple) {
        const rows = runs.reduce((sum, { run }) => sum + run.count, 0);
        if (rows <= skip) {
          skip -= rows;
          continue;
        }
      }
      if (!visitMerged(runs, take)) break;
    }
    return { columns: columns.build(), next };
  }

  /** Looks from the newest slab on back, and no further for a tag than where it was found. */
  asOf(query: SeriesQuery): Columns {
    const ranking = this.#rank(query.series);
    const found: (Found | undefined)[] = ranking.tags.map(() => undefined);
    let left = found.length;
    for (const slab of backward(this.#layout, query.range, query.series)) {
      if (left === 0) break;
      for (const rank of found.keys()) {
        if (found[rank]) continue;
        visitMerged(this.#members(ranking, rank, slab), ({ series, run }, index) => {
          const sample = sampleAt(run, index);
          if (isUsable(sample)) found[rank] = { series, ...sample };
          return true;
        });
        if (found[rank]) left--;
      }
    }
    const columns = new ColumnsBuilder();
    for (const sample of found) if (sample) columns.add(sample.series, sample.timeMs, sample.wide ?? sample.number, sample.status);
    return columns.build();
  }

  aggregate(query: AggregateQuery): AggregateColumns {
    const ranking = this.#rank(query.series);
    this.#rollups.follow();
    const where = { layout: this.#layout, rollups: this.#rollups, guard: this.#guard };
    return new Aggregate(where, ranking, query, (rank, slab) => this.#tagRun(ranking, rank, slab)).columns();
  }

  gaps(query: SeriesQuery & { readonly limit: number }): readonly Gap[] {
    const { from, to } = query.range;
    const ranking = this.#rank(query.series);
    const gaps: Gap[] = [];
    let since: UnixMs | null = this.#isBadBefore(ranking, query) ? from : null;
    const follow = ({ run }: RankedRun, index: number): boolean => {
      const bad = (run.status?.[index] ?? 0) >= BAD;
      const timeMs = run.timeMs[index] as UnixMs;
      if (bad) since ??= timeMs;
      if (bad || since === null) return true;
      if (since < timeMs) gaps.push({ from: since, to: timeMs });
      since = null;
      return gaps.length < query.limit;
    };
    for (const slab of forward(this.#layout, query.range, query.series)) {
      if (!visitMerged(this.#ranked(ranking, slab), follow)) return gaps;
    }
    if (since !== null && since < to) gaps.push({ from: since, to });
    return gaps;
  }

  count(query: SeriesQuery & { readonly atMost: number }): number {
    const ranking = this.#rank(query.series);
    let rows = 0;
    for (const slab of forward(this.#layout, query.range, query.series)) {
      for (let rank = 0; rank < ranking.tags.length; rank++) rows += this.#tagRun(ranking, rank, slab).count;
      if (rows >= query.atMost) return query.atMost;
    }
    return rows;
  }

  #rank(series: readonly SeriesId[]): Ranking {
    return new Ranking(series, this.#definition);
  }

  #ranked(ranking: Ranking, slab: Slab): RankedRun[] {
    return ranking.tags.flatMap((_, rank) => this.#members(ranking, rank, slab));
  }

  #tagRun(ranking: Ranking, rank: number, slab: Slab): Run {
    return mergeTag(this.#members(ranking, rank, slab));
  }

  #members(ranking: Ranking, rank: number, slab: Slab): RankedRun[] {
    this.#guard();
    const members = ranking.tags[rank]?.members ?? [];
    return members.map((series) => ({ rank, series, run: runOf(this.#layout, slab, series, members.length > 1) }));
  }

  /** Whether the newest sample of the month before the range was bad. */
  #isBadBefore(ranking: Ranking, query: SeriesQuery): boolean {
    const { from } = query.range;
    const before = { from: (from - GAP_LOOK_BACK_MS) as UnixMs, to: from };
    for (const slab of backward(this.#layout, before, query.series)) {
      let newest: boolean | undefined;
      visitMerged(this.#ranked(ranking, slab), ({ run }, index) => {
        newest = (run.status?.[index] ?? 0) >= BAD;
        return true;
      });
      if (newest !== undefined) return newest;
    }
    return false;
  }

  /** The newest sample of a series that is not bad and has a value, looked for from its newest on back, a month at most. */
  newestUsable(series: SeriesId, newestMs: number): Sample | undefined {
    const range = { from: (newestMs - LOOK_BACK_MS) as UnixMs, to: (newestMs + 1) as UnixMs };
    for (const slab of backward(this.#layout, range, [series])) {
      const run = runOf(this.#layout, slab, series, false);
      for (let index = run.count - 1; index >= 0; index--) {
        const sample = sampleAt(run, index);
        if (isUsable(sample)) return sample;
      }
    }
    return undefined;
  }
}
