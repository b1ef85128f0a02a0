/**
 * store-e2e: the main thread pushes to the ring, the store's worker thread drains it. How much it sustains, what a sample costs the main
 * thread, and, at 100,000 samples a second with a commit asked for every 50 ms, how late samples are durable and how long the main
 * loop is held up. Option: seconds of the steady part (20).
 */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock } from '../src/core/clock.ts';
import { type Log, silentLog } from '../src/core/log.ts';
import { Ring } from '../src/core/ring.ts';
import type { StatusCode } from '../src/core/status.ts';
import type { Sequence, SeriesId } from '../src/core/tag.ts';
import type { UnixMs } from '../src/core/time.ts';
import { StoreClient } from '../src/store/client.ts';
import { spawnWorker } from '../src/system/spawn.ts';
import { definitionsOf } from './plant-feed.ts';
import { ReferencePlant, type Stretch } from './reference-data.ts';
import { type Benchmark, cpuUs, quantile, round } from './result.ts';
import { inTemporaryFolder } from './temporary-folder.ts';

const TAGS = 1000;
const STRETCH_SECONDS = 300;
const BURST_SAMPLES = 4_000_000;
const RATE_PER_S = 100_000;
const FLUSH_MS = 50;
const TICK_MS = 5;

const LOG: Log = {
  ...silentLog,
  warn: (_, message) => console.error(message),
  error: (fields, message) => console.error(message, fields),
};

/** Pushes the plant over and over, each round later than the one before. */
class Source {
  readonly #ring: Ring;
  readonly #stretch: Stretch;
  #at = 0;
  #shiftMs = 0;

  constructor(ring: Ring, stretch: Stretch, startMs: number) {
    this.#ring = ring;
    this.#stretch = stretch;
    this.#shiftMs = startMs - Math.floor((stretch.timesMs[0] as number) / 1000) * 1000;
  }

  /** Pushes as many samples, or as many as there is room for; returns how many. */
  push(atMost: number): number {
    const { timesMs, numbers, status, tags } = this.#stretch;
    let pushed = 0;
    while (pushed < atMost && this.#ring.hasRoom(1)) {
      if (this.#at === timesMs.length) {
        this.#at = 0;
        this.#shiftMs += STRETCH_SECONDS * 1000;
      }
      const at = this.#at++;
      const timeMs = timesMs[at] as number;
      if (Number.isNaN(timeMs)) continue;
      this.#ring.pushNumber(
        ((at % tags) + 1) as SeriesId,
        (timeMs + this.#shiftMs) as UnixMs,
        numbers[at] as number,
        status[at] as StatusCode,
      );
      pushed++;
    }
    this.#ring.publish();
    return pushed;
  }
}

/** Fills the ring as fast as the store takes it; samples a second, and main thread ns a sample while pushing. */
async function burst(
  store: StoreClient,
  ring: Ring,
  source: Source,
): Promise<{ perSecond: number; pushNs: number; cpuUsPerSample: number }> {
  const [startMs, startUs] = [performance.now(), cpuUs()];
  let pushed = 0;
  let pushMs = 0;
  while (pushed < BURST_SAMPLES) {
    const beforeMs = performance.now();
    const some = source.push(8_000);
    pushMs += performance.now() - beforeMs;
    pushed += some;
    if (ring.backlog > ring.slots / 4) store.relieve();
    await new Promise((resolve) => (some < 8_000 ? setTimeout(resolve, 1) : setImmediate(resolve)));
  }
  await store.durable(ring.head);
  return {
    perSecond: (pushed / (performance.now() - startMs)) * 1000,
    pushNs: (pushMs / pushed) * 1e6,
    cpuUsPerSample: (cpuUs() - startUs) / pushed,
  };
}

interface Steady {
  readonly lagMs: readonly number[];
  readonly loopP99Ms: number;
  readonly dropped: number;
}

/** The plant at its rate, in ticks; every tick is marked until it is durable. Without a store only the loop's own delay is measured. */
async function steady(seconds: number, source?: { store: StoreClient; ring: Ring; source: Source }): Promise<Steady> {
  const lagMs: number[] = [];
  const marks: { sequence: Sequence; atMs: number }[] = [];
  const waits: Promise<void>[] = [];
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  let dropped = 0;
  let due = 0;
  let flushMs = performance.now();
  const startMs = performance.now();
  while (performance.now() - startMs < seconds * 1000) {
    const target = Math.floor(((performance.now() - startMs) / 1000) * RATE_PER_S);
    if (source) {
      const { ring, store } = source;
      dropped += target - due - source.source.push(target - due);
      marks.push({ sequence: ring.head, atMs: performance.now() });
      const { durable } = ring;
      while (marks[0] && marks[0].sequence <= durable) lagMs.push(performance.now() - (marks.shift() as { atMs: number }).atMs);
      if (performance.now() - flushMs >= FLUSH_MS) {
        waits.push(store.durable(ring.head));
        flushMs += FLUSH_MS;
      }
    }
    due = target;
    await new Promise((resolve) => setTimeout(resolve, TICK_MS));
  }
  delay.disable();
  await Promise.all(waits);
  return { lagMs, loopP99Ms: delay.percentile(99) / 1e6, dropped };
}

export const benchmark: Benchmark = {
  title: 'ring to durable through the store worker',
  run([seconds = '20']) {
    return inTemporaryFolder(async (dataDir) => {
      const plant = new ReferencePlant({ tags: TAGS });
      const ring = new Ring();
      const store = new StoreClient({
        dataDir,
        ring,
        retention: {},
        profile: 'balanced',
        clock: systemClock,
        log: LOG,
        spawn: (workerData) => spawnWorker({ source: 'store/worker.ts', bundle: 'store-worker.js' }, { workerData }),
        spawnQuery: (workerData) =>
          spawnWorker(
            { source: 'store/query-worker.ts', bundle: 'store-query-worker.js' },
            { workerData, transferList: [workerData.store] },
          ),
      });
      await store.start();
      for (const [tag, def] of definitionsOf(plant).entries()) ring.pushDefinition((tag + 1) as SeriesId, def);
      await store.durable(ring.head);
      const { engine } = await store.telemetry.stats();
      const source = new Source(ring, plant.next(STRETCH_SECONDS), systemClock.now() - 86_400_000);
      await burst(store, ring, source); // warms the compiler up on both sides
      const fast = await burst(store, ring, source);
      const alone = await steady(Number(seconds) / 4);
      const loaded = await steady(Number(seconds), { store, ring, source });
      await store.durable(ring.head);
      await store.stop();
      console.log(`  engine: ${engine}`);
      const lag = (share: number) => round(quantile(loaded.lagMs, share), 1);
      return {
        metrics: {
          samples_per_s: Math.round(fast.perSecond),
          push_ns: round(fast.pushNs, 1),
          cpu_us_per_sample: round(fast.cpuUsPerSample),
          lag_ms: [lag(0.5), lag(0.99), lag(1)],
          loop_delay_p99_ms: [round(alone.loopP99Ms, 2), round(loaded.loopP99Ms, 2)],
          dropped: loaded.dropped,
        },
        goal: { samples_per_s: 1_000_000, push_ns: 25, dropped: 0 },
        atLeast: ['samples_per_s'],
      };
    });
  },
};
