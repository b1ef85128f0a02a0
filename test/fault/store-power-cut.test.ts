/**
 * Power cuts of a store on a disk of its own: what the disk holds at a moment is what had been sent to it, not what the kernel still had in
 * memory. Everything that was synced is there, the store opens, and nothing is wrong.
 */
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { figure } from '../support/wait.ts';
import { Model } from './store-model.ts';
import { hash } from './store-plant.ts';
import { examine, useChildren, useMemoryDirs } from './store-rig.ts';

const CUTS = Number(process.env['TWINBOX_CUTS'] ?? 10);
const IMAGE_BYTES = 96 << 20;
const MAX_LIFE_MS = 1_500;
const MARKER = 'unflushed';
const MAX_AGE_MS = 3 * 86_400_000;

const mounts = new Set<string>();

/** Why no disk can be had here; undefined when one is mounted at `dir`. */
function mountImage(image: string, dir: string): string | undefined {
  if (process.getuid?.() !== 0) return 'mounting a disk needs root';
  try {
    mkdirSync(dir, { recursive: true });
    execFileSync('mount', ['-o', 'loop,noatime,commit=300', image, dir], { stdio: 'pipe' }); // nothing but a flush brings data to the disk
    mounts.add(dir);
    return undefined;
  } catch (error) {
    return `mounting a disk failed: ${error instanceof Error ? error.message : error}`;
  }
}

const memoryDir = useMemoryDirs();
const children = useChildren();

describe('a store after a power cut', () => {
  const base = mkdtempSync(join(tmpdir(), 'store-cut-'));
  const image = join(base, 'disk');
  const mounted = join(base, 'mounted');
  const after = join(base, 'after');
  let unavailable: string | undefined;
  beforeAll(() => {
    writeFileSync(image, '');
    truncateSync(image, IMAGE_BYTES);
    try {
      execFileSync('mkfs.ext4', ['-q', '-F', image], { stdio: 'pipe' });
      unavailable = mountImage(image, mounted);
    } catch (error) {
      unavailable = `no file system can be made: ${error instanceof Error ? error.message : error}`;
    }
    if (unavailable) process.stdout.write(`skipped: ${unavailable}\n`);
  });
  afterAll(() => {
    for (const dir of mounts) execFileSync('umount', [dir]);
    rmSync(base, { recursive: true });
  });

  test(`${CUTS} cuts lose nothing that was synced`, { timeout: 60_000 + CUTS * 20_000 }, async ({ skip }) => {
    if (unavailable) skip(unavailable);
    const model = new Model();
    const copy = join(base, 'copy');
    let real = 0;
    let dropped = 0;
    let written = 0;
    for (let cut = 0; cut < CUTS; cut++) {
      const options = { dir: join(mounted, 'store'), place: model.place, maxAgeMs: MAX_AGE_MS };
      const { synced, signal } = await children.run(options, 200 + (hash(cut) % MAX_LIFE_MS), async () => {
        writeFileSync(join(mounted, MARKER), 'x'.repeat(10_000)); // not flushed by us: a cut that keeps it met a flush of the store on its way
        cpSync(image, copy); // the process stands still: what it has not flushed is in memory only
        rmSync(join(mounted, MARKER));
      });
      expect(signal).toBe('SIGKILL');
      expect(mountImage(copy, after)).toBeUndefined();
      if (!existsSync(join(after, MARKER))) real++;
      const left = join(memoryDir(), 'store');
      cpSync(join(after, 'store'), left, { recursive: true });
      execFileSync('umount', [after]);
      mounts.delete(after);
      const cutModel = new Model();
      const { place, reports } = await examine(left, { model: cutModel, synced, maxAgeMs: MAX_AGE_MS });
      expect(reports).toEqual([]);
      const whole = await examine(copyOnce(options.dir, memoryDir()), { model, synced, maxAgeMs: MAX_AGE_MS });
      written += whole.place.n - (synced?.n ?? 0);
      dropped += whole.place.n - place.n;
    }
    figure(
      `${real} power cuts of an ext4 disk: 0 of ${model.place.n} synced records lost; ${dropped} of ${written} unsynced ones were cut off`,
    );
    expect(real).toBeGreaterThan(CUTS / 2);
    expect(model.place.n).toBeGreaterThan(0);
  });
});

function copyOnce(dir: string, target: string): string {
  cpSync(dir, join(target, 'store'), { recursive: true });
  return join(target, 'store');
}
