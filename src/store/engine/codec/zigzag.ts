/** Signed 32-bit integers as unsigned ones, small ones small: 0, −1, 1, −2 … become 0, 1, 2, 3 … (Protocol Buffers' ZigZag). */

export function zigzag(value: number): number {
  return ((value << 1) ^ (value >> 31)) >>> 0;
}

export function unzigzag(code: number): number {
  return (code >>> 1) ^ -(code & 1);
}
