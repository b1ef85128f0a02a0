/** The port to the small documents of the box: twins, sources, tokens, alerts, the audit log and answers kept for a repeat. Async, for a flush on an SD card must not stall polls. */
import type { UnixMs } from '../core/time.ts';

/**
 * `source`: when a source of the file was first met. `data_source`: a source made over the API; `data_source_revision`:
 * what it was at one of its last revisions. `sync`: when a twin was last synchronised, as the time of its change.
 */
export type DocumentKind = 'twin' | 'source' | 'data_source' | 'data_source_revision' | 'sync' | 'dashboard' | 'alert_rule';

export interface StoredDocument {
  readonly kind: DocumentKind;
  readonly tenant: string;
  readonly id: string;
  /** 1 at creation, one more with each change. */
  readonly revision: number;
  readonly createdMs: UnixMs;
  readonly updatedMs: UnixMs;
  /** Plain JSON; its shape belongs to whoever owns the kind. */
  readonly body: unknown;
}

export interface StoredToken {
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the token, hex. The token itself is nowhere. */
  readonly sha256: string;
  readonly tenant: string;
  readonly scopes: readonly string[];
  readonly createdMs: UnixMs;
  readonly expiresMs: UnixMs | null;
  readonly revokedMs: UnixMs | null;
}

export interface DocumentKey {
  readonly kind: DocumentKind;
  readonly tenant: string;
  readonly id: string;
}

/** A document to be created or replaced at `atMs`. */
export interface DocumentWrite extends DocumentKey {
  readonly body: unknown;
  readonly atMs: UnixMs;
}

/** An answer that a repeat of its request gets again. */
export interface KeptAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  /** As JSON text. */
  readonly body: string;
}

/** The client's key for one request; each token has its own on each path. */
export interface RequestKey {
  readonly tokenId: string;
  /** As it was called, without the query. */
  readonly path: string;
  readonly key: string;
}

/** The answer with what its request was. */
export interface KeptRequest extends KeptAnswer {
  /** SHA-256 of query and body, hex. */
  readonly sha256: string;
}

/** What each kind has room for is its own, so that a flood of one pushes out none of another. */
export type AuditKind = 'write' | 'ingest' | 'read' | 'refused';

export interface AuditEntry {
  readonly kind: AuditKind;
  readonly timeMs: UnixMs;
  /** Null where nobody was known. */
  readonly tenant: string | null;
  readonly tokenId: string | null;
  readonly tokenName: string | null;
  readonly method: string;
  /** The pattern, such as `/api/twins/:id`. */
  readonly route: string;
  /** What stood in its places, joined by `/`; null where it has none. */
  readonly objectId: string | null;
  readonly status: number;
  /** The code of the refusal; null when it was none. */
  readonly code: string | null;
  /** Of the client's side of the connection. */
  readonly address: string | null;
  readonly requestId: string;
  /** How many alike this one stands for, itself included; time and request id are the first one's. */
  readonly count: number;
}

export interface AuditRow extends AuditEntry {
  readonly id: number;
}

export interface AuditFilter {
  readonly tenant?: string;
  readonly tokenName?: string;
  readonly kind?: AuditKind;
  readonly fromMs?: UnixMs;
  /** Excluded. */
  readonly toMs?: UnixMs;
  readonly limit: number;
  readonly skip: number;
}

export interface AuditPage {
  /** Newest first. */
  readonly rows: readonly AuditRow[];
  readonly total: number;
}

export interface RecordStore {
  /** All of a kind, of every tenant, by (tenant, id). */
  documents(kind: DocumentKind): Promise<readonly StoredDocument[]>;
  document(key: DocumentKey): Promise<StoredDocument | undefined>;
  /** Creates or replaces; `expectedRevision` (0 = must not exist) makes it reject `conflict` when another was there first. */
  putDocument(key: DocumentKey, body: unknown, atMs: UnixMs, expectedRevision?: number): Promise<StoredDocument>;
  /** Many at once, in one commit. */
  putDocuments(writes: readonly DocumentWrite[]): Promise<void>;
  /** True when there was one. */
  removeDocument(key: DocumentKey): Promise<boolean>;
  /** Many at once, in one commit; those that are not there are none. */
  removeDocuments(keys: readonly DocumentKey[]): Promise<void>;
  tokens(): Promise<readonly StoredToken[]>;
  tokenByHash(sha256: string): Promise<StoredToken | undefined>;
  createToken(token: StoredToken): Promise<void>;
  /** True when there was one that was not revoked. */
  revokeToken(id: string, atMs: UnixMs): Promise<boolean>;
}

export interface AnswerStore {
  /** Undefined when nothing is kept under the key, or no more at `nowMs`. */
  keptAnswer(key: RequestKey, nowMs: UnixMs): Promise<KeptRequest | undefined>;
  /** Keeps the answer for 24 hours; the oldest go early when there are too many. */
  keepAnswer(key: RequestKey, answer: KeptRequest, nowMs: UnixMs): Promise<void>;
}

export interface AuditStore {
  /** All of them in one commit. Rows that are too old or too many go; `nowMs` null: the time is not known, and none is too old. */
  appendAudit(entries: readonly AuditEntry[], nowMs: UnixMs | null): Promise<void>;
  audit(filter: AuditFilter): Promise<AuditPage>;
}

/** Alerts in the terms of the records: what they are found by, and the rest as plain JSON that belongs to `alerts`. */
export interface StoredAlert {
  readonly tenant: string;
  /** Unique on the box. */
  readonly id: string;
  readonly status: string;
  readonly severity: string;
  readonly triggeredMs: UnixMs;
  /** Null while it is open. */
  readonly resolvedMs: UnixMs | null;
  /** True while something is still to be done about it: those are given back at the start, and never removed. */
  readonly pending: boolean;
  readonly body: unknown;
}

/** How far a rule has come on one asset. */
export interface StoredRuleState {
  readonly tenant: string;
  readonly ruleId: string;
  readonly asset: string;
  readonly body: unknown;
}

/** What is saved together: all of it or nothing. */
export interface AlertChange {
  /** By which resolved alerts are too old; null while the time is not known: then none is. */
  readonly nowMs: UnixMs | null;
  /** Created or replaced. */
  readonly alerts: readonly StoredAlert[];
  readonly states: readonly StoredRuleState[];
  /** Rules whose states go, before `states` come. */
  readonly forgotten: readonly { readonly tenant: string; readonly ruleId: string }[];
  /** Where to go on with the changes of the store after a restart; absent: as before. */
  readonly cursor?: string;
}

export interface AlertFilter {
  readonly tenant: string;
  readonly statuses?: readonly string[];
  readonly severities?: readonly string[];
  /** Of `triggeredMs`. */
  readonly fromMs?: UnixMs;
  /** Excluded. */
  readonly toMs?: UnixMs;
  readonly limit: number;
  readonly skip: number;
}

export interface AlertPage {
  /** Newest first by `triggeredMs`, then by id. */
  readonly rows: readonly StoredAlert[];
  readonly total: number;
}

export interface AlertStore {
  /** One commit. Resolved alerts that are too old or too many go. */
  saveAlerts(change: AlertChange): Promise<void>;
  /** All with `pending`, of every tenant. */
  pendingAlerts(): Promise<readonly StoredAlert[]>;
  alert(tenant: string, id: string): Promise<StoredAlert | undefined>;
  alerts(filter: AlertFilter): Promise<AlertPage>;
  /** The cursor is null before the first save of one. */
  ruleStates(): Promise<{ readonly cursor: string | null; readonly states: readonly StoredRuleState[] }>;
}
