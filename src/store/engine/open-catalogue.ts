/**
 * Opens `store.db`. One that is damaged or gone does not keep the store from coming up: it is kept beside, and what can be read of it and what the
 * day files tell of themselves goes into a fresh one.
 */
import { accessSync, closeSync, constants, existsSync, openSync, readdirSync, readSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { isGatewayError } from '../../core/errors.ts';
import type { Sequence } from '../../core/tag.ts';
import { sqliteError } from '../sqlite/database.ts';
import { faultOfFile, saysDamaged } from '../sqlite/file-fault.ts';
import { Catalogue, STAMP } from './catalogue.ts';
import { type Report, suspectFile } from './catalogue-reads.ts';
import { faultsOf, MIGRATIONS, TABLES } from './catalogue-tables.ts';
import { isDamagedCopy, keepDamaged } from './damaged-copy.ts';
import { DayFile, dayFileName, dayOfFileName } from './day-file.ts';
import { isSound, type SqlValue } from './row-sum.ts';
import type { EngineHook } from './steps.ts';
import { findIdentity } from './wal/identity.ts';
import { segmentNumber, syncFile, syncFolder } from './wal/segment.ts';

const { SqliteError } = Database;

export interface OpenedCatalogue {
  readonly catalogue: Catalogue;
  /** It is a fresh one: the log is to be read from its start, and the newest samples are to be looked for. */
  readonly isRescued: boolean;
}

/** Throws `store_failed` or `disk_full`; `store_failed` also for a file that a newer version has written, which stays as it is. */
export function openCatalogue(dir: string, report: Report, hook?: EngineHook): OpenedCatalogue {
  const file = join(dir, 'store.db');
  removeDatabase(rescueFile(file)); // one that a crash has interrupted
  const found = examine(dir, file, report, hook);
  if (found instanceof Catalogue) return { catalogue: found, isRescued: false };
  rescue(dir, file, report);
  report(file, found);
  return { catalogue: new Catalogue(file, report, hook), isRescued: true };
}

/** The sound catalogue, or why it is none. */
function examine(dir: string, file: string, report: Report, hook: EngineHook | undefined): Catalogue | Error {
  if (!existsSync(file) || statSync(file).size === 0) {
    return hasOthers(dir)
      ? new Error('it is gone; what the day files and the log hold was brought into a new one')
      : new Catalogue(file, report, hook);
  }
  let catalogue: Catalogue | undefined;
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    if (!isStamped(file)) throw new Error('its version is damaged');
    catalogue = new Catalogue(file, report, hook);
    const faults = catalogue.isSuspect ? ['pages could not be read'] : faultsOf(catalogue.database);
    if (faults.length === 0) return catalogue;
    catalogue.close();
    return new Error(`it is damaged (${faults.join('; ')}); what could be read was brought into a new one`);
  } catch (error) {
    catalogue?.close();
    if (!saysDamaged(error)) throw sqliteError(error, `opening ${file}`);
    return new Error('it is damaged; what could be read was brought into a new one', { cause: error });
  }
}

/** False when its version is none that was ever given. Places in the header: SQLite file format §1.3. */
function isStamped(file: string): boolean {
  const header = Buffer.alloc(100);
  const handle = openSync(file, 'r');
  try {
    readSync(handle, header, 0, header.length, 0);
  } finally {
    closeSync(handle);
  }
  const [version, stamp] = [header.readInt32BE(60), header.readInt32BE(68)];
  return version <= MIGRATIONS.length || stamp === STAMP + version;
}

/** Whether a store has been here. */
function hasOthers(dir: string): boolean {
  const isOurs = (name: string) => segmentNumber(name) !== undefined || dayOfFileName(name) !== undefined;
  return [dir, join(dir, 'day')].some((folder) => existsSync(folder) && readdirSync(folder).some(isOurs));
}

/** Replaces the file; before the last step the old one is still in its place, and all begins anew. */
function rescue(dir: string, file: string, report: Report): void {
  const fresh = rescueFile(file);
  const catalogue = new Catalogue(fresh, report);
  try {
    const hasProgress = existsSync(file) && takeOver(file, catalogue);
    const identity = findIdentity(dir);
    catalogue.commit('taking over day files', () => {
      takeOverDays(dir, catalogue, report);
      catalogue.adoptRollups();
      catalogue.latest.clear();
      const progress = catalogue.progress();
      const units = [...catalogue.parts(), ...catalogue.days()];
      const next = units.reduce((end, { lastSequence }) => Math.max(end, lastSequence + 1), hasProgress ? progress.next : 0) as Sequence;
      catalogue.setProgress({
        ...progress,
        next,
        kept: 0 as Sequence,
        identity: hasProgress ? progress.identity : (identity ?? progress.identity),
      });
    });
    catalogue.database.pragma('journal_mode = DELETE'); // all in the file itself
  } finally {
    catalogue.close();
  }
  syncFile(fresh);
  for (const part of [file, `${file}-wal`]) if (existsSync(part)) report(part, new Error(`what it was is kept as ${keepDamaged(part)}`));
  rmSync(`${file}-wal`, { force: true }); // it must not be taken for that of the new file
  rmSync(`${file}-shm`, { force: true });
  renameSync(fresh, file);
  rmSync(suspectFile(file), { force: true });
  syncFolder(dir);
}

/** Copies all rows whose checksums hold; true when that of the progress is among them. */
function takeOver(file: string, target: Catalogue): boolean {
  let source: Database.Database | undefined;
  try {
    source = new Database(file);
    const from = source;
    for (const [table, key] of Object.entries(TABLES)) {
      target.commit(`taking over ${table}`, () => {
        for (const row of soundRows(from, table, key)) {
          target.database.prepare(`INSERT OR REPLACE INTO ${table} VALUES (${row.map(() => '?').join(', ')})`).run(...row);
        }
      });
    }
    return Number(from.prepare('SELECT count(*) FROM progress').pluck().get()) > 0 && [...soundRows(from, 'progress', 'one')].length > 0;
  } catch (error) {
    if (!isOfContent(error)) throw error;
    return false; // not even its list of tables can be read
  } finally {
    source?.close();
  }
}

/** From both ends up to what cannot be read. */
function* soundRows(database: Database.Database, table: string, key: string): Generator<SqlValue[], void, undefined> {
  for (const direction of ['ASC', 'DESC']) {
    try {
      const order = key.split(', ').map((column) => `${column} ${direction}`);
      const rows = database
        .prepare(`SELECT * FROM ${table} ORDER BY ${order.join(', ')}`)
        .raw()
        .safeIntegers();
      for (const row of rows.iterate() as Iterable<SqlValue[]>) if (isSound(table, row)) yield row;
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

/** Each day's youngest readable file counts if it is younger than what the catalogue knows of the day. */
function takeOverDays(dir: string, catalogue: Catalogue, report: Report): void {
  const folder = join(dir, 'day');
  if (!existsSync(folder)) return;
  const known = new Map(catalogue.days().map((day) => [day.day, day]));
  const defined = new Set(catalogue.definitions().map(({ id }) => id));
  const files = readdirSync(folder).flatMap((name) => (isDamagedCopy(name) ? [] : (dayOfFileName(name) ?? [])));
  for (const { day, generation } of files.sort((a, b) => b.generation - a.generation)) {
    const path = dayFileName(dir, day, generation);
    const before = known.get(day);
    const isThere = before && existsSync(dayFileName(dir, day, before.generation));
    if (isThere && before.generation >= generation) continue;
    try {
      const file = new DayFile(path, { day, generation });
      try {
        for (const { id, def } of file.definitions()) if (!defined.has(id)) catalogue.putDefinition(id, def);
        for (const { id } of file.definitions()) defined.add(id);
        const { contents: _, ...head } = file.head;
        catalogue.removeDay(day);
        catalogue.forgetRollups(day); // they are of another file
        catalogue.putDay({ ...head, bytes: statSync(path).size });
        known.set(day, { ...head, bytes: 0 });
        catalogue.removePartsUpTo(day, head.lastSequence);
      } finally {
        file.close();
      }
    } catch (error) {
      if (!isGatewayError(error) && !(error instanceof SqliteError)) throw error;
      if (faultOfFile(error) === 'passing') throw error; // the day would count as gone
      report(path, new Error(`it cannot be used and is kept as ${keepDamaged(path)}`, { cause: error }));
    }
  }
}

function rescueFile(file: string): string {
  return `${file}.rescue`;
}

function removeDatabase(file: string): void {
  for (const suffix of ['', '-wal', '-shm', '-journal']) rmSync(`${file}${suffix}`, { force: true });
}
