/** One data directory has one holder at a time: in this process, in another one, and after a kill. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockDataDir } from '../../src/store/lock.ts';
import { startBuiltChild } from './built.ts';
import { linesOf, useTempDirs } from './temp-dir.ts';

describe('lockDataDir', () => {
  const tempDir = useTempDirs();

  it('refuses a second holder in the same process, naming the folder, and frees on release', () => {
    const dir = tempDir();
    const release = lockDataDir(dir);
    for (let attempt = 0; attempt < 3; attempt++) {
      expect(() => lockDataDir(dir)).toThrow(expect.objectContaining({ code: 'data_dir_locked', message: expect.stringContaining(dir) }));
    }
    const other = lockDataDir(tempDir());
    other();
    release();
    release();
    lockDataDir(dir)();
  });

  it('refuses another process, and still does after a refused attempt of our own', async () => {
    const dir = tempDir();
    const release = lockDataDir(dir);
    expect(() => lockDataDir(dir)).toThrow();
    const refused = linesOf(startBuiltChild('lock-child', [dir]));
    expect(await refused.closed).toBe(0);
    expect(refused.lines).toEqual(['data_dir_locked']);
    release();
  });

  it('is free again as soon as its holder was killed with SIGKILL', async () => {
    const dir = tempDir();
    const child = startBuiltChild('lock-child', [dir]);
    const holder = linesOf(child);
    await holder.find((line) => line === 'locked');
    expect(() => lockDataDir(dir)).toThrow(expect.objectContaining({ code: 'data_dir_locked' }));
    child.kill('SIGKILL');
    expect(await holder.closed).toBe('SIGKILL');
    lockDataDir(dir)();
  });

  it('says that a folder cannot be used, and which, when it is missing or its lock is no file', () => {
    const dir = tempDir();
    const missing = join(dir, 'missing');
    const unusable = (path: string) => expect.objectContaining({ code: 'data_dir_unusable', message: expect.stringContaining(path) });
    expect(() => lockDataDir(missing)).toThrow(unusable(missing));
    mkdirSync(join(dir, 'lock.db'));
    expect(() => lockDataDir(dir)).toThrow(unusable(dir));
  });

  it('locks a folder whose lock file is damaged, and keeps others off it', async () => {
    const dir = tempDir();
    writeFileSync(join(dir, 'lock.db'), 'this is no database, but long enough to look like a file with something in it '.repeat(20));
    const release = lockDataDir(dir);
    expect(() => lockDataDir(dir)).toThrow(expect.objectContaining({ code: 'data_dir_locked' }));
    release();
    lockDataDir(dir)();
  });
});
