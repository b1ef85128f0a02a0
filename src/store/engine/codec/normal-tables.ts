/**
 * Frequency tables for noise around a centre that is known to an eighth of a step: one for each shape, width and eighth.
 * They are part of the format. Nothing but + − × ÷ of IEEE 754 doubles makes them, so every machine makes the same ones.
 */
import { fillSlots, RANS_TOTAL } from './rans.ts';

/** Offsets from the centre's whole step that have a symbol of their own: −REACH…REACH. */
export const REACH = 24;
/** The symbol of any other offset; also of those whose frequency is 0. */
export const ESCAPE = 2 * REACH + 1;
/** Eighths of a step that the centre can stand at. */
export const PHASES = 8;
/** Table index of a symbol: phase × 64 + offset + REACH. */
export const PHASE_STRIDE = 64;
export const WIDTHS = 24;

/** Standard deviations from 0.12 to 6.4 steps, four an octave. */
const NARROWEST = 0.12;
const WIDTH_RATIO = 1.189207115002721;

/** The share of the escape in RANS_TOTAL. Late timestamps are 1 % of all. */
const SHAPES = [
  { tail: 'normal', escapes: 1 },
  { tail: 'normal', escapes: RANS_TOTAL / 64 },
  { tail: 'laplace', escapes: 4 },
] as const;
export const SHAPE_COUNT = SHAPES.length;

export interface NoiseTable {
  readonly frequency: Uint16Array;
  readonly start: Uint16Array;
  readonly reciprocal: Float64Array;
  /** Phase × RANS_TOTAL + slot. */
  readonly slots: Int32Array;
  /** −log2 of the probability; an offset without frequency costs the escape and 16 bits. */
  readonly costBits: Float64Array;
}

const widths = new Float64Array(WIDTHS).fill(NARROWEST);
for (let i = 1; i < WIDTHS; i++) widths[i] = (widths[i - 1] as number) * WIDTH_RATIO;

/** The table width for a standard deviation in steps. */
export function widthIndex(deviation: number): number {
  let index = 0;
  while (index < WIDTHS - 1 && (widths[index + 1] as number) <= deviation) index++;
  return index;
}

/** e^−x for 0 ≤ x < 700: a series for x / 1024, squared ten times. */
function expMinus(x: number): number {
  const y = -x / 1024;
  let result = 1 + y * (1 + (y / 2) * (1 + (y / 3) * (1 + (y / 4) * (1 + y / 5))));
  for (let i = 0; i < 10; i++) result *= result;
  return result;
}

/** The share of a normal distribution between 0 and x ≥ 0 standard deviations: φ(x) · Σ x^(2k+1) / (2k+1)!!. */
function normalShare(x: number): number {
  if (x > 8) return 0.5;
  let term = x;
  let sum = 0;
  for (let k = 3; term > 1e-18; k += 2) {
    sum += term;
    term = (term * x * x) / k;
  }
  return 0.3989422804014327 * expMinus((x * x) / 2) * sum;
}

/** The same of a Laplace distribution. */
function laplaceShare(x: number): number {
  return x > 400 ? 0.5 : 0.5 - 0.5 * expMinus(Math.SQRT2 * x);
}

function buildTable(shape: number, width: number): NoiseTable {
  const { tail, escapes } = SHAPES[shape] as (typeof SHAPES)[number];
  const share = tail === 'normal' ? normalShare : laplaceShare;
  const below = (x: number): number => (x < 0 ? -share(-x / width) : share(x / width));
  const frequency = new Uint16Array(PHASES * PHASE_STRIDE);
  const start = new Uint16Array(PHASES * PHASE_STRIDE);
  const slots = new Int32Array(PHASES * RANS_TOTAL);
  for (let phase = 0; phase < PHASES; phase++) {
    const at = phase * PHASE_STRIDE;
    let left = RANS_TOTAL - escapes;
    for (let offset = -REACH; offset <= REACH; offset++) {
      const from = offset - phase / PHASES;
      const f = Math.floor(Math.max(0, below(from + 0.5) - below(from - 0.5)) * (RANS_TOTAL - escapes));
      frequency[at + offset + REACH] = f;
      left -= f;
    }
    // What rounding left goes to the offset nearest to the centre.
    const nearest = at + REACH + (phase > PHASES / 2 ? 1 : 0);
    frequency[nearest] = (frequency[nearest] as number) + left;
    frequency[at + ESCAPE] = escapes;
    let sum = 0;
    for (let symbol = 0; symbol <= ESCAPE; symbol++) {
      start[at + symbol] = sum;
      sum += frequency[at + symbol] as number;
    }
    fillSlots(frequency.subarray(at, at + ESCAPE + 1), slots.subarray(phase * RANS_TOTAL, (phase + 1) * RANS_TOTAL));
  }
  const costBits = Float64Array.from(frequency, (f) => (f > 0 ? Math.log2(RANS_TOTAL / f) : Math.log2(RANS_TOTAL / escapes) + 16));
  return { frequency, start, reciprocal: Float64Array.from(frequency, (f) => 1 / f), slots, costBits };
}

const tables: (NoiseTable | undefined)[] = [];

/** The table of a shape below SHAPE_COUNT and a width index below WIDTHS; made when first asked for, 42 KB each, 3 MB in all. */
export function noiseTable(shape: number, width: number): NoiseTable {
  const index = shape * WIDTHS + width;
  let table = tables[index];
  if (!table) {
    table = buildTable(shape, widths[width] as number);
    tables[index] = table;
  }
  return table;
}
