/** What the engine's work in the background works on. */
import type { Clock } from '../../core/clock.ts';
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import type { Blobs } from './blobs.ts';
import type { Catalogue } from './catalogue.ts';
import type { DayFiles } from './day-files.ts';
import type { LatestSamples } from './latest.ts';
import type { OpenWindows } from './open-windows.ts';
import type { PartIndex } from './part-index.ts';
import type { RollupDays } from './rollup-days.ts';
import type { Siblings } from './siblings.ts';
import type { Ballast } from './space.ts';
import type { EngineHook } from './steps.ts';
import type { Wal } from './wal/log.ts';

export interface MaintenanceParts {
  readonly catalogue: Catalogue;
  readonly blobs: Blobs;
  readonly parts: PartIndex;
  readonly days: DayFiles;
  readonly open: OpenWindows;
  readonly latest: LatestSamples;
  readonly definitions: ReadonlyMap<SeriesId, SeriesDef>;
  readonly siblings: Siblings;
  readonly wal: Wal;
  readonly segmentBytes: number;
  readonly clock: Clock;
  readonly isClockTrusted: () => boolean;
  readonly report: (what: string, error: unknown) => void;
  readonly hook?: EngineHook | undefined;
  readonly rollupDays: RollupDays;
  readonly ballast: Ballast;
  /** Of the file system. */
  readonly freeBytes: () => number;
  /** Memory for samples that are not sealed. */
  readonly maxUnsealedBytes: number;
  /** Samples of a block at most. */
  readonly maxBlockSamples: number;
}
