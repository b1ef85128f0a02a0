/** What a query needs of `store.db`: sealed chunks with their times, rollups, and which parts and day files count. */
import { closeSync, existsSync, openSync } from 'node:fs';
import type { Sequence, SeriesId } from '../../core/tag.ts';
import type { Database } from '../sqlite/database.ts';
import { isDamage } from '../sqlite/file-fault.ts';
import type { StoredRun } from './blobs.ts';
import type { RollupDay } from './rollup-days.ts';
import { rowSum } from './row-sum.ts';

/**
 * One sealed stretch of a window; the switch that makes its chunks count. Its samples came in between the two sequences,
 * both included.
 */
export interface Part {
  readonly window: number;
  readonly part: number;
  readonly firstSequence: Sequence;
  readonly lastSequence: Sequence;
  readonly rows: number;
  /** Time of the oldest sample. */
  readonly oldestMs: number;
  /** Of the ids of its series, see `contentsOf`: tells that none of its chunks is gone. */
  readonly contents: number;
}

/** Which part. */
export type PartNumber = Pick<Part, 'window' | 'part'>;

export interface Day extends Omit<Part, 'window' | 'part' | 'contents'> {
  readonly day: number;
  /** The file is `<day>-<generation>.db`. */
  readonly generation: number;
  readonly bytes: number;
}

/** What a part has. */
export interface Contents {
  readonly series: Uint32Array;
  readonly isWhole: boolean;
}

/** Hears of what cannot be read. */
export type Report = (what: string, error: unknown) => void;

/** Stands for a list of series. */
export function contentsOf(series: readonly SeriesId[]): number {
  return rowSum('contents', series.length, ...series);
}

/** Is there while `store.db` is under suspicion. */
export function suspectFile(file: string): string {
  return `${file}.suspect`;
}

interface Summed {
  readonly id: number;
  readonly sum: number;
}

/** Of series in known contents: 1 MiB. Whoever asks for a series that a part has not looks into them. */
const MAX_KNOWN_SERIES = 1 << 18;

const PART_COLUMNS = 'window, part, first_seq AS firstSequence, last_seq AS lastSequence, rows, oldest_ms AS oldestMs, contents';
const DAY_COLUMNS = 'day, generation, first_seq AS firstSequence, last_seq AS lastSequence, rows, oldest_ms AS oldestMs, bytes';

interface RollupDayRow extends Omit<RollupDay, 'isThinned'> {
  readonly thinned: number;
}

export class CatalogueReads {
  readonly database: Database;
  readonly #file: string;
  readonly #report: Report;
  readonly #getChunk;
  readonly #getTimes;
  readonly #getDayRollup;
  readonly #getWindowRollup;
  readonly #getVersion;
  readonly #partsBetween;
  readonly #daysBetween;
  readonly #rollupDaysBetween;
  /** Parts that were looked at, the oldest first: the series that their chunks say they have, and whether all is there. */
  readonly #contents = new Map<string, { readonly series: Uint32Array; isWhole: boolean }>();
  #knownSeries = 0;
  #isSuspect = false;

  /** The tables are there. */
  constructor(database: Database, file: string, report: Report) {
    this.database = database;
    this.#file = file;
    this.#report = report;
    this.#getChunk = database.prepare('SELECT id, times, data, ties, sum FROM chunk WHERE window = ? AND part = ? AND series = ?');
    this.#getTimes = database.prepare('SELECT data, sum FROM times WHERE id = ?');
    this.#getDayRollup = database.prepare('SELECT data, sum FROM day_rollup WHERE day = ? AND series = ?');
    this.#getWindowRollup = database.prepare('SELECT id, data, sum FROM window_rollup WHERE window = ? AND part = ? AND bundle = ?');
    this.#getVersion = database.prepare('PRAGMA data_version').pluck(); // of what others have committed
    this.#partsBetween = database.prepare(`SELECT ${PART_COLUMNS} FROM part WHERE window >= ? AND window < ? ORDER BY window, part`);
    this.#daysBetween = database.prepare(`SELECT ${DAY_COLUMNS} FROM day WHERE day >= ? AND day < ? ORDER BY day`);
    this.#rollupDaysBetween = database.prepare('SELECT day, bytes, thinned FROM rollup_day WHERE day >= ? AND day < ? ORDER BY day');
  }

  /** True when something could not be read since it was opened, here or by another reader: then it is to be opened by `openCatalogue` again. */
  get isSuspect(): boolean {
    return this.#isSuspect || existsSync(suspectFile(this.#file));
  }

  /** Undefined also when it cannot be read, which is reported. */
  chunk(part: Part, series: SeriesId): StoredRun | undefined {
    const row = this.#read(() => this.#getChunk.get(part.window, part.part, series) as (StoredRun & Summed) | undefined);
    if (!row) {
      const contents = this.#contentsOf(part);
      if (contents.series.includes(series)) this.#tellMissing(part, contents); // the index has it and the table has not
      return undefined;
    }
    const { id, times, data, ties, sum } = row;
    return { times, data, ties, isUnsound: rowSum('chunk', id, part.window, part.part, series, times, data, ties) !== sum };
  }

  /** Series that have a chunk in a part, ascending; not `isWhole` when it has not all that it should have, as far as that was seen: it is reported once. */
  contents(part: Part): Contents {
    return this.#contentsOf(part);
  }

  /** Undefined also when it cannot be read. */
  times(id: number): Uint8Array | undefined {
    const row = this.#read(() => this.#getTimes.get(id) as { data: Uint8Array; sum: number } | undefined);
    return row && rowSum('times', id, row.data) === row.sum ? row.data : undefined;
  }

  /** Another number after each change of rollups that were there; it may change more often. */
  rollupVersion(): number {
    return this.#getVersion.get() as number;
  }

  /** Undefined also when it cannot be read, which is reported. */
  dayRollup(day: number, series: SeriesId): Uint8Array | undefined {
    const row = this.#read(() => this.#getDayRollup.get(day, series) as { data: Uint8Array; sum: number } | undefined);
    if (!row || rowSum('day_rollup', day, series, row.data) === row.sum) return row?.data;
    this.#report(this.#file, new Error(`the rollup of series ${series} on day ${day} is damaged`));
    return undefined;
  }

  /** Rollups of a bundle of series in a part; undefined where there are none, or they cannot be read, which is reported. */
  windowRollup({ window, part }: PartNumber, bundle: number): Uint8Array | undefined {
    const row = this.#read(() => this.#getWindowRollup.get(window, part, bundle) as ({ data: Uint8Array } & Summed) | undefined);
    if (!row || rowSum('window_rollup', row.id, window, part, bundle, row.data) === row.sum) return row?.data;
    this.#report(this.#file, new Error(`rollup ${bundle} of window ${window} is damaged`));
    return undefined;
  }

  /** Parts of windows [first, end), by window and part. */
  parts(firstWindow = Number.MIN_SAFE_INTEGER, endWindow = Number.MAX_SAFE_INTEGER): Part[] {
    return this.#partsBetween.all(firstWindow, endWindow) as Part[];
  }

  /** Days [first, end) that have a file. */
  days(firstDay = Number.MIN_SAFE_INTEGER, endDay = Number.MAX_SAFE_INTEGER): Day[] {
    return this.#daysBetween.all(firstDay, endDay) as Day[];
  }

  /** Days [first, end) that have rollups. */
  rollupDays(firstDay = Number.MIN_SAFE_INTEGER, endDay = Number.MAX_SAFE_INTEGER): RollupDay[] {
    const rows = this.#rollupDaysBetween.all(firstDay, endDay) as RollupDayRow[];
    return rows.map(({ day, bytes, thinned }) => ({ day, bytes, isThinned: thinned === 1 }));
  }

  /** Series that have a chunk in a part, ascending. */
  seriesOf({ window, part }: PartNumber): SeriesId[] {
    const series = this.database.prepare('SELECT series FROM chunk WHERE window = ? AND part = ? ORDER BY series').pluck();
    return this.#read(() => series.all(window, part) as SeriesId[]) ?? [];
  }

  close(): void {
    this.database.close();
  }

  /** What it knows of parts holds no longer: their numbers may come again. */
  protected forgetParts(): void {
    this.#contents.clear();
    this.#knownSeries = 0;
  }

  /** The next opening looks at all of it, whether this process comes to it or not. */
  suspect(doing: string, error: unknown): void {
    if (this.#isSuspect) return;
    this.#isSuspect = true;
    this.#report(this.#file, new Error(`${doing} found it damaged`, { cause: error }));
    closeSync(openSync(suspectFile(this.#file), 'w'));
  }

  #contentsOf(part: Part): { readonly series: Uint32Array; isWhole: boolean } {
    const key = `${part.window}:${part.part}:${part.lastSequence}`; // a number may come again when its chunks were swept
    const known = this.#contents.get(key);
    if (known) return known;
    const series = this.seriesOf(part);
    const contents = { series: Uint32Array.from(series), isWhole: true };
    this.#contents.set(key, contents);
    this.#knownSeries += series.length;
    for (const [oldest, { series: dropped }] of this.#contents) {
      if (this.#knownSeries <= MAX_KNOWN_SERIES || oldest === key) break;
      this.#contents.delete(oldest);
      this.#knownSeries -= dropped.length;
    }
    if (contentsOf(series) !== part.contents) this.#tellMissing(part, contents);
    return contents;
  }

  #tellMissing(part: Part, contents: { isWhole: boolean }): void {
    if (contents.isWhole) this.#report(this.#file, new Error(`chunks of window ${part.window}, part ${part.part} are gone`));
    contents.isWhole = false;
  }

  /** Undefined when the file is damaged there, which is reported. */
  #read<Result>(read: () => Result): Result | undefined {
    try {
      return read();
    } catch (error) {
      if (!isDamage(error)) throw error;
      this.suspect('reading', error);
      return undefined;
    }
  }
}
