/** The outbox for tests: the real table, on disk, behind the asynchronous port; it can fail, and be opened again as after a restart. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import type { Delivery, DeliveryStore } from '../../../src/store/deliveries.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';

export interface TestOutbox extends DeliveryStore {
  /** While true every call is refused. */
  failing: boolean;
  /** Commits that added something. */
  readonly commits: number;
  /** All of the tenant `default` for these alerts, as `<alert> <event> <status>`. */
  told(...alertIds: string[]): Promise<string[]>;
}

/** Gone when the test is over. */
export function openOutbox(): TestOutbox {
  const folder = mkdtempSync(join(tmpdir(), 'twinbox-outbox-'));
  const database = new RecordsDatabase(join(folder, 'records.db'));
  onTestFinished(() => {
    database.close();
    rmSync(folder, { recursive: true, force: true });
  });
  let failing = false;
  let commits = 0;
  const call = async <T>(act: () => T): Promise<T> => {
    if (failing) throw new GatewayError('store_failed', 'the disk is away');
    return act();
  };
  return {
    get failing() {
      return failing;
    },
    set failing(now) {
      failing = now;
    },
    get commits() {
      return commits;
    },
    addDeliveries: (deliveries, limit) =>
      call(() => {
        commits++;
        return database.addDeliveries(deliveries, limit);
      }),
    pendingDeliveries: (key, limit) => call(() => database.pendingDeliveries(key, limit)),
    pendingCounts: () => call(() => database.pendingCounts()),
    changeDelivery: (id, change) => call(() => database.changeDelivery(id, change)),
    summarizeDeliveries: (throughId, summary) => call(() => database.summarizeDeliveries(throughId, summary)),
    abandonDeliveries: (key, reason) => call(() => database.abandonDeliveries(key, reason)),
    deliveriesOf: (tenant, ids) => call(() => database.deliveriesOf(tenant, ids)),
    told: async (...ids) => database.deliveriesOf('default', ids).map((row: Delivery) => `${row.alertId} ${row.event} ${row.status}`),
  };
}
