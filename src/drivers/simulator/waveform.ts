/** Values made from nothing but a seed and a time: the same twice, on every machine, whenever they are asked for. */
import type { SimulatorTag } from './options.ts';

/** What a waveform needs of a tag; `period_ms` is one round. */
export type Wave = Pick<SimulatorTag, 'waveform' | 'amplitude' | 'mean' | 'period_ms' | 'texts'>;

/** A counter begins anew after so many periods, as a meter does. */
const COUNTER_ROUND = 1_000_000;

/** The value of a wave at a time: text for waveform `text`, else a number. */
export function valueAt(wave: Wave, seed: number, timeMs: number): number | string {
  const { mean, amplitude, period_ms: periodMs } = wave;
  const periods = Math.floor(timeMs / periodMs);
  const phase = timeMs / periodMs - periods;
  switch (wave.waveform) {
    case 'sine':
      return mean + amplitude * Math.sin(2 * Math.PI * phase);
    case 'ramp':
      return mean + amplitude * (2 * phase - 1);
    case 'square':
      return mean + (phase < 0.5 ? amplitude : -amplitude);
    case 'random_walk':
      return mean + amplitude * noise(seed, timeMs / periodMs);
    case 'counter':
      return mean + amplitude * modulo(periods, COUNTER_ROUND);
    case 'constant':
      return mean;
    case 'text':
      return textAt(wave.texts ?? [], periods);
  }
}

function textAt(texts: readonly string[], periods: number): string {
  return texts[modulo(periods, texts.length)] ?? '';
}

/** Octaves of the noise: the slow way it wanders, and three finer ones that weigh half of the one before. */
const OCTAVES = 4;

/** A wandering line in [-1, 1] with about one turn a unit of `x`: value noise, which needs no memory as a true random walk would. */
export function noise(seed: number, x: number): number {
  let sum = 0;
  let weights = 0;
  for (let octave = 0; octave < OCTAVES; octave++) {
    const weight = 2 ** -octave;
    const octaveSeed = Math.imul(seed, 0x27d4_eb2f) + octave; // far from the octaves of the next seed
    const position = x * 3 ** octave;
    const left = Math.floor(position);
    const way = position - left;
    const smooth = way * way * (3 - 2 * way);
    const from = lattice(octaveSeed, left);
    sum += weight * (from + (lattice(octaveSeed, left + 1) - from) * smooth);
    weights += weight;
  }
  return sum / weights;
}

/** A number in [-1, 1) for each integer: the finaliser of MurmurHash3. */
function lattice(seed: number, index: number): number {
  let hash = (seed ^ Math.imul(index | 0, 0x9e37_79b1)) | 0;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85eb_ca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2_ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 31 - 1;
}

/** Gives two tags of one source different noise (FNV-1a over UTF-16). */
export function tagSeed(seed: number, name: string): number {
  let hash = (seed ^ 0x811c_9dc5) | 0;
  for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 0x0100_0193);
  return hash >>> 0;
}

/** The remainder that is never negative; 0 for a divisor of 0. */
function modulo(value: number, divisor: number): number {
  return divisor === 0 ? 0 : ((value % divisor) + divisor) % divisor;
}
