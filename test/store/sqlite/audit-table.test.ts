/** The audit log keeps what it was given, newest first, and no flood of one kind pushes out another. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import type { AuditEntry } from '../../../src/store/records.ts';
import { AUDIT_TABLE, AuditTable } from '../../../src/store/sqlite/audit-table.ts';
import { openDatabase } from '../../../src/store/sqlite/database.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';
import { useTempDirs } from '../temp-dir.ts';

const DAY_MS = 86_400_000;
const at = (ms: number) => ms as UnixMs;

function entry(more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    kind: 'write',
    timeMs: at(1_000),
    tenant: 'default',
    tokenId: 'tok-1',
    tokenName: 'mes',
    method: 'PATCH',
    route: '/api/twins/:id',
    objectId: 'pump-101',
    status: 200,
    code: null,
    address: '10.0.0.7',
    requestId: 'r-1',
    count: 1,
    ...more,
  };
}

describe('the audit table', () => {
  const tempDir = useTempDirs();
  const open = (limit?: number) => {
    const database = openDatabase(join(tempDir(), 'audit.db'));
    database.exec(AUDIT_TABLE);
    return new AuditTable(database, limit);
  };
  const all = (table: AuditTable) => table.page({ limit: 100, skip: 0 });

  it('gives a row back as it was given, over a restart of the database', () => {
    const file = join(tempDir(), 'records.db');
    const records = new RecordsDatabase(file);
    const stranger = entry({
      kind: 'refused',
      tenant: null,
      tokenId: null,
      tokenName: null,
      objectId: null,
      status: 401,
      code: 'unauthorized',
      address: null,
      count: 7,
    });
    records.appendAudit([entry(), stranger], at(2_000));
    records.close();
    const again = new RecordsDatabase(file);
    expect(again.audit({ limit: 10, skip: 0 })).toEqual({
      total: 2,
      rows: [
        { ...stranger, id: 2 },
        { ...entry(), id: 1 },
      ],
    });
    again.close();
  });

  it('pages from the newest to the oldest and counts all', () => {
    const table = open();
    table.append(
      Array.from({ length: 5 }, (_, n) => entry({ requestId: `r-${n}` })),
      at(1_000),
    );
    const ids = (skip: number) => table.page({ limit: 2, skip }).rows.map(({ requestId }) => requestId);
    expect([ids(0), ids(2), ids(4), ids(6)]).toEqual([['r-4', 'r-3'], ['r-2', 'r-1'], ['r-0'], []]);
    expect(table.page({ limit: 2, skip: 6 }).total).toBe(5);
  });

  it('is filtered by tenant, token, kind and time, which ends before its end', () => {
    const table = open();
    table.append(
      [
        entry({ requestId: 'a', timeMs: at(10) }),
        entry({ requestId: 'b', timeMs: at(20), tenant: 'northwind' }),
        entry({ requestId: 'c', timeMs: at(30), tokenName: 'scada', kind: 'ingest' }),
      ],
      at(1_000),
    );
    const found = (filter: object) => table.page({ limit: 10, skip: 0, ...filter }).rows.map(({ requestId }) => requestId);
    expect(found({ tenant: 'northwind' })).toEqual(['b']);
    expect(found({ tokenName: 'scada' })).toEqual(['c']);
    expect(found({ kind: 'write' })).toEqual(['b', 'a']);
    expect(found({ fromMs: 10, toMs: 30 })).toEqual(['b', 'a']);
    expect(found({ fromMs: 10, toMs: 30, tenant: 'default' })).toEqual(['a']);
  });

  it('forgets what is older than 90 days', () => {
    const table = open();
    table.append([entry({ requestId: 'old', timeMs: at(0) }), entry({ requestId: 'young', timeMs: at(1) })], at(90 * DAY_MS));
    expect(all(table).rows).toHaveLength(2);
    table.append([entry({ requestId: 'new', timeMs: at(90 * DAY_MS + 1) })], at(90 * DAY_MS + 1));
    expect(all(table).rows.map(({ requestId }) => requestId)).toEqual(['new', 'young']);
  });

  it('forgets nothing for its age while the time is not known', () => {
    const table = open();
    table.append([entry({ requestId: 'old', timeMs: at(0) })], null);
    table.append([entry({ requestId: 'wrong year', timeMs: at(365 * DAY_MS) })], null);
    expect(all(table).rows).toHaveLength(2);
  });

  it('keeps the newest of each kind, and a flood of refused calls pushes out no write', () => {
    const table = open(10);
    table.append([entry({ requestId: 'the-write' })], at(1_000));
    for (let n = 0; n < 50; n++) table.append([entry({ kind: 'refused', requestId: `refused-${n}` })], at(1_000));
    const rows = all(table).rows.map(({ requestId }) => requestId);
    expect(rows).toEqual([...Array.from({ length: 10 }, (_, n) => `refused-${49 - n}`), 'the-write']);
  });
});
