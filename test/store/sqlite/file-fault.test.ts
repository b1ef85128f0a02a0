/** What an error says about a file: only damage counts as damage. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { GatewayError } from '../../../src/core/errors.ts';
import { faultOfFile, isDamage, saysDamaged } from '../../../src/store/sqlite/file-fault.ts';

const sqlite = (code: string) => new Database.SqliteError('told by SQLite', code);
const errno = (code: string) => Object.assign(new Error('told by the kernel'), { code });
const wrapped = (cause: unknown) => new GatewayError('store_failed', 'opening a file', { cause });

describe('the table of faults', () => {
  it.each([
    ['SQLITE_CORRUPT_VTAB', 'damaged'],
    ['SQLITE_NOTADB', 'damaged'],
    ['SQLITE_IOERR_SHORT_READ', 'damaged'],
    ['SQLITE_IOERR_READ', 'unreadable'],
    ['SQLITE_CANTOPEN', 'passing'],
    ['SQLITE_CANTOPEN_ISDIR', 'passing'],
    ['SQLITE_NOMEM', 'passing'],
    ['SQLITE_IOERR_NOMEM', 'passing'],
    ['SQLITE_IOERR_FSTAT', 'passing'],
    ['SQLITE_BUSY', 'passing'],
    ['SQLITE_FULL', 'passing'],
    ['SQLITE_ERROR', 'strange'],
    ['SQLITE_READONLY', 'strange'],
  ])('takes %s for %s', (code, fault) => {
    expect(faultOfFile(sqlite(code))).toBe(fault);
    expect(faultOfFile(wrapped(wrapped(sqlite(code))))).toBe(fault);
    expect(isDamage(sqlite(code))).toBe(fault === 'damaged' || fault === 'unreadable');
    expect(saysDamaged(wrapped(sqlite(code)))).toBe(fault !== 'passing');
  });

  it.each(['EMFILE', 'ENFILE', 'ENOMEM', 'EIO', 'EACCES', 'ENOSPC', 'ERR_FS_EISDIR'])('takes %s for passing', (code) => {
    expect(faultOfFile(errno(code))).toBe('passing');
    expect(saysDamaged(wrapped(errno(code)))).toBe(false);
  });

  it('takes our own finding for damage of a file that is opened, but not what a newer version has written', () => {
    expect(saysDamaged(new Error('its version is damaged'))).toBe(true);
    expect(saysDamaged(new GatewayError('store_failed', 'it was written by a newer version'))).toBe(false);
    expect(isDamage(new Error('a mistake of ours'))).toBe(false);
  });
});
