/** SIGKILL of a store at random moments, with garbage behind its log half of the time: nothing acknowledged is lost, wrong or doubled. */
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { figure } from '../support/wait.ts';
import { Follower, Model } from './store-model.ts';
import { hash } from './store-plant.ts';
import { addGarbage, copyOf, examine, identityOf, useChildren, useMemoryDirs } from './store-rig.ts';

const KILLS = Number(process.env['TWINBOX_KILLS'] ?? 50);
/** Then the store starts empty again: what is compared after each kill must not grow without end. */
const KILLS_PER_LIFE = 10;
const MAX_LIFE_MS = 1_000;
const DAY_MS = 86_400_000;
const TEST_TIMEOUT_MS = 60_000 + KILLS * 10_000;

const tempDir = useMemoryDirs();
const children = useChildren();

test(`${KILLS} kills at random moments`, { timeout: TEST_TIMEOUT_MS }, async () => {
  const base = tempDir();
  let checked = 0;
  let acknowledged = 0;
  let garbage = 0;
  let days = 0;
  for (let life = 0; life * KILLS_PER_LIFE < KILLS; life++) {
    const dir = join(base, `life${life}`);
    const model = new Model();
    const follower = new Follower();
    const maxAgeMs = life % 3 === 2 ? 2 * DAY_MS : undefined;
    for (let kill = 0; kill < Math.min(KILLS_PER_LIFE, KILLS - life * KILLS_PER_LIFE); kill++) {
      const random = hash(life, kill);
      const before = model.place;
      const options = { dir, place: before, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) };
      const { synced, signal, reports } = await children.run(options, random % MAX_LIFE_MS);
      expect(signal).toBe('SIGKILL');
      expect(reports).toEqual([]);
      if (kill % 2 === 1 && addGarbage(dir, identityOf(dir), random)) garbage++;
      const left = kill % 3 === 0 ? dir : copyOf(dir, join(base, 'copy')); // most of the time the next child finds what the kill has left
      try {
        const found = await examine(left, { model, synced, follower, ...(maxAgeMs === undefined ? {} : { maxAgeMs }) });
        expect(found.reports).toEqual([]);
        checked += found.checked;
        acknowledged += Math.max(0, (synced?.n ?? before.n) - before.n);
      } catch (error) {
        throw new Error(`life ${life}, kill ${kill}, in ${left}`, { cause: error });
      }
    }
    days += (model.nowMs - new Model().nowMs) / DAY_MS;
  }
  figure(`${KILLS} kills, ${garbage} with garbage behind the log, ${Math.round(days)} days of the plant`);
  figure(`0 lost, 0 wrong, 0 doubled of ${acknowledged} acknowledged records; ${checked} samples compared`);
  expect(acknowledged).toBeGreaterThan(KILLS * 100);
});
