/** Aggregates: from rollups where these give the same, else from samples. */
import type { SeriesId } from '../../core/tag.ts';
import { type Bucket, Buckets } from '../calendar.ts';
import type { Ranking } from '../ranking.ts';
import type { AggregateColumns, AggregateQuery, Aggregation, Step } from '../telemetry.ts';
import { DAY_MS, dayOf, ROLLUP_MS } from './grid.ts';
import { finer, isSettled, type Layout, type Slab, slabs } from './reader.ts';
import type { RollupColumns } from './rollup.ts';
import { bundleOf, ofBundle, type Rollups } from './rollups.ts';
import type { Run } from './run.ts';
import { type BucketGrid, TagFold } from './tag-fold.ts';

/** A day of five minutes; a range may be wide and hold nothing. */
const MAX_ROWS_AT_FIRST = 289;

/** The samples of a tag in a slab. */
export type ReadTag = (rank: number, slab: Slab) => Run;

interface Where {
  readonly layout: Layout;
  readonly rollups: Rollups;
  /** Called for each tag of a day or window; throws when the query has gone on for too long. */
  readonly guard: () => void;
}

export class Aggregate {
  readonly #layout: Layout;
  readonly #rollups: Rollups;
  readonly #guard: () => void;
  readonly #ranking: Ranking;
  readonly #query: AggregateQuery;
  readonly #readTag: ReadTag;
  readonly #buckets: BucketGrid;
  readonly #folds: readonly TagFold[];

  constructor(where: Where, ranking: Ranking, query: AggregateQuery, readTag: ReadTag) {
    this.#layout = where.layout;
    this.#rollups = where.rollups;
    this.#guard = where.guard;
    this.#ranking = ranking;
    this.#query = query;
    this.#readTag = readTag;
    this.#buckets = query.step ? new Buckets(query.step) : { of: (): Bucket => query.range };
    const rows = rowsOf(query);
    this.#folds = ranking.tags.map(() => new TagFold(this.#buckets, query.aggregation, rows));
  }

  columns(): AggregateColumns {
    const { from, to } = this.#query.range;
    let day = Number.NaN;
    let left: readonly number[] = [];
    const bare = this.#thinnedDays();
    for (const slab of slabs(this.#layout, from, to)) {
      if (dayOf(slab.fromMs) !== day) {
        day = dayOf(slab.fromMs);
        while ((bare[0] ?? day) < day) this.#afterDay(bare.shift() as number);
        if (bare[0] === day) bare.shift();
        left = this.#afterDay(day);
      }
      if (left.length > 0) for (const each of finer(this.#layout, slab, this.#query.series)) this.#foldSlab(each, left);
    }
    for (const each of bare) this.#afterDay(each);
    for (const fold of this.#folds) fold.finish();
    return inOrder(this.#folds, this.#ranking);
  }

  /** Days of the range of which the rollups are left, ascending; some may have got late samples since. */
  #thinnedDays(): number[] {
    const { from, to } = this.#query.range;
    const days = to > from ? this.#layout.rollupDays.thinned() : [];
    return days.filter((day) => day >= dayOf(from) && day <= dayOf(to - 1)).sort((a, b) => a - b);
  }

  /** Folds a day from its rollups where nothing came late, or its samples are gone; returns the ranks of the tags that must be asked for samples. */
  #afterDay(day: number): readonly number[] {
    const { range, step, aggregation } = this.#query;
    const ranks = this.#ranking.tags.map((_, rank) => rank);
    const fromMs = Math.max(range.from, day * DAY_MS);
    const toMs = Math.min(range.to, (day + 1) * DAY_MS);
    if (this.#layout.rollupDays.isThinned(day)) return isComposed(step) ? ranks.filter((rank) => !this.#foldThinned(rank, day)) : ranks;
    if (!this.#layout.days.has(day) || !isOnGrid(fromMs, toMs, step, this.#buckets) || !isSettled(this.#layout, day)) return ranks;
    return ranks.filter((rank) => {
      this.#guard();
      const series = this.#only(rank);
      const columns = series === undefined ? undefined : this.#rollups.day(day, series, aggregation);
      if (!columns) return true;
      this.#folds[rank]?.addCells({ columns, from: 0, to: columns.rows, firstKey: 0, originMs: day * DAY_MS }, fromMs, toMs);
      return false;
    });
  }

  /**
   * Folds what is left of a day, without the cells that the range cuts; false when nothing is left of the tag. Samples of several series
   * that overwrote each other count twice: rollups do not show it.
   */
  #foldThinned(rank: number, day: number): boolean {
    this.#guard();
    const { range, aggregation } = this.#query;
    const members = this.#ranking.tags[rank]?.members ?? [];
    const cells = members.flatMap((series) => {
      const columns = this.#rollups.day(day, series, aggregation);
      return columns ? [{ columns, from: 0, to: columns.rows, firstKey: 0, originMs: day * DAY_MS }] : [];
    });
    this.#folds[rank]?.addCellsTogether(cells, range.from, range.to - ROLLUP_MS + 1);
    return cells.length > 0;
  }

  #foldSlab(slab: Slab, ranks: readonly number[]): void {
    const { fromMs, toMs } = slab;
    const bundles = new Map<number, RollupColumns | undefined>();
    const part = this.#sealedOnce(slab);
    for (const rank of ranks) {
      this.#guard();
      const fold = this.#folds[rank] as TagFold;
      const series = part && this.#only(rank);
      const columns = part && series !== undefined ? bundleIn(bundles, this.#rollups, part, series, this.#query.aggregation) : undefined;
      if (part && series !== undefined && columns) fold.addCells(ofBundle(columns, part.window, series), fromMs, toMs);
      else fold.addRun(this.#readTag(rank, slab));
    }
  }

  /** Where the rollups of all of a window are: the first part of its only seal. Undefined where there is more, or buckets do not fit the cells. */
  #sealedOnce({ windows, block, fromMs, toMs }: Slab) {
    const [window] = windows;
    const { parts, frozen, open } = this.#layout;
    if (block || window === undefined || windows.length > 1) return undefined;
    if (frozen.has(window) || open.get(window) || !isOnGrid(fromMs, toMs, this.#query.step, this.#buckets)) return undefined;
    return parts.sealsOf(window) === 1 ? parts.of(window)[0] : undefined;
  }

  /** The series of a tag that has only one: those of several must merge first. */
  #only(rank: number): SeriesId | undefined {
    const members = this.#ranking.tags[rank]?.members ?? [];
    return members.length === 1 ? members[0] : undefined;
  }
}

/** About how many rows a tag will have. */
function rowsOf({ range, step }: AggregateQuery): number {
  if (!step || !('ms' in step)) return 1;
  return Math.min(Math.ceil((range.to - range.from) / step.ms) + 1, MAX_ROWS_AT_FIRST);
}

function bundleIn(
  known: Map<number, RollupColumns | undefined>,
  ...[rollups, part, series, aggregation]: readonly [Rollups, { readonly window: number; readonly part: number }, SeriesId, Aggregation]
): RollupColumns | undefined {
  const bundle = bundleOf(series);
  if (!known.has(bundle)) known.set(bundle, rollups.bundle(part, bundle, aggregation));
  return known.get(bundle);
}

/** True when buckets consist of whole cells. */
function isComposed(step: Step | undefined): boolean {
  return !step || !('ms' in step) || step.ms % ROLLUP_MS === 0;
}

/** True when no cell of [fromMs, toMs), which is a day at most, lies across an edge of the range or of a bucket. */
function isOnGrid(fromMs: number, toMs: number, step: Step | undefined, buckets: BucketGrid): boolean {
  const onGrid = (timeMs: number) => timeMs % ROLLUP_MS === 0;
  if (!onGrid(fromMs) || !onGrid(toMs)) return false;
  const [first, last] = [buckets.of(fromMs), buckets.of(toMs - 1)];
  if (first.to >= toMs || !step) return true;
  if ('ms' in step) return onGrid(step.ms);
  return onGrid(first.to) && onGrid(last.from); // between two midnights of a day there is no third
}

/** All rows by (time, rank). */
function inOrder(folds: readonly TagFold[], ranking: Ranking): AggregateColumns {
  const rows = folds.reduce((sum, fold) => sum + fold.rows, 0);
  const columns = {
    rows,
    series: new Uint32Array(rows),
    timeMs: new Float64Array(rows),
    values: new Float64Array(rows),
    count: new Uint32Array(rows),
    uncertain: new Uint32Array(rows),
  };
  const times = folds.map((fold) => fold.timeMs.written());
  const sources = folds.map(({ values, count, uncertain }) => [values.written(), count.written(), uncertain.written()] as const);
  const next = new Uint32Array(folds.length);
  /** Of each tag the time of its next row. */
  const nextMs = Float64Array.from(times, (column) => column[0] ?? Number.POSITIVE_INFINITY);
  let earliestMs = nextMs.reduce((least, timeMs) => Math.min(least, timeMs), Number.POSITIVE_INFINITY);
  for (let row = 0; row < rows; ) {
    let followingMs = Number.POSITIVE_INFINITY;
    for (let rank = 0; rank < folds.length; rank++) {
      if (nextMs[rank] === earliestMs) {
        const at = next[rank] as number;
        const [values, count, uncertain] = sources[rank] as (typeof sources)[number];
        columns.series[row] = ranking.tags[rank]?.series as number;
        columns.timeMs[row] = earliestMs;
        columns.values[row] = values[at] as number;
        columns.count[row] = count[at] as number;
        columns.uncertain[row] = uncertain[at] as number;
        row++;
        next[rank] = at + 1;
        nextMs[rank] = times[rank]?.[at + 1] ?? Number.POSITIVE_INFINITY;
      }
      if ((nextMs[rank] as number) < followingMs) followingMs = nextMs[rank] as number;
    }
    earliestMs = followingMs;
  }
  return columns;
}
