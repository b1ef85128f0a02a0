/** Brings a whole day into a day file in small steps: blocks of four hours, rollups of five minutes. The row of `day` is the switch. */
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import { sqliteError } from '../sqlite/database.ts';
import type { Catalogue } from './catalogue.ts';
import type { Day } from './catalogue-reads.ts';
import { DayFileWriter } from './day-file.ts';
import { BLOCKS_PER_DAY, DAY_BLOCK_MS, DAY_MS, WINDOW_MS, WINDOWS_PER_DAY } from './grid.ts';
import { type Layout, runOf, type Slab } from './reader.ts';
import { RollupBuilder } from './rollup.ts';
import type { Run } from './run.ts';
import { hashTimes, sameTimes } from './seal-job.ts';
import type { Siblings } from './siblings.ts';
import type { EngineHook } from './steps.ts';
import { tiePositions } from './ties.ts';

interface SharedTimes {
  readonly run: Run;
  readonly row: number;
}

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
  /** In descending order. */
  readonly #left: SeriesId[];
  readonly #rollups: { readonly series: SeriesId; readonly data: Uint8Array }[] = [];
  readonly #times = new Map<number, SharedTimes[]>();
  readonly #rollup = new RollupBuilder();
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
    const series = new Set([
      ...layout.catalogue.seriesIn(day * WINDOWS_PER_DAY, (day + 1) * WINDOWS_PER_DAY),
      ...layout.days.seriesOf(day),
    ]);
    this.#left = [...series].sort((a, b) => b - a);
    this.#writer = new DayFileWriter(layout.days.fileOf({ day, generation: this.#generation }), day, hook);
  }

  /** False when some of what it was to take over is missing or damaged: then the day is to be left as it is. */
  get isWhole(): boolean {
    return this.#isWhole;
  }

  /** Works until `isOver` says so; true when all series are written. Throws `store_failed` or `disk_full`: then the job is to be abandoned. */
  step(isOver: () => boolean): boolean {
    const { blobs, days } = this.#layout;
    const { damaged } = blobs;
    try {
      do {
        const series = this.#left.pop();
        if (series === undefined) return true;
        this.#write(series);
      } while (!isOver());
      return false;
    } catch (error) {
      throw sqliteError(error, `writing the file of day ${this.day}`);
    } finally {
      const { parts, catalogue } = this.#layout;
      if (!this.#windows.every((window) => parts.of(window).every((part) => catalogue.isWhole(part)))) this.#isWhole = false;
      if (blobs.damaged > damaged || (days.has(this.day) && !days.isReadable(this.day))) this.#isWhole = false;
    }
  }

  /** Brings the file to its place and switches to it. Throws as `step` does. */
  finish(): Day {
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
    catalogue.commit('switching to a day file', () => {
      catalogue.putDay(day);
      catalogue.removeParts(this.day);
      catalogue.putDayRollups(this.day, this.#rollups);
    });
    return day;
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

  #write(series: SeriesId): void {
    this.#rollup.clear();
    let blocks = 0;
    for (let block = 0; block < BLOCKS_PER_DAY; block++) {
      const fromMs = this.day * DAY_MS + block * DAY_BLOCK_MS;
      const toMs = fromMs + DAY_BLOCK_MS;
      const windows = this.#windows.filter((window) => window * WINDOW_MS >= fromMs && window * WINDOW_MS < toMs);
      const stored = this.#layout.days.has(this.day) ? { block: { day: this.day, block } } : {};
      const slab: Slab = { fromMs, toMs, windows, ...stored };
      const siblings = this.#siblings.of(series);
      const run = runOf(this.#layout, slab, series, siblings.length > 0);
      if (run.count === 0) continue;
      this.#rollup.add(run, this.day * DAY_MS, 0);
      blocks |= 1 << block;
      const others = siblings.map((other) => ({ series: other, run: runOf(this.#layout, slab, other, true) }));
      this.#writer.putBlock(series, block, {
        times: this.#timesRow(run),
        data: this.#layout.blobs.encodeValues(series, run),
        ties: this.#layout.blobs.encodeTies(tiePositions({ series, run }, others)),
      });
      this.#rows += run.count;
      this.#oldestMs = Math.min(this.#oldestMs, run.timeMs[0] as number);
    }
    const def = this.#definitions.get(series);
    if (blocks !== 0 && def) this.#writer.putSeries(series, blocks, def);
    this.#rollups.push({ series, data: this.#rollup.encode() });
  }

  #timesRow(run: Run): number {
    const hash = hashTimes(run);
    const candidates = this.#times.get(hash) ?? [];
    const known = candidates.find((candidate) => sameTimes(candidate.run, run));
    if (known) return known.row;
    const row = this.#writer.putTimes(this.#layout.blobs.encodeTimes(run));
    this.#times.set(hash, [...candidates, { run, row }]);
    return row;
  }
}
