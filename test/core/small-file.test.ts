/** What a configuration may name as a certificate, and what it may not. */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { readSmallFile } from '../../src/core/small-file.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'twinbox-small-file-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

it('a file is read whole, up to a mebibyte', async () => {
  const path = join(folder, 'ca.pem');
  const bytes = Buffer.alloc(1024 * 1024, 'a');
  await writeFile(path, bytes);
  expect((await readSmallFile(path)).equals(bytes)).toBe(true);
  await writeFile(path, Buffer.concat([bytes, Buffer.from('b')]));
  await expect(readSmallFile(path)).rejects.toThrow('larger than 1024 KiB');
});

it('a device, a folder, a pipe and nothing are refused at once', async () => {
  const pipe = join(folder, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const path of ['/dev/zero', '/dev/random', folder, pipe]) await expect(readSmallFile(path)).rejects.toThrow('not a regular file');
  await expect(readSmallFile(join(folder, 'none'))).rejects.toThrow('ENOENT');
});
