/** The outbox on disk: in order, each notice once, bounded for each channel, and what is settled is kept for whoever asks. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import type { NewDelivery } from '../../../src/store/deliveries.ts';
import { openDatabase } from '../../../src/store/sqlite/database.ts';
import { DELIVERY_TABLE, DeliveryTable } from '../../../src/store/sqlite/delivery-table.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';
import { useTempDirs } from '../temp-dir.ts';

const CHAT = { tenant: 'default', channel: 'chat' };
const MAIL = { tenant: 'default', channel: 'mail' };
const FOREIGN = { tenant: 'north', channel: 'chat' };

function delivery(more: Partial<NewDelivery> = {}): NewDelivery {
  return { ...CHAT, alertId: 'a1', event: 'triggered', body: '{}', createdMs: 1_000 as UnixMs, ...more };
}

const many = (count: number, more: Partial<NewDelivery> = {}) =>
  Array.from({ length: count }, (_, index) => delivery({ ...more, alertId: `a${index}` }));

describe('the outbox', () => {
  const tempDir = useTempDirs();
  const open = (limit?: number) => {
    const database = openDatabase(join(tempDir(), 'outbox.db'));
    database.exec(DELIVERY_TABLE);
    return new DeliveryTable(database, limit);
  };
  const done = { status: 'delivered', attempts: 1, lastError: null, deliveredMs: 2_000 as UnixMs } as const;

  it('gives what waits for a channel, the oldest first, and nothing of another channel or tenant', () => {
    const table = open();
    table.add([...many(3), delivery(MAIL), delivery(FOREIGN)], 10);
    expect(table.pending(CHAT, 2).map(({ alertId }) => alertId)).toEqual(['a0', 'a1']);
    expect(table.pending(FOREIGN, 10)).toMatchObject([{ ...FOREIGN, status: 'pending', attempts: 0, lastError: null }]);
    expect(table.pendingCounts()).toEqual([
      { ...CHAT, count: 3 },
      { ...MAIL, count: 1 },
      { ...FOREIGN, count: 1 },
    ]);
  });

  it('takes the same event of an alert once for each channel, delivered or not, and says how many were new', () => {
    const table = open();
    expect(table.add([delivery(), delivery()], 10)).toEqual([{ ...CHAT, added: 1, dropped: 0 }]);
    expect(table.change(table.pending(CHAT, 1)[0]?.id ?? 0, done)).toBe(true);
    expect(table.add([delivery(), delivery({ event: 'resolved' }), delivery(MAIL)], 10)).toEqual([
      { ...CHAT, added: 1, dropped: 0 },
      { ...MAIL, added: 1, dropped: 0 },
    ]);
    expect(table.pending(CHAT, 10)).toMatchObject([{ event: 'resolved' }]);
  });

  it('drops the oldest that wait beyond the limit, and they say why', () => {
    const table = open();
    expect(table.add([...many(7), delivery(MAIL)], 5)).toMatchObject([{ added: 7, dropped: 2 }, { dropped: 0 }]);
    expect(table.pending(CHAT, 10).map(({ alertId }) => alertId)).toEqual(['a2', 'a3', 'a4', 'a5', 'a6']);
    expect(table.of('default', ['a0'])).toMatchObject([
      { status: 'failed', lastError: 'more waited for the channel than it keeps', body: '' },
    ]);
  });

  it('keeps the text only as long as it may be sent', () => {
    const table = open();
    table.add([delivery({ body: '{"id":1}' })], 10);
    const [row] = table.pending(CHAT, 1);
    const later = { status: 'pending', attempts: 3, lastError: 'no', deliveredMs: null } as const;
    expect(table.change(row?.id ?? 0, later)).toBe(true);
    expect(table.pending(CHAT, 1)).toMatchObject([{ body: '{"id":1}', attempts: 3, lastError: 'no' }]);
    table.change(row?.id ?? 0, done);
    expect(table.of('default', ['a1'])).toMatchObject([{ ...done, body: '' }]);
  });

  it('says of a change that another was there first, and takes a delivery that was made, but no further try', () => {
    const table = open();
    table.add(many(2), 10);
    const [first] = table.pending(CHAT, 1);
    table.add([delivery({ alertId: 'b' })], 1);
    const later = { status: 'pending', attempts: 1, lastError: 'no', deliveredMs: null } as const;
    expect(table.change(first?.id ?? 0, later)).toBe(false);
    expect(table.of('default', ['a0'])).toMatchObject([{ status: 'failed' }]);
    expect(table.change(first?.id ?? 0, done)).toBe(false);
    expect(table.of('default', ['a0'])).toMatchObject([{ status: 'delivered' }]);
  });

  it('puts a summary in the place of what waits up to a row, and of nothing behind it or of another summary', () => {
    const table = open();
    table.add([delivery({ alertId: null, event: 'summary' }), ...many(4)], 10);
    const rows = table.pending(CHAT, 10);
    table.summarize(rows[3]?.id ?? 0, delivery({ alertId: null, event: 'summary', body: '{"s":2}' }));
    expect(table.pending(CHAT, 10).map(({ alertId, event }) => `${alertId} ${event}`)).toEqual([
      'null summary',
      'a3 triggered',
      'null summary',
    ]);
    expect(table.of('default', ['a0', 'a1', 'a2']).map(({ status }) => status)).toEqual(['suppressed', 'suppressed', 'suppressed']);
  });

  it('abandons what waits for a channel that is gone', () => {
    const table = open();
    table.add([...many(3), delivery(MAIL)], 10);
    expect(table.abandon(CHAT, 'gone')).toBe(3);
    expect(table.of('default', ['a0'])).toMatchObject([{ status: 'failed', lastError: 'gone' }]);
    expect(table.pendingCounts()).toEqual([{ ...MAIL, count: 1 }]);
  });

  it('gives the deliveries of alerts in the order in which they were added, of one tenant alone', () => {
    const table = open();
    table.add([delivery(), delivery({ ...MAIL }), delivery(FOREIGN), delivery({ event: 'resolved' }), delivery({ alertId: 'b' })], 10);
    expect(table.of('default', ['a1', 'none']).map(({ channel, event }) => `${channel} ${event}`)).toEqual([
      'chat triggered',
      'mail triggered',
      'chat resolved',
    ]);
  });

  it('keeps settled ones within a bound, the oldest go, and what waits never does', () => {
    const table = open(100);
    table.add([delivery({ ...MAIL, alertId: 'waiting' })], 1_000);
    for (let round = 0; round < 30; round++) {
      table.add(
        Array.from({ length: 10 }, (_, index) => delivery({ alertId: `${round}-${index}` })),
        1_000,
      );
      table.abandon(CHAT, 'settled');
    }
    const kept = table.of(
      'default',
      Array.from({ length: 300 }, (_, index) => `${Math.floor(index / 10)}-${index % 10}`),
    );
    expect(kept.length).toBeGreaterThanOrEqual(100);
    expect(kept.length).toBeLessThanOrEqual(120);
    expect(kept.at(-1)?.alertId).toBe('29-9');
    expect(table.pending(MAIL, 10)).toHaveLength(1);
  });

  it('is there again when the file is opened anew', () => {
    const file = join(tempDir(), 'records.db');
    const before = new RecordsDatabase(file);
    before.addDeliveries([delivery()], 10);
    before.close();
    const after = new RecordsDatabase(file);
    expect(after.pendingDeliveries(CHAT, 10)).toMatchObject([{ alertId: 'a1', status: 'pending' }]);
    after.close();
  });
});
