/** Alerts on disk: found by what they are asked for, saved whole with the states of rules, and removed only when they are over. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import type { AlertChange, StoredAlert } from '../../../src/store/records.ts';
import { ALERT_TABLES, AlertTable } from '../../../src/store/sqlite/alert-table.ts';
import { openDatabase } from '../../../src/store/sqlite/database.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';
import { useTempDirs } from '../temp-dir.ts';

const DAY_MS = 86_400_000;
const at = (ms: number) => ms as UnixMs;

function alert(id: string, triggeredMs: number, more: Partial<StoredAlert> = {}): StoredAlert {
  return {
    tenant: 'default',
    id,
    status: 'active',
    severity: 'warning',
    triggeredMs: at(triggeredMs),
    resolvedMs: null,
    pending: true,
    body: { message: `message of ${id}` },
    ...more,
  };
}

const over = (id: string, triggeredMs: number, resolvedMs: number, more: Partial<StoredAlert> = {}) =>
  alert(id, triggeredMs, { status: 'resolved', resolvedMs: at(resolvedMs), pending: false, ...more });

function change(more: Partial<AlertChange>): AlertChange {
  return { nowMs: at(10_000), alerts: [], states: [], forgotten: [], ...more };
}

describe('the alert table', () => {
  const tempDir = useTempDirs();
  const open = (limit?: number) => {
    const database = openDatabase(join(tempDir(), 'alerts.db'));
    database.exec(ALERT_TABLES);
    return new AlertTable(database, limit);
  };
  const ids = (table: AlertTable, more: object = {}) =>
    table.page({ tenant: 'default', limit: 100, skip: 0, ...more }).rows.map(({ id }) => id);

  it('gives alerts and states back as they were saved, over a restart of the database', () => {
    const file = join(tempDir(), 'records.db');
    const records = new RecordsDatabase(file);
    const state = { tenant: 'default', ruleId: 'ar-1', asset: 'Pump_001', body: [1, null] };
    records.saveAlerts(change({ alerts: [alert('a', 5), over('b', 6, 7)], states: [state], cursor: '42' }));
    records.close();
    const again = new RecordsDatabase(file);
    expect(again.pendingAlerts()).toEqual([alert('a', 5)]);
    expect(again.alert('default', 'b')).toEqual(over('b', 6, 7));
    expect(again.ruleStates()).toEqual({ cursor: '42', states: [state] });
    again.close();
  });

  it('shows no tenant what is of another', () => {
    const table = open();
    table.save(change({ alerts: [alert('a', 5), alert('b', 6, { tenant: 'northwind' })] }));
    expect(ids(table)).toEqual(['a']);
    expect(table.find('default', 'b')).toBeUndefined();
  });

  it('lists newest first, by status, severity and time, in pages', () => {
    const table = open();
    table.save(change({ alerts: [alert('a', 1), alert('c', 3, { severity: 'critical' }), alert('b', 3), over('d', 4, 5)] }));
    expect(ids(table)).toEqual(['d', 'b', 'c', 'a']);
    expect(ids(table, { statuses: ['active', 'acknowledged'] })).toEqual(['b', 'c', 'a']);
    expect(ids(table, { severities: ['critical'] })).toEqual(['c']);
    expect(ids(table, { fromMs: 3, toMs: 4 })).toEqual(['b', 'c']);
    expect(table.page({ tenant: 'default', limit: 2, skip: 1 })).toMatchObject({ rows: [{ id: 'b' }, { id: 'c' }], total: 4 });
  });

  it('replaces an alert and a state, and forgets the states of a rule before the new ones come', () => {
    const table = open();
    const state = (asset: string, body: unknown) => ({ tenant: 'default', ruleId: 'ar-1', asset, body });
    table.save(change({ alerts: [alert('a', 1)], states: [state('x', 1), state('y', 1)], cursor: '1' }));
    table.save(change({ alerts: [over('a', 1, 9)], forgotten: [{ tenant: 'default', ruleId: 'ar-1' }], states: [state('y', 2)] }));
    expect(table.find('default', 'a')).toEqual(over('a', 1, 9));
    expect(table.states()).toEqual({ cursor: '1', states: [state('y', 2)] });
  });

  it('removes what has been over for a year, never what is open', () => {
    const table = open();
    table.save(change({ alerts: [alert('open', 1), over('old', 2, 3), over('new', 4, DAY_MS)] }));
    table.save(change({ nowMs: at(365 * DAY_MS + 4), alerts: [alert('last', 5)] }));
    expect(ids(table)).toEqual(['last', 'new', 'open']);
  });

  it('removes nothing for its age while the time is not known', () => {
    const table = open();
    table.save(change({ alerts: [over('old', 2, 3)] }));
    table.save(change({ nowMs: null, alerts: [over('wrong year', 4, 400 * DAY_MS)] }));
    expect(ids(table)).toEqual(['wrong year', 'old']);
  });

  it('removes those of a tenant that were over first when there are too many, never what is open', () => {
    const table = open(3);
    const many = (tenant: string) => [1, 2, 3, 4, 5].map((n) => over(`${tenant}-${n}`, n, 100 - n, { tenant }));
    table.save(change({ alerts: [alert('open', 0), ...many('default').slice(0, 2), ...many('other').slice(0, 1)] }));
    table.save(change({ alerts: many('default') }));
    expect(ids(table)).toEqual(['default-3', 'default-2', 'default-1', 'open']);
    expect(table.page({ tenant: 'other', limit: 10, skip: 0 }).total).toBe(1);
  });
});
