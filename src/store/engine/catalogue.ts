/** `store.db`: series, sealed chunks, rollups, the switch table of day files. Synchronous SQLite, in the store worker. */
import { statSync } from 'node:fs';
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import { openDatabase, sqliteError } from '../sqlite/database.ts';
import { type Migrations, migrate } from '../sqlite/migrations.ts';
import type { StoredRun } from './blobs.ts';
import { CatalogueReads, type Day, type Part, type PartNumber } from './catalogue-reads.ts';
import { WINDOWS_PER_DAY } from './grid.ts';
import { LatestTable } from './latest-table.ts';
import type { RollupDay } from './rollup-days.ts';

const CACHE_KIB = 4_096;
/** A step of removing rollups. */
const ROLLUPS_AT_ONCE = 1_000;
/** A step of sweeping: about 5 ms. */
const SWEEP_CHUNKS = 500;
const SWEEP_ROLLUPS = 200;

const MIGRATIONS: Migrations = [
  `CREATE TABLE series (id INTEGER PRIMARY KEY, def TEXT NOT NULL) STRICT;
   CREATE TABLE chunk (
     id INTEGER PRIMARY KEY, window INTEGER NOT NULL, part INTEGER NOT NULL, series INTEGER NOT NULL,
     times INTEGER NOT NULL, data BLOB NOT NULL, ties BLOB
   ) STRICT;
   CREATE UNIQUE INDEX chunk_place ON chunk (window, part, series);
   CREATE TABLE times (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
   CREATE TABLE part (
     window INTEGER NOT NULL, part INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
     oldest_ms INTEGER NOT NULL, PRIMARY KEY (window, part)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE day_rollup (day INTEGER NOT NULL, series INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (day, series)) STRICT, WITHOUT ROWID;
   CREATE TABLE day (
     day INTEGER PRIMARY KEY, generation INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
     oldest_ms INTEGER NOT NULL, bytes INTEGER NOT NULL
   ) STRICT;
   CREATE TABLE latest (
     series INTEGER PRIMARY KEY, newest_ms INTEGER NOT NULL, newest ANY, status INTEGER NOT NULL,
     usable_ms INTEGER, usable ANY, usable_status INTEGER
   ) STRICT;
   CREATE TABLE progress (
     one INTEGER PRIMARY KEY CHECK (one = 1), next INTEGER NOT NULL, kept INTEGER NOT NULL, gone_ms INTEGER, gone_seq INTEGER NOT NULL
   ) STRICT;
   INSERT INTO progress VALUES (1, 0, 0, NULL, 0);`,
  `CREATE TABLE window_rollup (
     id INTEGER PRIMARY KEY, window INTEGER NOT NULL, part INTEGER NOT NULL, bundle INTEGER NOT NULL, data BLOB NOT NULL
   ) STRICT;
   CREATE UNIQUE INDEX window_rollup_place ON window_rollup (window, part, bundle);`,
  `ALTER TABLE progress DROP COLUMN gone_ms;
   ALTER TABLE progress DROP COLUMN gone_seq;
   CREATE TABLE gone (day INTEGER PRIMARY KEY, seq INTEGER NOT NULL) STRICT;
   CREATE TABLE rollup_day (day INTEGER PRIMARY KEY, bytes INTEGER NOT NULL, thinned INTEGER NOT NULL) STRICT;
   INSERT INTO rollup_day SELECT day, sum(length(data)), 0 FROM day_rollup GROUP BY day;`,
];

/** How far the engine has come. */
export interface Progress {
  /** Sequence after the last sealed record. */
  readonly next: Sequence;
  /** The log is needed from here on. */
  readonly kept: Sequence;
  /** By day: what came in for it before the sequence was removed. Only those that the log may still hold records of. */
  readonly gone: ReadonlyMap<number, Sequence>;
}

export class Catalogue extends CatalogueReads {
  readonly latest: LatestTable;
  readonly #insertChunk;
  readonly #insertTimes;
  readonly #putDayRollup;
  readonly #insertWindowRollup;
  readonly #addDayRollup;
  #nextTimes: number;

  constructor(file: string) {
    const database = openDatabase(file);
    database.pragma('wal_autocheckpoint = 0'); // a checkpoint after each seal, not in the middle of a commit
    database.pragma(`cache_size = -${CACHE_KIB}`);
    migrate(database, MIGRATIONS, file);
    super(database);
    this.latest = new LatestTable(database);
    this.#insertChunk = database.prepare('INSERT INTO chunk (window, part, series, times, data, ties) VALUES (?, ?, ?, ?, ?, ?)');
    this.#insertTimes = database.prepare('INSERT INTO times VALUES (?, ?)');
    this.#putDayRollup = database.prepare('INSERT OR REPLACE INTO day_rollup VALUES (?, ?, ?)');
    this.#insertWindowRollup = database.prepare('INSERT INTO window_rollup (window, part, bundle, data) VALUES (?, ?, ?, ?)');
    this.#addDayRollup = database.prepare('INSERT OR IGNORE INTO day_rollup VALUES (?, ?, ?)');
    this.#nextTimes = Number(database.prepare('SELECT coalesce(max(id), 0) + 1 FROM times').pluck().get());
  }

  /** All or nothing. Throws `store_failed` or `disk_full`. */
  commit(doing: string, act: () => void): void {
    try {
      this.database.transaction(act)();
    } catch (error) {
      throw sqliteError(error, doing);
    }
  }

  /**
   * The same without waiting for the disk: what it writes is safe with the next `commit`, which syncs the same file, and may be gone
   * after a power cut before. For what only counts by that commit.
   */
  commitUnsynced(doing: string, act: () => void): void {
    this.database.pragma('synchronous = NORMAL');
    try {
      this.commit(doing, act);
    } finally {
      this.database.pragma('synchronous = FULL');
    }
  }

  /** Moves what is committed from SQLite's own log into the file; never throws for a reader in the way. */
  checkpoint(): void {
    this.database.pragma('wal_checkpoint(PASSIVE)');
  }

  progress(): Progress {
    const { next, kept } = this.database.prepare('SELECT next, kept FROM progress').get() as Pick<Progress, 'next' | 'kept'>;
    const gone = this.database.prepare('SELECT day, seq FROM gone').raw().all() as [number, Sequence][];
    return { next, kept, gone: new Map(gone) };
  }

  setSealed(next: Sequence, kept: Sequence): void {
    this.database.prepare('UPDATE progress SET next = ?, kept = ?').run(next, kept);
  }

  /** Forgets those of whose days the log holds nothing any more: it begins at `logStart`. */
  setGone(day: number, sequence: Sequence, logStart: Sequence): void {
    this.database.prepare('INSERT OR REPLACE INTO gone VALUES (?, ?)').run(day, sequence);
    this.database.prepare('DELETE FROM gone WHERE seq <= ?').run(logStart);
  }

  definitions(): { readonly id: SeriesId; readonly def: SeriesDef }[] {
    const rows = this.database.prepare('SELECT id, def FROM series ORDER BY id').all() as { id: SeriesId; def: string }[];
    return rows.map(({ id, def }) => ({ id, def: JSON.parse(def) as SeriesDef }));
  }

  putDefinition(id: SeriesId, def: SeriesDef): void {
    this.database.prepare('INSERT INTO series VALUES (?, ?) ON CONFLICT DO UPDATE SET def = excluded.def').run(id, JSON.stringify(def));
  }

  putPart({ window, part, firstSequence, lastSequence, rows, oldestMs }: Part): void {
    this.database.prepare('INSERT INTO part VALUES (?, ?, ?, ?, ?, ?)').run(window, part, firstSequence, lastSequence, rows, oldestMs);
  }

  /** Stores a block of times; returns its row. */
  putTimes(data: Uint8Array): number {
    const id = this.#nextTimes++;
    this.#insertTimes.run(id, data);
    return id;
  }

  putChunk({ window, part }: PartNumber, series: SeriesId, { times, data, ties }: StoredRun): void {
    this.#insertChunk.run(window, part, series, times, data, ties);
  }

  /** Number of a window's next part: behind all that ever had chunks, garbage included. */
  nextPart(window: number): number {
    const used = 'SELECT part FROM chunk WHERE window = :window UNION ALL SELECT part FROM part WHERE window = :window';
    return Number(this.database.prepare(`SELECT coalesce(max(part), -1) + 1 FROM (${used})`).pluck().get({ window }));
  }

  /** Removes some chunks of windows [first, end) that no part counts, with their times, then the rollups; true when there may be more. */
  sweep(firstWindow: number, endWindow: number): boolean {
    return this.#sweepChunks(firstWindow, endWindow) || this.#sweepRollups(firstWindow, endWindow);
  }

  #sweepRollups(firstWindow: number, endWindow: number): boolean {
    let removed = 0;
    this.commit('sweeping rollups', () => {
      removed = this.database
        .prepare(
          `DELETE FROM window_rollup WHERE id IN (
             SELECT id FROM window_rollup LEFT JOIN part USING (window, part)
             WHERE window >= ? AND window < ? AND part.rows IS NULL LIMIT ${SWEEP_ROLLUPS})`,
        )
        .run(firstWindow, endWindow).changes;
    });
    return removed === SWEEP_ROLLUPS;
  }

  #sweepChunks(firstWindow: number, endWindow: number): boolean {
    const ids = this.database
      .prepare(
        `SELECT id FROM chunk LEFT JOIN part USING (window, part)
         WHERE window >= ? AND window < ? AND part.rows IS NULL ORDER BY window, part LIMIT ${SWEEP_CHUNKS}`,
      )
      .pluck()
      .all(firstWindow, endWindow) as number[];
    if (ids.length === 0) return false;
    this.commit('sweeping chunks', () => {
      const list = JSON.stringify(ids);
      const times = this.database
        .prepare('SELECT DISTINCT times FROM chunk WHERE id IN (SELECT value FROM json_each(?))')
        .pluck()
        .all(list);
      this.database.prepare('DELETE FROM chunk WHERE id IN (SELECT value FROM json_each(?))').run(list);
      const rest = 'SELECT value FROM json_each(?) WHERE value NOT IN (SELECT times FROM chunk WHERE window >= ? AND window < ?)';
      this.database.prepare(`DELETE FROM times WHERE id IN (${rest})`).run(JSON.stringify(times), firstWindow, endWindow);
    });
    return true;
  }

  /**
   * Puts the rollups of a day in place of those it had. Of a day that is thinned only those of series that have none: what came late
   * is not the whole of it.
   */
  putDayRollups(day: number, rollups: readonly { readonly series: SeriesId; readonly data: Uint8Array }[]): void {
    const known = this.rollupDay(day);
    const put = known?.isThinned ? this.#addDayRollup : this.#putDayRollup;
    let bytes = known?.isThinned ? known.bytes : 0;
    for (const { series, data } of rollups) if (put.run(day, series, data).changes > 0) bytes += data.length;
    this.database.prepare('INSERT OR REPLACE INTO rollup_day VALUES (?, ?, ?)').run(day, bytes, known?.isThinned ? 1 : 0);
  }

  rollupDay(day: number): RollupDay | undefined {
    return this.rollupDays(day, day + 1)[0];
  }

  /** Its samples go, its rollups stay. */
  thinDay(day: number): void {
    this.database.prepare('UPDATE rollup_day SET thinned = 1 WHERE day = ?').run(day);
  }

  /** Removes some rollups of a day, and with the last of them the day; true when there may be more. */
  removeRollups(day: number): boolean {
    const some = `SELECT series FROM day_rollup WHERE day = :day LIMIT ${ROLLUPS_AT_ONCE}`;
    const removed = this.database.prepare(`DELETE FROM day_rollup WHERE day = :day AND series IN (${some})`).run({ day }).changes;
    if (removed === ROLLUPS_AT_ONCE) return true;
    this.database.prepare('DELETE FROM rollup_day WHERE day = ?').run(day);
    return false;
  }

  putWindowRollup({ window, part }: PartNumber, bundle: number, data: Uint8Array): void {
    this.#insertWindowRollup.run(window, part, bundle, data);
  }

  putDay({ day, generation, firstSequence, lastSequence, rows, oldestMs, bytes }: Day): void {
    this.database
      .prepare('INSERT OR REPLACE INTO day VALUES (?, ?, ?, ?, ?, ?, ?)')
      .run(day, generation, firstSequence, lastSequence, rows, oldestMs, bytes);
  }

  /** Forgets its file; its rollups stay. */
  removeDay(day: number): void {
    this.database.prepare('DELETE FROM day WHERE day = ?').run(day);
  }

  /** Forgets the parts of a day; their chunks are then garbage, for `sweep`. */
  removeParts(day: number): void {
    const [first, end] = [day * WINDOWS_PER_DAY, (day + 1) * WINDOWS_PER_DAY];
    this.database.prepare('DELETE FROM part WHERE window >= ? AND window < ?').run(first, end);
  }

  /** Of the file with SQLite's own log, and how many of them are free pages, for use again. */
  bytes(): { readonly file: number; readonly free: number } {
    const of = (what: string) => Number(this.database.pragma(what, { simple: true }));
    const [pageBytes, pages, free] = [of('page_size'), of('page_count'), of('freelist_count')];
    const log = statSync(`${this.database.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return { file: pages * pageBytes + log, free: free * pageBytes };
  }
}
