/** Seals windows in small steps: encodes heads into chunks of `store.db`; the rows of `part` at the end make them count. */
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import type { Blobs, StoredRun } from './blobs.ts';
import { BlockCutter } from './block-cutter.ts';
import type { Catalogue } from './catalogue.ts';
import { contentsOf, type Part, type PartNumber } from './catalogue-reads.ts';
import { WINDOW_MS } from './grid.ts';
import type { LatestSamples } from './latest.ts';
import type { OpenWindow } from './open-windows.ts';
import { RollupBuilder } from './rollup.ts';
import { bundleKey, bundleOf } from './rollups.ts';
import { EMPTY_RUN, type Run } from './run.ts';
import { RunMerge } from './run-merge.ts';
import { SharedTimes } from './shared-times.ts';
import type { Siblings } from './siblings.ts';
import { tiePositions } from './ties.ts';
import type { Wal } from './wal/log.ts';

/**
 * Rows of a commit: about 2 ms of SQLite's work. Each commit writes the pages at the end of the tables and their index again, so that
 * one for every step of encoding (some 20 rows) costs more than the rows.
 */
const ROWS_A_COMMIT = 200;
/** The same of long rows. */
const BYTES_A_COMMIT = 1 << 20;

/** What the work is done with. */
export interface SealHouse {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly siblings: Siblings;
  readonly latest: LatestSamples;
  readonly wal: Wal;
  readonly definitions: ReadonlyMap<SeriesId, SeriesDef>;
  /** Samples of a block at most. */
  readonly maxBlockSamples: number;
}

/** A series of which the first blocks are encoded, and where its next ones come from. */
interface Begun {
  readonly series: SeriesId;
  readonly merge: RunMerge;
  readonly cutter: BlockCutter;
  isRead: boolean;
  /** The block that is to be encoded. */
  block: Run | undefined;
  blocks: number;
}

/** A part of a window as it grows: fast series have a chunk in each of several, one behind the other. */
interface GrowingPart {
  /** Ascending. */
  readonly series: SeriesId[];
  rows: number;
  readonly oldestMs: number;
}

export class SealJob {
  /** Still read until the job is done. */
  readonly windows: readonly OpenWindow[];
  /** Everything that came in before this is in these windows or was sealed before. */
  readonly sealedTo: Sequence;
  readonly #house: SealHouse;
  readonly #catalogue: Catalogue;
  readonly #blobs: Blobs;
  readonly #siblings: Siblings;
  /** Series whose newest sample is to be saved. */
  readonly #newest: SeriesId[];
  /** Series whose definition is to be saved; nothing of them counts before. */
  readonly #undefined: SeriesId[];
  /** Number of the first part that each window gets; of those that are begun. */
  readonly #firstParts: number[] = [];
  /** The parts of each window. */
  readonly #growing: GrowingPart[][] = [];
  #window = 0;
  /** Series of the present window that are left, in descending order. */
  #left: SeriesId[] = [];
  #begun: Begun | undefined;
  /** Of the present window. */
  #times = new SharedTimes();
  readonly #rollup = new RollupBuilder();
  /** What `#rollup` is of. */
  #bundle: number | undefined;
  /** Encoded, not in `store.db` yet. */
  #pending: (() => void)[] = [];
  #pendingBytes = 0;

  /** `undefinedSeries` are defined in the log alone. */
  constructor(windows: readonly OpenWindow[], sealedTo: Sequence, undefinedSeries: readonly SeriesId[], house: SealHouse) {
    this.#house = house;
    this.windows = windows;
    this.sealedTo = sealedTo;
    this.#catalogue = house.catalogue;
    this.#blobs = house.blobs;
    this.#siblings = house.siblings;
    this.#newest = [...house.latest.unsaved()];
    this.#undefined = [...undefinedSeries];
  }

  /**
   * Works until `isOver` says so; true when everything is encoded and the definitions and the newest samples are saved. Whatever it throws, the
   * step may be repeated: nothing counts as done before it is.
   */
  step(isOver: () => boolean): boolean {
    while (this.#window < this.windows.length && !this.#isCommitDue) {
      if (this.#firstParts[this.#window] === undefined) this.#begin(this.windows[this.#window] as OpenWindow);
      this.#advance();
      if (isOver()) return false;
    }
    if (this.#pending.length > 0) {
      this.#catalogue.commitUnsynced('sealing a window', () => {
        for (const put of this.#pending) put();
      });
      this.#pending = [];
      this.#pendingBytes = 0;
      return false;
    }
    return this.#saveDefinitions() && this.#saveNewest();
  }

  get #isCommitDue(): boolean {
    return this.#pending.length >= ROWS_A_COMMIT || this.#pendingBytes >= BYTES_A_COMMIT;
  }

  /** Saves some of the definitions; true when all are. */
  #saveDefinitions(): boolean {
    const some = this.#undefined.slice(-ROWS_A_COMMIT);
    if (some.length === 0) return true;
    this.#catalogue.commitUnsynced('saving definitions', () => {
      for (const series of some) this.#catalogue.putDefinition(series, this.#house.definitions.get(series) as SeriesDef);
    });
    this.#undefined.length -= some.length;
    return false;
  }

  /** Saves some of the newest samples; true when all are. What comes in while it works is in the log as long as it is not sealed itself. */
  #saveNewest(): boolean {
    const { wal, latest } = this.#house;
    const some = this.#newest.slice(-ROWS_A_COMMIT);
    if (some.length === 0) return true;
    wal.sync(); // none may be there that the log can still lose
    this.#catalogue.commitUnsynced('saving newest samples', () => {
      for (const row of latest.rows(some)) this.#catalogue.latest.put(row);
    });
    latest.saved(some);
    this.#newest.length -= some.length;
    return this.#newest.length === 0;
  }

  /** What the caller commits when all is encoded. Parts of one window follow each other: what came in is in all of them together. */
  parts(): readonly Part[] {
    return this.windows.flatMap(({ window, since }, index) =>
      (this.#growing[index] ?? []).map(({ series, rows, oldestMs }, place) => ({
        window,
        part: (this.#firstParts[index] as number) + place,
        firstSequence: since,
        lastSequence: (this.sealedTo - 1) as Sequence,
        rows,
        oldestMs,
        contents: contentsOf(series),
      })),
    );
  }

  #begin(open: OpenWindow): void {
    const part = this.#catalogue.nextPart(open.window);
    this.#left = open.series().reverse();
    this.#growing[this.#window] = [{ series: [], rows: 0, oldestMs: open.oldestMs }];
    this.#times = new SharedTimes();
    this.#firstParts[this.#window] = part;
  }

  /** Sorts a head, merges a piece, or encodes a block. */
  #advance(): void {
    const begun = this.#begun;
    if (!begun) this.#beginSeries();
    else if (begun.block) this.#encode(begun, begun.block);
    else if (begun.isRead) this.#endSeries();
    else this.#read(begun);
  }

  /** Begins with the next series that has a definition, or ends the window. */
  #beginSeries(): void {
    const open = this.windows[this.#window] as OpenWindow;
    const series = this.#left.at(-1);
    this.#rollOn(series);
    if (series === undefined) {
      this.#window++;
      return;
    }
    if (!this.#blobs.knows(series)) {
      this.#left.pop(); // its definition was lost with a piece of the log, and that was reported
      return;
    }
    const { maxBlockSamples } = this.#house;
    const merge = new RunMerge(this.#streamsOf(open, series), maxBlockSamples);
    this.#begun = { series, merge, cutter: new BlockCutter(maxBlockSamples), isRead: false, block: undefined, blocks: 0 };
  }

  /** Its samples, in streams of which the later one wins; all at once, with their ties, where it shares its tag. */
  #streamsOf(open: OpenWindow, series: SeriesId): Iterable<Run, void>[] {
    const siblings = this.#siblings.of(series).flatMap((other) => {
      const run = open.run(other);
      return run ? [{ series: other, run }] : [];
    });
    if (siblings.length === 0) return open.headsOf(series).map((head) => aloneRun(head));
    const { order: _, ...run } = open.run(series) ?? EMPTY_RUN;
    const order = tiePositions({ series, run: open.run(series) ?? EMPTY_RUN }, siblings);
    return [[order ? { ...run, order } : run]];
  }

  #read(begun: Begun): void {
    const run = begun.merge.next();
    if (run) begun.cutter.add(run);
    else begun.isRead = true;
    begun.block = run ? begun.cutter.full() : begun.cutter.rest();
  }

  #encode(begun: Begun, run: Run): void {
    const { series, cutter, blocks } = begun;
    const { window, oldestMs } = this.windows[this.#window] as OpenWindow;
    const place = { window, part: (this.#firstParts[this.#window] as number) + blocks };
    const chunk: StoredRun = {
      times: this.#timesRow(series, run),
      data: this.#blobs.encodeChunk(series, run),
      ties: this.#blobs.encodeTies(run.order),
    };
    this.#rollup.add(run, window * WINDOW_MS, bundleKey(series));
    this.#put(chunk.data.length, () => this.#catalogue.putChunk(place, series, chunk));
    const parts = this.#growing[this.#window] as GrowingPart[];
    const part = parts[blocks] ?? { series: [], rows: 0, oldestMs };
    parts[blocks] = part;
    part.series.push(series);
    part.rows += run.count;
    begun.blocks++;
    begun.block = begun.isRead ? cutter.rest() : cutter.full();
  }

  #endSeries(): void {
    this.#begun = undefined;
    this.#left.pop();
  }

  /** Writes the rollup of a bundle when its last series is done. */
  #rollOn(series: SeriesId | undefined): void {
    const bundle = series === undefined ? undefined : bundleOf(series);
    if (bundle === this.#bundle) return;
    if (this.#bundle !== undefined) {
      const place: PartNumber = {
        window: (this.windows[this.#window] as OpenWindow).window,
        part: this.#firstParts[this.#window] as number,
      };
      const [done, data] = [this.#bundle, this.#rollup.encode()];
      this.#put(data.length, () => this.#catalogue.putWindowRollup(place, done, data));
    }
    this.#rollup.clear();
    this.#bundle = bundle;
  }

  #timesRow(series: SeriesId, run: Run): number {
    return this.#times.rowOf(run, () => {
      const row = this.#catalogue.newTimesRow();
      const data = this.#blobs.encodeChunkTimes(series, run);
      this.#put(data.length, () => this.#catalogue.putTimes(row, data));
      return row;
    });
  }

  #put(bytes: number, put: () => void): void {
    this.#pending.push(put);
    this.#pendingBytes += bytes;
  }
}

/** Of a series that is alone in its tag: its order of arrival tells nothing. */
function* aloneRun(head: { run(): Run }): Generator<Run, void> {
  const { order: _, ...run } = head.run();
  yield run;
}
