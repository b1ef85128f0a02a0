/** Opens `records.db`. One that is damaged does not keep the store from coming up: it is kept beside, and what can be read of it goes into a fresh one. */
import { accessSync, constants, existsSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { messageOf } from '../../core/errors.ts';
import { keepDamaged } from '../engine/damaged-copy.ts';
import { syncFile, syncFolder } from '../engine/wal/segment.ts';
import { openDatabase, sqliteError } from './database.ts';
import { faultOfFile, saysDamaged } from './file-fault.ts';
import { RecordsDatabase } from './records.ts';

const { SqliteError } = Database;
/** A column of theirs is JSON, without which nothing can be made of a row. */
const JSON_COLUMNS: Readonly<Record<string, string>> = { document: 'body', alert: 'body', rule_state: 'body', kept_answer: 'headers' };

/** Hears of damage: what is damaged, and how. */
type Report = (what: string, error: unknown) => void;
type Row = Readonly<Record<string, unknown>>;

/** Throws `store_failed` or `disk_full`; `store_failed` also for a file that a newer version has written, which stays as it is. */
export function openRecords(file: string, report: Report): RecordsDatabase {
  try {
    if (existsSync(file)) accessSync(file, constants.R_OK | constants.W_OK); // SQLite says of a damaged header too that it may not write
    return new RecordsDatabase(file);
  } catch (error) {
    const failure = sqliteError(error, `opening ${file}`);
    if (!saysDamaged(failure)) throw failure;
    return rescueRecords(file, failure, report);
  }
}

/** Replaces a file that nobody holds open; before the last step the damaged one is still in its place. Throws `store_failed` or `disk_full`. */
export function rescueRecords(file: string, why: unknown, report: Report): RecordsDatabase {
  const fresh = `${file}.rescue`;
  try {
    removeDatabase(fresh); // one that a crash has interrupted
    new RecordsDatabase(fresh).close(); // has the tables
    const counts = takeOver(file, fresh);
    syncFile(fresh);
    const copies = [file, `${file}-wal`].filter((part) => existsSync(part)).map((part) => keepDamaged(part));
    rmSync(`${file}-wal`, { force: true }); // it must not be taken for that of the new file
    rmSync(`${file}-shm`, { force: true });
    renameSync(fresh, file);
    syncFolder(dirname(file));
    const left = counts.map(({ table, rows }) => `${rows} of ${table}`).join(', ');
    report(file, new Error(`${messageOf(why)}; it is kept as ${copies.join(' and ')}, and a new one has what could be read: ${left}`));
    return new RecordsDatabase(file);
  } catch (error) {
    throw sqliteError(error, `rescuing ${file}`);
  }
}

/** Copies every row that can be read. */
function takeOver(from: string, to: string): readonly { readonly table: string; readonly rows: number }[] {
  const target = openDatabase(to);
  let source: Database.Database | undefined;
  try {
    try {
      source = new Database(from);
    } catch (error) {
      if (!isOfContent(error)) throw error; // else nothing of it can be read
    }
    const tables = target
      .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
      .pluck()
      .all() as string[];
    const counts = tables.map((table) => {
      const copy = target.transaction((before: Database.Database) => copyTable(before, target, table));
      return { table, rows: source ? copy(source) : 0 };
    });
    target.pragma('journal_mode = DELETE'); // all in the file itself
    return counts;
  } finally {
    source?.close();
    target.close();
  }
}

function copyTable(source: Database.Database, target: Database.Database, table: string): number {
  const columns = target.pragma(`table_info(${table})`) as { readonly name: string; readonly pk: number }[];
  const keys = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk);
  const json = JSON_COLUMNS[table];
  let count = 0;
  for (const row of readable(
    source,
    table,
    keys.map(({ name }) => name),
  )) {
    if (json !== undefined && !isJson(row[json])) continue;
    const given = columns.map(({ name }) => name).filter((name) => name in row); // an older version had fewer
    const places = given.map(() => '?').join(', ');
    try {
      count += target
        .prepare(`INSERT OR IGNORE INTO ${table} (${given.join(', ')}) VALUES (${places})`)
        .run(...given.map((name) => row[name])).changes;
    } catch (error) {
      if (!(error instanceof SqliteError && error.code.startsWith('SQLITE_CONSTRAINT'))) throw error; // else it is no row of ours
    }
  }
  return count;
}

/** From both ends up to what cannot be read. */
function* readable(source: Database.Database, table: string, keys: readonly string[]): Generator<Row, void, undefined> {
  for (const direction of ['ASC', 'DESC']) {
    try {
      const order = keys.map((key) => `${key} ${direction}`).join(', ');
      yield* source.prepare(`SELECT * FROM ${table} ORDER BY ${order}`).safeIntegers().iterate() as Iterable<Row>;
      return;
    } catch (error) {
      if (!isOfContent(error)) throw error; // else the other end is tried
    }
  }
}

/** Not what passes by itself: then all is begun anew rather than with less. */
function isOfContent(error: unknown): boolean {
  return error instanceof SqliteError && faultOfFile(error) !== 'passing';
}

function isJson(text: unknown): boolean {
  try {
    JSON.parse(String(text));
    return true;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return false;
  }
}

function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true });
}
