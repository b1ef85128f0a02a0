/** A damaged `records.db` is kept aside and keeps nothing from starting; what can be read of it goes on. */
import { closeSync, openSync, readdirSync, readFileSync, statSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import type { StoredToken } from '../../../src/store/records.ts';
import { openRecords } from '../../../src/store/sqlite/open-records.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';
import { useStores } from '../client-rig.ts';
import { useTempDirs } from '../temp-dir.ts';

const at = (ms: number) => ms as UnixMs;
const TWINS = 200;
const PAGE_BYTES = 4_096;
const twin = (n: number) => ({ kind: 'twin', tenant: 'default', id: `press-${String(n).padStart(4, '0')}` }) as const;

function token(n: number): StoredToken {
  const sha256 = String(n).padStart(64, '0');
  return { id: `t${n}`, name: 'console', sha256, tenant: 'default', scopes: ['admin'], createdMs: at(n), expiresMs: null, revokedMs: null };
}

function fill(file: string): void {
  const records = new RecordsDatabase(file);
  records.putDocuments(Array.from({ length: TWINS }, (_, n) => ({ ...twin(n), body: { n, note: 'x'.repeat(500) }, atMs: at(n) })));
  records.createToken(token(1));
  records.close();
}

/** Spoils a page from the middle of the documents, found by what is in it. */
function spoilDocuments(file: string): void {
  const needle = Buffer.from(twin(TWINS / 2).id);
  const page = Math.floor(readFileSync(file).indexOf(needle) / PAGE_BYTES);
  expect(page).toBeGreaterThan(0);
  const handle = openSync(file, 'r+');
  writeSync(handle, Buffer.alloc(PAGE_BYTES, 0xa5), 0, PAGE_BYTES, page * PAGE_BYTES);
  closeSync(handle);
}

const damagedCopies = (dir: string) => readdirSync(dir).filter((name) => name.startsWith('records.db.damaged-'));

describe('records that are damaged', () => {
  const tempDir = useTempDirs();
  const makeStore = useStores();

  it('are begun anew where the file is garbage, which is kept', () => {
    const dir = tempDir();
    const file = join(dir, 'records.db');
    const garbage = Buffer.alloc(50_000, 'no database ');
    writeFileSync(file, garbage);
    const told: string[] = [];
    const records = openRecords(file, (what, error) => told.push(`${what}: ${String(error)}`));
    expect(records.tokens()).toEqual([]);
    records.createToken(token(2));
    records.close();
    expect(told).toEqual([expect.stringMatching(/records\.db: .*not a database.*damaged-1/)]);
    expect(damagedCopies(dir).map((name) => readFileSync(join(dir, name)))).toEqual([garbage]);
    const again = openRecords(file, (what) => told.push(what));
    expect(again.tokens()).toEqual([token(2)]);
    expect(told.length).toBe(1);
    again.close();
  });

  it('go on with every row that can be read where the version in the file is not that of its tables', () => {
    const file = join(tempDir(), 'records.db');
    fill(file);
    const raw = new Database(file);
    raw.pragma('user_version = 0'); // its tables are to be made a second time
    raw.close();
    const told: string[] = [];
    const records = openRecords(file, (what) => told.push(what));
    expect(told).toEqual([file]);
    expect(records.documents('twin').length).toBe(TWINS);
    expect(records.tokens()).toEqual([token(1)]);
    records.close();
  });

  it('leave a file of a newer version as it is', () => {
    const dir = tempDir();
    const file = join(dir, 'records.db');
    fill(file);
    const raw = new Database(file);
    raw.pragma('user_version = 99');
    raw.close();
    const size = statSync(file).size;
    expect(() => openRecords(file, () => {})).toThrow(/newer version/);
    expect([damagedCopies(dir), statSync(file).size]).toEqual([[], size]);
  });

  it('are mended at the first call that meets a bad page: the rows before and behind it are there, and the store goes on', async () => {
    const dir = tempDir();
    const file = join(dir, 'records.db');
    fill(file);
    spoilDocuments(file);
    const { client, workers, logged } = makeStore(dir);
    await client.start();
    expect(logged).toEqual([]);
    const left = await client.records.documents('twin');
    expect(left.length).toBeGreaterThan(TWINS / 2);
    expect(left.length).toBeLessThan(TWINS);
    for (const { id, body } of left) expect(twin((body as { n: number }).n).id).toBe(id);
    expect([left[0]?.id, left.at(-1)?.id]).toEqual([twin(0).id, twin(TWINS - 1).id]);
    expect(await client.records.tokenByHash(token(1).sha256)).toEqual(token(1));
    await client.records.putDocument(twin(TWINS / 2), { n: TWINS / 2 }, at(9));
    expect((await client.records.documents('twin')).length).toBe(left.length + 1);
    expect(logged).toEqual(['the store found damage']);
    expect(workers.length).toBe(1);
    expect(damagedCopies(dir).length).toBeGreaterThan(0);
  });

  it('do not believe a document that is no JSON', async () => {
    const dir = tempDir();
    const file = join(dir, 'records.db');
    fill(file);
    const raw = new Database(file);
    raw.prepare('UPDATE document SET body = ? WHERE id = ?').run('{"n":', twin(7).id);
    raw.close();
    const { client } = makeStore(dir);
    await client.start();
    expect((await client.records.documents('twin')).length).toBe(TWINS - 1);
    expect(await client.records.document(twin(7))).toBeUndefined();
  });
});
