/**
 * A copy of the store while it is in use. Nothing sealed moves meanwhile, so the copy of `store.db`, the day files and the log agree;
 * the log comes last, and what it takes in while it is copied may be cut off at any frame, as a crash would do.
 */
import { constants, copyFileSync, mkdirSync } from 'node:fs';
import { basename, join } from 'node:path';
import { GatewayError } from '../../core/errors.ts';
import { copyDatabase, linkFile, stageError } from '../backup/stage.ts';
import type { RetentionPolicy } from '../telemetry.ts';
import type { Catalogue } from './catalogue.ts';
import type { DayFiles } from './day-files.ts';
import { leastFreeBytes } from './space.ts';
import type { Wal } from './wal/log.ts';

export interface BackupParts {
  readonly catalogue: Catalogue;
  readonly days: DayFiles;
  readonly wal: Wal;
  readonly segmentBytes: number;
  readonly freeBytes: () => number;
}

/**
 * Copies into the empty folder `dir`, on the same file system: `store.db`, `day/`, `wal-*.log`. All that is synced now is in it. Other
 * work may go on between its steps. Throws `disk_full`, when there is not room enough too, or `store_failed`.
 */
export async function copyStore(parts: BackupParts, dir: string, policy: RetentionPolicy): Promise<void> {
  const { catalogue, days, wal, segmentBytes, freeBytes } = parts;
  const neededBytes = catalogue.bytes().file + wal.stats.liveSegments * segmentBytes + leastFreeBytes(policy);
  const roomBytes = freeBytes();
  if (roomBytes < neededBytes) {
    throw new GatewayError('disk_full', `a backup needs ${neededBytes} bytes of free space for a while, there are ${roomBytes}`);
  }
  try {
    mkdirSync(join(dir, 'day'), { recursive: true });
    await copyDatabase(catalogue.database, join(dir, 'store.db'));
    for (const day of days.all()) linkFile(days.fileOf(day), join(dir, 'day', basename(days.fileOf(day))));
    for (const path of wal.livePaths) {
      copyFileSync(path, join(dir, basename(path)), constants.COPYFILE_FICLONE);
      await new Promise((resolve) => setImmediate(resolve)); // commits of new data wait for no more than a segment
    }
  } catch (error) {
    throw stageError(error, 'copying the store');
  }
}
