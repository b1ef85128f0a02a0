/** A store to be killed: pushes samples from several writers and prints each one that was acknowledged. */
import { systemClock } from '../../src/core/clock.ts';
import { silentLog } from '../../src/core/log.ts';
import { Ring } from '../../src/core/ring.ts';
import { GOOD } from '../../src/core/status.ts';
import type { SeriesDef, SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { StoreClient } from '../../src/store/client.ts';
import { spawnWorker } from '../../src/system/spawn.ts';

const SERIES = 1 as SeriesId;
const DEF: SeriesDef = { tenant: 'default', source: 'plc', asset: 'press', tag: 'level', valueType: 'f64', generation: 1 };

const ring = new Ring(1 << 12);
const client = new StoreClient({
  dataDir: process.argv[2] as string,
  ring,
  retention: {},
  profile: 'balanced',
  clock: systemClock,
  log: silentLog,
  spawn: (workerData) => spawnWorker({ source: 'store/worker.ts', bundle: 'store-worker.js' }, { workerData }),
  spawnQuery: () => {
    throw new Error('nobody asks here');
  },
});
const { newestMs, next } = await client.start();
let index = (newestMs ?? -1) + 1;
if (newestMs === null) ring.pushDefinition(SERIES, DEF);
process.stdout.write(`started at ${next}\n`);

async function writeForever(): Promise<never> {
  for (;;) {
    const time = index++;
    const value = Math.sin(time) * 1_000;
    ring.pushNumber(SERIES, time as UnixMs, value, GOOD);
    const sequence = ring.head;
    await client.durable(sequence);
    process.stdout.write(`${sequence} ${time} ${value}\n`);
  }
}

await Promise.all(Array.from({ length: 16 }, writeForever));
