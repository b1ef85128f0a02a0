/** The audit log on disk: appended in batches, bounded by age and by count of each kind. */
import type { UnixMs } from '../../core/time.ts';
import type { AuditEntry, AuditFilter, AuditKind, AuditPage, AuditRow } from '../records.ts';
import type { Database } from './database.ts';

export const AUDIT_TABLE = `CREATE TABLE audit (
     id INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, time_ms INTEGER NOT NULL,
     tenant TEXT, token_id TEXT, token_name TEXT, method TEXT NOT NULL, route TEXT NOT NULL, object_id TEXT,
     status INTEGER NOT NULL, code TEXT, address TEXT, request_id TEXT NOT NULL, count INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX audit_kind ON audit (kind, id);
   CREATE INDEX audit_time ON audit (time_ms);`;

const DAY_MS = 86_400_000;
const MAX_AGE_MS = 90 * DAY_MS; // what a yearly audit's sample and an incident's trace need
/** About 200 bytes each: at most 20 MB for each of the four kinds. */
const MAX_ROWS_OF_A_KIND = 100_000;

interface Row {
  readonly id: number;
  readonly kind: AuditKind;
  readonly time_ms: number;
  readonly tenant: string | null;
  readonly token_id: string | null;
  readonly token_name: string | null;
  readonly method: string;
  readonly route: string;
  readonly object_id: string | null;
  readonly status: number;
  readonly code: string | null;
  readonly address: string | null;
  readonly request_id: string;
  readonly count: number;
}

export class AuditTable {
  readonly #database: Database;
  readonly #limit: number;
  /** Rows of a kind since its last trim; the first batch after a start trims. */
  readonly #added = new Map<AuditKind, number>();

  /** `limit` is a knob for tests. */
  constructor(database: Database, limit = MAX_ROWS_OF_A_KIND) {
    this.#database = database;
    this.#limit = limit;
  }

  append(entries: readonly AuditEntry[], nowMs: UnixMs | null): void {
    const insert = this.#database.prepare(
      `INSERT INTO audit (kind, time_ms, tenant, token_id, token_name, method, route, object_id, status, code, address, request_id, count)
       VALUES (@kind, @timeMs, @tenant, @tokenId, @tokenName, @method, @route, @objectId, @status, @code, @address, @requestId, @count)`,
    );
    for (const entry of entries) insert.run(entry);
    if (nowMs !== null) this.#database.prepare('DELETE FROM audit WHERE time_ms < ?').run(nowMs - MAX_AGE_MS);
    for (const kind of new Set(entries.map((entry) => entry.kind))) {
      const added = (this.#added.get(kind) ?? Number.POSITIVE_INFINITY) + entries.length;
      this.#added.set(kind, added);
      if (added > this.#limit / 100) this.#trim(kind);
    }
  }

  /** Each hundredth of the limit, as finding the place to cut walks the kind's whole index. */
  #trim(kind: AuditKind): void {
    this.#added.set(kind, 0);
    const cut = this.#database.prepare('SELECT id FROM audit WHERE kind = ? ORDER BY id DESC LIMIT 1 OFFSET ?').get(kind, this.#limit) as
      | { readonly id: number }
      | undefined;
    if (cut) this.#database.prepare('DELETE FROM audit WHERE kind = ? AND id <= ?').run(kind, cut.id);
  }

  page(filter: AuditFilter): AuditPage {
    const { where, values } = conditionsOf(filter);
    const { total } = this.#database.prepare(`SELECT count(*) AS total FROM audit${where}`).get(values) as { readonly total: number };
    const rows = this.#database
      .prepare(`SELECT * FROM audit${where} ORDER BY id DESC LIMIT @limit OFFSET @skip`)
      .all({ ...values, limit: filter.limit, skip: filter.skip }) as Row[];
    return { rows: rows.map(toAuditRow), total };
  }
}

const CONDITIONS = {
  tenant: 'tenant = @tenant',
  tokenName: 'token_name = @tokenName',
  kind: 'kind = @kind',
  fromMs: 'time_ms >= @fromMs',
  toMs: 'time_ms < @toMs',
} as const satisfies Partial<Record<keyof AuditFilter, string>>;

function conditionsOf(filter: AuditFilter): { readonly where: string; readonly values: Record<string, string | number> } {
  const asked = Object.entries(CONDITIONS).flatMap(([name, sql]) => {
    const value = filter[name as keyof typeof CONDITIONS];
    return value === undefined ? [] : [{ name, sql, value }];
  });
  return {
    where: asked.length > 0 ? ` WHERE ${asked.map(({ sql }) => sql).join(' AND ')}` : '',
    values: Object.fromEntries(asked.map(({ name, value }) => [name, value])),
  };
}

function toAuditRow(row: Row): AuditRow {
  return {
    id: row.id,
    kind: row.kind,
    timeMs: row.time_ms as UnixMs,
    tenant: row.tenant,
    tokenId: row.token_id,
    tokenName: row.token_name,
    method: row.method,
    route: row.route,
    objectId: row.object_id,
    status: row.status,
    code: row.code,
    address: row.address,
    requestId: row.request_id,
    count: row.count,
  };
}
