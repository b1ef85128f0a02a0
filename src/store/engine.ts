/** What an engine is inside the worker; every engine passes the same contract suite. */
import type { Ring } from '../core/ring.ts';
import type { Sequence } from '../core/tag.ts';
import type { RecoveryReport, RetentionPolicy, TelemetryReads } from './telemetry.ts';

/** Keeps ring records and answers reads. Throws `store_failed` or `disk_full`. */
export interface Engine extends TelemetryReads {
  open(): Promise<RecoveryReport>;
  /**
   * Takes the records from `from` to `to` (record starts) in ring order; returns how far it came. Idempotent by (series, time).
   * After a failure nothing of the call is kept and it may be repeated.
   */
  write(ring: Ring, from: Sequence, to: Sequence): Promise<Sequence>;
  /** Makes everything written durable; returns the sequence below which all is. */
  sync(): Promise<Sequence>;
  setRetention(policy: RetentionPolicy): Promise<void>;
  /** One bounded step of removing what is too old, and of whatever else the engine does in the background; true when there is more. */
  expire(): Promise<boolean>;
  /**
   * Copies the store into the folder `dir`, which exists and is empty: everything that was synced before the call is in the copy, which
   * opens as any store. Lasts long; the other calls go on meanwhile, but a second backup, which is refused with `conflict`.
   */
  backup(dir: string): Promise<void>;
  close(): Promise<void>;
}
