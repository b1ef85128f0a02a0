/** Seals windows in small steps: encodes heads into chunks of `store.db`; the rows of `part` at the end make them count. */
import type { Sequence, SeriesId } from '../../core/tag.ts';
import type { Blobs } from './blobs.ts';
import type { Catalogue } from './catalogue.ts';
import { contentsOf, type Part, type PartNumber } from './catalogue-reads.ts';
import { WINDOW_MS } from './grid.ts';
import type { LatestSamples } from './latest.ts';
import type { OpenWindow } from './open-windows.ts';
import { RollupBuilder } from './rollup.ts';
import { bundleKey, bundleOf } from './rollups.ts';
import type { Run } from './run.ts';
import { SharedTimes } from './shared-times.ts';
import type { Siblings } from './siblings.ts';
import { tiePositions } from './ties.ts';
import type { Wal } from './wal/log.ts';

/**
 * Rows of a commit: about 2 ms of SQLite's work. Each commit writes the pages at the end of the tables and their index again, so that
 * one for every step of encoding (some 20 rows) costs more than the rows.
 */
const ROWS_A_COMMIT = 200;

/** What the work is done with. */
export interface SealHouse {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly siblings: Siblings;
  readonly latest: LatestSamples;
  readonly wal: Wal;
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
  /** Number of the part that each window gets; of those that are begun. */
  readonly #parts: number[] = [];
  /** Series of each window that have a chunk, ascending. */
  readonly #sealed: SeriesId[][] = [];
  #window = 0;
  /** Series of the present window that are left, in descending order. */
  #left: SeriesId[] = [];
  /** Of the present window. */
  #times = new SharedTimes();
  readonly #rollup = new RollupBuilder();
  /** What `#rollup` is of. */
  #bundle: number | undefined;
  /** Encoded, not in `store.db` yet. */
  #pending: (() => void)[] = [];

  constructor(windows: readonly OpenWindow[], sealedTo: Sequence, house: SealHouse) {
    this.#house = house;
    this.windows = windows;
    this.sealedTo = sealedTo;
    this.#catalogue = house.catalogue;
    this.#blobs = house.blobs;
    this.#siblings = house.siblings;
    this.#newest = [...house.latest.unsaved()];
  }

  /**
   * Works until `isOver` says so; true when everything is encoded and the newest samples are saved. Whatever it throws, the step may be repeated:
   * nothing counts as done before it is.
   */
  step(isOver: () => boolean): boolean {
    while (this.#window < this.windows.length && this.#pending.length < ROWS_A_COMMIT) {
      if (this.#parts[this.#window] === undefined) this.#begin(this.windows[this.#window] as OpenWindow);
      const series = this.#left.at(-1);
      this.#rollOn(series);
      if (series === undefined) this.#window++;
      else {
        this.#seal(series);
        this.#left.pop();
      }
      if (isOver()) return false;
    }
    if (this.#pending.length > 0) {
      this.#catalogue.commitUnsynced('sealing a window', () => {
        for (const put of this.#pending) put();
      });
      this.#pending = [];
      return false;
    }
    return this.#saveNewest();
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

  /** What the caller commits when all is encoded. */
  parts(): readonly Part[] {
    return this.windows.map((open, index) => ({
      window: open.window,
      part: this.#parts[index] as number,
      firstSequence: open.since,
      lastSequence: (this.sealedTo - 1) as Sequence,
      rows: open.samples,
      oldestMs: open.oldestMs,
      contents: contentsOf(this.#sealed[index] ?? []),
    }));
  }

  #begin(open: OpenWindow): void {
    const part = this.#catalogue.nextPart(open.window);
    this.#left = open.series().reverse();
    this.#sealed[this.#window] = [];
    this.#times = new SharedTimes();
    this.#parts[this.#window] = part;
  }

  /** Writes the rollup of a bundle when its last series is done. */
  #rollOn(series: SeriesId | undefined): void {
    const bundle = series === undefined ? undefined : bundleOf(series);
    if (bundle === this.#bundle) return;
    if (this.#bundle !== undefined) {
      const [place, done, data] = [this.#placeOf(this.#window), this.#bundle, this.#rollup.encode()];
      this.#pending.push(() => this.#catalogue.putWindowRollup(place, done, data));
    }
    this.#rollup.clear();
    this.#bundle = bundle;
  }

  #placeOf(index: number): PartNumber {
    return { window: (this.windows[index] as OpenWindow).window, part: this.#parts[index] as number };
  }

  #seal(series: SeriesId): void {
    const open = this.windows[this.#window] as OpenWindow;
    const run = open.run(series);
    if (!run || !this.#blobs.knows(series)) return; // its definition was lost with a piece of the log, and that was reported
    const siblings = this.#siblings.of(series).flatMap((other) => {
      const others = open.run(other);
      return others ? { series: other, run: others } : [];
    });
    const place = this.#placeOf(this.#window);
    const chunk = {
      times: this.#timesRow(series, run),
      data: this.#blobs.encodeChunk(series, run),
      ties: this.#blobs.encodeTies(tiePositions({ series, run }, siblings)),
    };
    this.#rollup.add(run, open.window * WINDOW_MS, bundleKey(series));
    this.#pending.push(() => this.#catalogue.putChunk(place, series, chunk));
    this.#sealed[this.#window]?.push(series);
  }

  #timesRow(series: SeriesId, run: Run): number {
    return this.#times.rowOf(run, () => {
      const row = this.#catalogue.newTimesRow();
      const data = this.#blobs.encodeChunkTimes(series, run);
      this.#pending.push(() => this.#catalogue.putTimes(row, data));
      return row;
    });
  }
}
