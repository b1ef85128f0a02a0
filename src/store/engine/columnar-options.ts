/** What the engine is given: its folder, its clock, and what tests put in place of the machine. */
import type { Clock } from '../../core/clock.ts';
import type { EngineHook } from './steps.ts';
import type { WalOptions } from './wal/open-wal.ts';

export interface ColumnarOptions {
  readonly dir: string;
  readonly clock: Clock;
  /** False while the clock may be wrong by years: then nothing is removed for its age. It is trusted unless given. */
  readonly isClockTrusted?: () => boolean;
  /** Hears of damage: what is damaged, and how. */
  readonly report: (what: string, error: unknown) => void;
  /** Of the write-ahead log, where its own defaults do not fit. */
  readonly log?: Omit<WalOptions, 'dir' | 'identity'>;
  /** Bytes that the file system of `dir` has left; asked of the kernel unless given. */
  readonly freeBytes?: () => number;
  /** Memory for samples that are not sealed; by what the machine has unless given. */
  readonly maxUnsealedBytes?: number;
  /** Samples of a block at most; as `MAX_BLOCK_SAMPLES` says unless given. */
  readonly maxBlockSamples?: number;
  /** Called between the steps of the work. For tests. */
  readonly hook?: EngineHook;
}
