/** Feeds the reference plant to an engine through a ring, on a clock of its own, and counts what each part of the work costs. */
import type { Clock } from '../src/core/clock.ts';
import { systemClock } from '../src/core/clock.ts';
import { Ring } from '../src/core/ring.ts';
import type { StatusCode } from '../src/core/status.ts';
import type { Sequence, SeriesDef, SeriesId } from '../src/core/tag.ts';
import type { UnixMs } from '../src/core/time.ts';
import type { Engine } from '../src/store/engine.ts';
import { type ReferencePlant, START_MS, type Stretch } from './reference-data.ts';
import { cpuUs } from './result.ts';
import { StepTimes } from './step-times.ts';

/** Wall time as the feed says; intervals are real, so that steps of background work are as long as ever. */
export class PlantClock implements Clock {
  nowMs = START_MS;

  now(): UnixMs {
    return this.nowMs as UnixMs;
  }

  monotonicMs = systemClock.monotonicMs;
  sleep = systemClock.sleep;
}

/** Series of the plant's tags, in order. */
export function definitionsOf(plant: ReferencePlant): readonly SeriesDef[] {
  return plant.tags.map(({ signal, ...hint }, tag) => ({
    tenant: 'default',
    source: 'plc',
    asset: `machine-${Math.floor(tag / 50)}`,
    tag: `tag-${String(tag).padStart(4, '0')}`,
    valueType: signal.endsWith('f32') ? 'f32' : signal === 'switch' ? 'bool' : 'f64',
    generation: 1,
    ...hint,
  }));
}

/** Pushes one second of a stretch; returns how many samples it had. The ring has room for it. */
export function pushSecond(ring: Ring, { tags, timesMs, numbers, status }: Stretch, second: number): number {
  let pushed = 0;
  for (let at = second * tags, series = 1; series <= tags; at++, series++) {
    const timeMs = timesMs[at] as number;
    if (Number.isNaN(timeMs)) continue;
    ring.pushNumber(series as SeriesId, timeMs as UnixMs, numbers[at] as number, status[at] as StatusCode);
    pushed++;
  }
  ring.publish();
  return pushed;
}

export interface FeedOptions {
  /** Seconds of the plant between two commits. */
  readonly flushSeconds: number;
  readonly steps?: StepTimes;
}

export class PlantFeed {
  readonly ring = new Ring();
  readonly #engine: Engine;
  readonly #clock: PlantClock;
  readonly #flushSeconds: number;
  #read = 0 as Sequence;
  samples = 0;
  /** CPU time of writing and syncing, and of the work in the background, in µs. */
  writeUs = 0;
  backgroundUs = 0;
  /** Of the work in the background, in ms of real time; its hook is for the engine. */
  readonly steps: StepTimes;

  constructor(engine: Engine, clock: PlantClock, { flushSeconds, steps = new StepTimes() }: FeedOptions) {
    this.steps = steps;
    this.#engine = engine;
    this.#clock = clock;
    this.#flushSeconds = flushSeconds;
  }

  /** Opens the engine and makes the plant's series known. */
  async open(plant: ReferencePlant): Promise<void> {
    const { next } = await this.#engine.open();
    this.ring.startAt(next);
    this.#read = next;
    for (const [tag, def] of definitionsOf(plant).entries()) {
      if (!this.ring.pushDefinition((tag + 1) as SeriesId, def)) throw new Error('the ring is too small for the definitions');
    }
    this.ring.publish();
    await this.#commit();
  }

  /** Feeds a stretch of the plant, committing and working in the background as a daemon would. `startMs` is when it begins. */
  async feed(stretch: Stretch, startMs: number): Promise<void> {
    for (let second = 0; second < stretch.seconds; second++) {
      this.samples += pushSecond(this.ring, stretch, second);
      this.#clock.nowMs = startMs + second * 1000 + 999;
      if ((second + 1) % this.#flushSeconds === 0) await this.#commit();
      if ((second + 1) % 10 === 0) await this.settle();
    }
    await this.#commit();
  }

  /** Works in the background until nothing is left. */
  async settle(): Promise<void> {
    const before = cpuUs();
    for (let more = true; more; ) {
      this.steps.begin();
      more = await this.#engine.expire();
      this.steps.end();
    }
    this.backgroundUs += cpuUs() - before;
  }

  async #commit(): Promise<void> {
    const before = cpuUs();
    this.#read = await this.#engine.write(this.ring, this.#read, this.ring.head);
    await this.#engine.sync();
    this.writeUs += cpuUs() - before;
    this.ring.setWritten(this.#read);
  }
}
