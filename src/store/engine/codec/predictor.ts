/** What is foretold of an integer from the ones before it: nothing (order 0), the same step again (1), the same change of step (2). */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { unzigzag, zigzag } from './zigzag.ts';

export type Order = 0 | 1 | 2;

export interface Heads {
  readonly order: Order;
  /** Order 0: the smallest value; else the first. */
  readonly first: number;
  /** Order 1: the usual step; order 2: the first step. */
  readonly step: number;
}

/** Windows of consecutive values from which the sizes of the orders are estimated. */
const WINDOWS = 4;
const WINDOW = 50;
export const SAMPLE_MAX = WINDOWS * (WINDOW - 2);
/** Steps of which the median is taken. */
const STEP_SAMPLES = 31;
const RESIDUAL_LIMIT = 2 ** 32;
const STEP_LIMIT = 2 ** 31;

const sortedSteps = new Float64Array(STEP_SAMPLES);

/** Puts residuals from a few windows of values[0…count) to `codes`; returns how many, 0 when one needs more than 32 bits. */
export function sampleResiduals(values: Float64Array, count: number, { order, first, step: usual }: Heads, codes: Uint32Array): number {
  const windows = count <= WINDOWS * WINDOW ? 1 : WINDOWS;
  const length = Math.min(count, windows === 1 ? SAMPLE_MAX + 2 : WINDOW);
  let sampled = 0;
  for (let window = 0; window < windows; window++) {
    const from = windows === 1 ? 0 : Math.floor(((count - length) * window) / (windows - 1));
    for (let i = from + Math.min(2, count - 1); i < from + length; i++) {
      const value = values[i] as number;
      const step = value - (values[i - 1] as number);
      let residual = value - first;
      if (order === 1) residual = step - usual;
      else if (order === 2) residual = step - ((values[i - 1] as number) - (values[i - 2] as number));
      if (order === 0 ? residual >= RESIDUAL_LIMIT : residual >= STEP_LIMIT || residual < -STEP_LIMIT) return 0;
      codes[sampled++] = order === 0 ? residual : zigzag(residual | 0);
    }
  }
  return sampled;
}

/** The median of a few steps between `count` ≥ 2 values, which a reset does not disturb. */
export function usualStep(values: Float64Array, count: number): number {
  const samples = Math.min(count - 1, STEP_SAMPLES);
  for (let sample = 0; sample < samples; sample++) {
    const at = 1 + Math.floor(((count - 1) * sample) / samples);
    const step = (values[at] as number) - (values[at - 1] as number);
    let place = sample; // sorted in by hand: a call of sort costs as much as a hundred values
    for (; place > 0 && (sortedSteps[place - 1] as number) > step; place--) sortedSteps[place] = sortedSteps[place - 1] as number;
    sortedSteps[place] = step;
  }
  return sortedSteps[samples >> 1] as number;
}

export function headsOf(values: Float64Array, order: Order, smallest: number, usual: number): Heads {
  if (order === 0) return { order, first: smallest, step: 0 };
  const first = values[0] as number;
  return { order, first, step: order === 1 ? usual : (values[1] as number) - first };
}

/** Puts values[order…count) to codes[0…); false when a residual needs more than 32 bits. */
export function toResiduals(values: Float64Array, count: number, heads: Heads, codes: Uint32Array): boolean {
  const { order, first, step } = heads;
  if (order === 0) {
    for (let i = 0; i < count; i++) {
      const residual = (values[i] as number) - first;
      if (residual >= RESIDUAL_LIMIT) return false;
      codes[i] = residual;
    }
    return true;
  }
  let expected = step;
  let before = order === 1 ? first : first + step;
  for (let i = order; i < count; i++) {
    const value = values[i] as number;
    const residual = value - before - expected;
    if (residual >= STEP_LIMIT || residual < -STEP_LIMIT) return false;
    codes[i - order] = zigzag(residual | 0);
    if (order === 2) expected = value - before;
    before = value;
  }
  return true;
}

/** The reverse. */
export function fromResiduals(codes: Uint32Array, heads: Heads, values: Float64Array, count: number): void {
  const { order, first } = heads;
  if (order === 0) {
    for (let i = 0; i < count; i++) values[i] = first + (codes[i] as number);
    return;
  }
  let step = heads.step;
  let value = first;
  values[0] = value;
  if (order === 1) {
    for (let i = 1; i < count; i++) {
      value += step + unzigzag(codes[i - 1] as number);
      values[i] = value;
    }
    return;
  }
  value += step;
  values[1] = value;
  for (let i = 2; i < count; i++) {
    step += unzigzag(codes[i - 2] as number);
    value += step;
    values[i] = value;
  }
}

export function writeHeads(writer: ByteWriter, { order, first, step }: Heads): void {
  writer.signed(first);
  if (order > 0) writer.signed(step);
}

export function readHeads(reader: ByteReader, order: Order): Heads {
  return { order, first: reader.signed(), step: order > 0 ? reader.signed() : 0 };
}
