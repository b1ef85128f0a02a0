/** Runs stores in processes of their own until they die, and looks at what they leave behind. */
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, cpSync, existsSync, mkdtempSync, openSync, readFileSync, rmSync, symlinkSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';
import { buildSync } from 'esbuild';
import { afterAll, afterEach, beforeAll } from 'vitest';
import { type Clock, systemClock } from '../../src/core/clock.ts';
import { ColumnarEngine } from '../../src/store/engine/columnar.ts';
import { readLog } from '../../src/store/engine/wal/recovery.ts';
import { linesOf } from '../store/temp-dir.ts';
import { PlantClock } from './store-clock.ts';
import type { ChildOptions } from './store-kill-child.ts';
import { type Allowance, compareStore, type Follower, type Model } from './store-model.ts';
import { type Place, placeAt } from './store-plant.ts';

const DAY_MS = 86_400_000;
export const SMALL_LOG = { segmentBytes: 16 << 10 };

export interface Ended {
  /** The last place up to which the child said all is synced; undefined when it said so of none. */
  readonly synced: Place | undefined;
  readonly signal: number | NodeJS.Signals | null;
  readonly reports: readonly string[];
}

/** A folder for each call, in memory where there is such a disk: a killed process loses nothing that the kernel has, and days pass faster. */
export function useMemoryDirs(lifetime: 'each test' | 'all tests' = 'each test'): () => string {
  const dirs: string[] = [];
  (lifetime === 'each test' ? afterEach : afterAll)(() => {
    for (const dir of dirs.splice(0)) rmSync(dir, { recursive: true, force: true });
  });
  return () => {
    const dir = mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'store-'));
    dirs.push(dir);
    return dir;
  };
}

export interface ChildRig {
  /** `killAfterMs` counts from the moment the store is open. `atDeath` is called while the child stands still, right before the kill. */
  run(options: ChildOptions, killAfterMs?: number, atDeath?: (child: ChildProcess) => Promise<void>): Promise<Ended>;
}

export function useChildren(): ChildRig {
  const root = fileURLToPath(new URL('../..', import.meta.url));
  let built = '';
  beforeAll(() => {
    built = mkdtempSync(join(tmpdir(), 'store-built-'));
    symlinkSync(join(root, 'node_modules'), join(built, 'node_modules')); // where the bundle looks for better-sqlite3
    const entry = fileURLToPath(new URL('store-kill-child.ts', import.meta.url));
    const external = ['better-sqlite3'];
    buildSync({
      entryPoints: [entry],
      outfile: join(built, 'child.mjs'),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node20',
      external,
    });
  });
  afterAll(() => rmSync(built, { recursive: true }));
  const running = new Set<ChildProcess>();
  afterEach(() => {
    for (const child of running) child.kill('SIGKILL'); // left behind by a failed test
  });
  const run: ChildRig['run'] = async (options, killAfterMs, atDeath) => {
    const child = spawn(process.execPath, [join(built, 'child.mjs'), JSON.stringify(options)], { stdio: ['ignore', 'pipe', 'inherit'] });
    const said = linesOf(child);
    running.add(child);
    const ended = said.closed.finally(() => running.delete(child));
    if (killAfterMs !== undefined) {
      await said.find((line) => line === 'opened');
      await systemClock.sleep(killAfterMs);
      if (atDeath) {
        child.kill('SIGSTOP');
        await atDeath(child);
      }
      child.kill('SIGKILL');
    }
    const signal = await ended;
    const [n, sequence] = (said.lines.findLast((line) => /^\d/.test(line)) ?? '').split(' ').map(Number);
    const synced = n === undefined || sequence === undefined ? undefined : { n, sequence };
    return { synced, signal, reports: said.lines.filter((line) => line.startsWith('damaged')) };
  };
  return { run };
}

export interface Examination {
  /** Grows to what is found. */
  readonly model: Model;
  /** What must be there. */
  readonly synced?: Place | undefined;
  readonly follower?: Follower;
  /** Whole days that are older may be gone. */
  readonly maxAgeMs?: number;
  readonly damaged?: boolean;
}

export interface Examined {
  readonly place: Place;
  readonly checked: number;
  readonly missing: number;
  readonly reports: readonly string[];
}

/** Opens what a dead store has left and compares it with the model; throws when less is there than was synced. */
export async function examine(dir: string, { model, synced, follower, maxAgeMs, damaged = false }: Examination): Promise<Examined> {
  const reports: string[] = [];
  const engine = openable(dir, reports, new PlantClock(model.nowMs));
  const { next, catalogue } = await engine.open();
  try {
    if (synced && next < synced.sequence) throw new Error(`${synced.sequence} was acknowledged, the store ends at ${next}`);
    const place = placeAt(model.place, next);
    model.growTo(place);
    const allowance: Allowance = {
      damaged,
      ...(maxAgeMs === undefined ? {} : { fromMs: Math.floor((model.nowMs - maxAgeMs) / DAY_MS) * DAY_MS }),
    };
    const known = new Map(catalogue.map(({ id, def }) => [id, JSON.stringify(def)]));
    for (const [id, def] of model.defs) {
      if (known.get(id) !== JSON.stringify(def)) throw new Error(`series ${id} is ${known.get(id)}, not ${JSON.stringify(def)}`);
    }
    const { checked, missing } = await compareStore(engine, model, allowance);
    if (follower) {
      await follower.follow(engine, model, 3_000);
      follower.missing(model, allowance);
    }
    return { place, checked, missing, reports };
  } finally {
    await engine.close();
  }
}

export function openable(dir: string, reports: string[], clock: Clock): ColumnarEngine {
  const report = (what: string, error: unknown) => {
    reports.push(`${what}: ${error instanceof Error ? error.message : JSON.stringify(error)}`);
  };
  return new ColumnarEngine({ dir, clock, report, log: SMALL_LOG });
}

/** A copy of a store's folder, as the next start would find it. */
export function copyOf(dir: string, copy: string): string {
  rmSync(copy, { recursive: true, force: true });
  cpSync(dir, copy, { recursive: true });
  return copy;
}

/** The identity of a store's log; what lies there is not changed. */
export function identityOf(dir: string): number {
  const database = new Database(join(dir, 'store.db'), { readonly: true });
  try {
    return Number(database.prepare('SELECT identity FROM progress').pluck().get());
  } finally {
    database.close();
  }
}

/** Right behind the log's last frame: noise, a frame that is torn off in the middle, or an older one once more. */
export function addGarbage(dir: string, identity: number, random: number): boolean {
  const { frames } = readLog(dir, identity);
  const last = frames.at(-1);
  const other = frames.at(-1 - (random % 5));
  if (!last || !other) return false;
  const file = readFileSync(last.path);
  const bytes = readFileSync(other.path).subarray(other.at, other.at + other.bytes);
  const noise = Buffer.from(Array.from({ length: 3_000 }, (_, i) => (Math.imul(i + random, 2_654_435_761) >>> 13) & 0xff));
  const garbage = [noise, Buffer.concat([bytes.subarray(0, bytes.length >> 1), noise]), bytes][random % 3] as Buffer;
  const behind = last.at + last.bytes;
  const at = random % 2 ? Math.ceil(behind / 8) * 8 : Math.ceil(behind / 4096) * 4096;
  if (at >= file.length) return false;
  const handle = openSync(last.path, 'r+');
  writeSync(handle, garbage.subarray(0, file.length - at), 0, Math.min(garbage.length, file.length - at), at);
  closeSync(handle);
  return true;
}
