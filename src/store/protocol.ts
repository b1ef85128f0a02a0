/** The messages between the main thread, the store worker and the query worker. New samples never travel here: they are in the ring. */
import type { MessagePort } from 'node:worker_threads';
import type { ErrorCode } from '../core/errors.ts';
import type { StoreProfile } from '../core/store-profile.ts';
import type { Sequence, SeriesId } from '../core/tag.ts';
import type { UnsealedSamples } from './engine/unsealed.ts';
import type { RecordsDatabase } from './sqlite/records.ts';
import type { AggregateQuery, RawQuery, RecoveryReport, RetentionPolicy, SeriesQuery, TelemetryReads, TimeRange } from './telemetry.ts';
import type { ClockState } from './told-clock.ts';

/** Handed to the worker at its start. */
export interface StoreWorkerData {
  readonly dataDir: string;
  readonly ring: SharedArrayBuffer;
  readonly slots: number;
  readonly retention: RetentionPolicy;
  readonly profile: StoreProfile;
  /** Where the ring's free slots ended when an earlier worker died; null at the daemon's start, when the ring is empty. */
  readonly resumeAt: Sequence | null;
  readonly clock: ClockState;
}

type Asynchronous<Methods, Names extends keyof Methods> = {
  readonly [Name in Names]: Methods[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Promise<Awaited<Result>>
    : never;
};

/** Answered by the query worker. */
export const HISTORY_CALLS = ['raw', 'asOf', 'aggregate', 'gaps', 'count'] as const;
export const ENGINE_CALLS = ['latest', 'changes', 'stats', 'setRetention'] as const;
export const RECORD_CALLS = [
  'documents',
  'document',
  'putDocument',
  'putDocuments',
  'removeDocument',
  'removeDocuments',
  'tokens',
  'tokenByHash',
  'createToken',
  'revokeToken',
  'keptAnswer',
  'keepAnswer',
  'appendAudit',
  'audit',
  'saveAlerts',
  'pendingAlerts',
  'alert',
  'alerts',
  'ruleStates',
  'addDeliveries',
  'pendingDeliveries',
  'pendingCounts',
  'changeDelivery',
  'summarizeDeliveries',
  'abandonDeliveries',
  'deliveriesOf',
] as const;

/** Copies telemetry and records into an empty folder; the only call that others overtake. */
export const BACKUP_CALL = 'backup';

/** Everything that can be asked of the store worker by name. */
export type StoreCalls = Asynchronous<
  TelemetryReads & { setRetention(policy: RetentionPolicy): Promise<void> },
  (typeof ENGINE_CALLS)[number]
> &
  Asynchronous<RecordsDatabase, (typeof RECORD_CALLS)[number]> & { [BACKUP_CALL](dir: string): Promise<void> };
export type StoreCallName = keyof StoreCalls;

export type ToWorker =
  /** Commit what is published: somebody waits. */
  | { readonly kind: 'flush' }
  /** Write what is published, so that its slots become free: nobody waits for it to be safe. */
  | { readonly kind: 'write' }
  | { readonly kind: 'call'; readonly id: number; readonly method: StoreCallName; readonly args: readonly unknown[] }
  /** A query worker that will ask for what is not sealed. */
  | { readonly kind: 'reader'; readonly port: MessagePort }
  | { readonly kind: 'clock'; readonly state: ClockState }
  | { readonly kind: 'stop' };

export interface Fault {
  readonly code: ErrorCode;
  readonly message: string;
}

export type FromWorker =
  /** `lost` are the records that an earlier worker had written and that this one did not find. */
  | { readonly kind: 'opened'; readonly report: RecoveryReport; readonly lost: { readonly from: Sequence; readonly to: Sequence } | null }
  /** The files can't be opened; the worker ends. */
  | { readonly kind: 'unopened'; readonly fault: Fault }
  | { readonly kind: 'flushed'; readonly fault?: Fault }
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly fault: Fault }
  /** A `write` is done, or writing in the background failed or works again (no fault). */
  | { readonly kind: 'writing'; readonly fault?: Fault }
  /** A step of sealing, compacting or retention failed, which is tried again, or they work again (no fault). */
  | { readonly kind: 'background'; readonly fault?: Fault }
  /** Something in the store's files is damaged: what, and how. */
  | { readonly kind: 'damage'; readonly what: string; readonly reason: string }
  | { readonly kind: 'stopped' };

/** Handed to the query worker at its start. */
export interface QueryWorkerData {
  readonly dataDir: string;
  /** The line to the store worker. */
  readonly store: MessagePort;
  /** Int32 by the place of a question: 1 where nobody waits for its answer any more. Shared, for a worker that computes hears no message. */
  readonly withdrawn: SharedArrayBuffer;
}

export type Question =
  | { readonly call: 'raw'; readonly query: RawQuery }
  | { readonly call: 'asOf'; readonly query: SeriesQuery }
  | { readonly call: 'aggregate'; readonly query: AggregateQuery }
  | { readonly call: 'gaps'; readonly query: SeriesQuery & { readonly limit: number } }
  | { readonly call: 'count'; readonly query: SeriesQuery & { readonly atMost: number } };

export interface ToQueryWorker {
  readonly id: number;
  /** Its place in `QueryWorkerData.withdrawn`, while it is not answered. */
  readonly place: number;
  readonly question: Question;
}

export type FromQueryWorker =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'refused'; readonly id: number; readonly fault: Fault }
  | { readonly kind: 'damage'; readonly what: string; readonly reason: string };

/** From the query worker to the store worker: what is not sealed of these series? */
export interface ToStore {
  readonly id: number;
  readonly series: readonly SeriesId[];
  readonly range: TimeRange;
}

export type FromStore =
  | { readonly kind: 'unsealed'; readonly id: number; readonly samples: UnsealedSamples }
  | { readonly kind: 'refused'; readonly id: number; readonly fault: Fault };
