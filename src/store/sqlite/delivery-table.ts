/** The outbox on disk: what waits is bounded for each channel, what is settled is kept within a bound for whoever asks about an alert. */
import type { UnixMs } from '../../core/time.ts';
import type { AddedDeliveries, ChannelKey, Delivery, DeliveryChange, DeliveryEvent, DeliveryStatus, NewDelivery } from '../deliveries.ts';
import type { Database } from './database.ts';

export const DELIVERY_TABLE = `CREATE TABLE delivery (
     id INTEGER PRIMARY KEY AUTOINCREMENT, tenant TEXT NOT NULL, channel TEXT NOT NULL, alert_id TEXT, event TEXT NOT NULL,
     body TEXT NOT NULL, created_ms INTEGER NOT NULL,
     status TEXT NOT NULL DEFAULT 'pending', attempts INTEGER NOT NULL DEFAULT 0, last_error TEXT, delivered_ms INTEGER
   ) STRICT;
   CREATE UNIQUE INDEX delivery_alert ON delivery (tenant, alert_id, event, channel) WHERE alert_id IS NOT NULL;
   CREATE INDEX delivery_pending ON delivery (tenant, channel, id) WHERE status = 'pending';`;

const PENDING_OF = `status = 'pending' AND tenant = @tenant AND channel = @channel`;
/** Some 150 bytes each without their text: at most 15 MB. */
const MAX_SETTLED = 100_000;
const OUTBOX_FULL = 'more waited for the channel than it keeps';

interface Row {
  readonly id: number;
  readonly tenant: string;
  readonly channel: string;
  readonly alert_id: string | null;
  readonly event: DeliveryEvent;
  readonly body: string;
  readonly created_ms: number;
  readonly status: DeliveryStatus;
  readonly attempts: number;
  readonly last_error: string | null;
  readonly delivered_ms: number | null;
}

export class DeliveryTable {
  readonly #database: Database;
  readonly #limit: number;
  /** Since the last trim; the first ones after a start trim. */
  #added = Number.POSITIVE_INFINITY;

  /** `limit` is a knob for tests. */
  constructor(database: Database, limit = MAX_SETTLED) {
    this.#database = database;
    this.#limit = limit;
  }

  add(deliveries: readonly NewDelivery[], limit: number): AddedDeliveries[] {
    const channels = new Map<string, { readonly key: ChannelKey; added: number }>();
    for (const delivery of deliveries) {
      const { tenant, channel } = delivery;
      const place = `${tenant}\0${channel}`;
      const known = channels.get(place) ?? { key: { tenant, channel }, added: 0 };
      channels.set(place, known);
      known.added += this.#insert(delivery);
    }
    this.#added += deliveries.length;
    if (this.#added > this.#limit / 100) this.#trim();
    return [...channels.values()].map(({ key, added }) => ({ ...key, added, dropped: this.#dropBeyond(key, limit) }));
  }

  pending(key: ChannelKey, limit: number): Delivery[] {
    const rows = this.#database.prepare(`SELECT * FROM delivery WHERE ${PENDING_OF} ORDER BY id LIMIT @limit`).all({ ...key, limit });
    return (rows as Row[]).map(toDelivery);
  }

  pendingCounts(): (ChannelKey & { readonly count: number })[] {
    return this.#database
      .prepare(`SELECT tenant, channel, count(*) AS count FROM delivery WHERE status = 'pending' GROUP BY tenant, channel`)
      .all() as (ChannelKey & { readonly count: number })[];
  }

  /** The text goes with the last try, and what has none does not wait again. True when it waited before. */
  change(id: number, change: DeliveryChange): boolean {
    const before = this.#database.prepare('SELECT status FROM delivery WHERE id = ?').get(id) as Pick<Row, 'status'> | undefined;
    this.#database
      .prepare(
        `UPDATE delivery SET status = @status, attempts = @attempts, last_error = @lastError, delivered_ms = @deliveredMs,
           body = CASE WHEN @status = 'pending' THEN body ELSE '' END
         WHERE id = @id AND (@status <> 'pending' OR status = 'pending')`,
      )
      .run({ id, ...change });
    return before?.status === 'pending';
  }

  summarize(throughId: number, summary: NewDelivery): void {
    const { tenant, channel } = summary;
    this.#database
      .prepare(`UPDATE delivery SET status = 'suppressed', body = '' WHERE ${PENDING_OF} AND alert_id IS NOT NULL AND id <= @throughId`)
      .run({ tenant, channel, throughId });
    this.#insert(summary);
  }

  abandon(key: ChannelKey, reason: string): number {
    return this.#database
      .prepare(`UPDATE delivery SET status = 'failed', last_error = @reason, body = '' WHERE ${PENDING_OF}`)
      .run({ ...key, reason }).changes;
  }

  of(tenant: string, alertIds: readonly string[]): Delivery[] {
    const rows = this.#database
      .prepare('SELECT * FROM delivery WHERE tenant = ? AND alert_id IN (SELECT value FROM json_each(?)) ORDER BY id')
      .all(tenant, JSON.stringify(alertIds));
    return (rows as Row[]).map(toDelivery);
  }

  #insert(delivery: NewDelivery): number {
    return this.#database
      .prepare(
        `INSERT OR IGNORE INTO delivery (tenant, channel, alert_id, event, body, created_ms)
         VALUES (@tenant, @channel, @alertId, @event, @body, @createdMs)`,
      )
      .run(delivery).changes;
  }

  #dropBeyond(key: ChannelKey, limit: number): number {
    const oldest = this.#database
      .prepare(`SELECT id FROM delivery WHERE ${PENDING_OF} ORDER BY id DESC LIMIT 1 OFFSET @limit`)
      .get({ ...key, limit }) as { readonly id: number } | undefined;
    if (!oldest) return 0;
    return this.#database
      .prepare(`UPDATE delivery SET status = 'failed', last_error = @reason, body = '' WHERE ${PENDING_OF} AND id <= @id`)
      .run({ ...key, id: oldest.id, reason: OUTBOX_FULL }).changes;
  }

  /** Each hundredth of the limit, as finding the place to cut walks the settled ones. */
  #trim(): void {
    this.#added = 0;
    const cut = this.#database
      .prepare(`SELECT id FROM delivery WHERE status <> 'pending' ORDER BY id DESC LIMIT 1 OFFSET ?`)
      .get(this.#limit) as { readonly id: number } | undefined;
    if (cut) this.#database.prepare(`DELETE FROM delivery WHERE status <> 'pending' AND id <= ?`).run(cut.id);
  }
}

function toDelivery(row: Row): Delivery {
  return {
    id: row.id,
    tenant: row.tenant,
    channel: row.channel,
    alertId: row.alert_id,
    event: row.event,
    body: row.body,
    createdMs: row.created_ms as UnixMs,
    status: row.status,
    attempts: row.attempts,
    lastError: row.last_error,
    deliveredMs: row.delivered_ms as UnixMs | null,
  };
}
