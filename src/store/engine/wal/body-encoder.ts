/** Writes ring records compactly, in ring order: about four bytes for a plain sample. */
import { MAX_INLINE_BYTES, type RecordVisitor, type Ring, type RingMemory } from '../../../core/ring.ts';
import type { StatusCode } from '../../../core/status.ts';
import type { Sequence, SeriesDef, SeriesId } from '../../../core/tag.ts';
import type { UnixMs } from '../../../core/time.ts';
import {
  CODE_BIT,
  COMMON_KINDS,
  HISTORICAL_BIT,
  isSingle,
  KIND,
  LastValues,
  MAX_SLOT_BYTES,
  MAX_STEPS,
  NAN_HIGH,
  PAIR_FLAG,
  SCALES,
  SERIES_FLAG,
  STATUS_FLAG,
  stepsOf,
  TIME_FLAG,
  UNSIGNED_BIT,
} from './body-format.ts';

/** What must be free in the buffer for one more record of any kind. */
export const MAX_RECORD_BYTES = MAX_INLINE_BYTES + MAX_SLOT_BYTES;
/** The kinds that a value is tried for, the cheaper to store first. */
const CANDIDATES = [
  KIND.decimal0,
  KIND.decimal1,
  KIND.decimal2,
  KIND.floatDecimal1,
  KIND.floatDecimal2,
  KIND.decimal3,
  KIND.floatDecimal3,
  KIND.decimal4,
] as const;
/** A series that fitted no decimal is tried again after so many samples: to search costs as much as to write five samples. */
const SEARCH_EVERY = 64;
const KIND_SHIFT = 24;
const HISTORICAL_KIND = 0x80;
const KIND_MASK = 0x0f;

export class BodyEncoder implements RecordVisitor {
  readonly #out: Buffer;
  readonly #view: DataView;
  readonly #last = new LastValues();
  /** By place of the series: the decimal kind that fitted last, or for how many samples none is searched. A habit only saves time. */
  readonly #habits = new Uint8Array(this.#last.floats.length);
  readonly #patience = new Uint8Array(this.#last.floats.length);
  readonly #one: RingMemory & { readonly integers: BigInt64Array };
  #at = 0;
  /** Where a control stands that has room for the kind of the next record; -1: nowhere. */
  #pairAt = -1;
  #series = 0;
  #timeMs = 0;
  #status = 0;
  /** 0x80 or 0, as in the ring. */
  #historical = 0;
  #steps = 0;

  /** Writes into `out`; see `encode` for the room that it needs there. */
  constructor(out: Buffer) {
    this.#out = out;
    this.#view = new DataView(out.buffer, out.byteOffset, out.length);
    const slot = new ArrayBuffer(24);
    this.#one = { mask: 0, floats: new Float64Array(slot), words: new Uint32Array(slot), integers: new BigInt64Array(slot) };
  }

  /** Starts a body at this offset of the buffer. */
  restart(at: number): void {
    this.#at = at;
    this.#last.restart();
    this.#pairAt = -1;
    this.#series = 0;
    this.#timeMs = 0;
    this.#status = 0;
    this.#historical = 0;
  }

  /** Where the body ends in the buffer. */
  get end(): number {
    return this.#at;
  }

  /** From here on the bytes written so far stay as they are: they have left for the disk. */
  freeze(): void {
    this.#pairAt = -1;
  }

  /**
   * Appends the records from `from` to `to`, or those of the first `slots` slots, whole: see Ring.visit. Takes at most
   * MAX_SLOT_BYTES for each slot and MAX_RECORD_BYTES for a record that reaches beyond. Returns the sequence of the first one left out.
   */
  encode(ring: Ring, from: Sequence, to: Sequence, slots: number): Sequence {
    const end = Math.min(to, from + slots);
    const { memory } = ring;
    let at = from;
    while (at < end) {
      at = this.#numbers(memory, at, end) as Sequence;
      if (at < end) at = ring.visit(at, (at + 1) as Sequence, this);
    }
    return at;
  }

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void {
    const { floats, words } = this.#one;
    floats[0] = timeMs;
    floats[1] = value;
    words[4] = series | ((historical ? HISTORICAL_KIND : 0) << KIND_SHIFT);
    words[5] = status;
    this.#numbers(this.#one, 0, 1);
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, signed: boolean, status: StatusCode, historical: boolean): void {
    const { words, integers } = this.#one;
    integers[1] = BigInt.asIntN(64, value);
    const low = words[2] as number;
    const high = words[3] as number;
    const last = this.#last.words;
    const slot = this.#last.slotOf(series);
    const lowXor = low ^ (last[2 * slot] as number);
    const highXor = high ^ (last[2 * slot + 1] as number);
    const count = highXor !== 0 ? 8 - (Math.clz32(highXor) >>> 3) : 4 - (Math.clz32(lowXor) >>> 3);
    this.#begin(KIND.integer, series, timeMs, status, historical ? HISTORICAL_KIND : 0);
    this.#out[this.#at++] = signed ? count : count | UNSIGNED_BIT;
    this.#view.setUint32(this.#at, lowXor, true);
    this.#view.setUint32(this.#at + 4, highXor, true);
    this.#at += count;
    last[2 * slot] = low;
    last[2 * slot + 1] = high;
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void {
    this.#begin(KIND.bytes, series, timeMs, status, historical ? HISTORICAL_KIND : 0);
    this.#zigzag(Buffer.byteLength(value));
    this.#at += this.#out.write(value, this.#at, 'utf8');
  }

  define(series: SeriesId, def: SeriesDef): void {
    const text = JSON.stringify(def);
    this.#begin(KIND.bytes, series, this.#timeMs, this.#status, this.#historical);
    this.#zigzag(-1 - Buffer.byteLength(text));
    this.#at += this.#out.write(text, this.#at, 'utf8');
  }

  /** Encodes numbers from `from` until `end` or the first record that is none; returns its sequence. The hot path. */
  #numbers(memory: RingMemory, from: number, end: number): number {
    const { floats, words, mask } = memory;
    const last = this.#last.floats;
    const lastWords = this.#last.words;
    const habits = this.#habits;
    for (let position = from; position < end; position++) {
      const ringSlot = position & mask;
      const word = words[6 * ringSlot + 4] as number;
      if (((word >>> KIND_SHIFT) & KIND_MASK) !== 0) return position;
      const value = floats[3 * ringSlot + 1] as number;
      const low = words[6 * ringSlot + 2] as number;
      const high = words[6 * ringSlot + 3] as number;
      const series = word & 0xff_ffff;
      const slot = this.#last.slotOf(series);
      const lowXor = low ^ (lastWords[2 * slot] as number);
      const highXor = high ^ (lastWords[2 * slot + 1] as number);
      const lastValue = last[slot] as number;
      lastWords[2 * slot] = low;
      lastWords[2 * slot + 1] = high;
      let kind: number = KIND.same;
      if (lowXor !== 0 || highXor !== 0) {
        kind = habits[slot] as number;
        if (kind === 0 || !this.#isSteps(kind, value, low | high)) kind = this.#search(slot, value, low, high, highXor);
      }
      this.#begin(kind, series, floats[3 * ringSlot] as number, words[6 * ringSlot + 5] as number, word >>> KIND_SHIFT);
      const scale = SCALES[kind] as number;
      if (scale > 0) {
        this.#zigzag(lastValue === 0 ? this.#steps : this.#steps - stepsOf(lastValue, scale));
      } else if (kind === KIND.float) {
        this.#view.setFloat32(this.#at, value, true);
        this.#at += 4;
      } else if (kind >= KIND.bits8) {
        this.#view.setUint32(this.#at, lowXor, true);
        this.#view.setUint32(this.#at + 4, highXor, true);
        this.#at += kind === KIND.bits8 ? 8 : kind === KIND.bits7 ? 7 : kind === KIND.bits6 ? 6 : 0;
      }
    }
    return end;
  }

  /** Control, and of series, time and status what does not follow from the record before. */
  #begin(kind: number, series: number, timeMs: number, status: number, historical: number): void {
    const follows = series === this.#series + 1 && timeMs === this.#timeMs;
    if (follows && status === this.#status && historical === this.#historical) {
      this.#series = series;
      if (this.#pairAt >= 0 && kind < COMMON_KINDS) {
        this.#out[this.#pairAt] = (this.#out[this.#pairAt] as number) | PAIR_FLAG | (kind << 4);
        this.#pairAt = -1;
      } else {
        this.#pairAt = this.#at;
        this.#out[this.#at++] = kind;
      }
    } else {
      this.#fields(kind, series, timeMs, status, historical);
    }
  }

  #fields(kind: number, series: number, timeMs: number, status: number, historical: number): void {
    const step = series - this.#series - 1;
    const newTime = timeMs !== this.#timeMs;
    const newStatus = status !== this.#status || historical !== this.#historical;
    this.#pairAt = -1;
    this.#out[this.#at++] = kind | (step === 0 ? 0 : SERIES_FLAG) | (newTime ? TIME_FLAG : 0) | (newStatus ? STATUS_FLAG : 0);
    if (step !== 0) this.#zigzag(step);
    if (newTime) this.#time(timeMs);
    if (newStatus) {
      this.#out[this.#at++] = (historical === 0 ? 0 : HISTORICAL_BIT) | (status === 0 ? 0 : CODE_BIT);
      if (status !== 0) this.#at = this.#out.writeUInt32LE(status, this.#at);
    }
    this.#series = series;
    this.#timeMs = timeMs;
    this.#status = status;
    this.#historical = historical;
  }

  /** A step from the time before; 0, which is no step, goes before eight raw bytes of a time that is no integer or far out. */
  #time(timeMs: number): void {
    const step = timeMs - this.#timeMs;
    if (Number.isSafeInteger(step) && Math.abs(step) < MAX_STEPS && this.#timeMs + step === timeMs) {
      this.#zigzag(step);
    } else {
      this.#out[this.#at] = 0;
      this.#at = this.#out.writeDoubleLE(timeMs, this.#at + 1);
    }
  }

  /** The cheapest kind that gives back these very bits; leaves the steps of a decimal one in `#steps`. */
  #search(slot: number, value: number, low: number, high: number, highXor: number): number {
    const patience = this.#patience[slot] as number;
    this.#patience[slot] = patience - 1;
    if (patience === 0) {
      for (const kind of CANDIDATES) {
        if (!this.#isSteps(kind, value, low | high)) continue;
        this.#habits[slot] = kind;
        this.#patience[slot] = 0;
        return kind;
      }
      this.#habits[slot] = 0;
      this.#patience[slot] = SEARCH_EVERY;
    }
    if (low === 0 && high === NAN_HIGH) return KIND.notANumber;
    if (Math.fround(value) === value) return KIND.float;
    return highXor >>> 24 !== 0 ? KIND.bits8 : highXor >>> 16 !== 0 ? KIND.bits7 : KIND.bits6;
  }

  #isSteps(kind: number, value: number, bits: number): boolean {
    const scale = SCALES[kind] as number;
    const steps = Math.round(value * scale);
    const exact = steps / scale;
    if ((isSingle(kind) ? Math.fround(exact) : exact) !== value || Math.abs(steps) >= MAX_STEPS) return false;
    this.#steps = steps;
    return steps !== 0 || bits === 0; // -0 equals 0 but has other bits
  }

  /** An integer of less than 2^52: the nearer to zero, the fewer bytes. */
  #zigzag(value: number): void {
    let rest = value < 0 ? -2 * value - 1 : 2 * value;
    const out = this.#out;
    let at = this.#at;
    while (rest > 0x7fff_ffff) {
      out[at++] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    let small = rest | 0; // integer arithmetic from here on: twice as fast
    while (small >= 0x80) {
      out[at++] = small | 0x80;
      small >>>= 7;
    }
    out[at++] = small;
    this.#at = at;
  }
}
