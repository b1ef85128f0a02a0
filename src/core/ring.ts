/**
 * The one queue of the house: a ring of 24-byte records in a SharedArrayBuffer, written by the main thread, read by the
 * store worker and by apply.
 *
 *   slot   0        8        16              20       24
 *          time f64 | value  | series u24+kind | status u32
 *
 * The value is 8 bytes: f64, i64 or u64. Text and series definitions are a head slot (value = byte length) and
 * ⌈length / 24⌉ payload slots, never across the end of the ring: PAD slots fill up to it.
 * Two control words are shared, both modulo 2^32: `head` (published by the producer) and `written` (slots below are
 * free). `durable` is the store's word too, so that whoever waits reads it without a message.
 */
import type { StatusCode } from './status.ts';
import type { Sequence, SeriesDef, SeriesId } from './tag.ts';
import type { UnixMs } from './time.ts';

const SLOT_BYTES = 24;
const CONTROL_BYTES = 64;
const HEAD = 0;
const WRITTEN = 1;
const DURABLE = 2;

/** 2^17 slots are 3 MiB: 1.3 s at 100,000 readings a second. */
export const DEFAULT_RING_SLOTS = 1 << 17;
/** The longest text or definition that rides inside the ring, in bytes of UTF-8. */
export const MAX_INLINE_BYTES = 4096;

const KIND_NUMBER = 0;
const KIND_SIGNED = 1;
const KIND_UNSIGNED = 2;
const KIND_TEXT = 3;
const KIND_DEFINITION = 4;
const KIND_PAD = 5;
const KIND_MASK = 0x0f;
/** Late or backfilled: to be stored, but no event and no alert may come of it. */
const HISTORICAL_FLAG = 0x80;

/** Everything a record can be, in ring order. A `number` of NaN is "no value". */
export interface RecordVisitor {
  define(series: SeriesId, def: SeriesDef): void;
  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void;
  integer(series: SeriesId, timeMs: UnixMs, value: bigint, signed: boolean, status: StatusCode, historical: boolean): void;
  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical: boolean): void;
}

/** Slots that a text of this many UTF-8 bytes takes. */
export function textSlots(bytes: number): number {
  return 1 + Math.ceil(bytes / SLOT_BYTES);
}

/**
 * The slots as they lie, for a reader that cannot pay a call for each number (the call costs as much as reading it).
 * With slot = sequence & mask: floats[3 slot] is the time, floats[3 slot + 1] the number and words[6 slot + 2 and + 3] its bits,
 * words[6 slot + 4] the series and from bit 24 the kind: 0 is a number, 0x80 a historical one. words[6 slot + 5] is the status.
 */
export interface RingMemory {
  readonly mask: number;
  readonly floats: Float64Array;
  readonly words: Uint32Array;
}

export class Ring {
  readonly slots: number;
  readonly buffer: SharedArrayBuffer;
  readonly #mask: number;
  readonly #control: Int32Array;
  readonly #floats: Float64Array;
  readonly #words: Uint32Array;
  readonly #signed: BigInt64Array;
  readonly #bytes: Buffer;
  /** Producer only: the sequence of the next slot. */
  #head = 0;
  /** Producer only: slots below are free, as last looked up. */
  #free = 0;

  constructor(slots: number = DEFAULT_RING_SLOTS, buffer?: SharedArrayBuffer) {
    if (slots < 512 || (slots & (slots - 1)) !== 0) throw new RangeError(`a ring has a power of two of slots, at least 512, not ${slots}`);
    this.slots = slots;
    this.#mask = slots - 1;
    this.buffer = buffer ?? new SharedArrayBuffer(CONTROL_BYTES + slots * SLOT_BYTES);
    this.#control = new Int32Array(this.buffer, 0, CONTROL_BYTES / 4);
    this.#floats = new Float64Array(this.buffer, CONTROL_BYTES, slots * 3);
    this.#words = new Uint32Array(this.buffer, CONTROL_BYTES, slots * 6);
    this.#signed = new BigInt64Array(this.buffer, CONTROL_BYTES, slots * 3);
    this.#bytes = Buffer.from(this.buffer, CONTROL_BYTES, slots * SLOT_BYTES);
  }

  // ── producer ───────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Starts an empty ring at a sequence: the one after the last that recovery found. */
  startAt(sequence: Sequence): void {
    this.#head = sequence;
    this.#free = sequence;
    for (const word of [HEAD, WRITTEN, DURABLE]) Atomics.store(this.#control, word, sequence | 0);
  }

  /** The sequence that the next record gets; every pushed record is below it. */
  get head(): Sequence {
    return this.#head as Sequence;
  }

  /** Slots in use, published or not, that the store has not written yet. */
  get backlog(): number {
    return this.#head - this.#exact(WRITTEN);
  }

  get durable(): Sequence {
    return this.#exact(DURABLE) as Sequence;
  }

  get written(): Sequence {
    return this.#exact(WRITTEN) as Sequence;
  }

  /** True when `slots` more fit now, wherever in the ring they come to lie. */
  hasRoom(slots: number): boolean {
    if (this.#head + slots - this.#free <= this.slots) return true;
    this.#free = this.#exact(WRITTEN);
    return this.#head + slots - this.#free <= this.slots;
  }

  pushNumber(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical = false): boolean {
    if (!this.hasRoom(1)) return false;
    this.#fill(series, timeMs, historical ? KIND_NUMBER | HISTORICAL_FLAG : KIND_NUMBER, status, value);
    return true;
  }

  /** i64 or u64: the value is taken modulo 2^64. */
  pushInteger(series: SeriesId, timeMs: UnixMs, value: bigint, signed: boolean, status: StatusCode, historical = false): boolean {
    if (!this.hasRoom(1)) return false;
    const at = (this.#head & this.#mask) * 3 + 1;
    this.#fill(series, timeMs, (signed ? KIND_SIGNED : KIND_UNSIGNED) | (historical ? HISTORICAL_FLAG : 0), status, 0);
    this.#signed[at] = signed ? value : BigInt.asIntN(64, value);
    return true;
  }

  /** Text of at most MAX_INLINE_BYTES of UTF-8; a longer one is a programming mistake. */
  pushText(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, historical = false): boolean {
    return this.#pushBytes(series, timeMs, value, status, KIND_TEXT | (historical ? HISTORICAL_FLAG : 0));
  }

  /** Goes before the first record of its series, so that a replay needs no second source. */
  pushDefinition(series: SeriesId, def: SeriesDef): boolean {
    return this.#pushBytes(series, 0 as UnixMs, JSON.stringify(def), 0 as StatusCode, KIND_DEFINITION);
  }

  /** Shows everything pushed so far to the readers. */
  publish(): void {
    Atomics.store(this.#control, HEAD, this.#head | 0);
  }

  #fill(series: SeriesId, timeMs: UnixMs, kind: number, status: StatusCode, value: number): void {
    const slot = this.#head & this.#mask; // the head is below 2^53 and & takes its low 32 bits
    this.#floats[slot * 3] = timeMs;
    this.#floats[slot * 3 + 1] = value;
    this.#words[slot * 6 + 4] = series | (kind << 24);
    this.#words[slot * 6 + 5] = status;
    this.#head++;
  }

  #pushBytes(series: SeriesId, timeMs: UnixMs, text: string, status: StatusCode, kind: number): boolean {
    const bytes = Buffer.byteLength(text);
    if (bytes > MAX_INLINE_BYTES) throw new RangeError(`${bytes} bytes do not ride inside the ring (at most ${MAX_INLINE_BYTES})`);
    const slots = textSlots(bytes);
    const toEnd = this.slots - (this.#head & this.#mask);
    const pad = slots > toEnd ? toEnd : 0;
    if (!this.hasRoom(pad + slots)) return false;
    for (let left = pad; left > 0; left--) this.#fill(0 as SeriesId, 0 as UnixMs, KIND_PAD, 0 as StatusCode, 0);
    const payloadAt = ((this.#head & this.#mask) + 1) * SLOT_BYTES;
    this.#fill(series, timeMs, kind, status, bytes);
    this.#bytes.write(text, payloadAt, 'utf8');
    this.#head += slots - 1;
    return true;
  }

  // ── readers ────────────────────────────────────────────────────────────────────────────────────────────────────────

  /** The published head, for a reader that stands at `from`. Right as long as it lags less than 2^31 slots. */
  publishedFrom(from: Sequence): Sequence {
    return (from + ((Atomics.load(this.#control, HEAD) - (from | 0)) >>> 0)) as Sequence;
  }

  /** Only from a record's start on, as for `visit`: what lies behind the head of a text is no record. */
  get memory(): RingMemory {
    return { mask: this.#mask, floats: this.#floats, words: this.#words };
  }

  /** Store only: slots below are on their way to disk and free. */
  setWritten(sequence: Sequence): void {
    Atomics.store(this.#control, WRITTEN, sequence | 0);
  }

  /** Store only: everything below survives a power cut. */
  setDurable(sequence: Sequence): void {
    Atomics.store(this.#control, DURABLE, sequence | 0);
  }

  /**
   * Shows the records from `from` (a record's start) to the visitor until `to` or `limit` slots are reached, always whole:
   * the last one may reach beyond either. Returns the sequence of the first one not shown.
   */
  visit(from: Sequence, to: Sequence, visitor: RecordVisitor, limit = Number.POSITIVE_INFINITY): Sequence {
    const end = Math.min(to, from + limit);
    let at: number = from;
    while (at < end) at += this.#visitOne(at & this.#mask, visitor);
    return at as Sequence;
  }

  #visitOne(slot: number, visitor: RecordVisitor): number {
    const word = this.#words[slot * 6 + 4] as number;
    const series = (word & 0xff_ffff) as SeriesId;
    const kind = (word >>> 24) & KIND_MASK;
    const historical = word >>> 31 === 1;
    const timeMs = this.#floats[slot * 3] as UnixMs;
    const status = this.#words[slot * 6 + 5] as StatusCode;
    const value = this.#floats[slot * 3 + 1] as number;
    switch (kind) {
      case KIND_NUMBER:
        visitor.number(series, timeMs, value, status, historical);
        return 1;
      case KIND_SIGNED:
      case KIND_UNSIGNED: {
        const signed = kind === KIND_SIGNED;
        const bits = this.#signed[slot * 3 + 1] as bigint;
        visitor.integer(series, timeMs, signed ? bits : BigInt.asUintN(64, bits), signed, status, historical);
        return 1;
      }
      case KIND_TEXT:
        visitor.text(series, timeMs, this.#payload(slot, value), status, historical);
        return textSlots(value);
      case KIND_DEFINITION:
        visitor.define(series, JSON.parse(this.#payload(slot, value)) as SeriesDef);
        return textSlots(value);
      case KIND_PAD:
        return 1;
      default:
        throw new RangeError(`no record of kind ${kind} can be in the ring`);
    }
  }

  #payload(slot: number, bytes: number): string {
    return this.#bytes.toString('utf8', (slot + 1) * SLOT_BYTES, (slot + 1) * SLOT_BYTES + bytes);
  }

  #exact(word: number): number {
    return this.#head - (((this.#head | 0) - Atomics.load(this.#control, word)) >>> 0);
  }
}
