/**
 * What the encoder and the decoder of a frame's body agree on. docs/formats/wal.md draws it.
 *
 *   record = control, [series], [time], [status], value
 *   control 0sttkkkk: s, t, m = series, time, status follow; kkkk = kind of the value
 *   control 1jjjkkkk: two records that follow the one before in series, time and status: this one of kind kkkk, the next of kind jjj
 */

/** How a value is written. The first eight are the common ones: only they fit the three bits of a paired control. */
export const KIND = {
  /** The bits of the series' last value in this frame; the first is compared to +0. */
  same: 0,
  /** Integer steps of 10^-e from the last value: 0 to 2 decimals. */
  decimal0: 1,
  decimal1: 2,
  decimal2: 3,
  /** As above, then rounded to a 32-bit float: what a Modbus or OPC UA Float of few decimals is. */
  floatDecimal1: 4,
  floatDecimal2: 5,
  /** Four bytes of a 32-bit float. */
  float: 6,
  /** Eight bytes, XOR with the last value. */
  bits8: 7,
  decimal3: 8,
  decimal4: 9,
  floatDecimal3: 10,
  /** The low seven or six bytes of the XOR; the rest is as before. */
  bits7: 11,
  bits6: 12,
  /** The NaN that JavaScript makes: "no value". */
  notANumber: 13,
  /** A count of bytes (with 0x80: unsigned), and as many low bytes of the XOR with the last value. */
  integer: 14,
  /** Length × 2 (+ 1: a definition), and as many bytes of UTF-8. */
  bytes: 15,
} as const;

/** By kind: how many decimal steps are one; 0 where there are none. */
export const SCALES = Float64Array.of(0, 1, 10, 100, 10, 100, 0, 0, 1_000, 10_000, 1_000, 0, 0, 0, 0, 0);

/** True for the decimal kinds that are rounded to a 32-bit float. */
export function isSingle(kind: number): boolean {
  return kind === KIND.floatDecimal1 || kind === KIND.floatDecimal2 || kind === KIND.floatDecimal3;
}

/** The kinds that fit a paired control. */
export const COMMON_KINDS = 8;

export const SERIES_FLAG = 0x40;
export const TIME_FLAG = 0x20;
export const STATUS_FLAG = 0x10;
export const PAIR_FLAG = 0x80;

export const HISTORICAL_BIT = 1;
export const CODE_BIT = 2;
export const UNSIGNED_BIT = 0x80;

/** Beyond it steps are no longer exact after zigzag, so such a value is written by its bits. */
export const MAX_STEPS = 2 ** 51;

/** High word of the NaN that JavaScript makes; its low word is 0. */
export const NAN_HIGH = 0x7ff8_0000;

/** The most that one record of a single slot takes: control 1, series 4, time 9, status 5, value 9. */
export const MAX_SLOT_BYTES = 32;

const CONTEXTS = 1 << 16; // series that share a slot compress worse, no more; so a decoder's memory has a bound
const CONTEXT_MASK = CONTEXTS - 1;

/** The last value of each series in the frame at hand; +0 before its first one. */
export class LastValues {
  readonly floats = new Float64Array(CONTEXTS);
  readonly words = new Uint32Array(this.floats.buffer);
  readonly #epochs = new Uint32Array(CONTEXTS);
  #epoch = 0;

  /** Forgets all: a frame stands for itself. */
  restart(): void {
    this.#epoch++;
  }

  /** The place of the series in `floats`; its words are at twice that. */
  slotOf(series: number): number {
    const slot = series & CONTEXT_MASK;
    if (this.#epochs[slot] !== this.#epoch) {
      this.#epochs[slot] = this.#epoch;
      this.floats[slot] = 0;
    }
    return slot;
  }
}

/** The last value in steps, from which the next one counts. Both sides compute it alike: these are IEEE operations. */
export function stepsOf(last: number, scale: number): number {
  const steps = Math.round(last * scale);
  return Math.abs(steps) < MAX_STEPS ? steps : 0;
}
