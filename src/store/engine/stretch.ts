/** Four hours of a series that are so many samples that a day file has several blocks for them: what each of these holds. */
import { CorruptBlockError } from './codec/corrupt-block-error.ts';

/** What a block holds; its first and last times in ms. */
export interface Extent {
  readonly count: number;
  readonly firstMs: number;
  readonly lastMs: number;
}

const NUMBERS = 3;
const NUMBER_BYTES = 8;

/** For each block its count, its first and its last time: f64, little-endian. */
export function encodeExtents(extents: readonly Extent[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(extents.length * NUMBERS * NUMBER_BYTES));
  for (const [index, { count, firstMs, lastMs }] of extents.entries()) {
    for (const [which, number] of [count, firstMs, lastMs].entries())
      view.setFloat64((index * NUMBERS + which) * NUMBER_BYTES, number, true);
  }
  return new Uint8Array(view.buffer);
}

/** Throws CorruptBlockError. */
export function decodeExtents(blob: Uint8Array): readonly Extent[] {
  const count = blob.length / (NUMBERS * NUMBER_BYTES);
  if (!Number.isInteger(count) || count === 0) throw new CorruptBlockError(`${blob.length} bytes tell of no blocks`);
  const view = new DataView(blob.buffer, blob.byteOffset, blob.length);
  const at = (index: number, which: number) => view.getFloat64((index * NUMBERS + which) * NUMBER_BYTES, true);
  return Array.from({ length: count }, (_, index) => ({ count: at(index, 0), firstMs: at(index, 1), lastMs: at(index, 2) }));
}
