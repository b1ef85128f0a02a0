/** `twinbox restore FILE`: brings a backup back into a data directory, all of it or nothing. */
import { chownSync, createReadStream, existsSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { systemClock } from '../core/clock.ts';
import { GatewayError, isGatewayError, messageOf } from '../core/errors.ts';
import { toIso } from '../core/time.ts';
import { type FileSink, type Manifest, readArchive } from '../store/backup/archive.ts';
import { lockDataDir } from '../store/lock.ts';
import { EXIT } from './exit.ts';

export interface RestoreOptions {
  readonly dataDir: string;
  /** Moves what is in the folder aside. */
  readonly force?: boolean;
}

/** What may lie in a folder that counts as empty: our own lock, and what a file system makes. */
const IGNORED = new Set(['lock.db', 'lock.db-journal', 'lost+found']);
const STAGE_PREFIX = '.restoring-';

/** Resolves with the exit status. */
export async function runRestore(file: string, options: RestoreOptions): Promise<number> {
  const dataDir = resolve(options.dataDir);
  let unlock: (() => void) | undefined;
  try {
    if (!existsSync(file)) throw new GatewayError('backup_invalid', `${file} – there is no such file`);
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    unlock = lockDataDir(dataDir); // a daemon must not start meanwhile
    const manifest = await restore(file, dataDir, options.force ?? false);
    process.stdout.write(`${dataDir} – ${manifest.files.length} files of ${manifest.created}, made by twinbox ${manifest.version}\n`);
    return EXIT.done;
  } catch (error) {
    if (!isGatewayError(error) && !(error instanceof Error && 'code' in error)) throw error;
    process.stderr.write(`${messageOf(error)}\n`);
    return EXIT.failed;
  } finally {
    unlock?.();
  }
}

async function restore(file: string, dataDir: string, force: boolean): Promise<Manifest> {
  const old = readdirSync(dataDir).filter((name) => !IGNORED.has(name) && !name.startsWith(STAGE_PREFIX));
  if (old.length > 0 && !force) {
    throw new GatewayError('data_dir_unusable', `${dataDir} is not empty; --force moves what is in it aside`);
  }
  for (const name of readdirSync(dataDir)) {
    if (name.startsWith(STAGE_PREFIX)) rmSync(join(dataDir, name), { recursive: true }); // of a restore that was killed
  }
  const stage = mkdtempSync(join(dataDir, STAGE_PREFIX));
  try {
    const manifest = await readArchive(createReadStream(file), (name) => sink(stage, name));
    await syncFolders(stage);
    if (old.length > 0) moveAside(dataDir, old);
    // The telemetry comes last: a daemon that finds none would begin a new one.
    const names = readdirSync(stage).sort((a, b) => Number(a === 'telemetry') - Number(b === 'telemetry'));
    own(dataDir, stage);
    for (const name of names) renameSync(join(stage, name), join(dataDir, name));
    await syncFolder(dataDir);
    return manifest;
  } finally {
    rmSync(stage, { recursive: true, force: true });
  }
}

/** To a folder beside them, on the same file system, which may be one of its own. */
function moveAside(dataDir: string, names: readonly string[]): void {
  const aside = join(dataDir, `before-${toIso(systemClock.now()).replaceAll(/[:.-]/g, '')}`);
  mkdirSync(aside, { mode: 0o700 });
  for (const name of names.filter((name) => !name.startsWith('before-'))) renameSync(join(dataDir, name), join(aside, name));
}

async function sink(stage: string, name: string): Promise<FileSink> {
  const path = join(stage, name);
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(path, 'wx', 0o600);
  return {
    write: async (piece) => {
      for (let done = 0; done < piece.length; ) done += (await handle.write(piece, done)).bytesWritten;
    },
    end: async () => {
      await handle.sync();
      await handle.close();
    },
  };
}

async function syncFolders(folder: string): Promise<void> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) await syncFolders(join(folder, entry.name));
  }
  await syncFolder(folder);
}

async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** Root restores for the service's user, to whom the folder belongs. */
function own(dataDir: string, folder: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(dataDir);
  chownSync(folder, uid, gid);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) own(dataDir, join(folder, entry.name));
    else chownSync(join(folder, entry.name), uid, gid);
  }
}
