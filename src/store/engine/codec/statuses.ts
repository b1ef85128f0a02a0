/**
 * The status codes of a block: a list of those that occur and each sample's place in it.
 *
 *   codes varint | each varint | (if more than one: places)
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { decodePlaces, encodePlaces, placeIn } from './places.ts';

export function encodeStatuses(writer: ByteWriter, status: Uint32Array): void {
  const list = new Map<number, number>();
  const places = new Float64Array(status.length);
  let before = -1;
  let place = 0;
  for (let i = 0; i < status.length; i++) {
    const code = status[i] as number;
    if (code !== before) place = placeIn(list, code); // nearly always the same again
    places[i] = place;
    before = code;
  }
  writer.varint(list.size);
  for (const code of list.keys()) writer.varint(code);
  if (list.size > 1) encodePlaces(writer, places);
}

/** Fills `status`. Throws CorruptBlockError. */
export function decodeStatuses(reader: ByteReader, status: Uint32Array): void {
  const codes = new Uint32Array(reader.varint(status.length));
  for (let place = 0; place < codes.length; place++) codes[place] = reader.varint(0xffff_ffff);
  if (codes.length === 1) {
    status.fill(codes[0] as number);
    return;
  }
  const places = decodePlaces(reader, status.length, codes.length);
  for (let i = 0; i < status.length; i++) status[i] = codes[places[i] as number] as number;
}
