/** One UTC day in an immutable file: blocks of four hours a series, block times shared by content. */
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import type { SeriesId } from '../../core/tag.ts';
import { sqliteError } from '../sqlite/database.ts';
import type { StoredRun } from './blobs.ts';

/** Small pages: blocks are some hundred bytes, and a page's slack is lost. */
const PAGE_BYTES = 1_024;
const CACHE_KIB = 256;
const MMAP_BYTES = 256 * 1024 * 1024;
/** blk.id = series × 64 + block. */
const BLOCK_SPAN = 64;

const SCHEMA = `CREATE TABLE blk (id INTEGER PRIMARY KEY, times INTEGER NOT NULL, data BLOB NOT NULL, ties BLOB) STRICT;
  CREATE TABLE times (id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;`;

export function dayFileName(dataDir: string, day: number, generation: number): string {
  return join(dataDir, 'day', `${day}-${generation}.db`);
}

export class DayFile {
  readonly #database: Database.Database;
  readonly #getBlock;
  readonly #getTimes;

  /** Throws `store_failed` when the file is not there or not one of ours. */
  constructor(file: string) {
    try {
      this.#database = new Database(file, { readonly: true, fileMustExist: true });
      this.#database.pragma(`cache_size = -${CACHE_KIB}`);
      this.#database.pragma(`mmap_size = ${MMAP_BYTES}`);
      this.#getBlock = this.#database.prepare('SELECT times, data, ties FROM blk WHERE id = ?');
      this.#getTimes = this.#database.prepare('SELECT data FROM times WHERE id = ?').pluck();
    } catch (error) {
      throw sqliteError(error, `opening ${file}`);
    }
  }

  block(series: SeriesId, block: number): StoredRun | undefined {
    return this.#getBlock.get(series * BLOCK_SPAN + block) as StoredRun | undefined;
  }

  times(id: number): Uint8Array | undefined {
    return this.#getTimes.get(id) as Uint8Array | undefined;
  }

  /** Series that have a block, ascending. */
  series(): SeriesId[] {
    return this.#database.prepare(`SELECT DISTINCT id / ${BLOCK_SPAN} FROM blk ORDER BY 1`).pluck().all() as SeriesId[];
  }

  close(): void {
    this.#database.close();
  }
}

/** Writes a day file beside its place; `finish` brings it there, whole and on disk, or not at all. */
export class DayFileWriter {
  readonly #file: string;
  readonly #temporary: string;
  readonly #database: Database.Database;
  readonly #insertBlock;
  readonly #insertTimes;
  #nextTimes = 1;

  constructor(file: string) {
    this.#file = file;
    this.#temporary = `${file}.tmp`;
    rmSync(this.#temporary, { force: true });
    this.#database = new Database(this.#temporary);
    this.#database.pragma(`page_size = ${PAGE_BYTES}`);
    this.#database.pragma('journal_mode = OFF');
    this.#database.pragma('synchronous = OFF');
    this.#database.pragma('locking_mode = EXCLUSIVE');
    this.#database.exec(SCHEMA);
    this.#insertBlock = this.#database.prepare('INSERT INTO blk VALUES (?, ?, ?, ?)');
    this.#insertTimes = this.#database.prepare('INSERT INTO times VALUES (?, ?)');
    this.#database.exec('BEGIN');
  }

  /** Returns the row of `times`. */
  putTimes(data: Uint8Array): number {
    const id = this.#nextTimes++;
    this.#insertTimes.run(id, data);
    return id;
  }

  /** In rising order of series and block. */
  putBlock(series: SeriesId, block: number, { times, data, ties }: StoredRun): void {
    this.#insertBlock.run(series * BLOCK_SPAN + block, times, data, ties);
  }

  /** Returns the size in bytes. */
  finish(): number {
    this.#database.exec('COMMIT');
    this.#database.close();
    syncPath(this.#temporary, 'r+');
    renameSync(this.#temporary, this.#file);
    syncPath(dirname(this.#file), 'r');
    return statSync(this.#file).size;
  }

  abandon(): void {
    this.#database.close();
    rmSync(this.#temporary, { force: true });
  }
}

function syncPath(path: string, flags: 'r' | 'r+'): void {
  const descriptor = openSync(path, flags);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
