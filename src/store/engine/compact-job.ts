/** Brings a whole day into a day file in small steps: blocks of four hours or less, rollups of five minutes. The row of `day` is the switch. */
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import { sqliteError } from '../sqlite/database.ts';
import { BlockCutter } from './block-cutter.ts';
import { BlockSources } from './block-sources.ts';
import type { Catalogue } from './catalogue.ts';
import type { Day, Part } from './catalogue-reads.ts';
import { DayFileWriter } from './day-file.ts';
import { BLOCKS_PER_DAY, DAY_MS } from './grid.ts';
import type { Layout } from './reader.ts';
import { RollupBuilder, type SeriesRollup } from './rollup.ts';
import type { RollupDay } from './rollup-days.ts';
import type { Run } from './run.ts';
import { RunMerge } from './run-merge.ts';
import { SharedTimes } from './shared-times.ts';
import type { Siblings } from './siblings.ts';
import type { EngineHook } from './steps.ts';

/** The layout of the engine itself, which may write. */
export type OwnLayout = Layout & { readonly catalogue: Catalogue };

export interface CompactHouse {
  readonly siblings: Siblings;
  readonly definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly hook?: EngineHook | undefined;
  /** Samples of a block at most. */
  readonly maxBlockSamples: number;
}

export class CompactJob {
  readonly day: number;
  readonly #layout: OwnLayout;
  readonly #house: CompactHouse;
  readonly #definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly #writer: DayFileWriter;
  readonly #generation: number;
  readonly #windows: readonly number[];
  readonly #firstSequence: Sequence;
  readonly #lastSequence: Sequence;
  /** Parts whose series are not among those to be written yet; then these. */
  readonly #unlisted: Part[];
  readonly #listed: Part[] = [];
  readonly #series: Set<SeriesId>;
  #work: Generator<void, void> | undefined;
  /** Of the series that is being written. */
  readonly #rollup = new RollupBuilder();
  readonly #rollups: SeriesRollup[] = [];
  readonly #times = new SharedTimes();
  #isWhole = true;
  #rows = 0;
  #oldestMs = Number.POSITIVE_INFINITY;

  /** `layout` holds nothing open or frozen: only what is sealed goes into a day file. */
  constructor(layout: OwnLayout, day: number, house: CompactHouse) {
    const { definitions, hook } = house;
    this.#house = house;
    this.day = day;
    this.#definitions = definitions;
    this.#layout = layout;
    const known = layout.days.get(day);
    this.#generation = (known?.generation ?? 0) + 1;
    this.#windows = [...layout.parts.windowsOf(day)].sort((a, b) => a - b);
    const sources = [...(known ? [known] : []), ...this.#windows.flatMap((window) => layout.parts.of(window))];
    this.#firstSequence = Math.min(...sources.map((source) => source.firstSequence)) as Sequence;
    this.#lastSequence = Math.max(...sources.map((source) => source.lastSequence)) as Sequence;
    this.#unlisted = this.#windows.flatMap((window) => layout.parts.of(window));
    this.#series = new Set(layout.days.seriesOf(day));
    this.#writer = new DayFileWriter(layout.days.fileOf({ day, generation: this.#generation }), day, hook);
  }

  /** False when some of what it was to take over is missing or damaged: then the day is to be left as it is. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Of all series, when all are written. */
  get rollups(): readonly SeriesRollup[] {
    return this.#rollups;
  }

  /** Works until `isOver` says so; true when all series are written. Throws `store_failed` or `disk_full`: then the job is to be abandoned. */
  step(isOver: () => boolean): boolean {
    const { blobs, days, catalogue } = this.#layout;
    const { damaged } = blobs;
    try {
      if (this.#writer.flush()) return false;
      while (this.#advance()) if (isOver()) return false;
      return true;
    } catch (error) {
      throw sqliteError(error, `writing the file of day ${this.day}`);
    } finally {
      if (!this.#listed.every((part) => catalogue.contents(part).isWhole)) this.#isWhole = false;
      if (blobs.damaged > damaged || (days.has(this.day) && !days.isWhole(this.day))) this.#isWhole = false;
    }
  }

  /** Lists a part, or writes a block; false when nothing is left. */
  #advance(): boolean {
    const part = this.#unlisted.pop();
    if (part) {
      for (const series of this.#layout.catalogue.contents(part).series) this.#series.add(series as SeriesId);
      this.#listed.push(part);
      return true;
    }
    this.#work ??= this.#writeAll();
    return this.#work.next().done !== true;
  }

  /** Each step reads, merges or writes one block. */
  *#writeAll(): Generator<void, void> {
    for (const series of [...this.#series].sort((a, b) => a - b)) {
      let blocks = 0;
      for (let block = 0; block < BLOCKS_PER_DAY; block++) {
        yield* this.#write(series, block);
        if (this.#writer.endStretch(series, block)) blocks |= 1 << block;
      }
      const def = this.#definitions.get(series);
      if (blocks !== 0 && def) this.#writer.putSeries(series, blocks, def);
      this.#rollups.push({ series, data: this.#rollup.encode() });
      this.#rollup.clear();
      yield;
    }
  }

  /**
   * Brings the file to its place and switches to it. The rollups of the day are to be saved then, but those of a day that is thinned, which are
   * few: their row is returned. Throws as `step` does.
   */
  finish(): { readonly day: Day; readonly rollupDay?: RollupDay } {
    const { catalogue } = this.#layout;
    const head = {
      day: this.day,
      generation: this.#generation,
      firstSequence: this.#firstSequence,
      lastSequence: this.#lastSequence,
      rows: this.#rows,
      oldestMs: Number.isFinite(this.#oldestMs) ? this.#oldestMs : this.day * DAY_MS,
    };
    const day: Day = { ...head, bytes: this.#finishFile(head) };
    let rollupDay = catalogue.rollupDay(this.day);
    catalogue.commit('switching to a day file', () => {
      catalogue.putDay(day);
      catalogue.removeParts(this.day);
      if (rollupDay?.isThinned) rollupDay = catalogue.addDayRollups(rollupDay, this.#rollups);
      else catalogue.forgetRollups(this.day); // they are of the file before
    });
    return rollupDay?.isThinned ? { day, rollupDay } : { day };
  }

  #finishFile(head: Omit<Day, 'bytes'>): number {
    try {
      return this.#writer.finish(head);
    } catch (error) {
      throw sqliteError(error, `finishing the file of day ${this.day}`);
    }
  }

  /** Removes what was written; what the job was to take over stays as it is. */
  abandon(): void {
    this.#writer.abandon();
  }

  *#write(series: SeriesId, block: number): Generator<void, void> {
    const { maxBlockSamples, siblings } = this.#house;
    const sources = new BlockSources(this.#layout, { day: this.day, block, windows: this.#windows }, siblings);
    const merge = new RunMerge(sources.streamsOf(series), maxBlockSamples);
    const cutter = new BlockCutter(maxBlockSamples);
    for (let run = merge.next(); run; run = merge.next()) {
      cutter.add(run);
      yield;
      for (let full = cutter.full(); full; full = cutter.full()) {
        this.#put(series, block, full);
        yield;
      }
    }
    for (let rest = cutter.rest(); rest; rest = cutter.rest()) {
      this.#put(series, block, rest);
      yield;
    }
  }

  #put(series: SeriesId, block: number, run: Run): void {
    const { blobs } = this.#layout;
    this.#rollup.add(run, this.day * DAY_MS, 0);
    const stored = {
      times: this.#times.rowOf(run, () => this.#writer.putTimes(blobs.encodeTimes(run))),
      data: blobs.encodeValues(series, run),
      ties: blobs.encodeTies(run.order),
    };
    const [firstMs, lastMs] = [run.timeMs[0] as number, run.timeMs[run.count - 1] as number];
    this.#writer.putBlock(series, block, stored, { count: run.count, firstMs, lastMs });
    this.#rows += run.count;
    this.#oldestMs = Math.min(this.#oldestMs, firstMs);
  }
}
