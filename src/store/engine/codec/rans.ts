/**
 * Range asymmetric numeral systems (J. Duda, arXiv:1311.2540): symbols at the cost of their entropy, from fixed tables.
 *
 * Two states take turns, so that a processor can work at both at once. A state is kept between 2^15 and 2^31 (a signed
 * 32-bit integer is what JavaScript is fast at) and is filled up by 16-bit words. Stored: varint number of words | words u16,
 * the states' first: low word, high word of the first, then of the second. A decoder must end with both states at 2^15 and
 * no word left.
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { Scratch } from './scratch.ts';

/** Frequencies of a table sum to 2^10: 2^11 saves 0.15 % on the reference plant and makes decoding a third slower, as its tables outgrow the caches. */
export const RANS_BITS = 10;
export const RANS_TOTAL = 1 << RANS_BITS;
/** Where both states start when encoding and end when decoding. */
export const RANS_LOWEST = 1 << 15;
const STATE_WORDS = 4;

/** A slot of a decoding table: bits 0–9 the slot's place within its symbol, 10–20 the symbol's frequency, 21–27 the symbol. */
export const SLOT_FREQUENCY_SHIFT = RANS_BITS;
export const SLOT_FREQUENCY_MASK = (1 << (RANS_BITS + 1)) - 1;
export const SLOT_SYMBOL_SHIFT = 2 * RANS_BITS + 1;

/** What an encoder needs of each symbol. */
export interface EncodingTable {
  readonly frequency: Uint16Array;
  readonly start: Uint16Array;
  /** 1 / frequency. */
  readonly reciprocal: Float64Array;
}

const words = new Scratch((length) => new Uint16Array(length));

/** Fills RANS_TOTAL slots for the symbols whose frequencies, which must sum to it, are given. */
export function fillSlots(frequency: Uint16Array, slots: Int32Array): void {
  let slot = 0;
  for (let symbol = 0; symbol < frequency.length; symbol++) {
    const f = frequency[symbol] as number;
    const entry = (symbol << SLOT_SYMBOL_SHIFT) | (f << SLOT_FREQUENCY_SHIFT);
    for (let place = 0; place < f; place++) slots[slot++] = entry | place;
  }
}

/** Encodes symbols[0…count), each an index into `table` with a frequency above 0. */
export function encodeSymbols(writer: ByteWriter, symbols: Uint16Array, count: number, table: EncodingTable): void {
  const { frequency, start, reciprocal } = table;
  const out = words.atLeast(count + STATE_WORDS);
  let at = out.length;
  let current = RANS_LOWEST;
  let other = RANS_LOWEST;
  // Backwards, as the decoder pops what was pushed last.
  for (let i = count - 1; i >= 0; i--) {
    const symbol = symbols[i] as number;
    const f = frequency[symbol] as number;
    let state = current;
    if (state >> 16 >= f << (15 - RANS_BITS)) {
      out[--at] = state & 0xffff;
      state >>= 16;
    }
    // Half a unit added keeps the rounded quotient on the right side: state < 2^31 and f <= 2^10 leave 2^-11 of room.
    const quotient = ((state + 0.5) * (reciprocal[symbol] as number)) | 0;
    current = other;
    other = ((quotient << RANS_BITS) + (state - Math.imul(quotient, f)) + (start[symbol] as number)) | 0;
  }
  // `other` took symbol 0.
  out[--at] = current >> 16;
  out[--at] = current & 0xffff;
  out[--at] = other >> 16;
  out[--at] = other & 0xffff;
  writer.varint(out.length - at);
  writer.append(new Uint8Array(out.buffer, at * 2, (out.length - at) * 2));
}

export interface SymbolWords {
  /** With slack behind `length`: a decoder may read on until it checks the end. */
  readonly words: Uint16Array;
  readonly length: number;
}

/** The words of one stream of `count` symbols. */
export function readWords(reader: ByteReader, count: number): SymbolWords {
  const length = reader.varint(count + STATE_WORDS);
  if (length < STATE_WORDS) throw new CorruptBlockError('a stream of symbols without its states');
  // Each symbol takes at most one word.
  const stream = words.atLeast(length + count);
  new Uint8Array(stream.buffer).set(reader.take(length * 2));
  if ((stream[1] as number) > 0x7fff || (stream[3] as number) > 0x7fff) throw new CorruptBlockError('a state of symbols that cannot be');
  return { words: stream, length };
}

/** Decodes `count` symbols of one table of slots. */
export function decodeSymbols(reader: ByteReader, slots: Int32Array, symbols: Uint8Array, count: number): void {
  const { words: stream, length } = readWords(reader, count);
  let first = (stream[0] as number) | ((stream[1] as number) << 16);
  let second = (stream[2] as number) | ((stream[3] as number) << 16);
  let at = STATE_WORDS;
  for (let i = 0; i < count; i++) {
    const slot = slots[first & (RANS_TOTAL - 1)] as number;
    symbols[i] = slot >> SLOT_SYMBOL_SHIFT;
    let state = (Math.imul((slot >> SLOT_FREQUENCY_SHIFT) & SLOT_FREQUENCY_MASK, first >> RANS_BITS) + (slot & (RANS_TOTAL - 1))) | 0;
    if (state < RANS_LOWEST) state = (state << 16) | (stream[at++] as number);
    first = second;
    second = state;
  }
  checkEnd(first, second, at, length);
}

/** Throws unless a stream was read to its very end. */
export function checkEnd(first: number, second: number, at: number, length: number): void {
  if (first !== RANS_LOWEST || second !== RANS_LOWEST || at !== length) {
    throw new CorruptBlockError('a stream of symbols does not end where it should');
  }
}
