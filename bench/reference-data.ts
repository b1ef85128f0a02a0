/**
 * The reference plant of the store's benchmarks: 1,000 tags read once a second, deterministic. 200 temperatures in tenths,
 * 200 the same as 32-bit floats, 100 noisy 32-bit and 50 noisy 64-bit signals, 100 analogue inputs (raw × gain + offset),
 * 100 counters, 200 switches, 50 set-points. The first 700 are polled in groups of 50 with one timestamp, the others bring
 * their own; 3 ms of jitter, 1 % of polls 20–200 ms late, 0.1 % missing, rare bursts of bad quality.
 */

export type SignalClass = 'temperature' | 'temperature f32' | 'noisy f32' | 'noisy f64' | 'analogue' | 'counter' | 'switch' | 'set-point';

/** Some seconds of the plant in order of arrival: the sample of a tag in a second lies at second × tags + tag. */
export interface Stretch {
  readonly tags: number;
  readonly seconds: number;
  /** NaN where a poll is missing. */
  readonly timesMs: Float64Array;
  readonly numbers: Float64Array;
  readonly status: Uint32Array;
}

export interface ReferenceSeries {
  readonly signal: SignalClass;
  readonly timesMs: Float64Array;
  readonly numbers: Float64Array;
  readonly status: Uint32Array;
  /** What the tag's configuration would say. */
  readonly scale?: number;
  readonly offset?: number;
}

export interface ReferenceOptions {
  readonly tags?: number;
  readonly seconds?: number;
  readonly seed?: number;
}

const SHARES: readonly (readonly [SignalClass, number])[] = [
  ['temperature', 200],
  ['temperature f32', 200],
  ['noisy f32', 100],
  ['noisy f64', 50],
  ['analogue', 100],
  ['counter', 100],
  ['switch', 200],
  ['set-point', 50],
];
const GROUPED_PER_MILLE = 700;
const GROUP_SIZE = 50;
export const START_MS = Date.UTC(2026, 0, 5);
const PERIOD_MS = 1000;
const JITTER_MS = 3;
/** The first poll of a second; with it no jitter reaches back into the second before. */
const PHASE_MS = 20;
const LATE_SHARE = 0.01;
const MISSING_SHARE = 0.001;
const BAD_BURST_SHARE = 0.000025;
const BAD = 0x8000_0000;

/** Small Fast Counting generator (C. Doty-Humphrey, PractRand), 32 bits. */
export class Random {
  readonly #state = new Uint32Array(4);
  #spare: number | undefined;

  constructor(seed: number) {
    this.#state.set([seed, 0x9e37_79b9, 0x243f_6a88, 1]);
    for (let i = 0; i < 15; i++) this.u32();
  }

  u32(): number {
    const [a = 0, b = 0, c = 0, counter = 0] = this.#state;
    const result = (a + b + counter) >>> 0;
    this.#state[0] = b ^ (b >>> 9);
    this.#state[1] = c + (c << 3);
    this.#state[2] = ((c << 21) | (c >>> 11)) + result;
    this.#state[3] = counter + 1;
    return result;
  }

  /** An integer of 0…n − 1. */
  below(n: number): number {
    return this.u32() % n;
  }

  /** 0 ≤ x < 1. */
  unit(): number {
    return this.u32() / 2 ** 32;
  }

  /** Standard normal (Marsaglia's polar method). */
  normal(): number {
    if (this.#spare !== undefined) {
      const spare = this.#spare;
      this.#spare = undefined;
      return spare;
    }
    for (;;) {
      const x = this.unit() * 2 - 1;
      const y = this.unit() * 2 - 1;
      const square = x * x + y * y;
      if (square >= 1 || square === 0) continue;
      const factor = Math.sqrt((-2 * Math.log(square)) / square);
      this.#spare = y * factor;
      return x * factor;
    }
  }
}

/** Classes are spread over the tags, so that poll groups mix them. */
function classOf(tag: number, tags: number): SignalClass {
  const place = (((tag * 617) % tags) / tags) * 1000;
  let above = 0;
  for (const [signal, share] of SHARES) {
    above += share;
    if (place < above) return signal;
  }
  return 'temperature';
}

interface Signal {
  readonly next: (timeMs: number) => number;
  readonly scale?: number;
  readonly offset?: number;
}

function signalOf(signal: SignalClass, random: Random): Signal {
  const base = 20 + random.unit() * 60;
  const noise = signal.startsWith('temperature') ? 0.02 + 0.13 * random.unit() : 0.02 + 0.3 * random.unit();
  const swing = 1 + 5 * random.unit();
  const phase = random.unit() * 2 * Math.PI;
  let drift = 0;
  const wander = (step: number, pull: number): number => {
    drift += step * random.normal() - drift * pull;
    return drift;
  };
  switch (signal) {
    case 'temperature':
    case 'temperature f32':
      return {
        next: (timeMs) => {
          const value = base + swing * Math.sin((timeMs / 3.6e6) * 0.7 + phase) + wander(0.004, 0.0005) + noise * random.normal();
          const tenths = Math.round(value * 10) / 10;
          return signal === 'temperature' ? tenths : Math.fround(tenths);
        },
      };
    case 'noisy f32':
      return {
        next: (timeMs) =>
          Math.fround(base / 10 + 0.2 * Math.sin(timeMs / 6e5 + phase) + wander(0.01, 0.001) * 0.1 + noise * 0.1 * random.normal()),
      };
    case 'noisy f64':
      return { next: (timeMs) => base * 10 + swing * Math.sin(timeMs / 6e5 + phase) + wander(0.01, 0.001) + noise * random.normal() };
    case 'analogue': {
      const scale = (150 / 27648) * (0.5 + random.unit());
      const offset = -10 * random.unit();
      const raw = (timeMs: number): number =>
        Math.round(13000 + 3000 * Math.sin((timeMs / 3.6e6) * 2 + phase) + wander(0.5, 0.002) + 2.5 * random.normal());
      return { next: (timeMs) => Math.max(0, Math.min(27648, raw(timeMs))) * scale + offset, scale, offset };
    }
    case 'counter':
      return counter(random);
    case 'switch':
    case 'set-point':
      return held(signal, random);
  }
}

function counter(random: Random): Signal {
  let count = random.below(1e6);
  const rate = random.unit() < 0.3 ? 0.02 : random.unit() * 5;
  return {
    next: () => {
      if (rate < 0.1) count += random.unit() < rate ? 1 : 0;
      else count += Math.max(0, Math.round(rate + 0.5 * random.normal()));
      if (random.unit() < 2e-6) count = 0;
      return count;
    },
  };
}

function held(signal: 'switch' | 'set-point', random: Random): Signal {
  const setPoint = (): number => Math.round(random.unit() * 200) / 2;
  let value = signal === 'switch' ? random.below(2) : setPoint();
  return {
    next: () => {
      if (signal === 'switch') {
        if (random.unit() < 0.002) value = 1 - value;
      } else if (random.unit() < 0.0008) {
        value = setPoint();
      }
      return value;
    },
  };
}

/** When one poller polls. */
class Polls {
  readonly #random: Random;
  readonly #phaseMs: number;

  constructor(random: Random, phaseMs: number) {
    this.#random = random;
    this.#phaseMs = PHASE_MS + phaseMs;
  }

  /** The time of the poll in a second (counted from the start); NaN when it is missing. */
  next(second: number): number {
    const late = this.#random.unit() < LATE_SHARE;
    const jitterMs = late ? Math.floor(20 + 180 * this.#random.unit()) : Math.round(JITTER_MS * this.#random.normal());
    return this.#random.unit() < MISSING_SHARE ? Number.NaN : START_MS + second * PERIOD_MS + this.#phaseMs + jitterMs;
  }
}

interface Tag {
  readonly signalClass: SignalClass;
  readonly signal: Signal;
  /** Absent: the tag is polled with the one before it. */
  readonly polls: Polls | undefined;
  readonly random: Random;
  bad: number;
}

/** The plant as it runs: each call of `next` goes on where the one before ended. */
export class ReferencePlant {
  readonly #tags: readonly Tag[];
  #second = 0;

  constructor({ tags = 1000, seed = 1 }: Omit<ReferenceOptions, 'seconds'> = {}) {
    const grouped = Math.floor((tags * GROUPED_PER_MILLE) / 1000);
    this.#tags = Array.from({ length: tags }, (_, tag) => {
      const random = (use: number) => new Random(seed * 7919 + (3 * tag + use) * 104_729 + 1);
      const group = Math.floor(tag / GROUP_SIZE);
      const isFirst = tag >= grouped || tag % GROUP_SIZE === 0;
      const signalClass = classOf(tag, tags);
      return {
        signalClass,
        signal: signalOf(signalClass, random(0)),
        polls: isFirst ? new Polls(random(1), tag < grouped ? group * 17 : (tag % 37) * 5) : undefined,
        random: random(2),
        bad: 0,
      };
    });
  }

  /** What each tag's configuration would say. */
  get tags(): readonly Pick<ReferenceSeries, 'signal' | 'scale' | 'offset'>[] {
    return this.#tags.map(({ signalClass, signal: { next: _, ...hint } }) => ({ signal: signalClass, ...hint }));
  }

  /** The next seconds, of all tags or the first ones. */
  next(seconds: number, tags: number = this.#tags.length): Stretch {
    const timesMs = new Float64Array(seconds * tags);
    const numbers = new Float64Array(seconds * tags);
    const status = new Uint32Array(seconds * tags);
    for (let tag = 0; tag < tags; tag++) {
      const { signal, polls, random } = this.#tags[tag] as Tag;
      for (let second = 0; second < seconds; second++) {
        const at = second * tags + tag;
        const now = this.#second + second;
        timesMs[at] = polls ? polls.next(now) : (timesMs[at - 1] as number);
        numbers[at] = signal.next(START_MS + now * PERIOD_MS);
        status[at] = this.#isBad(tag, random) ? BAD : 0;
      }
    }
    this.#second += seconds;
    return { tags, seconds, timesMs, numbers, status };
  }

  #isBad(index: number, random: Random): boolean {
    const tag = this.#tags[index] as Tag;
    if (tag.bad > 0) tag.bad--;
    else if (random.unit() < BAD_BURST_SHARE) tag.bad = 1 + random.below(40);
    return tag.bad > 0;
  }
}

/** 1,000 tags and an hour unless told otherwise. */
export function referenceSeries({ seconds = 3600, ...plant }: ReferenceOptions = {}): ReferenceSeries[] {
  const reference = new ReferencePlant(plant);
  const { tags, timesMs, numbers, status } = reference.next(seconds);
  return reference.tags.map((config, tag) => {
    const polls = Array.from({ length: seconds }, (_, second) => second * tags + tag).filter((at) => !Number.isNaN(timesMs[at]));
    const pick = (column: Float64Array | Uint32Array) => (at: number) => column[at] as number;
    return {
      ...config,
      timesMs: Float64Array.from(polls, pick(timesMs)),
      numbers: Float64Array.from(polls, pick(numbers)),
      status: Uint32Array.from(polls, pick(status)),
    };
  });
}
