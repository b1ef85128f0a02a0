/** SIGKILL at random moments: everything that was acknowledged is on the disk, with the right value. */
import { expect, it } from 'vitest';
import { systemClock } from '../../src/core/clock.ts';
import { startBuiltChild } from './built.ts';
import { readKept } from './client-rig.ts';
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

    const kept = await readKept(dir);
    expect(kept.next).toBeGreaterThanOrEqual(highest);
    for (const [time, value] of acknowledged) expect(kept.valueAt(time)).toBe(value);
  }
  process.stdout.write(`${acknowledged.size} acknowledged samples survived ${KILLS} kills\n`);
  expect(acknowledged.size).toBeGreaterThan(KILLS);
});
