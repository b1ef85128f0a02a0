/** SIGKILL exactly at each step of a commit, of sealing, compacting, sweeping, removing and of the log: nothing acknowledged is lost, wrong or doubled. */
import { join } from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import type { EngineStep } from '../../src/store/engine/steps.ts';
import type { WalPoint } from '../../src/store/engine/wal/segment.ts';
import { Follower, Model } from './store-model.ts';
import { copyOf, examine, useChildren, useMemoryDirs } from './store-rig.ts';

const DAY_MS = 86_400_000;
const MAX_AGE_MS = 2 * DAY_MS;
/** A store of some days, so that all kinds of work are soon to be done. */
const AGED_RECORDS = 3_500;
/** Within so many further records every step comes several times. */
const FURTHER_RECORDS = 12_000;
const NTHS = process.env['TWINBOX_SHORT'] === '1' ? [1, 3] : [1, 2, 5];
/** What a log of so many records holds takes several times this memory. */
const UNSEALED_RECORDS = 3_000;
const SMALL_MEMORY_BYTES = 1 << 20;
/** Steps of sealing while the log is read. */
const REPLAY = [
  'frozen windows',
  ...['sealing a window', 'saving newest samples', 'sealing windows'].flatMap((what) => [`commit ${what}`, `committed ${what}`]),
];
/** A file is replaced by a younger one once in some days only. */
const RARE = 'a replaced day file';

const COMMITS = [
  'sealing a window',
  'saving definitions',
  'saving newest samples',
  'sealing windows',
  'switching to a day file',
  'saving rollups',
  'sweeping chunks',
  'removing a day',
];
const FILES = [RARE, 'an expired day file'];
const WORK: readonly (readonly [EngineStep, readonly string[]])[] = [
  ['frozen', ['windows']],
  ['commit', COMMITS],
  ['committed', COMMITS],
  ['checkpoint', ['store.db']],
  ['checkpointed', ['store.db']],
  ['release', ['segments']],
  ['released', ['segments']],
  ['file:written', ['a day file']],
  ['file:synced', ['a day file']],
  ['file:renamed', ['a day file']],
  ['file:placed', ['a day file']],
  ['discard', FILES],
  ['discarded', FILES],
];
const CREATION: readonly WalPoint[] = ['create', 'create:zeroed', 'create:synced', 'create:renamed'];
const WRITING: readonly WalPoint[] = ['recycle', 'write', 'write:half', 'write:done', 'sync', 'sync:done'];

const memoryDir = useMemoryDirs();
const memoryDirOfAll = useMemoryDirs('all tests');
const children = useChildren();

describe('a store that is killed', () => {
  let base = '';
  beforeEach(() => {
    base = memoryDir();
  });

  /** Kills at each passing in turn, on what the kill before has left. */
  async function killEach(dir: string, step: string, model: Model): Promise<void> {
    const follower = new Follower();
    for (const nth of step.endsWith(RARE) ? [1, 2] : NTHS) {
      const until = model.place.n + FURTHER_RECORDS;
      const { synced, signal, reports } = await children.run({ dir, place: model.place, maxAgeMs: MAX_AGE_MS, at: { step, nth }, until });
      expect({ step, nth, signal, reports }).toEqual({ step, nth, signal: 'SIGKILL', reports: [] });
      const found = await examine(copyOf(dir, join(base, 'copy')), { model, synced, follower, maxAgeMs: MAX_AGE_MS });
      expect(found.reports).toEqual([]);
    }
  }

  const steps = [...WORK.flatMap(([step, what]) => what.map((one) => `${step} ${one}`)), ...WRITING.map((point) => `log ${point}`)];
  let aged: Promise<string> | undefined;
  /** Made once, for all. */
  async function agedStore(): Promise<string> {
    const dir = memoryDirOfAll();
    const { signal } = await children.run({ dir, place: { n: 0, sequence: 0 }, maxAgeMs: MAX_AGE_MS, until: AGED_RECORDS });
    expect(signal).toBe(0);
    return dir;
  }

  test.each(steps)('at “%s” loses nothing', async (step) => {
    aged ??= agedStore();
    const dir = copyOf(await aged, join(base, 'store'));
    const model = new Model();
    await examine(copyOf(dir, join(base, 'copy')), { model, maxAgeMs: MAX_AGE_MS });
    await killEach(dir, step, model);
  });

  test.each(CREATION)('at “log %s” of its first segments loses nothing', async (point) => {
    for (const nth of [1, 2, 3]) {
      const dir = join(base, `fresh${nth}`);
      const model = new Model();
      const { synced, signal } = await children.run({ dir, place: model.place, at: { step: `log ${point}`, nth } });
      expect(signal).toBe('SIGKILL');
      await examine(dir, { model, synced });
    }
  });

  let unsealed: Promise<{ readonly dir: string; readonly model: Model }> | undefined;
  /** Made once, for all: nothing of it is sealed. */
  async function unsealedStore(): Promise<{ readonly dir: string; readonly model: Model }> {
    const dir = memoryDirOfAll();
    const model = new Model();
    const { synced, signal } = await children.run({ dir, place: model.place, isIdle: true, until: UNSEALED_RECORDS });
    expect(signal).toBe(0);
    await examine(copyOf(dir, join(base, 'copy')), { model, synced });
    return { dir, model };
  }

  test.each(REPLAY)('at “%s” while it reads a log that is larger than its memory loses and doubles nothing', async (step) => {
    unsealed ??= unsealedStore();
    const { dir: whole, model } = await unsealed;
    const life = { place: model.place, maxUnsealedBytes: SMALL_MEMORY_BYTES, isIdle: true };
    for (const nth of NTHS) {
      const dir = copyOf(whole, join(base, `store${nth}`));
      const { synced, signal } = await children.run({ ...life, dir, at: { step, nth } });
      expect({ synced, signal }).toEqual({ synced: undefined, signal: 'SIGKILL' }); // before it was open
      await examine(copyOf(dir, join(base, 'copy')), { model, synced: model.place });
      const again = await children.run({ ...life, dir, until: 0 });
      expect(again).toMatchObject({ signal: 0, reports: [] });
      const found = await examine(dir, { model, synced: model.place });
      expect(found).toMatchObject({ missing: 0, reports: [] });
    }
  });
});
