/** Keeps two daemons off one data directory: an exclusive transaction on `lock.db`, held by the main thread for the whole life. */
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { GatewayError, messageOf } from '../core/errors.ts';

/** Returns the release. The kernel lets go by itself when the process dies. Throws `data_dir_locked` or `data_dir_unusable`. */
export function lockDataDir(dataDir: string): () => void {
  const file = join(dataDir, 'lock.db');
  let database: Database.Database | undefined;
  try {
    database = new Database(file, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database?.close();
    const busy = error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY';
    if (busy) throw new GatewayError('data_dir_locked', `another twinbox runs on ${dataDir}`, { cause: error });
    throw new GatewayError('data_dir_unusable', `${dataDir} cannot be used: ${messageOf(error)}`, { cause: error });
  }
  const held = database;
  return () => held.close();
}
