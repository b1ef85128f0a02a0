/** What a query needs of `store.db`: sealed chunks with their times, rollups, and which parts and day files count. */
import type { Sequence, SeriesId } from '../../core/tag.ts';
import type { Database } from '../sqlite/database.ts';
import type { StoredRun } from './blobs.ts';
import type { RollupDay } from './rollup-days.ts';

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
}

/** Which part. */
export type PartNumber = Pick<Part, 'window' | 'part'>;

export interface Day extends Omit<Part, 'window' | 'part'> {
  readonly day: number;
  /** The file is `<day>-<generation>.db`. */
  readonly generation: number;
  readonly bytes: number;
}

const PART_COLUMNS = 'window, part, first_seq AS firstSequence, last_seq AS lastSequence, rows, oldest_ms AS oldestMs';
const DAY_COLUMNS = 'day, generation, first_seq AS firstSequence, last_seq AS lastSequence, rows, oldest_ms AS oldestMs, bytes';

interface RollupDayRow extends Omit<RollupDay, 'isThinned'> {
  readonly thinned: number;
}

export class CatalogueReads {
  readonly database: Database;
  readonly #getChunk;
  readonly #getTimes;
  readonly #getDayRollup;
  readonly #getWindowRollup;
  readonly #partsBetween;
  readonly #daysBetween;
  readonly #rollupDaysBetween;

  /** The tables are there. */
  constructor(database: Database) {
    this.database = database;
    this.#getChunk = database.prepare('SELECT times, data, ties FROM chunk WHERE window = ? AND part = ? AND series = ?');
    this.#getTimes = database.prepare('SELECT data FROM times WHERE id = ?').pluck();
    this.#getDayRollup = database.prepare('SELECT data FROM day_rollup WHERE day = ? AND series = ?').pluck();
    this.#getWindowRollup = database.prepare('SELECT data FROM window_rollup WHERE window = ? AND part = ? AND bundle = ?').pluck();
    this.#partsBetween = database.prepare(`SELECT ${PART_COLUMNS} FROM part WHERE window >= ? AND window < ? ORDER BY window, part`);
    this.#daysBetween = database.prepare(`SELECT ${DAY_COLUMNS} FROM day WHERE day >= ? AND day < ? ORDER BY day`);
    this.#rollupDaysBetween = database.prepare('SELECT day, bytes, thinned FROM rollup_day WHERE day >= ? AND day < ? ORDER BY day');
  }

  chunk({ window, part }: PartNumber, series: SeriesId): StoredRun | undefined {
    return this.#getChunk.get(window, part, series) as StoredRun | undefined;
  }

  times(id: number): Uint8Array | undefined {
    return this.#getTimes.get(id) as Uint8Array | undefined;
  }

  dayRollup(day: number, series: SeriesId): Uint8Array | undefined {
    return this.#getDayRollup.get(day, series) as Uint8Array | undefined;
  }

  /** Rollups of a bundle of series in a part; undefined where there are none. */
  windowRollup({ window, part }: PartNumber, bundle: number): Uint8Array | undefined {
    return this.#getWindowRollup.get(window, part, bundle) as Uint8Array | undefined;
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
    return this.database
      .prepare('SELECT series FROM chunk WHERE window = ? AND part = ? ORDER BY series')
      .pluck()
      .all(window, part) as SeriesId[];
  }

  /** Series that have a chunk in windows [first, end), ascending. */
  seriesIn(firstWindow: number, endWindow: number): SeriesId[] {
    return this.database
      .prepare('SELECT DISTINCT series FROM chunk JOIN part USING (window, part) WHERE window >= ? AND window < ? ORDER BY series')
      .pluck()
      .all(firstWindow, endWindow) as SeriesId[];
  }

  close(): void {
    this.database.close();
  }
}
