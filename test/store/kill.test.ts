/** SIGKILL at random moments: everything that was acknowledged is in the file, with the right value. */
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { RowsEngine } from '../../src/store/rows/engine.ts';
import { startBuiltChild } from './built.ts';
import { rowsOf } from './contract/model.ts';
import { range } from './contract/rig.ts';
import { linesOf, useTempDirs } from './temp-dir.ts';

const KILLS = 5;
const tempDir = useTempDirs();

it(`${KILLS} kills of the daemon’s store lose nothing that was acknowledged`, async () => {
  const dir = tempDir();
  const acknowledged = new Map<number, number>();
  let highest = 0;
  for (let kill = 0; kill < KILLS; kill++) {
    const child = startBuiltChild('kill-child', [dir]);
    const said = linesOf(child);
    const started = await said.find((line) => line.startsWith('started'));
    expect(Number(started.split(' ').at(-1))).toBeGreaterThanOrEqual(highest);
    await said.find((line) => /^\d/.test(line));
    await systemClock.sleep(Math.random() * 400);
    child.kill('SIGKILL');
    expect(await said.closed).toBe('SIGKILL');
    for (const line of said.lines.slice(1)) {
      const [sequence, time, value] = line.split(' ').map(Number) as [number, number, number];
      acknowledged.set(time, value);
      highest = Math.max(highest, sequence);
    }

    const engine = new RowsEngine(join(dir, 'telemetry.db'), systemClock);
    const { next, catalogue } = await engine.open();
    expect(next).toBeGreaterThanOrEqual(highest);
    const { columns } = await engine.raw({ series: catalogue.map(({ id }) => id), range: range(0, 1e9), limit: 1e6 });
    await engine.close();
    const stored = new Map(rowsOf(columns).map(({ timeMs, value }) => [timeMs, value]));
    for (const [time, value] of acknowledged) expect(stored.get(time)).toBe(value);
  }
  process.stdout.write(`${acknowledged.size} acknowledged samples survived ${KILLS} kills\n`);
  expect(acknowledged.size).toBeGreaterThan(KILLS);
});
