/** What the store has and what it takes up, from what is known in memory: no file is read for it. */
import type { UnixMs } from '../../core/time.ts';
import type { StoreStats } from '../telemetry.ts';
import type { MaintenanceParts } from './maintenance-parts.ts';
import type { OpenWindow } from './open-windows.ts';
import type { Sizes } from './retention.ts';

export type EngineSizes = Omit<StoreStats, 'engine' | 'newestMs'>;

type Measured = Pick<MaintenanceParts, 'catalogue' | 'days' | 'wal' | 'segmentBytes' | 'ballast'>;

export function sizesOf(house: Measured): Sizes {
  const { file, free } = house.catalogue.bytes();
  return { totalBytes: house.days.bytes + file + logBytesOf(house) + house.ballast.bytes, storeFreeBytes: free };
}

/** A sample that came again after its window had been sealed counts twice until its day is compacted. */
export function statsOf(house: MaintenanceParts, unsealed: readonly OpenWindow[]): EngineSizes {
  const { days, parts, catalogue, rollupDays, freeBytes } = house;
  const sealed = [...days.all(), ...parts.all()];
  const sealedRows = sealed.reduce((sum, { rows }) => sum + rows, 0);
  const unsealedRows = unsealed.reduce((sum, { samples }) => sum + samples, 0);
  const oldest = [...sealed, ...unsealed].reduce((least, { oldestMs }) => Math.min(least, oldestMs), Number.POSITIVE_INFINITY);
  const { totalBytes, storeFreeBytes } = sizesOf(house);
  const rawBytes = days.bytes + catalogue.bytes().file - storeFreeBytes - rollupDays.bytes;
  return {
    samples: sealedRows + unsealedRows,
    fileBytes: totalBytes,
    rawBytes,
    rollupBytes: rollupDays.bytes,
    logBytes: logBytesOf(house),
    bytesPerSample: sealedRows > 0 ? rawBytes / sealedRows : null,
    unsealedWindows: unsealed.length,
    unsealedRows,
    freeBytes: freeBytes(),
    days: days.all().length,
    oldestMs: Number.isFinite(oldest) ? (oldest as UnixMs) : null,
  };
}

function logBytesOf({ wal, segmentBytes }: Pick<Measured, 'wal' | 'segmentBytes'>): number {
  const { liveSegments, freeSegments } = wal.stats;
  return (liveSegments + freeSegments) * segmentBytes;
}
