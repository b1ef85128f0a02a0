/** Opens SQLite the one way that keeps what it acknowledged: WAL with a full flush at each commit. */
import Database from 'better-sqlite3';
import { type ErrorCode, GatewayError } from '../../core/errors.ts';

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

/** Maps what SQLite throws to our codes: a full disk apart from everything else. */
export function sqliteError(error: unknown, doing: string): GatewayError {
  if (error instanceof GatewayError) return error;
  const full = error instanceof Error && 'code' in error && (error.code === 'SQLITE_FULL' || error.code === 'ENOSPC');
  return new GatewayError(full ? 'disk_full' : 'store_failed', `${doing}: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}
