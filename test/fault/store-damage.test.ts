/**
 * Damaged files of a store: flipped bits, blocks of zeros, swapped blocks, cut, lost and replaced files. It opens all the same, never shows anything
 * that was not written, says what is damaged when something is missing, keeps what it replaces, and takes new samples.
 */
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import type { SeriesId } from '../../src/core/tag.ts';
import type { ColumnarEngine } from '../../src/store/engine/columnar.ts';
import { lockDataDir } from '../../src/store/lock.ts';
import { Feed } from '../store/contract/feed.ts';
import { ALWAYS } from '../store/contract/rig.ts';
import { figure } from '../support/wait.ts';
import { PlantClock } from './store-clock.ts';
import { compareStore, Model } from './store-model.ts';
import { hash, PLANT_START_MS, placeAt } from './store-plant.ts';
import { copyOf, openable, useChildren, useMemoryDirs } from './store-rig.ts';

const DAMAGES = Number(process.env['TWINBOX_DAMAGES'] ?? 200);
const FIRST = Number(process.env['TWINBOX_FIRST_DAMAGE'] ?? 0);
const RECORDS = 2_200;
/** So many are opened once more behind their work. */
const AGAIN_EVERY = 4;
const NEW_SAMPLES = 40;
const DAY_MS = 86_400_000;
const TEST_TIMEOUT_MS = 60_000 + DAMAGES * 5_000;
const KINDS = ['bit', 'zeros', 'garbage', 'swap', 'cut', 'delete', 'replace'] as const;

const memoryDir = useMemoryDirs();
const dirOfAll = useMemoryDirs('all tests');
const children = useChildren();

/** A base store: closed in good order, or killed. */
interface Base {
  readonly dir: string;
  readonly model: Model;
}

function filesOf(dir: string): string[] {
  const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
  return names.filter((name) => statSync(join(dir, name)).isFile() && !name.endsWith('-shm')).sort();
}

/** Damages one file; gives its name and what was done. */
function damage(dir: string, seed: number): { readonly file: string; readonly kind: string } {
  const random = (nth: number, below: number) => hash(seed, nth) % below;
  const files = filesOf(dir);
  const kinds = [...new Set(files.map((name) => name.replace(/\d+/g, '#')))];
  const wanted = kinds[random(1, kinds.length)] as string; // each kind of file as often
  const candidates = files.filter((name) => name.replace(/\d+/g, '#') === wanted);
  const file = candidates[random(2, candidates.length)] as string;
  const kind = KINDS[random(3, KINDS.length)] as (typeof KINDS)[number];
  const path = join(dir, file);
  const bytes = readFileSync(path);
  const size = Math.max(bytes.length, 1);
  const block = [512, 1_024, 4_096][random(4, 3)] as number;
  const at = Math.floor(random(5, size) / block) * block;
  const other = Math.floor(random(6, size) / block) * block;
  if (kind === 'bit') for (let bit = 0; bit < 1 + random(7, 3); bit++) flip(bytes, random(8 + bit, size), random(20 + bit, 8));
  if (kind === 'zeros') bytes.fill(0, at, Math.min(at + block, bytes.length));
  if (kind === 'garbage')
    for (let i = random(9, size), end = i + 1 + random(10, 3_000); i < Math.min(end, bytes.length); i++) bytes[i] = hash(seed, i) & 0xff;
  if (kind === 'swap') {
    const first = Buffer.from(bytes.subarray(at, at + block));
    bytes.copy(bytes, at, other, other + block);
    first.copy(bytes, other);
  }
  if (kind === 'delete') rmSync(path);
  else if (kind === 'cut') writeFileSync(path, bytes.subarray(0, random(11, size)));
  else if (kind === 'replace') writeFileSync(path, readFileSync(join(dir, candidates[random(12, candidates.length)] as string)));
  else writeFileSync(path, bytes);
  return { file, kind };
}

function flip(bytes: Buffer, at: number, bit: number): void {
  if (at < bytes.length) bytes.writeUInt8((bytes[at] as number) ^ (1 << bit), at);
}

async function settle(engine: ColumnarEngine): Promise<void> {
  for (let step = 0; step < 20_000; step++) if (!(await engine.expire())) return;
  throw new Error('the work in the background does not end');
}

/** Opens a damaged store several times, compares it, lets it work and feeds it; returns how many samples are missing. */
async function live(
  dir: string,
  base: Base,
  { where, isOpenedAgain }: { readonly where: string; readonly isOpenedAgain: boolean },
): Promise<{ missing: number; reports: readonly string[] }> {
  const reports: string[] = [];
  const clock = new PlantClock(base.model.nowMs);
  let missing = 0;
  let found: number | undefined;
  let fresh: SeriesId | undefined;
  for (const visit of isOpenedAgain ? ['as it was found', 'at work', 'again'] : ['at work']) {
    const engine = openable(dir, reports, clock);
    const report = await engine.open();
    try {
      found ??= report.next;
      const compared = await compareStore(engine, base.model, { damaged: true });
      missing = Math.max(missing, compared.missing);
      if (missing > 0 && reports.length === 0) {
        const known = new Model(); // at the end of the log nobody can tell a damaged frame from one that was never finished
        known.growTo(placeAt(known.place, Math.min(found, base.model.place.sequence)));
        const rest = await compareStore(engine, known, { damaged: true });
        if (rest.missing > 0) throw new Error(`${rest.missing} samples are missing and nothing was said`);
      }
      if (fresh === undefined) {
        const feed = new Feed(engine, report);
        fresh = feed.define('fresh');
        for (let index = 0; index < NEW_SAMPLES; index++) feed.add(fresh, base.model.nowMs + index, index);
        await feed.commit();
      }
      expect(await engine.count({ series: [fresh], range: ALWAYS, atMost: 1_000 })).toBe(NEW_SAMPLES);
      if (visit !== 'at work') continue;
      clock.moveTo(base.model.nowMs + 2 * DAY_MS);
      await settle(engine);
      await compareStore(engine, base.model, { damaged: true });
    } catch (error) {
      throw new Error(`${where}, ${visit}, ${reports.length} reports: ${reports.slice(0, 3).join(' | ')}`, { cause: error });
    } finally {
      await engine.close();
    }
  }
  return { missing, reports };
}

describe('a store with damaged files', () => {
  const bases: Base[] = [];
  beforeAll(async () => {
    for (const isKilled of [false, true]) {
      const dir = dirOfAll();
      lockDataDir(dir)();
      await children.run({
        dir,
        place: { n: 0, sequence: 0 },
        until: RECORDS,
        ...(isKilled ? { at: { step: 'log sync:done', nth: 110 } } : {}),
      });
      const reports: string[] = [];
      const copy = copyOf(dir, join(dirOfAll(), 'copy'));
      const engine = openable(copy, reports, new PlantClock(PLANT_START_MS));
      const { next } = await engine.open();
      const model = new Model();
      model.growTo(placeAt(model.place, next));
      expect((await compareStore(engine, model)).missing).toBe(0);
      await engine.close();
      bases.push({ dir, model });
    }
  }, 60_000);

  test(`${DAMAGES} damages`, { timeout: TEST_TIMEOUT_MS }, async () => {
    const counts = { missing: 0, reported: 0, silent: 0, kept: 0 };
    const root = memoryDir();
    for (let seed = FIRST; seed < FIRST + DAMAGES; seed++) {
      const base = bases[seed % bases.length] as Base;
      const dir = copyOf(base.dir, join(root, 'store'));
      const { file, kind } = damage(dir, seed);
      const where = `damage ${seed}, ${kind} of ${file}`;
      lockDataDir(dir)();
      const { missing, reports } = await live(dir, base, { where, isOpenedAgain: seed % AGAIN_EVERY < 1 });
      if (missing > 0) counts.missing++;
      if (reports.length > 0) counts.reported++;
      if (missing === 0 && reports.length === 0) counts.silent++;
      const copies = filesOf(dir).filter((name) => name.includes('.damaged-'));
      if (copies.length > 0) counts.kept++;
      if (
        reports.some((report) => report.includes('brought into a new one')) &&
        existsSync(join(base.dir, basename(file))) &&
        kind !== 'delete'
      ) {
        if (file === 'store.db' && statSync(join(base.dir, file)).size > 0) expect(copies.length, where).toBeGreaterThan(0);
      }
    }
    figure(`${DAMAGES} damages: 0 wrong samples, 0 stores that did not open, 0 losses without a report`);
    figure(
      `${counts.missing} with samples missing, ${counts.reported} reported, ${counts.silent} without effect, ${counts.kept} with a copy kept`,
    );
    expect(counts.missing).toBeGreaterThan(0);
  });
});
