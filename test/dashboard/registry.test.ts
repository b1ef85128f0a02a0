/** Dashboards outlive the process that made them, in the records that a daemon has. */
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { DashboardRegistry } from '../../src/dashboard/registry.ts';
import type { RecordStore } from '../../src/store/records.ts';
import { RecordsDatabase } from '../../src/store/sqlite/records.ts';
import { useTempDirs } from '../store/temp-dir.ts';
import { ManualClock } from '../support/manual-clock.ts';

/** The database behind the asynchronous port, as the worker has it. */
function portOf(database: RecordsDatabase): Pick<RecordStore, 'documents' | 'document' | 'putDocument' | 'removeDocument'> {
  return {
    documents: async (kind) => database.documents(kind),
    document: async (key) => database.document(key),
    putDocument: async (key, body, atMs) => database.putDocument(key, structuredClone(body), atMs),
    removeDocument: async (key) => database.removeDocument(key),
  };
}

describe('the registry of dashboards', () => {
  const tempDir = useTempDirs();

  it('shows after a restart what was kept, to the last member', async () => {
    const database = new RecordsDatabase(join(tempDir(), 'records.db'));
    const clock = new ManualClock();
    const widget = JSON.parse('{"type":"text","__proto__":{"kept":true},"data":{"text":"=cmd()\\u0000👩‍🔧"}}');
    const draft = { name: 'Halle 3 – Pumpen', layout: { columns: 48, widgets: [widget] } };
    const made = await new DashboardRegistry({ clock, records: portOf(database) }).create('default', draft);

    const again = new DashboardRegistry({ clock, records: portOf(database) });
    const { layout, ...head } = made;
    expect(await again.list('default')).toEqual([head]);
    const found = await again.get(made);
    expect(found).toEqual(made);
    expect(JSON.stringify(found?.layout)).toBe(JSON.stringify(layout));
    expect(JSON.stringify(layout)).toContain('"__proto__":{"kept":true}');
    expect(await again.remove(made, () => undefined)).toBe(true);
    expect(database.documents('dashboard')).toEqual([]);
    database.close();
  });

  it('finds what a write has left on disk whose answer was lost', async () => {
    const database = new RecordsDatabase(join(tempDir(), 'records.db'));
    const port = portOf(database);
    let isLost = true;
    const records: typeof port = {
      ...port,
      putDocument: async (key, body, atMs) => {
        const written = await port.putDocument(key, body, atMs);
        if (isLost) throw new Error('the worker died');
        return written;
      },
    };
    const registry = new DashboardRegistry({ clock: new ManualClock(), records });
    await expect(registry.create('default', { name: 'P', layout: { columns: 24, widgets: [] } })).rejects.toThrow('died');
    isLost = false;
    expect(await registry.list('default')).toMatchObject([{ name: 'P', revision: 1 }]);
    database.close();
  });
});
