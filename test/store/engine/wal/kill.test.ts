/** SIGKILL at random moments and at every step of a commit, garbage behind what was written: all that was synced is there, and in order. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { systemClock } from '../../../../src/core/clock.ts';
import { readLog } from '../../../../src/store/engine/wal/recovery.ts';
import type { WalPoint } from '../../../../src/store/engine/wal/segment.ts';
import { linesOf, useTempDirs } from '../../temp-dir.ts';
import { LogRig, numbersOf, range } from './log-rig.ts';

const KILLS = 20;
const POINTS: readonly WalPoint[] = [
  'create',
  'create:zeroed',
  'create:synced',
  'create:renamed',
  'recycle',
  'write',
  'write:half',
  'write:done',
  'sync',
  'sync:done',
];

describe('a log whose process is killed', () => {
  const tempDir = useTempDirs();
  const built = mkdtempSync(join(tmpdir(), 'wal-built-'));
  beforeAll(() => {
    const entry = fileURLToPath(new URL('kill-child.ts', import.meta.url));
    buildSync({ entryPoints: [entry], outfile: join(built, 'child.mjs'), bundle: true, platform: 'node', format: 'esm', target: 'node20' });
  });
  afterAll(() => rmSync(built, { recursive: true }));
  const running = new Set<ChildProcess>();
  afterEach(() => {
    for (const child of running) child.kill('SIGKILL'); // left behind by a failed test
  });

  /** Runs the child until it is dead; gives the number below which it said all are synced. */
  async function run(dir: string, args: readonly string[], killAfterMs?: number): Promise<number> {
    const child = spawn(process.execPath, [join(built, 'child.mjs'), dir, ...args], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said = linesOf(child);
    const ended = said.closed.finally(() => running.delete(child));
    running.add(child);
    if (killAfterMs !== undefined) {
      await said.find(() => true);
      await systemClock.sleep(killAfterMs);
      child.kill('SIGKILL');
    }
    expect(await ended).toBe('SIGKILL');
    return Number(said.lines.at(-1) ?? 0);
  }

  /** Opens the log: what is there goes without a gap from what is sealed to what was synced, or further. Returns the number after it. */
  function check(dir: string, synced: number): number {
    const sealedFile = join(dir, 'sealed');
    const sealed = existsSync(sealedFile) ? JSON.parse(readFileSync(sealedFile, 'utf8')) : { sequence: 0, number: 1 };
    const rig = new LogRig({ dir, segmentBytes: 16 << 10 }, sealed.sequence);
    const numbers = numbersOf(rig.replayed.records);
    const first = numbers[0] ?? sealed.number;
    expect(first).toBeLessThanOrEqual(sealed.number);
    expect(numbers).toEqual(range(first, first + numbers.length));
    expect(first + numbers.length).toBeGreaterThanOrEqual(Math.max(synced, sealed.number));
    expect(rig.replayed.report.lost).toEqual([]);
    rig.close();
    return first + numbers.length;
  }

  /** Garbage right behind the last frame: noise, or a piece of an earlier frame with its header, or a whole one. */
  function addGarbage(dir: string, kind: number): void {
    const { frames } = readLog(dir, 0);
    const last = frames.at(-1);
    const other = frames.at(-2 - (kind % 5));
    if (!last || !other) return;
    const bytes = readFileSync(other.path).subarray(other.at, other.at + other.bytes);
    const noise = Buffer.from(range(0, 3_000).map((i) => (Math.imul(i + kind, 2_654_435_761) >>> 13) & 0xff));
    const garbage = [noise, Buffer.concat([bytes.subarray(0, bytes.length >> 1), noise]), bytes][kind % 3] as Buffer;
    const at = kind % 2 ? last.at + last.bytes : Math.ceil((last.at + last.bytes) / 4096) * 4096;
    const room = readFileSync(last.path).length - at;
    if (room > 0) writeSync(openSync(last.path, 'r+'), garbage.subarray(0, room), 0, Math.min(room, garbage.length), at);
  }

  it(`${KILLS} kills at random moments, every other with garbage behind the last frame, lose nothing that was synced`, async () => {
    const dir = tempDir();
    let reached = 1;
    for (let kill = 0; kill < KILLS; kill++) {
      const synced = await run(dir, [], (kill * 37) % 90);
      expect(synced).toBeGreaterThan(0);
      if (kill % 2) addGarbage(dir, kill);
      const next = check(dir, Math.max(synced, reached));
      expect(next).toBeGreaterThan(reached);
      reached = next;
    }
  }, 60_000);

  it.each(POINTS)(
    'a kill at “%s”, the first or a later one, loses nothing that was synced',
    async (point) => {
      const isCreation = point.startsWith('create'); // a folder sees few: then its segments are used again
      let dir = tempDir();
      let reached = 1;
      for (const nth of isCreation ? ['1', '2'] : ['1', '2', '5', '11']) {
        const synced = await run(dir, [point, nth]);
        reached = check(dir, Math.max(synced, reached));
        if (!isCreation) continue;
        dir = tempDir();
        reached = 1;
      }
    },
    60_000,
  );
});
