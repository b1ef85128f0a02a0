/** What the API asks of the house below it; `app` hands the real parts in, tests hand in small ones. */

import type { Alert } from '../alerts/alert.ts';
import type { Alerting } from '../alerts/alerting.ts';
import type { Notifications } from '../alerts/notify/notifications.ts';
import type { Clock } from '../core/clock.ts';
import type { Emit } from '../core/emit.ts';
import type { ErrorCode } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { StoreProfile } from '../core/store-profile.ts';
import type { Scalar, Sequence, SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { DashboardRegistry } from '../dashboard/registry.ts';
import type { TagOrigin } from '../drivers/schema.ts';
import type { WriteOutcome } from '../ingest/commands.ts';
import type { Consumer } from '../ingest/pipeline.ts';
import type { SourceDraft, SourceKey, SourceRevision, StoredSource } from '../ingest/source-registry.ts';
import type { LedgerCounts, SourceView } from '../ingest/source-state.ts';
import type { SourceTestResult } from '../ingest/source-test.ts';
import type { AnswerStore, AuditStore, RecordStore } from '../store/records.ts';
import type { Damage, TelemetryReads } from '../store/telemetry.ts';
import type { NewTwin, TwinKey } from '../twin/registry.ts';
import type { SyncOptions, SyncResult } from '../twin/sync.ts';
import type { Binding, LiveReading, Twin } from '../twin/twin.ts';
import type { RatePolicy } from './rate-limit.ts';

export interface SeriesFilter {
  readonly tenant: string;
  readonly sources?: readonly string[];
  readonly assets?: readonly string[];
  readonly tags?: readonly string[];
}

/** Where the one stream of records stands. */
export interface StreamView {
  readonly profile: StoreProfile;
  /** That the next record gets. */
  readonly next: Sequence;
  /** Everything below is on disk. */
  readonly durable: Sequence;
  /** Why nothing becomes durable at present (`disk_full`, `store_failed`, `store_stalled`), or null. */
  readonly fault: ErrorCode | null;
  /** What was found damaged since the start. */
  readonly damage: Damage;
}

/** The newest that a device said of a tag, before anything was made of it. */
export interface RawView {
  /** In the protocol's own words. */
  readonly words: Readonly<Record<string, string | number>>;
  /** When the box read it; null where the device speaks by itself. */
  readonly readMs: UnixMs | null;
  /** The device's own time, and its server's; null where they give none. */
  readonly sourceMs: UnixMs | null;
  readonly serverMs: UnixMs | null;
}

/** What is known of where a reading came from. */
export interface Provenance {
  /** Null for what is no source of its own, as readings over REST, and for one that was removed. */
  readonly source: { readonly type: string; readonly endpoint: string } | null;
  /** Null where no tag of the configuration names it: REST, and tags that an MQTT topic names. */
  readonly origin: TagOrigin | null;
  /** Of the configuration that the source runs by: of the file, or its own; null for what is no source. */
  readonly configRevision: string | null;
  /** What the device said last; null where that is not remembered. */
  readonly raw: RawView | null;
  /** When the newest sample of the series came in, by the box's clock; null when that was before the last start. */
  readonly receivedMs: UnixMs | null;
}

/** The live stream's clients. */
export interface StreamsState {
  readonly streams: number;
  /** What waits in memory for them. */
  readonly queuedBytes: number;
  /** Events by name since the start, once for each client that took them. */
  readonly sent: Readonly<Record<string, number>>;
  /** Readings by reason since the start, once for each client that did not get them. */
  readonly lost: Readonly<Record<string, number>>;
}

/** What the configuration says of the API itself. */
export interface HttpSettings {
  /** Null: as often as they like. */
  readonly rateLimit: RatePolicy | null;
  /** Origins whose pages may call from a browser. */
  readonly corsOrigins: readonly string[];
}

/** The source whose device has a tag. */
export interface TagOwner {
  readonly source: string;
  readonly writable: boolean;
}

/** The newest that was asked of a tag's device. */
export interface Command {
  readonly value: Scalar;
  /** Why it failed; null while it is on its way, and when the device showed the value. */
  readonly failure: ErrorCode | null;
  readonly pending: boolean;
}

/** A source as a single object. */
export interface SourceDetail {
  readonly view: SourceView;
  /** With its secrets. */
  readonly draft: SourceDraft;
  /** Null for those of the file. */
  readonly revision: number | null;
  readonly updatedMs: UnixMs | null;
}

export interface ApiServices {
  readonly clock: Clock;
  /** False while the box's own time is not to be trusted: then nothing is deleted for its age. */
  clockTrusted(): boolean;
  /** Samples older than this are not kept as they are, so none is taken in; null: kept whatever their age. */
  rawMaxAgeMs(): number | null;
  /** The latest time that is believed of a reading. */
  latestMs(): UnixMs;
  readonly log: Log;
  readonly version: string;
  readonly store: TelemetryReads;
  readonly records: Pick<RecordStore, 'tokenByHash'> & AnswerStore & AuditStore;
  readonly http: HttpSettings;
  /** The catalogue of series, all generations. */
  readonly series: {
    find(filter: SeriesFilter): readonly SeriesId[];
    definition(series: SeriesId): SeriesDef;
  };
  readonly twins: {
    /** Without the sensors of tags. */
    list(tenant: string): readonly Twin[];
    get(tenant: string, id: string): Twin | undefined;
    /** Each of these resolves once the change is saved and shown; rejecting, it has changed nothing. */
    create(made: NewTwin): Promise<Twin>;
    change(at: TwinKey, edit: (twin: Twin) => Twin): Promise<Twin>;
    /** `allow` may refuse by throwing. */
    remove(at: TwinKey, allow: (twin: Twin) => void): Promise<void>;
    /** `TWIN_TYPES` and those that the configuration adds. */
    readonly types: readonly string[];
  };
  readonly dashboards: Pick<DashboardRegistry, 'list' | 'get' | 'create' | 'replace' | 'remove' | 'duplicate'>;
  /** Present values, from memory. */
  readonly live: {
    /** Undefined when nothing was ever received. */
    reading(tenant: string, binding: Binding): LiveReading | undefined;
    provenance(tenant: string, binding: Binding, reading: LiveReading): Provenance;
    /** Names of the asset's tags that have a reading, sorted. */
    tagNames(tenant: string, asset: string): readonly string[];
    /** How often the tag is sampled; undefined where readings come only on change or from a client. */
    periodMs(tenant: string, binding: Binding): number | undefined;
  };
  readonly devices: {
    /** Undefined where no device gives the tag its values. */
    owner(tenant: string, binding: Binding): TagOwner | undefined;
    /** Resolves, however the write ends, within half a minute. */
    write(owner: TagOwner, at: Binding, value: Scalar, signal: AbortSignal): Promise<WriteOutcome>;
    lastCommand(owner: TagOwner, at: Binding): Command | undefined;
  };
  /** From now on the listener hears of every reading right after the twins; undefined ends that. There is one at most. */
  hear(listener: Consumer | undefined): void;
  readonly alerting: Pick<
    Alerting,
    'rules' | 'stateOf' | 'openAlerts' | 'list' | 'get' | 'acknowledge' | 'resolve' | 'shelve' | 'unshelve' | 'shelves' | 'unshelveRule'
  >;
  /** From now on the listener hears of every alert that is new or has changed; undefined ends that. There is one at most. */
  hearAlerts(listener: ((alert: Alert) => void) | undefined): void;
  readonly sources: {
    list(tenant: string): readonly SourceView[];
    find(tenant: string, id: string): SourceDetail | undefined;
    /** What is wrong between the fields of a draft, and where it may not connect to; none where it may be saved. */
    faults(draft: SourceDraft, id: string): readonly { readonly field: string; readonly message: string }[];
    /** What of a draft does not go with the tenant's other sources, whatever they are; none where it may be saved. */
    conflicts(draft: SourceDraft, at: SourceKey): readonly { readonly field: string; readonly message: string }[];
    /** Where a draft leads, without secrets. */
    endpoint(draft: SourceDraft): string;
    create(tenant: string, draft: SourceDraft): Promise<StoredSource>;
    change(at: SourceKey, edit: (present: StoredSource) => SourceDraft): Promise<StoredSource>;
    /** `allow` may refuse by throwing. */
    remove(at: SourceKey, allow: (present: StoredSource) => void): Promise<void>;
    revisions(at: SourceKey): Promise<readonly SourceRevision[]>;
    /** Resolves within ten seconds, however it ends. Rejects `overloaded`. */
    test(id: string): Promise<SourceTestResult>;
    testDraft(tenant: string, draft: SourceDraft): Promise<SourceTestResult>;
  };
  /** The ways by which alerts reach people. */
  readonly channels: Pick<Notifications, 'list' | 'test' | 'has' | 'deliveries'>;
  /** The door for readings that come over REST; one emit for each tenant. */
  door(tenant: string): Emit;
  /** Where the readings went that came through that door. */
  doorLedger(tenant: string): LedgerCounts;
  stream(): StreamView;
  /** Of the whole box, in Prometheus' text format. */
  metrics(streams: StreamsState): Promise<{ readonly type: string; readonly data: string }>;
  /** A copy of everything, as one tar archive. Rejects `conflict` while another is read, `disk_full` or `store_failed`. */
  backup(): Promise<{ readonly chunks: AsyncIterable<Uint8Array>; close(): void }>;
  /** Alive parts that `/readyz` asks for; an empty `missing` means ready. */
  readiness(): { readonly missing: readonly string[] };
  /** Reads the twin's bound tags at their devices; see `TwinSync.run`. */
  sync(twin: Twin, options: SyncOptions): Promise<SyncResult>;
  /** Time of the twin's newest committed sample or of its last sync, whichever is newer; null before the first. */
  lastSyncMs(tenant: string, twinId: string): UnixMs | null;
}
