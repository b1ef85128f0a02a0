/** Documents and tokens are kept as they were given, revisions count up, and two writers never tread on each other. */
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import type { DocumentKey, StoredToken } from '../../../src/store/records.ts';
import { RecordsDatabase } from '../../../src/store/sqlite/records.ts';
import { startBuiltChild } from '../built.ts';
import { linesOf, useTempDirs } from '../temp-dir.ts';

const at = (ms: number) => ms as UnixMs;
const twin = (id: string, tenant = 'default'): DocumentKey => ({ kind: 'twin', tenant, id });
const token: StoredToken = {
  id: 't1',
  name: 'console',
  sha256: 'ab'.repeat(32),
  tenant: 'default',
  scopes: ['read:assets', 'admin'],
  createdMs: at(5),
  expiresMs: null,
  revokedMs: null,
};

describe('RecordsDatabase', () => {
  const tempDir = useTempDirs();
  let file: string;
  let records: RecordsDatabase;
  beforeEach(() => {
    file = join(tempDir(), 'records.db');
    records = new RecordsDatabase(file);
  });
  afterEach(() => records.close());
  const reopen = () => {
    records.close();
    records = new RecordsDatabase(file);
  };

  it('keeps a document as it was given, over a restart', () => {
    const body = { name: 'Prüfstand 👩‍🔧', list: [1, null, { deep: 'a\0b' }], big: 1e308, zero: 0, text: '' };
    const stored = records.putDocument(twin('press-1'), body, at(-10));
    expect(stored).toEqual({ kind: 'twin', tenant: 'default', id: 'press-1', revision: 1, createdMs: -10, updatedMs: -10, body });
    reopen();
    expect(records.documents('twin')).toEqual([stored]);
    expect(records.document(twin('press-1'))).toEqual(stored);
    expect(records.document(twin('press-1', 'other'))).toBeUndefined();
  });

  it('counts revisions and keeps the time of creation', () => {
    records.putDocument(twin('a'), { v: 1 }, at(1));
    records.putDocument(twin('a'), { v: 2 }, at(2));
    expect(records.putDocument(twin('a'), { v: 3 }, at(3))).toMatchObject({ revision: 3, createdMs: 1, updatedMs: 3 });
    expect(records.documents('twin')).toMatchObject([{ revision: 3, createdMs: 1, updatedMs: 3, body: { v: 3 } }]);
  });

  it('rejects a write that expected another revision, and changes nothing', () => {
    const conflict = expect.objectContaining({ code: 'conflict', message: expect.stringContaining('a') });
    expect(() => records.putDocument(twin('a'), 1, at(1), 1)).toThrow(conflict);
    records.putDocument(twin('a'), 1, at(1), 0);
    expect(() => records.putDocument(twin('a'), 2, at(2), 0)).toThrow(conflict);
    expect(() => records.putDocument(twin('a'), 2, at(2), 2)).toThrow(conflict);
    expect(records.documents('twin')).toMatchObject([{ revision: 1, body: 1 }]);
    expect(records.putDocument(twin('a'), 2, at(2), 1).revision).toBe(2);
  });

  it('keeps kinds and tenants apart and lists by tenant and id', () => {
    for (const [id, tenant] of [
      ['b', 'z'],
      ['a', 'z'],
      ['b', 'default'],
      ['B', 'default'],
    ] as const) {
      records.putDocument(twin(id, tenant), `${tenant}/${id}`, at(1));
    }
    records.putDocument({ kind: 'source', tenant: 'z', id: 'a' }, 'source', at(1));
    expect(records.documents('twin').map(({ body }) => body)).toEqual(['default/B', 'default/b', 'z/a', 'z/b']);
    expect(records.documents('source').map(({ body }) => body)).toEqual(['source']);
    expect(records.removeDocument(twin('a', 'z'))).toBe(true);
    expect(records.removeDocument(twin('a', 'z'))).toBe(false);
    expect(records.removeDocument(twin('a'))).toBe(false);
    expect(records.documents('source').length).toBe(1);
  });

  it('starts again at revision 1 after a removal', () => {
    records.putDocument(twin('a'), 1, at(1));
    records.putDocument(twin('a'), 2, at(2));
    records.removeDocument(twin('a'));
    expect(records.putDocument(twin('a'), 3, at(9), 0)).toMatchObject({ revision: 1, createdMs: 9 });
  });

  it('writes many documents in one commit: all, or none when one cannot be written', () => {
    records.putDocument(twin('1'), 'old', at(1));
    records.putDocuments(['1', '2', '3'].map((id) => ({ ...twin(id), body: `new ${id}`, atMs: at(2) })));
    expect(records.documents('twin').map(({ revision, body }) => [revision, body])).toEqual([
      [2, 'new 1'],
      [1, 'new 2'],
      [1, 'new 3'],
    ]);
    const circle: unknown[] = [];
    circle.push(circle);
    const writes = [
      { ...twin('1'), body: 'newer', atMs: at(3) },
      { ...twin('2'), body: circle, atMs: at(3) },
    ];
    expect(() => records.putDocuments(writes)).toThrow();
    expect(records.documents('twin')).toMatchObject([{ revision: 2, body: 'new 1' }, { revision: 1 }, { revision: 1 }]);
    records.putDocuments([]);
  });

  it('finds tokens by their hash alone and lists them by age', () => {
    const young: StoredToken = { ...token, id: 't0', sha256: 'cd'.repeat(32), createdMs: at(9), expiresMs: at(99), scopes: [] };
    records.createToken(young);
    records.createToken(token);
    reopen();
    expect(records.tokens()).toEqual([token, young]);
    expect(records.tokenByHash(token.sha256)).toEqual(token);
    expect(records.tokenByHash('t1')).toBeUndefined();
    expect(() => records.createToken({ ...token, id: 'other' })).toThrow();
    expect(() => records.createToken({ ...token, sha256: 'ef' })).toThrow();
    expect(records.tokens().length).toBe(2);
  });

  it('revokes a token once and remembers when', () => {
    records.createToken(token);
    expect(records.revokeToken('t1', at(50))).toBe(true);
    expect(records.revokeToken('t1', at(60))).toBe(false);
    expect(records.revokeToken('t2', at(60))).toBe(false);
    expect(records.tokenByHash(token.sha256)?.revokedMs).toBe(50);
  });

  it('shows one connection what another one has written', () => {
    const other = new RecordsDatabase(file);
    records.createToken(token);
    expect(other.tokenByHash(token.sha256)).toEqual(token);
    other.putDocument(twin('a'), 1, at(1));
    expect(() => records.putDocument(twin('a'), 2, at(2), 0)).toThrow(expect.objectContaining({ code: 'conflict' }));
    other.close();
  });

  it('loses no change of two processes that write the same document at once', async () => {
    const changes = 50;
    const children = [1, 2].map(() => startBuiltChild('records-child', [file, String(changes)]));
    const all = children.map(linesOf);
    await Promise.all(all.map(({ find }) => find((line) => line === 'ready')));
    for (const child of children) child.stdin?.end('go\n');
    expect(await Promise.all(all.map(({ closed }) => closed))).toEqual([0, 0]);
    expect(records.documents('twin')).toMatchObject([{ id: 'shared', revision: 2 * changes }]);
  });
});
