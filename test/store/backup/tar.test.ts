/** Our tar archives against the system's own tar, both ways. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { BLOCK_BYTES, ByteStream, parseTarHeader, TAR_END, tarHeader, tarPadding } from '../../../src/store/backup/tar.ts';
import { useTempDirs } from '../temp-dir.ts';

const newDir = useTempDirs();
const LONG = `${'folder/'.repeat(12)}${'n'.repeat(90)}.pem`;
const FILES = new Map([0, 1, 511, 512, 513, 100_000].map((size) => [`day/${size}.db`, Buffer.alloc(size, size % 251)]));
FILES.set(LONG, Buffer.from('long'));

function archive(): Buffer {
  const pieces = [...FILES].flatMap(([name, content]) => {
    return [tarHeader({ name, size: content.length }, Date.UTC(2026, 0, 6)), content, tarPadding(content.length)];
  });
  return Buffer.concat([...pieces, TAR_END]);
}

describe('a tar archive', () => {
  it('that we write is read by tar, which finds every byte, the time and the mode', () => {
    const dir = newDir();
    writeFileSync(join(dir, 'a.tar'), archive());
    const listed = execFileSync('tar', ['--utc', '-tvf', 'a.tar'], { cwd: dir, encoding: 'utf8' }).trim().split('\n');
    expect(listed.length).toBe(FILES.size);
    for (const line of listed) expect(line).toMatch(/^-rw------- 0\/0 +\d+ 2026-01-06 00:00 /);
    execFileSync('tar', ['-xf', 'a.tar'], { cwd: dir });
    for (const [name, content] of FILES) expect(readFileSync(join(dir, name)).equals(content)).toBe(true);
  });

  it('that tar writes is read by us, in pieces of any size', async () => {
    const dir = newDir();
    for (const [name, content] of FILES) {
      mkdirSync(dirname(join(dir, name)), { recursive: true });
      writeFileSync(join(dir, name), content);
    }
    execFileSync('tar', ['--format=ustar', '-cf', 'b.tar', ...FILES.keys()], { cwd: dir });
    const bytes = readFileSync(join(dir, 'b.tar'));
    for (const pieceBytes of [1, 7, 512, 100_000_000]) {
      async function* pieces() {
        for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
      }
      const stream = new ByteStream(pieces());
      for (const [name, content] of FILES) {
        expect(parseTarHeader(await stream.take(BLOCK_BYTES))).toEqual({ name, size: content.length });
        expect((await stream.take(content.length)).equals(content)).toBe(true);
        await stream.take(tarPadding(content.length).length);
      }
      expect(parseTarHeader(await stream.take(BLOCK_BYTES))).toBeUndefined();
    }
  });

  it('may have files of more than 8 GiB, which tar reads too', () => {
    const entry = { name: 'telemetry/store.db', size: 8 ** 11 };
    const header = tarHeader(entry, 0);
    expect(parseTarHeader(Buffer.from(header))).toEqual(entry);
    const listed = spawnSync('tar', ['-tvf', '-'], { input: header, encoding: 'utf8' }); // it misses the content
    expect(listed.stdout).toContain(` ${8 ** 11} `);
  });

  it('has no name that does not fit, and no header that was changed', () => {
    expect(() => tarHeader({ name: 'n'.repeat(101), size: 0 }, 0)).toThrow(RangeError);
    const header = Buffer.from(tarHeader({ name: 'records.db', size: 77 }, 0));
    for (const at of [0, 50, 100, 124, 140, 156, 345, 511]) {
      const changed = Buffer.from(header);
      changed.writeUInt8((changed[at] as number) ^ 1, at);
      expect(() => parseTarHeader(changed)).toThrow(/damaged/);
    }
  });
});
