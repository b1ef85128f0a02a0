/** Keeps two daemons off one data directory: an exclusive transaction on `lock.db`, held by the main thread for the whole life. */
import { truncateSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { GatewayError, messageOf } from '../core/errors.ts';
import { isDamage } from './sqlite/file-fault.ts';

/** Returns the release. The kernel lets go by itself when the process dies. Throws `data_dir_locked` or `data_dir_unusable`. */
export function lockDataDir(dataDir: string): () => void {
  const file = join(dataDir, 'lock.db');
  try {
    const held = lock(file);
    return () => held.close();
  } catch (error) {
    const busy = error instanceof Error && 'code' in error && error.code === 'SQLITE_BUSY';
    if (busy) throw new GatewayError('data_dir_locked', `another twinbox runs on ${dataDir}`, { cause: error });
    throw new GatewayError('data_dir_unusable', `${dataDir} cannot be used: ${messageOf(error)}`, { cause: error });
  }
}

/** Nothing is kept in the file, so one that is damaged is emptied: in its place, for another process may hold the same one. */
function lock(file: string): Database.Database {
  try {
    return begin(file);
  } catch (error) {
    if (!isDamage(error)) throw error;
    truncateSync(file, 0);
    return begin(file);
  }
}

function begin(file: string): Database.Database {
  const database = new Database(file, { timeout: 0 });
  try {
    return database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    throw error;
  }
}
