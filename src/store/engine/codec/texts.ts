/**
 * The texts of a block: a list of the distinct ones by first use and each sample's place in it.
 *
 *   encoding u8: 0 UTF-8, 1 UTF-16 (when a text is no well-formed Unicode) | texts varint | lengths in bytes: integers |
 *   bytes | places
 */
import type { ByteReader, ByteWriter } from './bytes.ts';
import { CorruptBlockError } from './corrupt-block-error.ts';
import { decodeIntegers, encodeIntegers } from './integer-stream.ts';
import { decodePlaces, encodePlaces, placeIn } from './places.ts';

const ENCODINGS = ['utf8', 'utf16le'] as const;

export function encodeTexts(writer: ByteWriter, texts: readonly string[]): void {
  if (texts.length === 0) return;
  const list = new Map<string, number>();
  const places = Float64Array.from(texts, (text) => placeIn(list, text));
  const distinct = [...list.keys()];
  const encoding = distinct.every((text) => text.isWellFormed()) ? 0 : 1;
  const encoded = distinct.map((text) => Buffer.from(text, ENCODINGS[encoding]));
  const lengths = Float64Array.from(encoded, (bytes) => bytes.length);
  writer.u8(encoding);
  writer.varint(encoded.length);
  encodeIntegers(writer, lengths, lengths.length);
  for (const bytes of encoded) writer.append(bytes);
  encodePlaces(writer, places);
}

/** `count` texts. Throws CorruptBlockError. */
export function decodeTexts(reader: ByteReader, count: number): string[] {
  if (count === 0) return [];
  const encoding = ENCODINGS[reader.u8()];
  if (!encoding) throw new CorruptBlockError('no such encoding of texts');
  const lengths = new Float64Array(reader.varint(count));
  decodeIntegers(reader, lengths, lengths.length);
  const distinct: string[] = [];
  for (const length of lengths) {
    if (length < 0) throw new CorruptBlockError('a text of less than no bytes');
    const bytes = reader.take(length);
    distinct.push(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString(encoding));
  }
  return Array.from(decodePlaces(reader, count, distinct.length), (place) => distinct[place] as string);
}
