/** A backup as a stream of bytes, from a daemon that runs or from a folder that no daemon uses. */
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { writeArchive } from '../store/backup/archive.ts';
import { filesOf, makeStage, stageError, stageStopped, sweepStages } from '../store/backup/stage.ts';
import { version } from './version.ts';

export interface BackupStream {
  /** One tar archive. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** To be called when the chunks have been read, or nobody wants them any more; safe to call twice. */
  close(): void;
}

export interface BackupOptions {
  readonly dataDir: string;
  readonly clock: Clock;
  /** Fills an empty folder with the copy; one of a stopped daemon's folder when absent. */
  readonly copy?: (stage: string) => Promise<void>;
}

/** Resolves when the copy stands that is then read; only one may be made at a time. Throws `disk_full` or `store_failed`, or `data_dir_unusable`. */
export async function openBackup({ dataDir, clock, copy }: BackupOptions): Promise<BackupStream> {
  const close = () => sweepStages(dataDir);
  try {
    const stage = makeStage(dataDir);
    await (copy ? copy(stage) : stageStopped(dataDir, stage));
    const chunks = writeArchive(filesOf(dataDir, stage), { version: version(), nowMs: clock.now() });
    return { chunks, close };
  } catch (error) {
    close();
    throw stageError(error, 'making the backup');
  }
}

/** One backup at a time: the next is refused with `conflict` until the first one's stream is closed. */
export function oneBackupAtATime(options: BackupOptions): () => Promise<BackupStream> {
  let isBusy = false;
  return async () => {
    if (isBusy) throw new GatewayError('conflict', 'a backup is being made');
    isBusy = true;
    try {
      const { chunks, close } = await openBackup(options);
      const end = () => {
        close();
        isBusy = false;
      };
      return { chunks, close: end };
    } catch (error) {
      isBusy = false;
      throw error;
    }
  };
}
