/**
 * Proves that a noise stream just written gives the values back, in a third of the time of decoding: a decoder takes from each state the
 * symbol whose slots the state points into, and which symbol that must be follows from the value. So no slot is looked up, and
 * the state does not wait for the centre. Every word, escape and low bit is read from the stream itself.
 */
import type { ByteReader } from './bytes.ts';
import { CENTRE_BITS, GROUP, HALF, PHASE_SHIFT } from './centre.ts';
import { type NoiseHead, readLowBits, readNoiseHead } from './noise-decoder.ts';
import { ESCAPE, PHASE_STRIDE, PHASES, REACH } from './normal-tables.ts';
import { checkEnd, RANS_BITS, RANS_LOWEST, RANS_TOTAL, readWords } from './rans.ts';
import { Scratch } from './scratch.ts';
import { zigzag } from './zigzag.ts';

/** What the value of a step leaves to the low bits. */
const rests = new Scratch((length) => new Float64Array(length));

/** Whether a reader at the mode of a noise stream finds values[0…count) and nothing behind. Throws CorruptBlockError for bytes that are no stream. */
export function noiseComesBack(reader: ByteReader, values: Float64Array, count: number): boolean {
  reader.u8();
  const head = readNoiseHead(reader, count);
  if (!stepsComeBack(reader, head, values, count)) return false;
  const { shift, escaped } = head;
  if (shift > 0) {
    readLowBits(reader, shift, escaped, count);
    const rest = rests.atLeast(count);
    for (let i = 0; i < count; i++) if (escaped[i] !== rest[i]) return false;
  }
  reader.end();
  return true;
}

/** Fills `rests` when there are low bits. The steps of a decoder in the same order, but for the way to the symbol. */
function stepsComeBack(
  reader: ByteReader,
  { base, shift, gain, phase, table, escapes, escaped }: NoiseHead,
  values: Float64Array,
  count: number,
): boolean {
  const { frequency, start } = table;
  const { words: stream, length } = readWords(reader, count);
  const unit = 2 ** shift;
  const rest = rests.atLeast(count);
  let first = (stream[0] as number) | ((stream[1] as number) << 16);
  let second = (stream[2] as number) | ((stream[3] as number) << 16);
  let word = 4;
  let met = 0;
  let level = phase / PHASES;
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
        step = Math.floor(difference / unit) | 0;
        rest[i] = difference - step * unit;
      } else if (step !== difference) return false;
      const nearest = at >> CENTRE_BITS;
      const away = step - nearest;
      const row = ((at >>> PHASE_SHIFT) & (PHASES - 1)) * PHASE_STRIDE;
      let symbol = row + away + REACH;
      if (away > REACH || away < -REACH || frequency[symbol] === 0) {
        symbol = row + ESCAPE;
        if (away !== (away | 0) || met >= escapes || escaped[met++] !== zigzag(away)) return false;
        sum += nearest + Math.max(-REACH, Math.min(REACH, away));
      } else sum = (sum + step) | 0;
      const f = frequency[symbol] as number;
      const place = (first & (RANS_TOTAL - 1)) - (start[symbol] as number);
      if (place < 0 || place >= f) return false;
      let state = (Math.imul(f, first >> RANS_BITS) + place) | 0;
      if (state < RANS_LOWEST) state = (state << 16) | (stream[word++] as number);
      first = second;
      second = state;
      at = (at + slope) | 0;
    }
    const error = sum / GROUP - (level + drift * HALF);
    level = level + drift * GROUP + gain * error;
    drift = drift + driftGain * error;
  }
  checkEnd(first, second, word, length);
  return met === escapes;
}
