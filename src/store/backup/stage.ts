/** Brings a consistent copy of a data directory together in a folder of its own, by links where files never change. */
import { constants, copyFileSync, existsSync, linkSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { GatewayError, messageOf } from '../../core/errors.ts';
import { type Database, openDatabase, sqliteError } from '../sqlite/database.ts';
import { isBackupName, type SourceFile } from './archive.ts';

/** Some milliseconds of copying: commits of new data wait no longer than that. */
const PAGES_AT_ONCE = 256;
/** Certificates are small; whatever is larger is none. */
const MAX_CERTIFICATE_BYTES = 1 << 20;

/** A new folder for a copy, on the file system of the data. */
export function makeStage(dataDir: string): string {
  const stages = join(dataDir, 'backup');
  mkdirSync(stages, { recursive: true, mode: 0o700 });
  return mkdtempSync(join(stages, 'stage-'));
}

/** Removes all copies, those too that a crash has left: links that would keep removed days on the disk. */
export function sweepStages(dataDir: string): void {
  rmSync(join(dataDir, 'backup'), { recursive: true, force: true });
}

/** Copies a database that is in use. Throws `store_failed` or `disk_full`. */
export async function copyDatabase(database: Database, file: string): Promise<void> {
  try {
    await database.backup(file, { progress: () => PAGES_AT_ONCE });
  } catch (error) {
    throw sqliteError(error, `copying ${database.name}`);
  }
}

/** A second name for a file that nobody changes; a copy where the file system has no links. */
export function linkFile(from: string, to: string): void {
  try {
    linkSync(from, to);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') throw error;
    copyFileSync(from, to, constants.COPYFILE_FICLONE);
  }
}

/** Copies a folder that no daemon uses; its lock must be held. Throws `data_dir_unusable` when there is nothing of ours in it. */
export async function stageStopped(dataDir: string, stage: string): Promise<void> {
  const telemetry = join(dataDir, 'telemetry');
  if (!existsSync(join(telemetry, 'store.db'))) throw new GatewayError('data_dir_unusable', `${dataDir} holds no data of twinbox`);
  mkdirSync(join(stage, 'telemetry', 'day'), { recursive: true });
  for (const name of ['telemetry/store.db', 'records.db']) {
    if (!existsSync(join(dataDir, name))) continue;
    const database = openDatabase(join(dataDir, name));
    try {
      await copyDatabase(database, join(stage, name));
    } finally {
      database.close();
    }
  }
  const log = readdirSync(telemetry).map((name) => `telemetry/${name}`);
  const days = existsSync(join(telemetry, 'day')) ? readdirSync(join(telemetry, 'day')).map((name) => `telemetry/day/${name}`) : [];
  for (const name of [...days, ...log]) {
    if (isBackupName(name) && name !== 'telemetry/store.db') linkFile(join(dataDir, name), join(stage, name));
  }
}

/** What goes into the archive: all of the copy, and the certificates of the data directory itself. */
export function filesOf(dataDir: string, stage: string): SourceFile[] {
  return [...walk(stage, ''), ...walk(dataDir, 'opcua')].filter(({ name, path }) => {
    return isBackupName(name) && (!name.startsWith('opcua/') || statSync(path).size <= MAX_CERTIFICATE_BYTES);
  });
}

function walk(root: string, below: string): SourceFile[] {
  const folder = join(root, below);
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  return entries.flatMap((entry) => {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.isDirectory()) return walk(root, name);
    return entry.isFile() ? [{ name, path: join(root, name) }] : [];
  });
}

/** In the words of the file system's errors: no room apart from everything else. */
export function stageError(error: unknown, doing: string): GatewayError {
  return error instanceof GatewayError ? error : sqliteError(error, `${doing}: ${messageOf(error)}`);
}
