/**
 * `store.db`: series, sealed chunks, rollups, the switch table of day files. Synchronous SQLite, in the store worker. The last column of each
 * table is the checksum of the others (`row-sum.ts`).
 */
import { randomInt } from 'node:crypto';
import { statSync } from 'node:fs';
import type { Sequence, SeriesDef, SeriesId } from '../../core/tag.ts';
import { type Database, openDatabase, sqliteError } from '../sqlite/database.ts';
import { isDamage } from '../sqlite/file-fault.ts';
import { migrate } from '../sqlite/migrations.ts';
import type { StoredRun } from './blobs.ts';
import { CatalogueReads, type Day, type Part, type PartNumber, type Report } from './catalogue-reads.ts';
import { MIGRATIONS, TABLES } from './catalogue-tables.ts';
import { WINDOWS_PER_DAY } from './grid.ts';
import { LatestTable } from './latest-table.ts';
import type { SeriesRollup } from './rollup.ts';
import type { RollupDay } from './rollup-days.ts';
import { rowSum } from './row-sum.ts';
import type { EngineHook } from './steps.ts';

const CACHE_KIB = 4_096;
/** What SQLite moves from its log into the file at once, some 5 ms of it: more than a seal of a thousand series. */
const CHECKPOINT_BYTES = 2 << 20;
/** SQLite's application id is this and the version of the layout, in every version: so a damaged version is told from a newer one. */
export const STAMP = 0x7477_0000;
/** A step of removing rollups. */
const ROLLUPS_AT_ONCE = 1_000;

/** How far the engine has come. */
export interface Progress {
  /** Sequence after the last sealed record. */
  readonly next: Sequence;
  /** The log is needed from here on. */
  readonly kept: Sequence;
  /** By day: what came in for it before the sequence was removed. Only those that the log may still hold records of. */
  readonly gone: ReadonlyMap<number, Sequence>;
  /** Of the log's frames. */
  readonly identity: number;
}

export class Catalogue extends CatalogueReads {
  readonly latest: LatestTable;
  readonly #insertChunk;
  readonly #insertTimes;
  readonly #putDayRollup;
  readonly #hook: EngineHook | undefined;
  /** Of what was written since SQLite's log was last moved into the file. */
  #unmovedBytes = 0;
  #nextChunk: number;
  readonly #insertWindowRollup;
  readonly #addDayRollup;
  #nextTimes: number;
  #nextRollup: number;
  #rollupVersion = 0;

  /** Throws `store_failed` or `disk_full`. */
  constructor(file: string, report: Report, hook?: EngineHook) {
    const database = openTables(file);
    super(database, file, report);
    this.#hook = hook;
    try {
      this.latest = new LatestTable(database);
      this.#insertChunk = database.prepare('INSERT INTO chunk VALUES (?, ?, ?, ?, ?, ?, ?, ?)');
      this.#insertTimes = database.prepare('INSERT INTO times VALUES (?, ?, ?)');
      this.#putDayRollup = database.prepare('INSERT OR REPLACE INTO day_rollup VALUES (?, ?, ?, ?)');
      this.#addDayRollup = database.prepare('INSERT OR IGNORE INTO day_rollup VALUES (?, ?, ?, ?)');
      this.#insertWindowRollup = database.prepare('INSERT INTO window_rollup VALUES (?, ?, ?, ?, ?, ?)');
      const behind = (table: string) => Number(database.prepare(`SELECT coalesce(max(id), 0) + 1 FROM ${table}`).pluck().get());
      this.#nextChunk = behind('chunk');
      this.#nextTimes = behind('times');
      this.#nextRollup = behind('window_rollup');
      this.#begin();
    } catch (error) {
      database.close();
      throw sqliteError(error, `opening ${file}`);
    }
  }

  /** All or nothing. Throws `store_failed` or `disk_full`. */
  commit(doing: string, act: () => void): void {
    try {
      this.database.transaction(() => {
        act();
        this.#hook?.('commit', doing);
      })();
      this.#hook?.('committed', doing);
    } catch (error) {
      if (isDamage(error)) this.suspect(doing, error);
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

  /**
   * Moves what is committed from SQLite's own log into the file. True when all of it is there: then nothing is lost with that log either, and
   * what the file has taken over may go. A reader may be in the way of it. Throws `store_failed` or `disk_full`.
   */
  checkpoint(): boolean {
    this.#hook?.('checkpoint', 'store.db');
    this.#unmovedBytes = 0;
    try {
      const [result] = this.database.pragma('wal_checkpoint(PASSIVE)') as { busy: number; log: number; checkpointed: number }[];
      this.#hook?.('checkpointed', 'store.db');
      return result?.busy === 0 && result.log === result.checkpointed;
    } catch (error) {
      if (isDamage(error)) this.suspect('moving its log into it', error);
      throw sqliteError(error, 'moving the log of store.db into it');
    }
  }

  /** What was written is so much that moving it takes long. */
  get isCheckpointDue(): boolean {
    return this.#unmovedBytes >= CHECKPOINT_BYTES;
  }

  progress(): Progress {
    const row = this.database.prepare('SELECT next, kept, identity FROM progress').get() as Omit<Progress, 'gone'>;
    const gone = this.database.prepare('SELECT day, seq FROM gone').raw().all() as [number, Sequence][];
    return { ...row, gone: new Map(gone) };
  }

  /** All but what is gone. */
  setProgress({ next, kept, identity }: Omit<Progress, 'gone'>): void {
    const row = [1, next, kept, identity];
    this.database.prepare('INSERT OR REPLACE INTO progress VALUES (?, ?, ?, ?, ?)').run(...row, rowSum('progress', ...row));
  }

  /** Forgets those of whose days the log holds nothing any more: it begins at `logStart`. */
  setGone(day: number, sequence: Sequence, logStart: Sequence): void {
    this.database.prepare('INSERT OR REPLACE INTO gone VALUES (?, ?, ?)').run(day, sequence, rowSum('gone', day, sequence));
    this.database.prepare('DELETE FROM gone WHERE seq <= ?').run(logStart);
  }

  definitions(): { readonly id: SeriesId; readonly def: SeriesDef }[] {
    const rows = this.database.prepare('SELECT id, def FROM series ORDER BY id').all() as { id: SeriesId; def: string }[];
    return rows.map(({ id, def }) => ({ id, def: JSON.parse(def) as SeriesDef }));
  }

  putDefinition(id: SeriesId, def: SeriesDef): void {
    const row = [id, JSON.stringify(def)];
    this.database.prepare('INSERT OR REPLACE INTO series VALUES (?, ?, ?)').run(...row, rowSum('series', ...row));
  }

  putPart({ window, part, firstSequence, lastSequence, rows, oldestMs, contents }: Part): void {
    const row = [window, part, firstSequence, lastSequence, rows, oldestMs, contents];
    this.database.prepare('INSERT INTO part VALUES (?, ?, ?, ?, ?, ?, ?, ?)').run(...row, rowSum('part', ...row));
  }

  /** A row for a block of times, which nobody else is given. */
  newTimesRow(): number {
    return this.#nextTimes++;
  }

  putTimes(row: number, data: Uint8Array): void {
    this.#unmovedBytes += data.length;
    this.#insertTimes.run(row, data, rowSum('times', row, data));
  }

  putChunk({ window, part }: PartNumber, series: SeriesId, { times, data, ties }: StoredRun): void {
    const id = this.#nextChunk++;
    this.#unmovedBytes += data.length;
    this.#insertChunk.run(id, window, part, series, times, data, ties, rowSum('chunk', id, window, part, series, times, data, ties));
  }

  /** Number of a window's next part: behind all that ever had chunks or rollups, garbage included. */
  nextPart(window: number): number {
    const used = ['chunk', 'window_rollup', 'part'].map((table) => `SELECT part FROM ${table} WHERE window = :window`).join(' UNION ALL ');
    return Number(this.database.prepare(`SELECT coalesce(max(part), -1) + 1 FROM (${used})`).pluck().get({ window }));
  }

  override rollupVersion(): number {
    return this.#rollupVersion;
  }

  /** Some rollups of a day, in place of those it had. `putRollupDay` says that all are there. */
  putDayRollups(day: number, rollups: readonly SeriesRollup[]): void {
    this.#rollupVersion++;
    for (const { series, data } of rollups) {
      this.#unmovedBytes += data.length;
      this.#putDayRollup.run(day, series, data, rowSum('day_rollup', day, series, data));
    }
  }

  /** Of a day that is thinned those of series that have none: what came late is not the whole of it. Returns what it has now. */
  addDayRollups(known: RollupDay, rollups: readonly SeriesRollup[]): RollupDay {
    const { day } = known;
    let { bytes } = known;
    for (const { series, data } of rollups) {
      if (this.#addDayRollup.run(day, series, data, rowSum('day_rollup', day, series, data)).changes > 0) bytes += data.length;
    }
    const after = { ...known, bytes };
    this.putRollupDay(after);
    return after;
  }

  rollupDay(day: number): RollupDay | undefined {
    return this.rollupDays(day, day + 1)[0];
  }

  /** Its samples go, its rollups stay, as many as there are. */
  thinDay(day: number): void {
    const bytes = this.rollupDay(day)?.bytes ?? this.#rollupBytes(day);
    if (bytes !== null) this.putRollupDay({ day, bytes, isThinned: true });
  }

  /** Removes some rollups of a day, and with the last of them the day; true when there may be more. */
  removeRollups(day: number): boolean {
    this.#rollupVersion++;
    const some = `SELECT series FROM day_rollup WHERE day = :day LIMIT ${ROLLUPS_AT_ONCE}`;
    const removed = this.database.prepare(`DELETE FROM day_rollup WHERE day = :day AND series IN (${some})`).run({ day }).changes;
    if (removed === ROLLUPS_AT_ONCE) return true;
    this.database.prepare('DELETE FROM rollup_day WHERE day = ?').run(day);
    return false;
  }

  putWindowRollup({ window, part }: PartNumber, bundle: number, data: Uint8Array): void {
    const id = this.#nextRollup++;
    this.#unmovedBytes += data.length;
    this.#insertWindowRollup.run(id, window, part, bundle, data, rowSum('window_rollup', id, window, part, bundle, data));
  }

  putDay({ day, generation, firstSequence, lastSequence, rows, oldestMs, bytes }: Day): void {
    const row = [day, generation, firstSequence, lastSequence, rows, oldestMs, bytes];
    this.database.prepare('INSERT OR REPLACE INTO day VALUES (?, ?, ?, ?, ?, ?, ?, ?)').run(...row, rowSum('day', ...row));
  }

  /** Gives rollups that are all that is left of their day that day again. Those of a day that has a file are made anew. */
  adoptRollups(): void {
    const known = 'SELECT day FROM rollup_day UNION SELECT day FROM day';
    const strays = this.database
      .prepare(`SELECT day, sum(length(data)) AS bytes FROM day_rollup WHERE day NOT IN (${known}) GROUP BY day`)
      .all() as { day: number; bytes: number }[];
    for (const { day, bytes } of strays) this.putRollupDay({ day, bytes, isThinned: true });
  }

  /** Forgets all rollups of a day at once. */
  forgetRollups(day: number): void {
    this.#rollupVersion++;
    this.database.prepare('DELETE FROM day_rollup WHERE day = ?').run(day);
    this.database.prepare('DELETE FROM rollup_day WHERE day = ?').run(day);
  }

  /** Forgets its file; its rollups stay. */
  removeDay(day: number): void {
    this.database.prepare('DELETE FROM day WHERE day = ?').run(day);
  }

  /** Forgets the parts of a day; their chunks are then garbage, for `sweep`. */
  removeParts(day: number): void {
    const [first, end] = [day * WINDOWS_PER_DAY, (day + 1) * WINDOWS_PER_DAY];
    this.#rollupVersion++;
    this.database.prepare('DELETE FROM part WHERE window >= ? AND window < ?').run(first, end);
    this.forgetParts(); // a number may come again when its chunks are swept
  }

  /** Forgets the parts that a day's file has taken over. */
  removePartsUpTo(day: number, lastSequence: Sequence): void {
    const [first, end] = [day * WINDOWS_PER_DAY, (day + 1) * WINDOWS_PER_DAY];
    this.database.prepare('DELETE FROM part WHERE window >= ? AND window < ? AND last_seq <= ?').run(first, end, lastSequence);
  }

  /** The highest id that a chunk has. */
  highestSeries(): number {
    return Number(this.database.prepare('SELECT coalesce(max(series), 0) FROM chunk').pluck().get());
  }

  /** Of the file with SQLite's own log, and how many of them are free pages, for use again. */
  bytes(): { readonly file: number; readonly free: number } {
    const of = (what: string) => Number(this.database.pragma(what, { simple: true }));
    const [pageBytes, pages, free] = [of('page_size'), of('page_count'), of('freelist_count')];
    const log = statSync(`${this.database.name}-wal`, { throwIfNoEntry: false })?.size ?? 0;
    return { file: pages * pageBytes + log, free: free * pageBytes };
  }

  /** All rollups of a day are there. */
  putRollupDay({ day, bytes, isThinned }: RollupDay): void {
    const row = [day, bytes, isThinned ? 1 : 0];
    this.database.prepare('INSERT OR REPLACE INTO rollup_day VALUES (?, ?, ?, ?)').run(...row, rowSum('rollup_day', ...row));
  }

  /** Null for none. */
  #rollupBytes(day: number): number | null {
    return this.database.prepare('SELECT sum(length(data)) FROM day_rollup WHERE day = ?').pluck().get(day) as number | null;
  }

  /** In a fresh file. Throws when what is there has lost its only row of progress. */
  #begin(): void {
    const rows = (table: string) => Number(this.database.prepare(`SELECT count(*) FROM ${table}`).pluck().get());
    if (rows('progress') > 0) return;
    if (rows('series') + rows('part') + rows('day') > 0) throw new Error('its progress is gone');
    this.setProgress({ next: 0 as Sequence, kept: 0 as Sequence, identity: randomInt(2 ** 32) });
  }
}

function openTables(file: string): Database {
  const database = openDatabase(file);
  try {
    database.pragma('wal_autocheckpoint = 0'); // a checkpoint after each seal, not in the middle of a commit
    database.pragma(`cache_size = -${CACHE_KIB}`);
    migrate(database, MIGRATIONS, file);
    const stamp = STAMP + MIGRATIONS.length;
    if (database.pragma('application_id', { simple: true }) !== stamp) database.pragma(`application_id = ${stamp}`);
    for (const table of Object.keys(TABLES)) database.prepare(`SELECT * FROM ${table}`); // throws when one is gone
    return database;
  } catch (error) {
    database.close();
    throw sqliteError(error, `opening ${file}`);
  }
}
