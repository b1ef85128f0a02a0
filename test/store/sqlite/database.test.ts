/** SQLite is opened so that a commit survives a power cut, and layouts only go forward. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { openDatabase, sqliteError } from '../../../src/store/sqlite/database.ts';
import { migrate } from '../../../src/store/sqlite/migrations.ts';
import { startBuiltChild } from '../built.ts';
import { linesOf, useTempDirs } from '../temp-dir.ts';

describe('openDatabase', () => {
  const tempDir = useTempDirs();

  it('sets a write-ahead log and a full flush at every open', () => {
    const file = join(tempDir(), 'some.db');
    for (let open = 0; open < 3; open++) {
      const database = openDatabase(file);
      expect(database.pragma('synchronous', { simple: true })).toBe(2);
      expect(database.pragma('journal_mode', { simple: true })).toBe('wal');
      database.close();
    }
  });

  it('refuses a database that cannot have a write-ahead log', () => {
    expect(() => openDatabase(':memory:')).toThrow(
      expect.objectContaining({ code: 'store_failed', message: expect.stringContaining('WAL') }),
    );
  });

  it('names the file that cannot be opened', () => {
    const dir = tempDir();
    const missing = join(dir, 'no', 'such', 'some.db');
    expect(() => openDatabase(missing)).toThrow(
      expect.objectContaining({ code: 'store_failed', message: expect.stringContaining(missing) }),
    );
    const garbage = join(dir, 'garbage.db');
    writeFileSync(garbage, 'not a database at all, but quite a long text '.repeat(50));
    expect(() => openDatabase(garbage)).toThrow(
      expect.objectContaining({ code: 'store_failed', message: expect.stringContaining(garbage) }),
    );
  });
});

describe('sqliteError', () => {
  it('tells a full disk from everything else, keeps the cause and passes our own errors on', () => {
    const full = Object.assign(new Error('database or disk is full'), { code: 'SQLITE_FULL' });
    expect(sqliteError(full, 'writing')).toMatchObject({ code: 'disk_full', cause: full, message: 'writing: database or disk is full' });
    expect(sqliteError(new Error('odd'), 'writing')).toMatchObject({ code: 'store_failed' });
    expect(sqliteError('odd', 'writing')).toMatchObject({ code: 'store_failed', message: 'writing: odd' });
    const own = new GatewayError('conflict', 'other');
    expect(sqliteError(own, 'writing')).toBe(own);
  });
});

describe('migrate', () => {
  const tempDir = useTempDirs();
  const steps = ['CREATE TABLE a (x INTEGER) STRICT; INSERT INTO a VALUES (1);', 'ALTER TABLE a ADD COLUMN y TEXT; UPDATE a SET y = x;'];

  it('brings a new file and an old one to the same layout, and does each step once', () => {
    const dir = tempDir();
    const [fresh, old] = [openDatabase(join(dir, 'fresh.db')), openDatabase(join(dir, 'old.db'))];
    migrate(old, steps.slice(0, 1), 'old');
    for (const database of [fresh, old, fresh]) migrate(database, steps, 'any');
    for (const database of [fresh, old]) {
      expect(database.prepare('SELECT * FROM a').all()).toEqual([{ x: 1, y: '1' }]);
      expect(database.pragma('user_version', { simple: true })).toBe(2);
      database.close();
    }
  });

  it('refuses a file that a newer version has written, and leaves it alone', () => {
    const database = openDatabase(join(tempDir(), 'some.db'));
    migrate(database, steps, 'some.db');
    expect(() => migrate(database, steps.slice(0, 1), 'some.db')).toThrow(
      expect.objectContaining({ code: 'store_failed', message: expect.stringMatching(/some\.db.*2.*1.*newer/) }),
    );
    expect(database.pragma('user_version', { simple: true })).toBe(2);
    database.close();
  });

  it('keeps nothing of a step that fails', () => {
    const database = openDatabase(join(tempDir(), 'some.db'));
    expect(() => migrate(database, [...steps, 'CREATE TABLE b (x) ; nonsense'], 'some.db')).toThrow();
    expect(database.pragma('user_version', { simple: true })).toBe(2);
    expect(database.prepare("SELECT name FROM sqlite_schema WHERE name = 'b'").all()).toEqual([]);
    database.close();
  });

  it('and opening survive several processes that do it at the same moment', async () => {
    const file = join(tempDir(), 'records.db');
    const children = Array.from({ length: 4 }, () => startBuiltChild('records-child', [file, '0']));
    const all = children.map(linesOf);
    await Promise.all(all.map(({ find }) => find((line) => line === 'ready')));
    for (const child of children) child.stdin?.end('go\n');
    expect(await Promise.all(all.map(({ closed }) => closed))).toEqual([0, 0, 0, 0]);
    expect(all.map(({ lines }) => lines.at(-1))).toEqual(Array(4).fill('done 0'));
  });
});
