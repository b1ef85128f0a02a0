/** Which samples of a block have a value: runs of present and missing ones in turn, the first one of present ones. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { readRuns, writeRuns } from './runs.ts';

/** `missing` holds 1 where a sample has no value, else 0. */
export function encodePresence(writer: ByteWriter, missing: Uint8Array, count: number): void {
  const starts = [0];
  let state = 0;
  for (let i = 0; i < count; i++) {
    if (missing[i] === state) continue;
    starts.push(i);
    state = 1 - state;
  }
  writeRuns(writer, starts);
}

/** A mask of `count` samples. */
export function decodePresence(reader: ByteReader, count: number): Uint8Array {
  const missing = new Uint8Array(count);
  let from = 0;
  for (const [run, end] of readRuns(reader, count).entries()) {
    if (run % 2 === 1) missing.fill(1, from, end);
    from = end;
  }
  return missing;
}
