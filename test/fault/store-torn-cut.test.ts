/**
 * Power cuts of a store at every kind of step, simulated: of what was written since a file's last flush each block may have reached the disk or not,
 * new names and removals too. Everything that was synced is there, the store opens, and nothing is wrong.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { expect, test } from 'vitest';
import { ColumnarEngine } from '../../src/store/engine/columnar.ts';
import type { EngineStep } from '../../src/store/engine/steps.ts';
import type { WalPoint } from '../../src/store/engine/wal/segment.ts';
import { figure } from '../support/wait.ts';
import { PlantClock } from './store-clock.ts';
import { PlantLoad } from './store-load.ts';
import { Model } from './store-model.ts';
import { hash, PLANT_START_MS, type Place } from './store-plant.ts';
import { examine, SMALL_LOG, useMemoryDirs } from './store-rig.ts';

const CUTS_PER_STEP = process.env['TWINBOX_SHORT'] === '1' ? 3 : 6;
const RECORDS = 6_000;
const MAX_AGE_MS = 2 * 86_400_000;
const BLOCK_BYTES = 4_096;

/** What is flushed with the next commit of another kind. */
const UNSYNCED = ['sealing a window', 'saving newest samples', 'saving rollups'];

/** SQLite flushes the header of its log before it writes over the frames of an earlier use (`sqlite3WalFrames` in wal.c). */
const SQLITE_WAL_HEADER_BYTES = 32;

type Image = Map<string, Buffer>;

interface Cut {
  readonly dir: string;
  readonly step: string;
  readonly synced: Place | undefined;
}

/** What of a store's folder is on the disk for sure. */
class Disk {
  readonly #dir: string;
  readonly #durable: Image = new Map();

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** Takes everything that is there for flushed. */
  flushAll(): void {
    for (const [name, bytes] of this.#read()) this.#durable.set(name, bytes);
  }

  /** What the engine and the log say of a step tells what they have flushed. */
  note(step: EngineStep | WalPoint, what: string): void {
    if (step === 'sync:done' || step === 'create:renamed') this.#flush(basename(what));
    if (step === 'committed' && !UNSYNCED.includes(what)) this.#flush('store.db-wal');
    if (step === 'checkpointed') this.#flush('store.db');
    const file = readdirSync(join(this.#dir, 'day')).find((name) => name.endsWith('.tmp'));
    if (step === 'file:synced' && file) this.#flush(join('day', file));
    if (step === 'file:placed') {
      for (const name of this.#durable.keys()) if (name.endsWith('.tmp')) this.#durable.delete(name);
      for (const name of this.#read().keys()) if (name.startsWith('day') && !this.#durable.has(name)) this.#flush(name);
    }
  }

  /** What a cut at this moment leaves, in a new folder. */
  cut(into: string, chance: () => boolean): void {
    const written = this.#read();
    const names = new Set([...written.keys(), ...this.#durable.keys()]);
    mkdirSync(join(into, 'day'), { recursive: true });
    for (const name of names) {
      if (name.endsWith('-shm')) continue; // lives in memory
      const now = written.get(name);
      const old = this.#durable.get(name) ?? this.#durable.get(`${name}.tmp`);
      if (!now && chance()) continue; // its removal has reached the disk
      if (now && !this.#durable.has(name) && chance()) continue; // its name has not
      const left = now ? mixed(now, old, chance) : (old as Buffer);
      if (now && name.endsWith('-wal')) now.copy(left, 0, 0, SQLITE_WAL_HEADER_BYTES);
      writeFileSync(join(into, name), left);
    }
  }

  #flush(name: string): void {
    const path = join(this.#dir, name);
    if (existsSync(path)) this.#durable.set(name, readFileSync(path));
  }

  #read(): Image {
    const names = readdirSync(this.#dir, { recursive: true, encoding: 'utf8' }).filter((name) => statSync(join(this.#dir, name)).isFile());
    return new Map(names.map((name) => [name, readFileSync(join(this.#dir, name))]));
  }
}

function mixed(now: Buffer, old: Buffer | undefined, chance: () => boolean): Buffer {
  const result = Buffer.from(now);
  for (let at = 0; at < now.length; at += BLOCK_BYTES) {
    const end = Math.min(at + BLOCK_BYTES, now.length);
    const before = Buffer.alloc(end - at);
    if (old && at < old.length) old.copy(before, 0, at, Math.min(end, old.length));
    if (!before.equals(now.subarray(at, end)) && chance()) before.copy(result, at);
  }
  return result;
}

const memoryDir = useMemoryDirs();

test('power cuts at every step lose nothing that was synced', { timeout: 240_000 }, async () => {
  const base = memoryDir();
  const dir = join(base, 'store');
  const disk = new Disk(dir);
  const cuts: Cut[] = [];
  const passed = new Map<string, number>();
  let load: PlantLoad | undefined;
  const pass = (name: string, step: EngineStep | WalPoint, what: string) => {
    if (!load) return;
    const nth = passed.get(name) ?? 0;
    passed.set(name, nth + 1);
    if (nth < CUTS_PER_STEP && load.place.n > hash(nth, name.length) % (RECORDS / 3)) {
      let random = hash(cuts.length);
      const into = join(base, `cut${cuts.length}`);
      disk.cut(into, () => {
        random = hash(random);
        return random % 2 === 0;
      });
      cuts.push({ dir: into, step: name, synced: load.synced });
    } else if (nth < CUTS_PER_STEP) passed.set(name, nth);
    disk.note(step, what);
  };
  const clock = new PlantClock(PLANT_START_MS);
  const engine = new ColumnarEngine({
    dir,
    clock,
    report: (what, error) => {
      throw new Error(`damage reported: ${what}`, { cause: error });
    },
    log: { ...SMALL_LOG, hook: (point, path) => pass(`log ${point}`, point, path) },
    hook: (step, what) => pass(`${step} ${what}`, step, what),
  });
  const { next } = await engine.open();
  await engine.setRetention({ maxAgeMs: MAX_AGE_MS });
  disk.flushAll();
  load = new PlantLoad(engine, clock, { from: { n: 0, sequence: 0 }, next });
  while (load.place.n < RECORDS) await load.round(() => {});
  await engine.close();

  let unsynced = 0;
  for (const { dir: left, step, synced } of cuts) {
    try {
      const { place, reports } = await examine(left, { model: new Model(), synced, maxAgeMs: MAX_AGE_MS });
      expect(reports).toEqual([]);
      unsynced += place.n - (synced?.n ?? 0);
    } catch (error) {
      throw new Error(`a cut at “${step}”, in ${basename(dirname(left))}/${basename(left)}`, { cause: error });
    }
  }
  figure(`${cuts.length} torn power cuts at ${passed.size} steps: nothing synced is lost, ${unsynced} records came through unsynced`);
  expect(passed.size).toBeGreaterThan(25);
});
