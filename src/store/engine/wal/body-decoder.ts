/** Reads what BodyEncoder wrote, and believes nothing: damaged bytes end in an error, never in a crash, a hang or a large allocation. */
import { MAX_INLINE_BYTES, type RecordVisitor } from '../../../core/ring.ts';
import type { StatusCode } from '../../../core/status.ts';
import { MAX_SERIES_ID, type SeriesDef, type SeriesId } from '../../../core/tag.ts';
import type { UnixMs } from '../../../core/time.ts';
import {
  CODE_BIT,
  HISTORICAL_BIT,
  isSingle,
  KIND,
  LastValues,
  NAN_HIGH,
  PAIR_FLAG,
  SCALES,
  SERIES_FLAG,
  STATUS_FLAG,
  stepsOf,
  TIME_FLAG,
  UNSIGNED_BIT,
} from './body-format.ts';

const MAX_STEP = 2 ** 53;

/** The bytes are no body, although their checksum holds: written by something that is not this program. */
export class BodyError extends Error {
  override readonly name = 'BodyError';
}

export class BodyDecoder {
  readonly #last = new LastValues();
  readonly #float = new Float64Array(1);
  readonly #signed = new BigInt64Array(this.#float.buffer);
  readonly #unsigned = new BigUint64Array(this.#float.buffer);
  #body: Buffer = Buffer.alloc(0);
  #at = 0;
  #series = 0;
  #timeMs = 0;
  #status = 0;
  #historical = false;

  /** Shows the records of a body to the visitor. Throws BodyError at the first that is none; those before it have been shown. */
  decode(body: Buffer, visitor: RecordVisitor): void {
    this.#last.restart();
    this.#body = body;
    this.#at = 0;
    this.#series = 0;
    this.#timeMs = 0;
    this.#status = 0;
    this.#historical = false;
    while (this.#at < body.length) {
      const control = this.#byte();
      if ((control & PAIR_FLAG) === 0) {
        this.#fields(control);
        this.#value(control & 0x0f, visitor);
      } else {
        this.#fields(0);
        this.#value(control & 0x0f, visitor);
        this.#fields(0);
        this.#value((control >>> 4) & 0x07, visitor);
      }
    }
  }

  #fields(control: number): void {
    let step = 1;
    if (control & SERIES_FLAG) step += this.#zigzag();
    this.#series += step;
    if (!(this.#series >= 0 && this.#series <= MAX_SERIES_ID)) throw new BodyError(`no series can have the id ${this.#series}`);
    if (control & TIME_FLAG) this.#time();
    if (control & STATUS_FLAG) {
      const bits = this.#byte();
      this.#historical = (bits & HISTORICAL_BIT) !== 0;
      this.#status = bits & CODE_BIT ? this.#uint32() : 0;
    }
  }

  #time(): void {
    const step = this.#zigzag();
    if (step !== 0) this.#timeMs += step;
    else this.#timeMs = this.#body.readDoubleLE(this.#take(8));
  }

  #value(kind: number, visitor: RecordVisitor): void {
    if (kind === KIND.bytes) {
      this.#bytes(visitor);
      return;
    }
    if (kind === KIND.integer) {
      this.#integer(visitor);
      return;
    }
    const slot = this.#last.slotOf(this.#series);
    const { floats, words } = this.#last;
    const scale = SCALES[kind] as number;
    if (scale) {
      const exact = (stepsOf(floats[slot] as number, scale) + this.#zigzag()) / scale;
      floats[slot] = isSingle(kind) ? Math.fround(exact) : exact;
    } else if (kind === KIND.float) {
      floats[slot] = this.#body.readFloatLE(this.#take(4));
    } else if (kind === KIND.notANumber) {
      words[2 * slot] = 0;
      words[2 * slot + 1] = NAN_HIGH;
    } else if (kind !== KIND.same) {
      this.#xorBytes(slot, kind === KIND.bits8 ? 8 : kind === KIND.bits7 ? 7 : 6);
    }
    visitor.number(this.#series as SeriesId, this.#timeMs as UnixMs, floats[slot] as number, this.#status as StatusCode, this.#historical);
  }

  #integer(visitor: RecordVisitor): void {
    const head = this.#byte();
    const count = head & 0x7f;
    if (count > 8) throw new BodyError(`an integer has no ${count} bytes`);
    const slot = this.#last.slotOf(this.#series);
    this.#xorBytes(slot, count);
    const signed = (head & UNSIGNED_BIT) === 0;
    this.#float[0] = this.#last.floats[slot] as number;
    const value = (signed ? this.#signed : this.#unsigned)[0] as bigint;
    visitor.integer(this.#series as SeriesId, this.#timeMs as UnixMs, value, signed, this.#status as StatusCode, this.#historical);
  }

  #bytes(visitor: RecordVisitor): void {
    const length = this.#zigzag();
    const bytes = length < 0 ? -length - 1 : length;
    if (bytes > MAX_INLINE_BYTES) throw new BodyError(`no record carries ${bytes} bytes`);
    const from = this.#take(bytes);
    const text = this.#body.toString('utf8', from, from + bytes);
    if (length < 0) visitor.define(this.#series as SeriesId, definitionIn(text));
    else visitor.text(this.#series as SeriesId, this.#timeMs as UnixMs, text, this.#status as StatusCode, this.#historical);
  }

  /** Changes the low bytes of the series' last value. */
  #xorBytes(slot: number, count: number): void {
    const { words } = this.#last;
    let from = this.#take(count);
    for (let i = 0; i < count; i++) {
      const word = 2 * slot + (i >>> 2);
      words[word] = (words[word] as number) ^ ((this.#body[from++] as number) << (8 * (i & 3)));
    }
  }

  #zigzag(): number {
    let value = 0;
    let place = 1;
    for (;;) {
      const byte = this.#byte();
      value += (byte & 0x7f) * place;
      if (byte < 0x80) break;
      place *= 0x80;
      if (place > MAX_STEP) throw new BodyError('a number does not end');
    }
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  #uint32(): number {
    return this.#body.readUInt32LE(this.#take(4));
  }

  #byte(): number {
    return this.#body[this.#take(1)] as number;
  }

  /** Goes on by so many bytes and returns where they begin. */
  #take(bytes: number): number {
    const from = this.#at;
    this.#at = from + bytes;
    if (this.#at > this.#body.length) throw new BodyError('the body ends within a record');
    return from;
  }
}

function definitionIn(text: string): SeriesDef {
  try {
    return JSON.parse(text) as SeriesDef;
  } catch (error) {
    throw new BodyError('a definition is no JSON', { cause: error });
  }
}
