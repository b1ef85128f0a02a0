/** Reads samples from wherever they lie: day files, sealed parts, windows being sealed, open windows; merged, in time order. */
import type { Sequence, SeriesId } from '../../core/tag.ts';
import { MAX_TIME_MS, MIN_TIME_MS, type UnixMs } from '../../core/time.ts';
import type { TimeRange } from '../telemetry.ts';
import type { Blobs } from './blobs.ts';
import type { CatalogueReads, Part } from './catalogue-reads.ts';
import type { DayFiles } from './day-files.ts';
import { BLOCKS_PER_DAY, DAY_BLOCK_MS, DAY_MS, dayOf, dayOfWindow, WINDOW_MS, WINDOWS_PER_DAY, windowOf } from './grid.ts';
import type { Sample } from './latest.ts';
import type { PartIndex } from './part-index.ts';
import type { RollupDays } from './rollup-days.ts';
import { mergeRuns, type Run, sliceRun } from './run.ts';

/** `order` of a run: its level, and within it what the run says. Unsealed samples carry the number of their arrival, below 2^52. */
const LEVEL_SPAN = 2 ** 32;
const UNSEALED = 2 ** 52;

/** A window that is not sealed. */
export interface Unsealed {
  run(series: SeriesId): Run | undefined;
}

/** Where the samples of an engine lie at this moment. */
export interface Layout {
  readonly catalogue: CatalogueReads;
  readonly blobs: Blobs;
  readonly parts: PartIndex;
  readonly days: DayFiles;
  readonly rollupDays: RollupDays;
  /** Windows that are being sealed. */
  readonly frozen: ReadonlyMap<number, Unsealed>;
  readonly open: { get(window: number): Unsealed | undefined; numbers(): readonly number[] };
}

/** A stretch of time that is read at once: of a block of a day file with the late windows over it, or of one window. */
export interface Slab {
  readonly fromMs: number;
  readonly toMs: number;
  readonly windows: readonly number[];
  /** The block of the day file, where the day has one. */
  readonly block?: { readonly day: number; readonly block: number };
}

/** The slabs that hold anything in [fromMs, toMs), ascending. */
export function* slabs(layout: Layout, fromMs: number, toMs: number): Generator<Slab, void, undefined> {
  if (toMs <= fromMs) return;
  const [firstDay, lastDay] = [dayOf(fromMs), dayOf(toMs - 1)];
  for (const day of daysWithin(layout, firstDay, lastDay)) {
    const windows = windowsOfDay(layout, day).filter((window) => window * WINDOW_MS < toMs && (window + 1) * WINDOW_MS > fromMs);
    if (!layout.days.has(day)) {
      for (const window of windows) {
        const [startMs, endMs] = [window * WINDOW_MS, (window + 1) * WINDOW_MS];
        yield { fromMs: Math.max(startMs, fromMs), toMs: Math.min(endMs, toMs), windows: [window] };
      }
      continue;
    }
    for (let block = 0; block < BLOCKS_PER_DAY; block++) {
      const blockMs = day * DAY_MS + block * DAY_BLOCK_MS;
      if (blockMs >= toMs || blockMs + DAY_BLOCK_MS <= fromMs) continue;
      const late = windows.filter((window) => window * WINDOW_MS >= blockMs && window * WINDOW_MS < blockMs + DAY_BLOCK_MS);
      const endMs = blockMs + DAY_BLOCK_MS;
      yield { fromMs: Math.max(blockMs, fromMs), toMs: Math.min(endMs, toMs), windows: late, block: { day, block } };
    }
  }
}

/** The same stretch in quarters of an hour where one of the series has many samples in it. */
export function* finer(layout: Layout, slab: Slab, series: readonly SeriesId[]): Generator<Slab, void, undefined> {
  const { block, fromMs, toMs } = slab;
  if (!block || !series.some((id) => layout.days.isLong(block.day, id, block.block))) {
    yield slab;
    return;
  }
  for (let window = windowOf(fromMs); window * WINDOW_MS < toMs; window++) {
    const windows = slab.windows.filter((late) => late === window);
    yield { fromMs: Math.max(fromMs, window * WINDOW_MS), toMs: Math.min(toMs, (window + 1) * WINDOW_MS), windows, block };
  }
}

/** The slabs in which some series are read, ascending. */
export function* forward(layout: Layout, { from, to }: TimeRange, series: readonly SeriesId[]): Generator<Slab, void, undefined> {
  for (const slab of slabs(layout, from, to)) yield* finer(layout, slab, series);
}

/** The same from the newest on back. */
export function* backward(layout: Layout, { from, to }: TimeRange, series: readonly SeriesId[]): Generator<Slab, void, undefined> {
  for (const slab of [...slabs(layout, from, to)].reverse()) yield* [...finer(layout, slab, series)].reverse();
}

/**
 * Samples of a series in a slab. With `ordered` the run tells its order among others of its tag: a day file came before the seals of a
 * window, these came one after the other, and before what is not sealed.
 */
export function runOf(layout: Layout, slab: Slab, series: SeriesId, ordered: boolean): Run {
  const runs: Run[] = [];
  const add = (run: Run | undefined, level: number) => {
    if (run) runs.push(ordered ? { ...run, order: atLevel(run, level) } : run);
  };
  if (slab.block) add(layout.days.run(slab.block.day, series, slab.block.block, slab), 0);
  for (const window of slab.windows) {
    let seal = 0;
    let before: Part | undefined;
    for (const part of layout.parts.of(window)) {
      if (part.lastSequence !== before?.lastSequence) seal++;
      before = part;
      add(partRun(layout, part, series), seal * LEVEL_SPAN);
    }
    for (const open of [layout.frozen.get(window), layout.open.get(window)]) add(open?.run(series), UNSEALED);
  }
  return sliceRun(mergeRuns(runs), slab.fromMs, slab.toMs);
}

/** Samples of a series in one part; undefined when it has none, or they are damaged (which is reported). */
export function partRun({ catalogue, blobs }: Layout, part: Part, series: SeriesId): Run | undefined {
  const chunk = catalogue.chunk(part, series);
  return chunk && blobs.run(series, chunk, (id) => catalogue.times(id));
}

/** The newest sample of each series, looked for from the newest day on back. */
export function newestSamples(layout: Layout, series: readonly SeriesId[]): Map<SeriesId, Sample> {
  const newest = new Map<SeriesId, Sample>();
  let left = series;
  const always = { from: MIN_TIME_MS as UnixMs, to: (MAX_TIME_MS + 1) as UnixMs };
  for (const slab of backward(layout, always, series)) {
    if (left.length === 0) break;
    for (const id of left) {
      const run = runOf(layout, slab, id, false);
      if (run.count > 0) newest.set(id, sampleAt(run, run.count - 1));
    }
    left = left.filter((id) => !newest.has(id));
  }
  return newest;
}

export function sampleAt(run: Run, index: number): Sample {
  return {
    timeMs: run.timeMs[index] as number,
    number: run.numbers[index] as number,
    wide: run.wide?.[index],
    status: run.status?.[index] ?? 0,
  };
}

function atLevel(run: Run, level: number): Float64Array {
  const order = new Float64Array(run.count).fill(level);
  if (run.order) for (let index = 0; index < run.count; index++) order[index] = level + (run.order[index] as number);
  return order;
}

/** What came in for the window before this sequence is sealed. */
export function sealedTo({ parts, days }: Layout, window: number): Sequence {
  const day = days.get(dayOfWindow(window));
  return Math.max(parts.sealedTo(window), day ? day.lastSequence + 1 : 0) as Sequence;
}

/** True when nothing came for the day after its file was written. */
export function isSettled(layout: Layout, day: number): boolean {
  return layout.days.has(day) && windowsOfDay(layout, day).length === 0;
}

/** Windows of a day that hold anything beside its day file, ascending. */
export function windowsOfDay(layout: Layout, day: number): number[] {
  const windows = new Set(layout.parts.windowsOf(day));
  for (const window of layout.frozen.keys()) if (dayOfWindow(window) === day) windows.add(window);
  for (let window = day * WINDOWS_PER_DAY; window < (day + 1) * WINDOWS_PER_DAY; window++) if (layout.open.get(window)) windows.add(window);
  return [...windows].sort((a, b) => a - b);
}

function daysWithin(layout: Layout, firstDay: number, lastDay: number): number[] {
  const days = new Set<number>();
  const add = (day: number) => {
    if (day >= firstDay && day <= lastDay) days.add(day);
  };
  for (const day of layout.days.days()) add(day);
  for (const day of layout.parts.days()) add(day);
  for (const window of layout.frozen.keys()) add(dayOfWindow(window));
  for (const window of layout.open.numbers()) add(dayOfWindow(window));
  return [...days].sort((a, b) => a - b);
}
