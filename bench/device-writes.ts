/**
 * B19: bytes written to the device a sample, 1,000 tags, synced every second and every ten, on an ext4 file system of its own; sealing,
 * journal and metadata included, in the steady state after the first hour. The plant's time is injected, the syncs are real. Options:
 * hours measured (2). The compaction of the day is counted by itself.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { ColumnarEngine } from '../src/store/engine/columnar.ts';
import { type LoopDevice, withLoopDevice } from './loop-device.ts';
import { PlantClock, PlantFeed } from './plant-feed.ts';
import { ReferencePlant, START_MS } from './reference-data.ts';
import { type Benchmark, round } from './result.ts';
import { inTemporaryFolder } from './temporary-folder.ts';

const IMAGE_BYTES = 2 ** 30;
const STRETCH_SECONDS = 900;
const DAY_SECONDS = 86_400;

interface Written {
  readonly steady: number;
  readonly fromStart: number;
  readonly withCompaction: number;
}

function fail(what: string, error: unknown): never {
  throw new Error(what, { cause: error });
}

/** Bytes a sample. The first hour makes the segments of the log, which are used again from then on. */
async function written(device: LoopDevice, hours: number, flushSeconds: number): Promise<Written> {
  const dir = join(device.dir, `flush-${flushSeconds}`);
  mkdirSync(dir);
  const plant = new ReferencePlant();
  const clock = new PlantClock();
  const engine = new ColumnarEngine({ dir, clock, report: fail });
  const feed = new PlantFeed(engine, clock, { flushSeconds });
  const start = device.writtenBytes();
  await feed.open(plant);
  const run = async (fromSecond: number, seconds: number) => {
    for (let second = fromSecond; second < fromSecond + seconds; second += STRETCH_SECONDS) {
      await feed.feed(plant.next(STRETCH_SECONDS), START_MS + second * 1000);
    }
    return { bytes: device.writtenBytes(), samples: feed.samples };
  };
  const warm = await run(0, 3600);
  const end = await run(3600, hours * 3600);
  clock.nowMs = START_MS + 2 * DAY_SECONDS * 1000;
  const last = plant.next(1);
  await feed.feed({ ...last, timesMs: last.timesMs.map((timeMs) => timeMs + 2 * DAY_SECONDS * 1000) }, clock.nowMs);
  await feed.settle();
  await engine.close();
  const compacted = device.writtenBytes();
  const steady = (end.bytes - warm.bytes) / (end.samples - warm.samples);
  return {
    steady,
    fromStart: (end.bytes - start) / end.samples,
    withCompaction: steady + (compacted - end.bytes) / end.samples,
  };
}

export const benchmark: Benchmark = {
  title: 'bytes written to the device a sample, synced every 1 s and 10 s (1,000 tags at 1 s)',
  run([hours = '2']) {
    return inTemporaryFolder((folder) =>
      withLoopDevice(folder, IMAGE_BYTES, async (device) => {
        const both = [await written(device, Number(hours), 1), await written(device, Number(hours), 10)];
        const of = (name: keyof Written) => both.map((one) => round(one[name], 2));
        return {
          metrics: {
            device_bytes_per_sample: of('withCompaction'),
            without_compaction: of('steady'),
            first_hours_with_new_segments: of('fromStart'),
          },
          goal: { device_bytes_per_sample: [9, 8] },
        };
      }),
    );
  },
};
