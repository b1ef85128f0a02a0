/** Seeded plant data and worse, for the codec's tests and for `scripts/fuzz-codec.ts`. */

/** Small Fast Counting generator (C. Doty-Humphrey, PractRand), 32 bits. */
export class Random {
  #a: number;
  #b = 0x9e37_79b9 | 0;
  #c = 0x243f_6a88;
  #counter = 1;

  constructor(seed: number) {
    this.#a = seed | 0;
    for (let i = 0; i < 15; i++) this.u32();
  }

  u32(): number {
    const result = (this.#a + this.#b + this.#counter) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + result) | 0;
    this.#counter = (this.#counter + 1) | 0;
    return result >>> 0;
  }

  /** An integer of 0…n − 1. */
  below(n: number): number {
    return this.u32() % n;
  }

  unit(): number {
    return this.u32() / 2 ** 32;
  }

  /** About normal: the sum of twelve. */
  normal(): number {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += this.unit();
    return sum;
  }

  pick<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }
}

export const SPECIALS: readonly number[] = [
  0,
  -0,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  Number.NEGATIVE_INFINITY,
  Number.MIN_VALUE,
  -Number.MIN_VALUE,
  2.2250738585072014e-308,
  Number.MAX_VALUE,
  -Number.MAX_VALUE,
  2 ** 51,
  2 ** 53,
  -(2 ** 53),
  2 ** 53 + 2,
  2 ** 63,
  1e22,
  1e-7,
  0.1,
  0.3,
  1 / 3,
  Math.fround(0.1),
  Math.fround(1e-40),
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  -1,
];

const bits = new DataView(new ArrayBuffer(8));

function anyBits(random: Random): number {
  bits.setUint32(0, random.u32());
  bits.setUint32(4, random.u32());
  return bits.getFloat64(0);
}

/** A source of successive values, and the lattice that the tag's configuration would name. */
export interface Signal {
  readonly next: () => number;
  readonly hint?: { readonly scale: number; readonly offset: number };
}

type SignalMaker = (random: Random) => Signal;

function walk(random: Random, step: number, noise: number): () => number {
  let level = random.normal() * 50;
  return () => {
    level += step * random.normal();
    return level + noise * random.normal();
  };
}

function analogue(random: Random, single: boolean): Signal {
  const scale = single ? Math.fround(random.unit()) : random.unit() * 0.01;
  const offset = single ? Math.fround(random.normal() * 10) : random.normal() * 10;
  const raw = walk(random, 3, 2);
  const next = (): number => Math.round(raw() * 100) * scale + offset;
  return { next: single ? () => Math.fround(next()) : next, hint: { scale, offset } };
}

function countUp(random: Random, step: () => number): Signal {
  let count = random.below(1e6);
  return {
    next: () => {
      count = random.unit() < 1e-4 ? 0 : count + step();
      return count;
    },
  };
}

/** By name, so that a failure says which. */
export const SIGNALS: Readonly<Record<string, SignalMaker>> = {
  'tenths that wander': (random) => {
    const level = walk(random, 0.01, 0.05 + 0.2 * random.unit());
    return { next: () => Math.round(level() * 10) / 10 };
  },
  'tenths that wander, f32': (random) => {
    const level = walk(random, 0.01, 0.1);
    return { next: () => Math.fround(Math.round(level() * 10) / 10) };
  },
  'hundredths that jump': (random) => ({ next: () => Math.round(random.normal() * 5000) / 100 }),
  'up to six places': (random) => ({ next: () => Math.round(random.unit() * 1e9) / 10 ** random.below(7) }),
  'noisy f32': (random) => {
    const level = walk(random, 0.01, 0.1);
    return { next: () => Math.fround(level()) };
  },
  'noisy f64': (random) => ({ next: walk(random, 0.01, 0.1) }),
  analogue: (random) => analogue(random, false),
  'analogue f32': (random) => analogue(random, true),
  'analogue without configuration': (random) => ({ next: analogue(random, false).next }),
  'tens of whole': (random) => ({ next: () => 10 * Math.round(random.normal() * 100) }),
  'counter, slow': (random) => countUp(random, () => (random.unit() < 0.02 ? 1 : 0)),
  'counter, fast': (random) => countUp(random, () => Math.max(0, Math.round(4 + random.normal()))),
  'energy, steady': (random) => countUp(random, () => 1000 + random.below(3)),
  ramp: (random) => {
    let [level, slope] = [0, random.below(100)];
    return {
      next: () => {
        slope += random.below(3) - 1;
        level += slope;
        return level;
      },
    };
  },
  bool: (random) => ({ next: () => (random.unit() < 0.5 ? 0 : 1) }),
  'set-point': (random) => ({ next: () => Math.round(random.unit() * 8) / 2 }),
  'few distinct': (random) => {
    const levels = Array.from({ length: 5 }, () => anyBits(random));
    return { next: () => random.pick(levels) };
  },
  'heavy tails': (random) => ({ next: () => Math.round(1 / (random.unit() + 1e-9)) * (random.unit() < 0.5 ? -1 : 1) }),
  u32: (random) => ({ next: () => random.u32() }),
  'whole, 53 bits': (random) => ({ next: () => Math.floor(random.unit() * 2 ** 53) * (random.unit() < 0.5 ? -1 : 1) }),
  'whole, 50 bits': (random) => ({ next: () => Math.round(random.normal() * 1e15) }),
  tiny: (random) => ({ next: () => random.normal() * 1e-310 }),
  huge: (random) => ({ next: () => random.normal() * 1e300 }),
  'any bits': (random) => ({ next: () => anyBits(random) }),
  specials: (random) => ({ next: () => random.pick(SPECIALS) }),
};

/** Values of a signal, some of them repeated, some special, some missing for a while. */
export function mixedNumbers(random: Random, signal: Signal, count: number): Float64Array {
  const repeats = random.unit() < 0.3 ? 0.95 : 0;
  const specials = random.unit() < 0.4 ? 0.02 * random.unit() : 0;
  const gaps = random.unit() < 0.3 ? 0.01 : 0;
  const numbers = new Float64Array(count);
  let missing = 0;
  for (let i = 0; i < count; i++) {
    if (missing === 0 && random.unit() < gaps) missing = 1 + random.below(100);
    if (missing > 0) {
      missing--;
      numbers[i] = Number.NaN;
    } else if (i > 0 && random.unit() < repeats) numbers[i] = numbers[i - 1] as number;
    else if (random.unit() < specials) numbers[i] = random.unit() < 0.5 ? random.pick(SPECIALS) : anyBits(random);
    else numbers[i] = signal.next();
  }
  return numbers;
}

/** Mostly Good, with bursts, or anything. */
export function mixedStatuses(random: Random, count: number): Uint32Array {
  const status = new Uint32Array(count);
  const kind = random.below(4);
  if (kind === 0) return status.fill(random.pick([0, 0x4000_0000, 0x8000_0000, 0xffff_ffff]));
  if (kind === 1) return status.map(() => random.u32());
  if (kind === 2) return status;
  let code = 0;
  return status.map(() => {
    if (random.unit() < 0.02) code = random.pick([0, 0, 0x408f_0000, 0x8000_0000, 0x800a_0000]);
    return code;
  });
}

/** Ascending times: a jittered grid with gaps, steps at random, or leaps through the whole range. */
export function mixedTimes(random: Random, count: number): Float64Array {
  const times = new Float64Array(count);
  const period = random.pick([1, 10, 100, 250, 1000, 1009, 60_000, 86_400_000]);
  const start = random.unit() < 0.1 ? -8.6e15 : Math.floor(random.normal() * 1e12);
  const kind = random.below(3);
  let time = start;
  for (let i = 0; i < count; i++) {
    if (kind === 0) {
      const jitter = Math.round(random.normal() * period * 0.01);
      const place = start + period * i + jitter;
      time = i === 0 ? start : Math.max(time + 1, place);
      if (random.unit() < 0.005) time += period * random.below(50);
    } else if (kind === 1) {
      time += 1 + random.below(random.unit() < 0.01 ? 2 ** 31 : 5000);
    } else {
      time += 1 + Math.floor(random.unit() ** 8 * 1e13);
    }
    times[i] = Math.min(time, 8.6e15 + i);
  }
  return times;
}

/** Mostly short blocks, some as long as a store cuts them. */
export function blockLength(random: Random): number {
  return 1 + (random.unit() < 0.9 ? random.below(300) : random.below(4000));
}
