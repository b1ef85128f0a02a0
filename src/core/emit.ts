/** The door that every reading passes, whoever brings it: drivers, REST, derived tags. */
import type { StatusCode } from './status.ts';
import type { Sequence, SeriesId, ValueType } from './tag.ts';
import type { UnixMs } from './time.ts';

/** What a producer says of a tag before it sends the first reading of it. */
export interface EmitTag {
  readonly asset: string;
  readonly tag: string;
  /** Left out where the type is known only from the first value. */
  readonly valueType?: ValueType;
  readonly unit?: string;
  readonly scale?: number;
  readonly offset?: number;
  readonly deadband?: Deadband;
  /** Taken from the reading (an MQTT topic) instead of from the source; must be a tenant the box knows. */
  readonly tenant?: string;
}

export interface Deadband {
  /** Percent is of the last stored value. */
  readonly type: 'absolute' | 'percent';
  readonly value: number;
}

/**
 * Never throws, never blocks. A reading that is not taken is counted by source and reason.
 * A time of `undefined` means "now": the device gave none.
 */
export interface Emit {
  /** The series of a tag; the same tag gives the same id. `undefined` (counted) when the tag is not allowed or there is no room for more. */
  series(tag: EmitTag): SeriesId | undefined;
  /** True when `records` readings with `textBytes` of UTF-8 text in all would find a place now. All or nothing. */
  reserve(records: number, textBytes?: number): boolean;
  /** Resolves when there may be room again. Rejects with the signal's reason when it aborts. */
  room(signal: AbortSignal): Promise<void>;
  number(series: SeriesId, timeMs: UnixMs | undefined, value: number, status: StatusCode): void;
  boolean(series: SeriesId, timeMs: UnixMs | undefined, value: boolean, status: StatusCode): void;
  /** 64-bit integers, kept exactly. `signed` false reads the value as u64. */
  integer(series: SeriesId, timeMs: UnixMs | undefined, value: bigint, signed: boolean, status: StatusCode): void;
  text(series: SeriesId, timeMs: UnixMs | undefined, value: string, status: StatusCode): void;
  /** No value, only a status: a failed read, a lost link. */
  missing(series: SeriesId, timeMs: UnixMs | undefined, status: StatusCode): void;
  /** A reading that could not even be understood (not JSON, wrong shape): counts as received and rejected. */
  rejected(reason: RejectReason): void;
  /** The last record pushed; `durable` of it acknowledges everything up to it. */
  sequence(): Sequence;
  /** Resolves when everything up to `sequence` is on disk. Rejects `store_failed`, `disk_full` or `stopped`. */
  durable(sequence: Sequence, signal: AbortSignal): Promise<void>;
}

/** Why a reading was refused for what it is. */
export type RejectReason = 'malformed' | 'unknown_tenant' | 'invalid_tag' | 'too_long' | 'invalid_time' | 'series_limit';

/** Why a good reading was lost. */
export type DropReason = 'store_full' | 'closed' | 'store_lost' | 'derived_full';
