/** The newest answer of a device to a poll, as somebody who doubts a value wants to see it: the words that came, before anything was made of them. */
import type { UnixMs } from '../../core/time.ts';
import type { RawSample } from '../driver.ts';
import { isBitTable, type Span } from './plan.ts';
import { type Point, positionIn } from './point.ts';
import type { Answer } from './reader.ts';

/** One for all points of an answer, which holds its bytes anyway. */
export interface LastAnswer {
  readonly answer: Answer<Span>;
  readonly timeMs: UnixMs;
}

/** Registers in hexadecimal, first register first as on the wire; a bit as 0 or 1; of a failure what it was. */
export function rawSampleOf(point: Point, { answer, timeMs }: LastAnswer): RawSample {
  const { block, bytes, failure } = answer;
  const times = { readMs: timeMs, sourceMs: null, serverMs: null }; // Modbus knows no time
  if (!bytes) return { words: { failure: failure.message }, ...times };
  const at = positionIn(block, point);
  if (isBitTable(point.table)) return { words: { bit: (bytes.readUInt8(at >> 3) >> (at & 7)) & 1 }, ...times };
  const registers = Array.from({ length: point.count }, (_, index) => bytes.toString('hex', at + 2 * index, at + 2 * index + 2));
  return { words: { registers: registers.join(' ') }, ...times };
}
