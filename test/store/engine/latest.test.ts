/** The newest usable samples over a restart: what is known is not looked for again. */
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { BAD } from '../../../src/core/status.ts';
import { useTempDirs } from '../temp-dir.ts';
import { DAY, DaysRig } from './days-rig.ts';

const newDir = useTempDirs();

it('remembers over a start that a series never had a usable value, and reads no day file for it', async () => {
  const rig = await new DaysRig(newDir()).open();
  const dead = rig.feed.define('dead');
  for (let day = 0; day < 3; day++) rig.feed.add(dead, rig.clock.now() + day * DAY, 0, BAD);
  await rig.fill(3);
  await rig.engine.close();
  const folder = join(rig.dir, 'day');
  expect(readdirSync(folder).length).toBe(3);
  for (const name of readdirSync(folder)) writeFileSync(join(folder, name), 'who reads it says so');
  await rig.reopen();
  expect((await rig.engine.latest([dead], 'usable')).rows).toBe(0);
  expect((await rig.engine.latest([dead], 'newest')).rows).toBe(1);
  expect(rig.reports).toEqual([]);
  await rig.engine.close();
});

it('finds the usable value that an overwritten one leaves, of a month and not of all history', async () => {
  for (const [days, found] of [
    [30, 1],
    [40, 0],
  ] as const) {
    const rig = await new DaysRig(newDir()).open();
    const level = rig.feed.define('once');
    const startMs = rig.clock.now();
    rig.feed.add(level, startMs, 1);
    rig.clock.busy(days * DAY);
    rig.feed.add(level, startMs + days * DAY, 2);
    rig.feed.add(level, startMs + days * DAY, 2, BAD);
    await rig.feed.commit();
    expect((await rig.engine.latest([level], 'usable')).rows).toBe(found);
    await rig.engine.close();
  }
});
