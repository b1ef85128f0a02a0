/** Writing and reading the small parts of a block: bytes, varints, doubles. All little-endian. */
import { CorruptBlockError } from './corrupt-block-error.ts';

/** Literals below this are written as integers: twice the value must stay exact. */
const INTEGER_LITERAL_LIMIT = 2 ** 51;
/** Longest varint: 8 × 7 bits hold 2^53. */
const MAX_VARINT_BYTES = 8;

/** The codec looks at doubles as pairs of 32-bit words, low word first. */
if (new Uint8Array(Uint16Array.of(1).buffer)[0] !== 1) throw new Error('the block codec needs a little-endian machine');

export class ByteWriter {
  #bytes: Uint8Array;
  #view: DataView;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  get length(): number {
    return this.#length;
  }

  /** Forgets what was written behind `length`. */
  truncate(length: number): void {
    this.#length = length;
  }

  u8(value: number): void {
    this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  u32(value: number): void {
    this.#grow(4);
    this.#view.setUint32(this.#length, value, true);
    this.#length += 4;
  }

  f64(value: number): void {
    this.#grow(8);
    this.#view.setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** An integer of 0…2^53: 7 bits a byte, low ones first, bit 7 set when more follow. */
  varint(value: number): void {
    this.#grow(MAX_VARINT_BYTES);
    let rest = value;
    while (rest >= 128) {
      this.#bytes[this.#length++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.#bytes[this.#length++] = rest;
  }

  /** An integer of ±2^53: the first byte has 6 bits of the magnitude and the sign in bit 6, the rest is a varint. */
  signed(value: number): void {
    const magnitude = Math.abs(value);
    const more = magnitude >= 64;
    this.u8((magnitude % 64) | (value < 0 ? 64 : 0) | (more ? 128 : 0));
    if (more) this.varint(Math.floor(magnitude / 64));
  }

  /** Any double: a small integer n as signed(2n), all else as signed(1) and its 8 bytes. */
  literal(value: number): void {
    if (Number.isInteger(value) && Math.abs(value) < INTEGER_LITERAL_LIMIT && !Object.is(value, -0)) {
      this.signed(value * 2);
    } else {
      this.signed(1);
      this.f64(value);
    }
  }

  append(bytes: Uint8Array): void {
    this.#grow(bytes.length);
    this.#bytes.set(bytes, this.#length);
    this.#length += bytes.length;
  }

  /** What was written so far; the view is good until the next write. */
  written(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  #grow(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, needed));
    larger.set(this.written());
    this.#bytes = larger;
    this.#view = new DataView(larger.buffer);
  }
}

/** Every method throws CorruptBlockError at the end of the bytes and at values that the writer cannot have written. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  u8(): number {
    return this.#bytes[this.#advance(1)] as number;
  }

  u32(): number {
    return this.#view.getUint32(this.#advance(4), true);
  }

  f64(): number {
    return this.#view.getFloat64(this.#advance(8), true);
  }

  /** An integer of 0…`max`. */
  varint(max = Number.MAX_SAFE_INTEGER + 1): number {
    let value = 0;
    let weight = 1;
    for (let length = 1; ; length++) {
      const byte = this.u8();
      value += (byte & 127) * weight;
      if (byte < 128) break;
      if (length === MAX_VARINT_BYTES) throw new CorruptBlockError('a varint is too long');
      weight *= 128;
    }
    if (value > max) throw new CorruptBlockError(`${value} is out of range (at most ${max})`);
    return value;
  }

  signed(): number {
    const first = this.u8();
    const magnitude = (first & 63) + (first & 128 ? this.varint() * 64 : 0);
    if (magnitude > Number.MAX_SAFE_INTEGER + 1) throw new CorruptBlockError(`${magnitude} is no exact integer`);
    return first & 64 ? -magnitude : magnitude;
  }

  literal(): number {
    const twice = this.signed();
    if (twice === 1) return this.f64();
    if (twice % 2 !== 0) throw new CorruptBlockError(`${twice} is no literal`);
    return twice === 0 ? 0 : twice / 2;
  }

  /** A view of the next bytes. */
  take(length: number): Uint8Array {
    const at = this.#advance(length);
    return this.#bytes.subarray(at, at + length);
  }

  /** A view of all that is left. */
  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at);
  }

  /** Throws unless everything was read. */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new CorruptBlockError(`${this.#bytes.length - this.#at} bytes are left over`);
  }

  #advance(length: number): number {
    const at = this.#at;
    if (length > this.#bytes.length - at) throw new CorruptBlockError('the block ends too early');
    this.#at = at + length;
    return at;
  }
}
