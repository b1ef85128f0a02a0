/** Where runs of equal samples start: runs varint | lengths integers, without the last: it reaches to the end. */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';

/** `starts` ascend from 0 and are below `count`; only the first run may be empty. */
export function writeRuns(writer: ByteWriter, starts: readonly number[]): void {
  const lengths = new Float64Array(starts.length - 1);
  for (let run = 0; run < lengths.length; run++) lengths[run] = (starts[run + 1] as number) - (starts[run] as number);
  writer.varint(starts.length);
  encodeIntegers(writer, lengths, lengths.length);
}

/** Where each run ends; the last at `count`. */
export function readRuns(reader: ByteReader, count: number): Uint32Array {
  const runs = reader.varint(count + 1);
  if (runs === 0) throw new CorruptBlockError('no runs');
  const ends = new Uint32Array(runs);
  const lengths = new Float64Array(runs - 1);
  decodeIntegers(reader, lengths, lengths.length);
  let at = 0;
  for (let run = 0; run < lengths.length; run++) {
    const length = lengths[run] as number;
    at += length;
    if (length < 0 || at > count) throw new CorruptBlockError('runs that do not fit the block');
    ends[run] = at;
  }
  ends[runs - 1] = count;
  return ends;
}
