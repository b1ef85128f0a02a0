/** Opens SQLite the one way that keeps what it acknowledged: WAL with a full flush at each commit. */
import Database from 'better-sqlite3';
import { type ErrorCode, GatewayError, isGatewayError } from '../../core/errors.ts';

export type { Database } from 'better-sqlite3';

const BUSY_TIMEOUT_MS = 5_000; // the command line may hold the records file for a moment

/**
 * better-sqlite3 is compiled with `synchronous=NORMAL` in WAL mode, which loses acknowledged commits in a power cut; so
 * FULL is set at every open and checked. Throws `store_failed` or `disk_full`, naming the file.
 */
export function openDatabase(file: string): Database.Database {
  let database: Database.Database | undefined;
  try {
    database = new Database(file, { timeout: BUSY_TIMEOUT_MS });
    const journal = database.pragma('journal_mode = WAL', { simple: true });
    if (journal !== 'wal') throw new Error(`SQLite keeps journal_mode=${journal}, WAL was asked for`);
    database.pragma('synchronous = FULL');
    const synchronous = database.pragma('synchronous', { simple: true });
    if (synchronous !== 2) throw new Error(`SQLite keeps synchronous=${synchronous}, FULL was asked for`);
    return database;
  } catch (error) {
    database?.close();
    throw sqliteError(error, `opening ${file}`);
  }
}

/** What another thread is told of an error. */
export function faultOf(error: unknown): { readonly code: ErrorCode; readonly message: string } {
  const { code, message } = sqliteError(error, 'the store');
  return { code, message };
}

/** What SQLite says when a file is not as it left it, or a part of it cannot be read from the disk. */
const DAMAGE = /^SQLITE_(CORRUPT|NOTADB|IOERR_(READ|SHORT_READ|CORRUPTFS|DATA))/;

/** True when SQLite, or what caused our own error, found a file damaged. */
export function isDamage(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ('code' in error && DAMAGE.test(String(error.code))) || isDamage(error.cause);
}

/** What says nothing about the content of a file: who meets these tries again later. */
const PASSING = /^SQLITE_(BUSY|LOCKED|CANTOPEN|PERM|AUTH|FULL|NOMEM|PROTOCOL|IOERR(?!_READ|_SHORT_READ|_CORRUPTFS|_DATA))/;

/** True for what keeps a file from being opened: anything but what passes by itself and what a newer version has written. */
export function saysDamaged(error: unknown): boolean {
  if (isGatewayError(error)) return error.cause !== undefined && saysDamaged(error.cause);
  if (error instanceof Database.SqliteError) return !PASSING.test(error.code);
  return error instanceof Error && !('code' in error);
}

/** Maps what SQLite throws to our codes: a full disk apart from everything else. */
export function sqliteError(error: unknown, doing: string): GatewayError {
  if (error instanceof GatewayError) return error;
  const full = error instanceof Error && 'code' in error && (error.code === 'SQLITE_FULL' || error.code === 'ENOSPC');
  return new GatewayError(full ? 'disk_full' : 'store_failed', `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
