/**
 * Integers that scatter around a slowly moving centre, as sensors do. The centre is followed to a fraction of a step, and
 * each value costs what a normal (or Laplace) distribution around it says: there are no frequencies to store.
 *
 *   base signed | shift u8 | gain exponent + 8 × phase u8 | shape × 24 + width u8 |
 *   escapes varint, their offsets zigzag as a packed stream | rANS stream of offsets | low bits: `shift` each, to a whole byte
 *
 * value = base + step × 2^shift + low bits. Steps come in groups of four; within one the centre moves on a straight line
 * that is corrected after it by the mean error (C. C. Holt, "Forecasting seasonals and trends by exponentially weighted
 * moving averages", 1957).
 */
import { packBits, packedBytes, packedWords } from './bit-pack.ts';
import type { ByteWriter } from './bytes.ts';
import { CENTRE_BITS, centre, follow, GAIN_EXPONENTS, GROUP, HALF, LEVEL, PHASE_SHIFT, SLOPE } from './centre.ts';
import { ESCAPE, noiseTable, PHASE_STRIDE, PHASES, REACH, SHAPE_COUNT, WIDTHS, widthIndex } from './normal-tables.ts';
import { encodePacked } from './packed-stream.ts';
import { encodeSymbols } from './rans.ts';
import { Scratch } from './scratch.ts';
import { zigzag } from './zigzag.ts';

/** Steps beyond ±2^18 would not leave room for them. */
const FARTHEST = 2 ** 18;
/** Deviations above this many steps go to the low bits: REACH is 4.4 times as far. */
const WIDEST = 5.5;
/** Samples on which the size is estimated. */
const TRIAL = 512;
const MEAN_TO_STANDARD = 1.2533;
/** log2 of this many standard deviations is the entropy of a normal distribution: √(2πe). */
const NORMAL_ENTROPY = 4.1327;
const HEADER_BYTES = 18;
/** Outliers make the first look too high by this factor and more. */
const DOUBT = 1.3;

export interface NoisePlan {
  readonly base: number;
  readonly phase: number;
  readonly gainExponent: number;
  readonly shift: number;
  readonly shape: number;
  readonly width: number;
  /** How many values the codes in `codes` are of. */
  readonly collected: number;
  readonly sizeBytes: number;
}

const codes = new Scratch((length) => new Uint16Array(length));
const sums = new Scratch((length) => new Float64Array(length));
/** Offsets beyond REACH, in order. */
const far: number[] = [];
const low = new Scratch((length) => new Uint32Array(length));
const words = new Scratch((length) => new Uint32Array(length));
const histogram = new Int32Array(PHASES * PHASE_STRIDE);
const gains = Float64Array.from({ length: GAIN_EXPONENTS }, (_, exponent) => 2 ** -exponent);
const slopeGains = gains.map((gain) => (gain * gain) / (4 * GROUP));
const levels = new Float64Array(GAIN_EXPONENTS);
const slopes = new Float64Array(GAIN_EXPONENTS);
const errors = new Float64Array(GAIN_EXPONENTS);
const usedCodes = new Int32Array(PHASES * PHASE_STRIDE);
let used = 0;

/** Where the centre starts: a whole step, and eighths of one. */
function startOf(values: Float64Array, count: number, smallest: number): { readonly base: number; readonly eighths: number } {
  const start = Math.min(count, 2 * GROUP);
  let sum = 0;
  for (let i = 0; i < start; i++) sum += (values[i] as number) - smallest;
  const eighths = Math.round((sum / start) * PHASES);
  return { base: smallest + Math.floor(eighths / PHASES), eighths };
}

interface Range {
  readonly smallest: number;
  readonly largest: number;
}

function isTooFar({ smallest, largest }: Range, base: number, shift: number): boolean {
  return Math.max(largest - base, base - smallest) >= FARTHEST * 2 ** shift;
}

/**
 * Plans values[0…count), integers whose smallest and largest are given; undefined when they lie too far apart, or when a
 * first look says that they take more than `worthBytes`.
 */
export function planNoise(values: Float64Array, count: number, range: Range, worthBytes: number): NoisePlan | undefined {
  const { base, eighths } = startOf(values, count, range.smallest);
  const gainExponent = chooseGain(values, count, base);
  const deviation = MEAN_TO_STANDARD * meanError(values, Math.min(count, TRIAL), base, 2 ** -gainExponent);
  const shift = deviation <= WIDEST ? 0 : Math.ceil(Math.log2(deviation / WIDEST));
  if (shift > 31 || isTooFar(range, base, shift)) return undefined;
  if ((Math.log2(deviation * NORMAL_ENTROPY) * count) / 8 > worthBytes * DOUBT) return undefined;
  const phase = shift === 0 ? eighths % PHASES : 0;
  const trial = count <= 2 * TRIAL ? count : TRIAL;
  collectCodes(values, trial, { base, phase, shift, gainExponent });
  const { shape, width, bits } = chooseTable(widthIndex(deviation / 2 ** shift));
  return {
    base,
    phase,
    gainExponent,
    shift,
    shape,
    width,
    collected: trial,
    sizeBytes: HEADER_BYTES + ((bits / trial + shift) * count) / 8,
  };
}

/** The same with the gain, shift and shape of an earlier plan and a width near to its one; undefined when the values lie too far apart. */
export function planNoiseAgain(
  values: Float64Array,
  count: number,
  range: Range,
  before: Pick<NoisePlan, 'gainExponent' | 'shift' | 'shape' | 'width'>,
): NoisePlan | undefined {
  const { gainExponent, shift, shape } = before;
  const { base, eighths } = startOf(values, count, range.smallest);
  if (isTooFar(range, base, shift)) return undefined;
  const phase = shift === 0 ? eighths % PHASES : 0;
  collectCodes(values, count, { base, phase, shift, gainExponent });
  listUsedCodes();
  const { width, bits } = narrowOrWiden(shape, before.width);
  return { base, phase, gainExponent, shift, shape, width, collected: count, sizeBytes: HEADER_BYTES + (bits + shift * count) / 8 };
}

/** The gain at which the means of groups lie nearest to the centre. */
function chooseGain(values: Float64Array, count: number, base: number): number {
  const groups = Math.floor(count / GROUP);
  const sum = sums.atLeast(groups);
  for (let group = 0; group < groups; group++) {
    let total = 0;
    for (let i = group * GROUP; i < (group + 1) * GROUP; i++) total += (values[i] as number) - base;
    sum[group] = total;
  }
  // All gains in one pass, for each step of one must wait for the step before: `follow` for six centres.
  levels.fill(0);
  slopes.fill(0);
  errors.fill(0);
  for (let group = 0; group < groups; group++) {
    const mean = (sum[group] as number) / GROUP;
    for (let exponent = 0; exponent < GAIN_EXPONENTS; exponent++) {
      const level = levels[exponent] as number;
      const slope = slopes[exponent] as number;
      const error = mean - (level + slope * HALF);
      levels[exponent] = level + slope * GROUP + (gains[exponent] as number) * error;
      slopes[exponent] = slope + (slopeGains[exponent] as number) * error;
      errors[exponent] = (errors[exponent] as number) + Math.abs(error);
    }
  }
  let best = 0;
  for (let exponent = 1; exponent < GAIN_EXPONENTS; exponent++) {
    if ((errors[exponent] as number) < (errors[best] as number)) best = exponent;
  }
  return best;
}

/** Mean distance from the centre at one gain. */
function meanError(values: Float64Array, count: number, base: number, gain: number): number {
  let total = 0;
  const groups = Math.max(1, Math.floor(count / GROUP));
  centre.fill(0);
  for (let group = 0; group < groups; group++) {
    let expected = centre[LEVEL] as number;
    const slope = centre[SLOPE] as number;
    let sum = 0;
    for (let i = group * GROUP; i < Math.min(count, (group + 1) * GROUP); i++) {
      const value = (values[i] as number) - base;
      sum += value;
      total += Math.abs(value - expected);
      expected += slope;
    }
    follow(sum, gain);
  }
  return total / Math.min(count, groups * GROUP);
}

/** Fills `codes` (phase × 64 + offset + REACH, or ESCAPE), `far`, `low` and the histogram of codes. */
function collectCodes(values: Float64Array, count: number, plan: Pick<NoisePlan, 'base' | 'phase' | 'shift' | 'gainExponent'>): void {
  const { base, shift } = plan;
  const code = codes.atLeast(count);
  const lowBits = low.atLeast(count);
  const gain = 2 ** -plan.gainExponent;
  const scale = 2 ** -shift;
  const unit = 2 ** shift;
  histogram.fill(0);
  far.length = 0;
  // The centre as `follow` moves it, kept in registers.
  let level = plan.phase / PHASES;
  let drift = 0;
  const driftGain = (gain * gain) / (4 * GROUP);
  for (let from = 0; from < count; from += GROUP) {
    const to = Math.min(count, from + GROUP);
    let at: number = ((level * (1 << CENTRE_BITS)) | 0) + (1 << (PHASE_SHIFT - 1));
    const slope = (drift * (1 << CENTRE_BITS)) | 0;
    let sum = 0;
    for (let i = from; i < to; i++) {
      const difference = (values[i] as number) - base;
      let step = difference | 0;
      if (shift > 0) {
        step = Math.floor(difference * scale) | 0;
        lowBits[i] = difference - step * unit;
      }
      const nearest = at >> CENTRE_BITS;
      const away = (step - nearest) | 0;
      const clipped = Math.max(-REACH, Math.min(REACH, away));
      if (away !== clipped) far.push(away);
      const symbol = (((at >> PHASE_SHIFT) & (PHASES - 1)) << 6) | (away === clipped ? away + REACH : ESCAPE);
      code[i] = symbol;
      histogram[symbol] = (histogram[symbol] as number) + 1;
      sum = (sum + nearest + clipped) | 0;
      at = (at + slope) | 0;
    }
    const error = sum / GROUP - (level + drift * HALF);
    level = level + drift * GROUP + gain * error;
    drift = drift + driftGain * error;
  }
}

/** The codes that the histogram has, in `usedCodes`. */
function listUsedCodes(): void {
  used = 0;
  for (let code = 0; code < histogram.length; code++) if (histogram[code] !== 0) usedCodes[used++] = code;
}

/** What the codes of the histogram take. */
function bitsOf(shape: number, width: number): number {
  const { costBits } = noiseTable(shape, width);
  let bits = 0;
  for (let i = 0; i < used; i++) {
    const code = usedCodes[i] as number;
    bits += (histogram[code] as number) * (costBits[code] as number);
  }
  return bits;
}

/** The cheapest table of a shape, found downhill from a width. */
function narrowOrWiden(shape: number, start: number): { readonly width: number; readonly bits: number } {
  let best = { width: start, bits: bitsOf(shape, start) };
  for (const direction of [-1, 1]) {
    for (let at = best.width + direction; at >= 0 && at < WIDTHS; at += direction) {
      const bits = bitsOf(shape, at);
      if (bits >= best.bits) break;
      best = { width: at, bits };
    }
  }
  return best;
}

/** The cheapest table for the histogram, found downhill from a width. */
function chooseTable(start: number): { shape: number; width: number; bits: number } {
  listUsedCodes();
  let best = { shape: 0, width: start, bits: bitsOf(0, start) };
  for (let shape = 0; shape < SHAPE_COUNT; shape++) {
    for (const direction of [-1, 1]) {
      const from: number = best.width;
      for (let at = from; at >= 0 && at < WIDTHS; at += direction) {
        const bits = bitsOf(shape, at);
        if (bits > best.bits) break;
        best = { shape, width: at, bits };
      }
    }
  }
  return best;
}

/** Writes values[0…count) as the plan just made for them says. */
export function encodeNoise(writer: ByteWriter, values: Float64Array, count: number, plan: NoisePlan): void {
  const whole = plan.collected === count;
  if (!whole) collectCodes(values, count, plan);
  const { shape, width } = whole ? plan : chooseTable(plan.width);
  const table = noiseTable(shape, width);
  const { frequency } = table;
  const code = codes.atLeast(count);
  const escapes: number[] = [];
  let beyond = 0;
  for (let i = 0; i < count; i++) {
    const symbol = code[i] as number;
    const place = symbol & (PHASE_STRIDE - 1);
    if (place !== ESCAPE && frequency[symbol] !== 0) continue;
    escapes.push(zigzag(place === ESCAPE ? (far[beyond++] as number) : place - REACH));
    code[i] = symbol - place + ESCAPE;
  }
  writer.signed(plan.base);
  writer.u8(plan.shift);
  writer.u8(plan.gainExponent + 8 * plan.phase);
  writer.u8(shape * WIDTHS + width);
  writer.varint(escapes.length);
  encodePacked(writer, Uint32Array.from(escapes), escapes.length);
  encodeSymbols(writer, code, count, table);
  if (plan.shift === 0) return;
  const packed = words.atLeast(packedWords(count, plan.shift));
  packBits(low.atLeast(count), count, plan.shift, packed);
  writer.append(new Uint8Array(packed.buffer, 0, packedBytes(count, plan.shift)));
}
