/** Answers the port's reads from slabs of runs. */
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import { MAX_TIME_MS, MIN_TIME_MS, type UnixMs } from '../../core/time.ts';
import { type Bucket, Buckets } from '../calendar.ts';
import { type AggregateRow, aggregateColumns, ColumnsBuilder } from '../columns.ts';
import { Accumulator } from '../fold.ts';
import { Ranking } from '../ranking.ts';
import type { AggregateColumns, AggregateQuery, Gap, RawPage, RawQuery, SeriesQuery, TimeRange } from '../telemetry.ts';
import { DAY_MS, dayOf, ROLLUP_MS } from './grid.ts';
import { isUsable, type Sample } from './latest.ts';
import { mergeTag, type RankedRun, visitMerged } from './merge.ts';
import { isSettled, type Layout, runOf, type Slab, slabs } from './reader.ts';
import type { DayRollups } from './rollup.ts';
import type { Run } from './run.ts';

const BAD = 0x8000_0000;
const UNCERTAIN = 0x4000_0000;

export class Query {
  readonly #layout: Layout;
  readonly #rollups: DayRollups;
  readonly #definition: (series: SeriesId) => SeriesDef | undefined;
  readonly #guard: () => void;

  /** `guard` is called every now and then, and throws when a query has gone on for too long. */
  constructor(layout: Layout, rollups: DayRollups, definition: (series: SeriesId) => SeriesDef | undefined, guard = () => {}) {
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
    for (const slab of slabs(this.#layout, range.from, range.to)) {
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

  aggregate(query: AggregateQuery): AggregateColumns {
    const ranking = this.#rank(query.series);
    const folds = ranking.tags.map(() => new Map<number, Accumulator>());
    const buckets = query.step ? new Buckets(query.step) : { of: (): Bucket => query.range };
    for (const [first, end] of this.#days(query.range)) {
      const range = { from: Math.max(first, query.range.from) as UnixMs, to: Math.min(end, query.range.to) as UnixMs };
      const rest = [...ranking.rankOf.keys()].filter((series) => !this.#foldRollups(ranking, series, range, buckets, folds));
      if (rest.length === 0) continue;
      const left = new Set(rest.map((series) => ranking.rankOf.get(series) as number));
      for (const slab of slabs(this.#layout, range.from, range.to)) {
        for (const rank of left) foldRun(this.#tagRun(ranking, rank, slab), buckets, folds[rank] as Map<number, Accumulator>);
      }
    }
    const rows: AggregateRow[] = folds.flatMap((byBucket, rank) =>
      [...byBucket].map(([timeMs, fold]) => ({
        series: ranking.tags[rank]?.series as SeriesId,
        timeMs,
        value: fold.result(query.aggregation),
        count: fold.count,
        uncertain: fold.uncertain,
        rank,
      })),
    );
    rows.sort((a, b) => a.timeMs - b.timeMs || (ranking.rankOf.get(a.series) as number) - (ranking.rankOf.get(b.series) as number));
    return aggregateColumns(rows);
  }

  gaps(query: SeriesQuery & { readonly limit: number }): readonly Gap[] {
    const { from, to } = query.range;
    const ranking = this.#rank(query.series);
    const gaps: Gap[] = [];
    let since: UnixMs | null = this.#isBadBefore(ranking, from) ? from : null;
    const follow = ({ run }: RankedRun, index: number): boolean => {
      const bad = (run.status?.[index] ?? 0) >= BAD;
      const timeMs = run.timeMs[index] as UnixMs;
      if (bad) since ??= timeMs;
      if (bad || since === null) return true;
      if (since < timeMs) gaps.push({ from: since, to: timeMs });
      since = null;
      return gaps.length < query.limit;
    };
    for (const slab of slabs(this.#layout, from, to)) {
      if (!visitMerged(this.#ranked(ranking, slab), follow)) return gaps;
    }
    if (since !== null && since < to) gaps.push({ from: since, to });
    return gaps;
  }

  count(query: SeriesQuery & { readonly atMost: number }): number {
    const ranking = this.#rank(query.series);
    let rows = 0;
    for (const slab of slabs(this.#layout, query.range.from, query.range.to)) {
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

  /** The range day by day, days without anything left out. */
  *#days(range: TimeRange): Generator<readonly [number, number], void, undefined> {
    let done = Number.NEGATIVE_INFINITY;
    for (const slab of slabs(this.#layout, range.from, range.to)) {
      const day = dayOf(slab.fromMs);
      if (day <= done) continue;
      done = day;
      yield [day * DAY_MS, (day + 1) * DAY_MS];
    }
  }

  /** Folds a day from its rollups where that gives the same: nothing late, edges and buckets on the rollups' grid, one series. */
  #foldRollups(
    ranking: Ranking,
    series: SeriesId,
    range: TimeRange,
    buckets: { of(timeMs: number): Bucket },
    folds: Map<number, Accumulator>[],
  ): boolean {
    const rank = ranking.rankOf.get(series) as number;
    const day = dayOf(range.from);
    const onGrid = (timeMs: number) => timeMs % ROLLUP_MS === 0;
    if ((ranking.tags[rank]?.members.length ?? 0) > 1 || !onGrid(range.from) || !onGrid(range.to) || !isSettled(this.#layout, day))
      return false;
    const [first, last] = [buckets.of(range.from), buckets.of(range.to - 1)];
    const fits = (edgeMs: number) => onGrid(edgeMs) || edgeMs <= range.from || edgeMs >= range.to;
    if (!fits(first.to) || !fits(last.from)) return false;
    const rollup = this.#rollups.get(day, series);
    if (!rollup) return false;
    const fold = folds[rank] as Map<number, Accumulator>;
    for (const cell of rollup) {
      const timeMs = day * DAY_MS + cell.bucket * ROLLUP_MS;
      if (timeMs >= range.from && timeMs < range.to) accumulator(fold, buckets.of(timeMs).from).addCell(cell);
    }
    return true;
  }

  /** Whether the newest sample before a time was bad. */
  #isBadBefore(ranking: Ranking, timeMs: UnixMs): boolean {
    const range = { from: MIN_TIME_MS, to: timeMs };
    for (const slab of [...slabs(this.#layout, range.from, range.to)].reverse()) {
      let newest: boolean | undefined;
      visitMerged(this.#ranked(ranking, slab), ({ run }, index) => {
        newest = (run.status?.[index] ?? 0) >= BAD;
        return true;
      });
      if (newest !== undefined) return newest;
    }
    return false;
  }

  /** The newest sample of a series that is not bad and has a value, looked for from the newest on back. */
  newestUsable(series: SeriesId): Sample | undefined {
    for (const slab of [...slabs(this.#layout, MIN_TIME_MS, MAX_TIME_MS + 1)].reverse()) {
      const run = runOf(this.#layout, slab, series, false);
      for (let index = run.count - 1; index >= 0; index--) {
        const sample = {
          timeMs: run.timeMs[index] as number,
          number: run.numbers[index] as number,
          wide: run.wide?.[index],
          status: run.status?.[index] ?? 0,
        };
        if (isUsable(sample)) return sample;
      }
    }
    return undefined;
  }
}

function accumulator(folds: Map<number, Accumulator>, bucketMs: number): Accumulator {
  const known = folds.get(bucketMs) ?? new Accumulator();
  folds.set(bucketMs, known);
  return known;
}

function foldRun(run: Run, buckets: { of(timeMs: number): Bucket }, folds: Map<number, Accumulator>): void {
  let bucket: Bucket = { from: 0, to: 0 };
  let fold: Accumulator | undefined;
  for (let index = 0; index < run.count; index++) {
    const status = run.status?.[index] ?? 0;
    if (status >= BAD) continue;
    const timeMs = run.timeMs[index] as number;
    if (!fold || timeMs < bucket.from || timeMs >= bucket.to) {
      bucket = buckets.of(timeMs);
      fold = accumulator(folds, bucket.from);
    }
    const wide = run.wide?.[index];
    fold.add(typeof wide === 'bigint' ? Number(wide) : (run.numbers[index] as number), status >= UNCERTAIN);
  }
}
