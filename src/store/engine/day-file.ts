/**
 * One UTC day in an immutable file: blocks of four hours a series, block times shared by content. It stands for itself: the definitions of its
 * series are in it, and what the catalogue knows of it. The last column of each table is the checksum of the day and the other columns.
 */
import { renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import { sqliteError } from '../sqlite/database.ts';
import type { StoredRun } from './blobs.ts';
import { contentsOf, type Day } from './catalogue-reads.ts';
import { CorruptBlockError } from './codec/corrupt-block-error.ts';
import { rowSum } from './row-sum.ts';
import type { EngineHook } from './steps.ts';
import { decodeExtents, type Extent, encodeExtents } from './stretch.ts';
import { syncFile, syncFolder } from './wal/segment.ts';

/** Small pages: blocks are some hundred bytes, and a page's slack is lost. */
const PAGE_BYTES = 1_024;
const CACHE_KIB = 256;
const MMAP_BYTES = 256 * 1024 * 1024;
/** blk.id = series × 64 + block. */
const BLOCK_SPAN = 64;

const SCHEMA = `CREATE TABLE blk (id INTEGER PRIMARY KEY, times INTEGER NOT NULL, data BLOB NOT NULL, ties BLOB, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE times (id INTEGER PRIMARY KEY, data BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE series (id INTEGER PRIMARY KEY, blocks INTEGER NOT NULL, def TEXT NOT NULL, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE file (
    day INTEGER NOT NULL, generation INTEGER NOT NULL, first_seq INTEGER NOT NULL, last_seq INTEGER NOT NULL, rows INTEGER NOT NULL,
    oldest_ms INTEGER NOT NULL, contents INTEGER NOT NULL, sum INTEGER NOT NULL
  ) STRICT;`;
/** The version of a file in which four hours of a series may have several blocks: what an earlier version has no table for. */
const LONG_VERSION = 1;
const LONG_SCHEMA = `CREATE TABLE piece (id INTEGER PRIMARY KEY, times INTEGER NOT NULL, data BLOB NOT NULL, ties BLOB, sum INTEGER NOT NULL) STRICT;
  CREATE TABLE stretch (id INTEGER PRIMARY KEY, extents BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
  PRAGMA user_version = ${LONG_VERSION};`;
/** piece.id = id of the stretch × 2^20 + number of the piece. */
const PIECE_SPAN = 2 ** 20;
/** What is written at once: the disk is not to be busy for long with it while new samples wait for theirs. */
const FLUSH_BYTES = 1 << 20;
const FILE_NAME = /^(-?\d+)-(\d+)\.db$/;

/** What a day file says of itself; `contents` is that of its series, see `contentsOf`. */
export type DayFileHead = Omit<Day, 'bytes'> & { readonly contents: number };

export function dayFileName(dataDir: string, day: number, generation: number): string {
  return join(dataDir, 'day', `${day}-${generation}.db`);
}

/** The day and generation in a file's name; undefined for any other file. */
export function dayOfFileName(fileName: string): Pick<Day, 'day' | 'generation'> | undefined {
  const match = FILE_NAME.exec(fileName);
  return match ? { day: Number(match[1]), generation: Number(match[2]) } : undefined;
}

export class DayFile {
  readonly head: DayFileHead;
  readonly #database: Database.Database;
  readonly #getBlock;
  readonly #getTimes;
  readonly #getBlocks;
  /** Of a file that has stretches of several blocks: their ids. */
  readonly #stretches: ReadonlySet<number>;
  #areSeriesWhole = false;

  /** Throws `store_failed` when the file is not there, is not one of ours or not of this day and generation. */
  constructor(file: string, { day, generation }: Pick<Day, 'day' | 'generation'>) {
    let database: Database.Database | undefined;
    try {
      database = new Database(file, { readonly: true, fileMustExist: true });
      database.pragma(`cache_size = -${CACHE_KIB}`);
      database.pragma(`mmap_size = ${MMAP_BYTES}`);
      this.#database = database;
      this.#getBlock = database.prepare('SELECT times, data, ties, sum FROM blk WHERE id = ?');
      this.#getTimes = database.prepare('SELECT data, sum FROM times WHERE id = ?');
      this.#getBlocks = database.prepare('SELECT blocks, def, sum FROM series WHERE id = ?');
      this.#stretches = stretchesIn(database);
      this.head = headIn(database);
      if (this.head.day !== day || this.head.generation !== generation) {
        throw new CorruptBlockError(`it is that of day ${this.head.day} in generation ${this.head.generation}`);
      }
    } catch (error) {
      database?.close();
      throw sqliteError(error, `opening ${file}`);
    }
  }

  /** What the blocks of a stretch hold when it has several, in order of time. Throws CorruptBlockError, and what SQLite throws. */
  extents(series: SeriesId, block: number): readonly Extent[] | undefined {
    const id = series * BLOCK_SPAN + block;
    if (!this.#stretches.has(id)) return undefined;
    const row = this.#database.prepare('SELECT extents, sum FROM stretch WHERE id = ?').get(id) as
      | { extents: Uint8Array; sum: number }
      | undefined;
    if (!row || rowSum('stretch', this.head.day, id, row.extents) !== row.sum)
      throw new CorruptBlockError(`the row of block ${block} of series ${series} is damaged`);
    return decodeExtents(row.extents);
  }

  /** One of the blocks of such a stretch. Throws CorruptBlockError when it is not there, and what SQLite throws. */
  piece(series: SeriesId, block: number, piece: number): StoredRun {
    const id = (series * BLOCK_SPAN + block) * PIECE_SPAN + piece;
    const row = this.#database.prepare('SELECT times, data, ties, sum FROM piece WHERE id = ?').get(id) as
      | (StoredRun & { sum: number })
      | undefined;
    if (!row) throw new CorruptBlockError(`piece ${piece} of block ${block} of series ${series} is gone`);
    return this.#stored('piece', id, row);
  }

  /** The only block of a stretch. Throws CorruptBlockError when there should be one and is not, and what SQLite throws. */
  block(series: SeriesId, block: number): StoredRun | undefined {
    const id = series * BLOCK_SPAN + block;
    const row = this.#getBlock.get(id) as (StoredRun & { sum: number }) | undefined;
    if (row) return this.#stored('blk', id, row);
    if (this.#blocksOf(series) & (1 << block)) throw new CorruptBlockError(`block ${block} of series ${series} is gone`);
    return undefined;
  }

  /** Undefined when it is not there or damaged. */
  times(id: number): Uint8Array | undefined {
    const row = this.#getTimes.get(id) as { data: Uint8Array; sum: number } | undefined;
    return row && rowSum('times', this.head.day, id, row.data) === row.sum ? row.data : undefined;
  }

  /** Series that have a block, ascending. Throws CorruptBlockError when some are gone, and what SQLite throws. */
  series(): SeriesId[] {
    const series = this.#database.prepare('SELECT id FROM series ORDER BY id').pluck().all() as SeriesId[];
    if (contentsOf(series) !== this.head.contents) throw new CorruptBlockError('the list of its series is damaged');
    this.#areSeriesWhole = true;
    return series;
  }

  /** What is left of the definitions of its series. Throws what SQLite throws. */
  *definitions(): Generator<{ readonly id: SeriesId; readonly def: SeriesDef }, void, undefined> {
    const rows = this.#database.prepare('SELECT id, blocks, def, sum FROM series ORDER BY id');
    for (const { id, blocks, def, sum } of rows.iterate() as Iterable<SeriesRow & { id: SeriesId }>) {
      if (rowSum('series', this.head.day, id, blocks, def) === sum) yield { id, def: JSON.parse(def) as SeriesDef };
    }
  }

  close(): void {
    this.#database.close();
  }

  #stored(table: string, id: number, { times, data, ties, sum }: StoredRun & { readonly sum: number }): StoredRun {
    return { times, data, ties, isUnsound: rowSum(table, this.head.day, id, times, data, ties) !== sum };
  }

  /** Bits of the stretches of which a series has blocks. */
  #blocksOf(series: SeriesId): number {
    const row = this.#getBlocks.get(series) as SeriesRow | undefined;
    if (!row) {
      if (!this.#areSeriesWhole) this.series();
      return 0;
    }
    if (rowSum('series', this.head.day, series, row.blocks, row.def) !== row.sum)
      throw new CorruptBlockError(`the row of series ${series} is damaged`);
    return row.blocks;
  }
}

interface SeriesRow {
  readonly blocks: number;
  readonly def: string;
  readonly sum: number;
}

/** Throws CorruptBlockError for a file that a newer version has written. */
function stretchesIn(database: Database.Database): ReadonlySet<number> {
  const version = Number(database.pragma('user_version', { simple: true }));
  if (version > LONG_VERSION) throw new CorruptBlockError(`its version ${version} is not known here`);
  return new Set(version === LONG_VERSION ? (database.prepare('SELECT id FROM stretch').pluck().all() as number[]) : []);
}

function headIn(database: Database.Database): DayFileHead {
  const rows = database
    .prepare(
      `SELECT day, generation, first_seq AS firstSequence, last_seq AS lastSequence, rows, oldest_ms AS oldestMs, contents, sum FROM file`,
    )
    .all() as (DayFileHead & { sum: number })[];
  const [row] = rows;
  if (!row || sumOfHead(row) !== row.sum) throw new CorruptBlockError('it does not say what it is');
  const { sum: _, ...head } = row;
  return head;
}

function sumOfHead({ day, generation, firstSequence, lastSequence, rows, oldestMs, contents }: DayFileHead): number {
  return rowSum('file', day, generation, firstSequence, lastSequence, rows, oldestMs, contents);
}

/** Writes a day file beside its place; `finish` brings it there, whole and on disk, or not at all. */
export class DayFileWriter {
  readonly #file: string;
  readonly #temporary: string;
  readonly #database: Database.Database;
  readonly #insertBlock;
  readonly #insertTimes;
  readonly #insertSeries;
  readonly #day: number;
  readonly #series: SeriesId[] = [];
  readonly #hook: EngineHook | undefined;
  #nextTimes = 1;
  #unflushedBytes = 0;
  /** Of the stretch that is being written: what its blocks hold, and the first one as long as it is the only one. */
  #extents: Extent[] = [];
  #first: StoredRun | undefined;
  #hasStretches = false;

  constructor(file: string, day: number, hook?: EngineHook) {
    this.#hook = hook;
    this.#day = day;
    this.#file = file;
    this.#temporary = `${file}.tmp`;
    rmSync(this.#temporary, { force: true });
    this.#database = new Database(this.#temporary);
    this.#database.pragma(`page_size = ${PAGE_BYTES}`);
    this.#database.pragma('journal_mode = OFF');
    this.#database.pragma('synchronous = OFF');
    this.#database.pragma('locking_mode = EXCLUSIVE');
    this.#database.pragma(`cache_size = -${CACHE_KIB}`); // beyond, pages go to the file before the end
    this.#database.exec(SCHEMA);
    this.#insertBlock = this.#database.prepare('INSERT INTO blk VALUES (?, ?, ?, ?, ?)');
    this.#insertTimes = this.#database.prepare('INSERT INTO times VALUES (?, ?, ?)');
    this.#insertSeries = this.#database.prepare('INSERT INTO series VALUES (?, ?, ?, ?)');
    this.#database.exec('BEGIN');
  }

  /** Returns the row of `times`. */
  putTimes(data: Uint8Array): number {
    const id = this.#nextTimes++;
    this.#insertTimes.run(id, data, rowSum('times', this.#day, id, data));
    this.#unflushedBytes += data.length;
    return id;
  }

  /** In rising order of series, block and time. */
  putBlock(series: SeriesId, block: number, stored: StoredRun, extent: Extent): void {
    const piece = this.#extents.push(extent) - 1;
    this.#unflushedBytes += stored.data.length;
    if (piece === 0) {
      this.#first = stored;
      return;
    }
    if (this.#first) this.#putPiece(series, block, 0, this.#first);
    this.#first = undefined;
    this.#putPiece(series, block, piece, stored);
  }

  /** Of four hours all blocks are put; false when there was none. */
  endStretch(series: SeriesId, block: number): boolean {
    const extents = this.#extents;
    const first = this.#first;
    this.#extents = [];
    this.#first = undefined;
    const id = series * BLOCK_SPAN + block;
    if (first)
      this.#insertBlock.run(id, first.times, first.data, first.ties, rowSum('blk', this.#day, id, first.times, first.data, first.ties));
    else if (extents.length > 0) {
      const blob = encodeExtents(extents);
      this.#database.prepare('INSERT INTO stretch VALUES (?, ?, ?)').run(id, blob, rowSum('stretch', this.#day, id, blob));
    }
    return extents.length > 0;
  }

  #putPiece(series: SeriesId, block: number, piece: number, { times, data, ties }: StoredRun): void {
    if (!this.#hasStretches) this.#database.exec(LONG_SCHEMA);
    this.#hasStretches = true;
    const id = (series * BLOCK_SPAN + block) * PIECE_SPAN + piece;
    this.#database
      .prepare('INSERT INTO piece VALUES (?, ?, ?, ?, ?)')
      .run(id, times, data, ties, rowSum('piece', this.#day, id, times, data, ties));
  }

  /** Brings what has gathered to the disk when it is much; true when it did. */
  flush(): boolean {
    if (this.#unflushedBytes < FLUSH_BYTES) return false;
    this.#unflushedBytes = 0;
    syncFile(this.#temporary);
    return true;
  }

  /** In rising order; `blocks` has the bit of each stretch that has a block. */
  putSeries(series: SeriesId, blocks: number, def: SeriesDef): void {
    const text = JSON.stringify(def);
    this.#insertSeries.run(series, blocks, text, rowSum('series', this.#day, series, blocks, text));
    this.#series.push(series);
  }

  /** Returns the size in bytes. */
  finish(head: Omit<DayFileHead, 'contents'>): number {
    const contents = contentsOf(this.#series);
    const { day, generation, firstSequence, lastSequence, rows, oldestMs } = head;
    const row = [day, generation, firstSequence, lastSequence, rows, oldestMs, contents];
    this.#database.prepare('INSERT INTO file VALUES (?, ?, ?, ?, ?, ?, ?, ?)').run(...row, sumOfHead({ ...head, contents }));
    this.#database.exec('COMMIT');
    this.#database.close();
    this.#hook?.('file:written', 'a day file');
    syncFile(this.#temporary);
    this.#hook?.('file:synced', 'a day file');
    renameSync(this.#temporary, this.#file);
    this.#hook?.('file:renamed', 'a day file');
    syncFolder(dirname(this.#file));
    this.#hook?.('file:placed', 'a day file');
    return statSync(this.#file).size;
  }

  abandon(): void {
    this.#database.close();
    rmSync(this.#temporary, { force: true });
  }
}
