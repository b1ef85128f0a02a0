/** Rows of unsigned integers of one width, 0…32 bits, packed without gaps into 32-bit words, low bits first. */

/** Words that `count` values of `width` bits take. */
export function packedWords(count: number, width: number): number {
  return Math.ceil((count * width) / 32);
}

/** Bytes that are stored of them. */
export function packedBytes(count: number, width: number): number {
  return Math.ceil((count * width) / 8);
}

/** Packs values[0…count), each taken modulo 2^width, into `words` from its start on; the last word is filled with zeros. */
export function packBits(values: Uint32Array, count: number, width: number, words: Uint32Array): void {
  if (width === 0) return;
  const mask = width === 32 ? -1 : (1 << width) - 1;
  let word = 0;
  let filled = 0;
  let at = 0;
  for (let i = 0; i < count; i++) {
    const value = (values[i] as number) & mask;
    word |= value << filled;
    filled += width;
    if (filled >= 32) {
      words[at++] = word;
      filled -= 32;
      word = filled === 0 ? 0 : value >>> (width - filled);
    }
  }
  if (filled > 0) words[at] = word;
}

/** The reverse; `words` must have one word more than was packed. */
export function unpackBits(words: Uint32Array, width: number, values: Uint32Array, count: number): void {
  if (width === 0) {
    values.fill(0, 0, count);
    return;
  }
  const mask = width === 32 ? -1 : (1 << width) - 1;
  for (let i = 0, bit = 0; i < count; i++, bit += width) {
    const at = bit >>> 5;
    const shift = bit & 31;
    // Two shifts, since a shift by 32 is a shift by 0.
    values[i] = (((words[at] as number) >>> shift) | (((words[at + 1] as number) << 1) << (31 - shift))) & mask;
  }
}
