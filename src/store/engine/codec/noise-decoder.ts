/** Reads what `noise-encoder.ts` wrote. */
import { packedBytes, packedWords, unpackBits } from './bit-pack.ts';
import type { ByteReader } from './bytes.ts';
import { CENTRE_BITS, GAIN_EXPONENTS, GROUP, HALF, PHASE_SHIFT } from './centre.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { ESCAPE, type NoiseTable, noiseTable, PHASES, REACH, SHAPE_COUNT, WIDTHS } from './normal-tables.ts';
import { decodePacked } from './packed-stream.ts';
import {
  checkEnd,
  RANS_BITS,
  RANS_LOWEST,
  RANS_TOTAL,
  readWords,
  SLOT_FREQUENCY_MASK,
  SLOT_FREQUENCY_SHIFT,
  SLOT_SYMBOL_SHIFT,
} from './rans.ts';
import { Scratch } from './scratch.ts';
import { unzigzag } from './zigzag.ts';

/** Offsets of escapes, then low bits. */
const low = new Scratch((length) => new Uint32Array(length));
const words = new Scratch((length) => new Uint32Array(length));

/** What stands before the stream of steps. */
export interface NoiseHead {
  readonly base: number;
  readonly shift: number;
  readonly gain: number;
  readonly phase: number;
  readonly table: NoiseTable;
  readonly escapes: number;
  /** Their offsets, zigzag; valid until the next head is read. */
  readonly escaped: Uint32Array;
}

/** Reads it for `count` values. Throws CorruptBlockError. */
export function readNoiseHead(reader: ByteReader, count: number): NoiseHead {
  const base = reader.signed();
  const shift = reader.u8();
  const parameters = reader.u8();
  const table = reader.u8();
  if (shift > 31 || parameters % 8 >= GAIN_EXPONENTS || parameters >= 8 * PHASES || table >= SHAPE_COUNT * WIDTHS) {
    throw new CorruptBlockError('parameters of noise that cannot be');
  }
  const escapes = reader.varint(count);
  const escaped = low.atLeast(count + 1);
  decodePacked(reader, escaped, escapes);
  const { gain, phase } = { gain: 2 ** -(parameters % 8), phase: parameters >>> 3 };
  return { base, shift, gain, phase, table: noiseTable(Math.floor(table / WIDTHS), table % WIDTHS), escapes, escaped };
}

/** Decodes to values[0…count). Throws CorruptBlockError. */
export function decodeNoise(reader: ByteReader, values: Float64Array, count: number): void {
  const head = readNoiseHead(reader, count);
  const { base, shift, escapes, escaped } = head;
  const used = decodeSteps(reader, { ...head, slots: head.table.slots, base: shift === 0 ? base : 0 }, values, count);
  if (used !== escapes) throw new CorruptBlockError(`${used} escapes, not ${escapes}`);
  if (shift === 0) return;
  readLowBits(reader, shift, escaped, count);
  const unit = 2 ** shift;
  for (let i = 0; i < count; i++) values[i] = base + (values[i] as number) * unit + (escaped[i] as number);
}

/** The `shift` low bits of each value, behind the stream of steps. Throws CorruptBlockError. */
export function readLowBits(reader: ByteReader, shift: number, bits: Uint32Array, count: number): void {
  const packed = words.atLeast(packedWords(count, shift) + 1);
  new Uint8Array(packed.buffer).set(reader.take(packedBytes(count, shift)));
  unpackBits(packed, shift, bits, count);
}

interface Steps {
  readonly slots: Int32Array;
  readonly escaped: Uint32Array;
  readonly gain: number;
  readonly phase: number;
  readonly base: number;
}

/** Writes base + step to values[0…count); returns how many escapes it met. */
function decodeSteps(reader: ByteReader, { slots, escaped, gain, phase, base }: Steps, values: Float64Array, count: number): number {
  const { words: stream, length } = readWords(reader, count);
  let first = (stream[0] as number) | ((stream[1] as number) << 16);
  let second = (stream[2] as number) | ((stream[3] as number) << 16);
  let word = 4;
  let escapes = 0;
  // The centre as `follow` moves it, kept in registers: the next group waits for it.
  let level = phase / PHASES;
  let drift = 0;
  const driftGain = (gain * gain) / (4 * GROUP);
  for (let from = 0; from < count; from += GROUP) {
    const to = Math.min(count, from + GROUP);
    let at: number = ((level * (1 << CENTRE_BITS)) | 0) + (1 << (PHASE_SHIFT - 1));
    const slope = (drift * (1 << CENTRE_BITS)) | 0;
    let sum = 0;
    for (let i = from; i < to; i++) {
      const slot = slots[(((at >>> PHASE_SHIFT) & (PHASES - 1)) << RANS_BITS) | (first & (RANS_TOTAL - 1))] as number;
      let state = (Math.imul((slot >> SLOT_FREQUENCY_SHIFT) & SLOT_FREQUENCY_MASK, first >> RANS_BITS) + (slot & (RANS_TOTAL - 1))) | 0;
      if (state < RANS_LOWEST) state = (state << 16) | (stream[word++] as number);
      first = second;
      second = state;
      const symbol = slot >> SLOT_SYMBOL_SHIFT;
      const nearest = at >> CENTRE_BITS;
      let step = (nearest + symbol - REACH) | 0;
      if (symbol === ESCAPE) {
        const away = unzigzag(escaped[escapes++] as number);
        step = nearest + away;
        sum += nearest + Math.max(-REACH, Math.min(REACH, away));
      } else {
        sum = (sum + step) | 0;
      }
      values[i] = base + step;
      at = (at + slope) | 0;
    }
    const error = sum / GROUP - (level + drift * HALF);
    level = level + drift * GROUP + gain * error;
    drift = drift + driftGain * error;
  }
  checkEnd(first, second, word, length);
  return escapes;
}
