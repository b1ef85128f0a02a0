/** The records database: small documents, API tokens, kept answers, alerts, the audit log and the outbox in one SQLite file. Synchronous; the worker and the command line stand in front. */
import { GatewayError } from '../../core/errors.ts';
import type { UnixMs } from '../../core/time.ts';
import type { AddedDeliveries, ChannelKey, Delivery, DeliveryChange, NewDelivery } from '../deliveries.ts';
import type {
  AlertChange,
  AlertFilter,
  AlertPage,
  AuditEntry,
  AuditFilter,
  AuditPage,
  DocumentKey,
  DocumentKind,
  DocumentWrite,
  KeptRequest,
  RequestKey,
  StoredAlert,
  StoredDocument,
  StoredRuleState,
  StoredToken,
} from '../records.ts';
import { ALERT_TABLES, AlertTable } from './alert-table.ts';
import { AUDIT_TABLE, AuditTable } from './audit-table.ts';
import { type Database, openDatabase, sqliteError } from './database.ts';
import { DELIVERY_TABLE, DeliveryTable } from './delivery-table.ts';
import { KEPT_ANSWER_TABLE, KeptAnswers } from './kept-answers.ts';
import { type Migrations, migrate } from './migrations.ts';

const MIGRATIONS: Migrations = [
  `CREATE TABLE document (
     kind TEXT NOT NULL, tenant TEXT NOT NULL, id TEXT NOT NULL,
     revision INTEGER NOT NULL, created_ms INTEGER NOT NULL, updated_ms INTEGER NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (kind, tenant, id)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE token (
     id TEXT PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL UNIQUE, tenant TEXT NOT NULL, scopes TEXT NOT NULL,
     created_ms INTEGER NOT NULL, expires_ms INTEGER, revoked_ms INTEGER
   ) STRICT, WITHOUT ROWID;`,
  `${KEPT_ANSWER_TABLE}
   ${AUDIT_TABLE}`,
  ALERT_TABLES,
  DELIVERY_TABLE,
];

interface DocumentRow {
  readonly kind: DocumentKind;
  readonly tenant: string;
  readonly id: string;
  readonly revision: number;
  readonly created_ms: number;
  readonly updated_ms: number;
  readonly body: string;
}

interface TokenRow {
  readonly id: string;
  readonly name: string;
  readonly sha256: string;
  readonly tenant: string;
  readonly scopes: string;
  readonly created_ms: number;
  readonly expires_ms: number | null;
  readonly revoked_ms: number | null;
}

export class RecordsDatabase {
  readonly #database: Database;
  readonly #answers: KeptAnswers;
  readonly #audit: AuditTable;
  readonly #alerts: AlertTable;
  readonly #deliveries: DeliveryTable;

  constructor(file: string) {
    this.#database = openDatabase(file);
    migrate(this.#database, MIGRATIONS, file);
    this.#answers = new KeptAnswers(this.#database);
    this.#audit = new AuditTable(this.#database);
    this.#alerts = new AlertTable(this.#database);
    this.#deliveries = new DeliveryTable(this.#database);
  }

  documents(kind: DocumentKind): StoredDocument[] {
    const rows = this.#database.prepare('SELECT * FROM document WHERE kind = ? ORDER BY tenant, id').all(kind) as DocumentRow[];
    return rows.map(toDocument);
  }

  document(key: DocumentKey): StoredDocument | undefined {
    const row = this.#database
      .prepare('SELECT * FROM document WHERE kind = ? AND tenant = ? AND id = ?')
      .get(key.kind, key.tenant, key.id) as DocumentRow | undefined;
    return row && toDocument(row);
  }

  putDocument(key: DocumentKey, body: unknown, atMs: UnixMs, expectedRevision?: number): StoredDocument {
    return this.#atomically(() => {
      const known = this.document(key);
      if (expectedRevision !== undefined && (known?.revision ?? 0) !== expectedRevision) {
        throw new GatewayError('conflict', `${key.kind} ${key.id} has revision ${known?.revision ?? 0}, not ${expectedRevision}`);
      }
      const document = { ...key, revision: (known?.revision ?? 0) + 1, createdMs: known?.createdMs ?? atMs, updatedMs: atMs, body };
      this.#database
        .prepare(
          `INSERT INTO document (kind, tenant, id, revision, created_ms, updated_ms, body) VALUES (?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET revision = excluded.revision, updated_ms = excluded.updated_ms, body = excluded.body`,
        )
        .run(key.kind, key.tenant, key.id, document.revision, document.createdMs, document.updatedMs, JSON.stringify(body));
      return document;
    });
  }

  putDocuments(writes: readonly DocumentWrite[]): void {
    this.#atomically(() => {
      for (const { body, atMs, ...key } of writes) this.putDocument(key, body, atMs);
    });
  }

  removeDocument(key: DocumentKey): boolean {
    return (
      this.#database.prepare('DELETE FROM document WHERE kind = ? AND tenant = ? AND id = ?').run(key.kind, key.tenant, key.id).changes > 0
    );
  }

  removeDocuments(keys: readonly DocumentKey[]): void {
    this.#atomically(() => {
      for (const key of keys) this.removeDocument(key);
    });
  }

  tokens(): StoredToken[] {
    return (this.#database.prepare('SELECT * FROM token ORDER BY created_ms, id').all() as TokenRow[]).map(toToken);
  }

  tokenByHash(sha256: string): StoredToken | undefined {
    const row = this.#database.prepare('SELECT * FROM token WHERE sha256 = ?').get(sha256) as TokenRow | undefined;
    return row && toToken(row);
  }

  createToken(token: StoredToken): void {
    this.#database
      .prepare('INSERT INTO token (id, name, sha256, tenant, scopes, created_ms, expires_ms, revoked_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?)')
      .run(token.id, token.name, token.sha256, token.tenant, token.scopes.join(' '), token.createdMs, token.expiresMs, token.revokedMs);
  }

  revokeToken(id: string, atMs: UnixMs): boolean {
    return this.#database.prepare('UPDATE token SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL').run(atMs, id).changes > 0;
  }

  keptAnswer(key: RequestKey, nowMs: UnixMs): KeptRequest | undefined {
    return this.#answers.find(key, nowMs);
  }

  keepAnswer(key: RequestKey, answer: KeptRequest, nowMs: UnixMs): void {
    this.#atomically(() => this.#answers.keep(key, answer, nowMs));
  }

  appendAudit(entries: readonly AuditEntry[], nowMs: UnixMs | null): void {
    this.#atomically(() => this.#audit.append(entries, nowMs));
  }

  audit(filter: AuditFilter): AuditPage {
    return this.#audit.page(filter);
  }

  saveAlerts(change: AlertChange): void {
    this.#atomically(() => this.#alerts.save(change));
  }

  pendingAlerts(): StoredAlert[] {
    return this.#alerts.pending();
  }

  alert(tenant: string, id: string): StoredAlert | undefined {
    return this.#alerts.find(tenant, id);
  }

  alerts(filter: AlertFilter): AlertPage {
    return this.#alerts.page(filter);
  }

  ruleStates(): { readonly cursor: string | null; readonly states: readonly StoredRuleState[] } {
    return this.#alerts.states();
  }

  addDeliveries(deliveries: readonly NewDelivery[], limit: number): AddedDeliveries[] {
    return this.#atomically(() => this.#deliveries.add(deliveries, limit));
  }

  pendingDeliveries(key: ChannelKey, limit: number): Delivery[] {
    return this.#deliveries.pending(key, limit);
  }

  pendingCounts(): (ChannelKey & { readonly count: number })[] {
    return this.#deliveries.pendingCounts();
  }

  changeDelivery(id: number, change: DeliveryChange): boolean {
    return this.#atomically(() => this.#deliveries.change(id, change));
  }

  summarizeDeliveries(throughId: number, summary: NewDelivery): void {
    this.#atomically(() => this.#deliveries.summarize(throughId, summary));
  }

  abandonDeliveries(key: ChannelKey, reason: string): number {
    return this.#deliveries.abandon(key, reason);
  }

  deliveriesOf(tenant: string, alertIds: readonly string[]): Delivery[] {
    return this.#deliveries.of(tenant, alertIds);
  }

  /** Copies it to a new file, while it is in use. Throws `store_failed` or `disk_full`. */
  async backup(file: string): Promise<void> {
    try {
      await this.#database.backup(file);
    } catch (error) {
      throw sqliteError(error, 'copying the records');
    }
  }

  close(): void {
    this.#database.close();
  }

  /** With the write lock from the start: what was read must still hold when the write follows, and a lock can't be raised later. */
  #atomically<Result>(act: () => Result): Result {
    return this.#database.transaction(act).immediate();
  }
}

function toDocument(row: DocumentRow): StoredDocument {
  return {
    kind: row.kind,
    tenant: row.tenant,
    id: row.id,
    revision: row.revision,
    createdMs: row.created_ms as UnixMs,
    updatedMs: row.updated_ms as UnixMs,
    body: JSON.parse(row.body),
  };
}

function toToken(row: TokenRow): StoredToken {
  return {
    id: row.id,
    name: row.name,
    sha256: row.sha256,
    tenant: row.tenant,
    scopes: row.scopes.split(' ').filter(Boolean),
    createdMs: row.created_ms as UnixMs,
    expiresMs: row.expires_ms as UnixMs | null,
    revokedMs: row.revoked_ms as UnixMs | null,
  };
}
