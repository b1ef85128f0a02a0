/** How much memory samples may take that are not sealed yet, by the memory of the machine. */
import { memoryBytes } from '../../core/memory.ts';

/**
 * A head without the elements of its columns: itself, two arrays, their buffers, its place in its window. Node 20 takes 770 to 1,080 bytes of
 * the process's memory (100,000 heads, by the length of their columns): many heads of few samples are the dearest samples of all.
 */
export const HEAD_BYTES = 1_000;
/** A window without its heads. */
export const WINDOW_BYTES = 500;
/** A number that is alone in its window and its head. */
export const MAX_SAMPLE_BYTES = 2_000;
/** A text's or a BigInt's own head in V8 and the place that points to it. */
const WIDE_BYTES = 32;
const MAX_BYTES = 256 << 20;
const MIN_BYTES = 32 << 20;

/**
 * Beyond this nothing more is taken in until sealing works again: a quarter of the machine's memory, or of what the service is
 * given (`MemoryMax` of its unit). The other parts need some 150 MB, and sealing itself a few. 512 MiB give 128 MiB: 6 million samples in
 * windows of 900, or 120,000 that each lie in a window of their own. More than 256 MiB are of no use: the log's segments end soon after.
 */
export const MAX_UNSEALED_BYTES = Math.min(MAX_BYTES, Math.max(MIN_BYTES, memoryBytes() / 4));

/** Beyond this share of it windows are sealed as they are, in parts. Below half, as what is being sealed stands beside what comes. */
export const OPEN_SHARE = 0.4;

/** What a value takes beside its sample when it is no plain number. */
export function memoryOfWide(wide: string | bigint | undefined): number {
  if (wide === undefined) return 0;
  return WIDE_BYTES + (typeof wide === 'string' ? 2 * wide.length : 0); // two bytes a character as soon as one is beyond Latin-1
}
