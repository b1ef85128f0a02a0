/**
 * For each sample its place in a list, with long runs of equal ones written once.
 *
 *   kind u8: 0 each, 1 runs | (1: runs) | integers: places, one a sample or one a run
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { readRuns, writeRuns } from './runs.ts';

const EACH = 0;
const RUNS = 1;
/** Below this mean length the runs' lengths cost more than the repeated places. */
const RUN_LENGTH_MIN = 4;

/** The place of an item in a list by first use. */
export function placeIn<Item>(list: Map<Item, number>, item: Item): number {
  const known = list.get(item);
  if (known !== undefined) return known;
  list.set(item, list.size);
  return list.size - 1;
}

export function encodePlaces(writer: ByteWriter, places: Float64Array): void {
  const starts: number[] = [];
  for (let i = 0; i < places.length; i++) if (i === 0 || places[i] !== places[i - 1]) starts.push(i);
  if (starts.length * RUN_LENGTH_MIN > places.length) {
    writer.u8(EACH);
    encodeIntegers(writer, places, places.length);
    return;
  }
  writer.u8(RUNS);
  writeRuns(writer, starts);
  encodeIntegers(
    writer,
    Float64Array.from(starts, (start) => places[start] as number),
    starts.length,
  );
}

/** `count` places, each below `size`. Throws CorruptBlockError. */
export function decodePlaces(reader: ByteReader, count: number, size: number): Float64Array {
  const kind = reader.u8();
  if (kind > RUNS) throw new CorruptBlockError(`no kind ${kind} of places`);
  const ends = kind === RUNS ? readRuns(reader, count) : undefined;
  const listed = new Float64Array(ends?.length ?? count);
  decodeIntegers(reader, listed, listed.length);
  for (const place of listed) if (!(place >= 0 && place < size)) throw new CorruptBlockError('a place beyond the end of its list');
  if (!ends) return listed;
  const places = new Float64Array(count);
  let from = 0;
  for (const [run, end] of ends.entries()) {
    places.fill(listed[run] as number, from, end);
    from = end;
  }
  return places;
}
