/** Brings a whole day into a day file in small steps: blocks of four hours, rollups of five minutes. The row of `day` is the switch. */
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import { sqliteError } from '../sqlite/database.ts';
import type { Catalogue } from './catalogue.ts';
import type { Day, Part } from './catalogue-reads.ts';
import { DayFileWriter } from './day-file.ts';
import { BLOCKS_PER_DAY, DAY_BLOCK_MS, DAY_MS, WINDOW_MS } from './grid.ts';
import { type Layout, runOf, type Slab } from './reader.ts';
import { RollupBuilder, type SeriesRollup } from './rollup.ts';
import type { RollupDay } from './rollup-days.ts';
import { SharedTimes } from './shared-times.ts';
import type { Siblings } from './siblings.ts';
import type { EngineHook } from './steps.ts';
import { tiePositions } from './ties.ts';

/** The layout of the engine itself, which may write. */
export type OwnLayout = Layout & { readonly catalogue: Catalogue };

export interface CompactHouse {
  readonly siblings: Siblings;
  readonly definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly hook?: EngineHook | undefined;
}

export class CompactJob {
  readonly day: number;
  readonly #layout: OwnLayout;
  readonly #siblings: Siblings;
  readonly #definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly #writer: DayFileWriter;
  readonly #generation: number;
  readonly #windows: readonly number[];
  readonly #firstSequence: Sequence;
  readonly #lastSequence: Sequence;
  /** Parts whose series are not among those to be written yet; then these, and of them the ones that are left, in descending order. */
  readonly #unlisted: Part[];
  readonly #listed: Part[] = [];
  readonly #series: Set<SeriesId>;
  #left: SeriesId[] | undefined;
  /** Of the series that is being written: its next block, bits of those that it has, its rollup. */
  #block = 0;
  #blocks = 0;
  readonly #rollup = new RollupBuilder();
  readonly #rollups: SeriesRollup[] = [];
  readonly #times = new SharedTimes();
  #isWhole = true;
  #rows = 0;
  #oldestMs = Number.POSITIVE_INFINITY;

  /** `layout` holds nothing open or frozen: only what is sealed goes into a day file. */
  constructor(layout: OwnLayout, day: number, house: CompactHouse) {
    const { siblings, definitions, hook } = house;
    this.day = day;
    this.#definitions = definitions;
    this.#layout = layout;
    this.#siblings = siblings;
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
    this.#left ??= [...this.#series].sort((a, b) => b - a);
    const series = this.#left.at(-1);
    if (series === undefined) return false;
    this.#write(series, this.#block++);
    if (this.#block === BLOCKS_PER_DAY) this.#end(series);
    return true;
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

  #write(series: SeriesId, block: number): void {
    const fromMs = this.day * DAY_MS + block * DAY_BLOCK_MS;
    const toMs = fromMs + DAY_BLOCK_MS;
    const windows = this.#windows.filter((window) => window * WINDOW_MS >= fromMs && window * WINDOW_MS < toMs);
    const stored = this.#layout.days.has(this.day) ? { block: { day: this.day, block } } : {};
    const slab: Slab = { fromMs, toMs, windows, ...stored };
    const siblings = this.#siblings.of(series);
    const run = runOf(this.#layout, slab, series, siblings.length > 0);
    if (run.count === 0) return;
    this.#rollup.add(run, this.day * DAY_MS, 0);
    this.#blocks |= 1 << block;
    const others = siblings.map((other) => ({ series: other, run: runOf(this.#layout, slab, other, true) }));
    const { blobs } = this.#layout;
    this.#writer.putBlock(series, block, {
      times: this.#times.rowOf(run, () => this.#writer.putTimes(blobs.encodeTimes(run))),
      data: blobs.encodeValues(series, run),
      ties: blobs.encodeTies(tiePositions({ series, run }, others)),
    });
    this.#rows += run.count;
    this.#oldestMs = Math.min(this.#oldestMs, run.timeMs[0] as number);
  }

  /** Of the present series all blocks are written. */
  #end(series: SeriesId): void {
    const def = this.#definitions.get(series);
    if (this.#blocks !== 0 && def) this.#writer.putSeries(series, this.#blocks, def);
    this.#rollups.push({ series, data: this.#rollup.encode() });
    this.#rollup.clear();
    this.#left?.pop();
    this.#block = 0;
    this.#blocks = 0;
  }
}
