/** Alerts, and how far their rules have come, on disk. Resolved alerts are bounded by age and by count of each tenant; open ones never go. */
import type { UnixMs } from '../../core/time.ts';
import type { AlertChange, AlertFilter, AlertPage, StoredAlert, StoredRuleState } from '../records.ts';
import type { Database } from './database.ts';

export const ALERT_TABLES = `CREATE TABLE alert (
     tenant TEXT NOT NULL, id TEXT NOT NULL, status TEXT NOT NULL, severity TEXT NOT NULL,
     triggered_ms INTEGER NOT NULL, resolved_ms INTEGER, pending INTEGER NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (tenant, id)
   ) STRICT, WITHOUT ROWID;
   CREATE INDEX alert_time ON alert (tenant, triggered_ms DESC, id);
   CREATE INDEX alert_pending ON alert (pending) WHERE pending = 1;
   CREATE INDEX alert_resolved ON alert (tenant, resolved_ms) WHERE pending = 0;
   CREATE INDEX alert_age ON alert (resolved_ms) WHERE pending = 0;
   CREATE TABLE rule_state (
     tenant TEXT NOT NULL, rule_id TEXT NOT NULL, asset TEXT NOT NULL, body TEXT NOT NULL,
     PRIMARY KEY (tenant, rule_id, asset)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE rule_cursor (only INTEGER PRIMARY KEY CHECK (only = 1), cursor TEXT NOT NULL) STRICT;`;

const DAY_MS = 86_400_000;
const MAX_AGE_MS = 365 * DAY_MS; // a plant looks back at the same season of the year before
/** About 700 bytes each: at most 35 MB for each tenant. */
const MAX_RESOLVED_OF_A_TENANT = 50_000;

interface AlertRow {
  readonly tenant: string;
  readonly id: string;
  readonly status: string;
  readonly severity: string;
  readonly triggered_ms: number;
  readonly resolved_ms: number | null;
  readonly pending: number;
  readonly body: string;
}

interface StateRow {
  readonly tenant: string;
  readonly rule_id: string;
  readonly asset: string;
  readonly body: string;
}

export class AlertTable {
  readonly #database: Database;
  readonly #limit: number;
  /** Alerts of a tenant saved since its last trim; the first save after a start trims. */
  readonly #saved = new Map<string, number>();

  /** `limit` is a knob for tests. */
  constructor(database: Database, limit = MAX_RESOLVED_OF_A_TENANT) {
    this.#database = database;
    this.#limit = limit;
  }

  save({ nowMs, alerts, states, forgotten, cursor }: AlertChange): void {
    this.#saveAlerts(alerts, nowMs);
    const forget = this.#database.prepare('DELETE FROM rule_state WHERE tenant = ? AND rule_id = ?');
    for (const { tenant, ruleId } of forgotten) forget.run(tenant, ruleId);
    const put = this.#database.prepare('INSERT OR REPLACE INTO rule_state (tenant, rule_id, asset, body) VALUES (?, ?, ?, ?)');
    for (const { tenant, ruleId, asset, body } of states) put.run(tenant, ruleId, asset, JSON.stringify(body));
    if (cursor !== undefined) this.#database.prepare('INSERT OR REPLACE INTO rule_cursor (only, cursor) VALUES (1, ?)').run(cursor);
  }

  pending(): StoredAlert[] {
    const rows = this.#database.prepare('SELECT * FROM alert WHERE pending = 1 ORDER BY tenant, id').all() as AlertRow[];
    return rows.map(toAlert);
  }

  find(tenant: string, id: string): StoredAlert | undefined {
    const row = this.#database.prepare('SELECT * FROM alert WHERE tenant = ? AND id = ?').get(tenant, id) as AlertRow | undefined;
    return row && toAlert(row);
  }

  page(filter: AlertFilter): AlertPage {
    const { where, values } = conditionsOf(filter);
    const { total } = this.#database.prepare(`SELECT count(*) AS total FROM alert WHERE ${where}`).get(values) as {
      readonly total: number;
    };
    const rows = this.#database
      .prepare(`SELECT * FROM alert WHERE ${where} ORDER BY triggered_ms DESC, id LIMIT @limit OFFSET @skip`)
      .all({ ...values, limit: filter.limit, skip: filter.skip }) as AlertRow[];
    return { rows: rows.map(toAlert), total };
  }

  states(): { readonly cursor: string | null; readonly states: readonly StoredRuleState[] } {
    const row = this.#database.prepare('SELECT cursor FROM rule_cursor').get() as { readonly cursor: string } | undefined;
    const rows = this.#database.prepare('SELECT * FROM rule_state ORDER BY tenant, rule_id, asset').all() as StateRow[];
    const states = rows.map(({ tenant, rule_id: ruleId, asset, body }) => ({ tenant, ruleId, asset, body: JSON.parse(body) as unknown }));
    return { cursor: row?.cursor ?? null, states };
  }

  #saveAlerts(alerts: readonly StoredAlert[], nowMs: UnixMs | null): void {
    if (alerts.length === 0) return;
    const put = this.#database.prepare(
      `INSERT OR REPLACE INTO alert (tenant, id, status, severity, triggered_ms, resolved_ms, pending, body)
       VALUES (@tenant, @id, @status, @severity, @triggeredMs, @resolvedMs, @pending, @body)`,
    );
    for (const alert of alerts) put.run({ ...alert, pending: alert.pending ? 1 : 0, body: JSON.stringify(alert.body) });
    if (nowMs !== null) this.#database.prepare('DELETE FROM alert WHERE pending = 0 AND resolved_ms < ?').run(nowMs - MAX_AGE_MS);
    for (const tenant of new Set(alerts.map((alert) => alert.tenant))) {
      const saved = (this.#saved.get(tenant) ?? Number.POSITIVE_INFINITY) + alerts.length;
      this.#saved.set(tenant, saved);
      if (saved > this.#limit / 100) this.#trim(tenant);
    }
  }

  /** Each hundredth of the limit, as finding the place to cut walks the tenant's whole index. */
  #trim(tenant: string): void {
    this.#saved.set(tenant, 0);
    this.#database
      .prepare(
        `DELETE FROM alert WHERE tenant = @tenant AND id IN
           (SELECT id FROM alert WHERE tenant = @tenant AND pending = 0 ORDER BY resolved_ms DESC LIMIT -1 OFFSET @limit)`,
      )
      .run({ tenant, limit: this.#limit });
  }
}

function conditionsOf(filter: AlertFilter): { readonly where: string; readonly values: Record<string, string | number> } {
  const { tenant, statuses, severities, fromMs, toMs } = filter;
  const asked: { readonly sql: string; readonly values: Record<string, string | number> }[] = [
    { sql: 'tenant = @tenant', values: { tenant } },
  ];
  if (statuses) asked.push({ sql: 'status IN (SELECT value FROM json_each(@statuses))', values: { statuses: JSON.stringify(statuses) } });
  if (severities)
    asked.push({ sql: 'severity IN (SELECT value FROM json_each(@severities))', values: { severities: JSON.stringify(severities) } });
  if (fromMs !== undefined) asked.push({ sql: 'triggered_ms >= @fromMs', values: { fromMs } });
  if (toMs !== undefined) asked.push({ sql: 'triggered_ms < @toMs', values: { toMs } });
  return { where: asked.map(({ sql }) => sql).join(' AND '), values: Object.assign({}, ...asked.map(({ values }) => values)) };
}

function toAlert(row: AlertRow): StoredAlert {
  const { tenant, id, status, severity, triggered_ms: triggeredMs, resolved_ms: resolvedMs, pending, body } = row;
  return {
    tenant,
    id,
    status,
    severity,
    triggeredMs: triggeredMs as UnixMs,
    resolvedMs: resolvedMs as UnixMs | null,
    pending: pending === 1,
    body: JSON.parse(body),
  };
}
