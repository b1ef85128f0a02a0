/** How much memory samples may take that are not sealed yet, by the memory of the machine. */
import { totalmem } from 'node:os';

/**
 * A sample in its head: 16 bytes of time and value, 4 of status where there is any, in arrays that double. Measured without statuses:
 * 19 bytes a sample in windows of 900, 25 in windows of 100.
 */
const ROW_BYTES = 26;
/** A text's or a BigInt's own head in V8 and the place that points to it. */
const WIDE_BYTES = 32;
const MAX_BYTES = 256 << 20;
const MIN_BYTES = 32 << 20;

/**
 * Beyond this nothing more is taken in until sealing works again: a quarter of the machine's memory, or of what the service is
 * given (`MemoryMax` of its unit). The other parts need some 150 MB, and sealing itself a few. 512 MiB give 128 MiB: 5 million
 * samples, an hour and a half at 1,000 a second. More than 256 MiB are of no use: the log's segments end soon after.
 */
export const MAX_UNSEALED_BYTES = Math.min(MAX_BYTES, Math.max(MIN_BYTES, memoryBytes() / 4));

/** Beyond this windows are sealed as they are, in parts. Below half of the above, as what is being sealed stands beside what comes. */
export const MAX_OPEN_BYTES = 0.4 * MAX_UNSEALED_BYTES;

/** Of so many samples, some of whose values are no plain numbers. */
export function memoryOf({ rows, wideBytes }: { readonly rows: number; readonly wideBytes: number }): number {
  return rows * ROW_BYTES + wideBytes;
}

/** What a value takes beside its sample when it is no plain number. */
export function memoryOfWide(wide: string | bigint | undefined): number {
  if (wide === undefined) return 0;
  return WIDE_BYTES + (typeof wide === 'string' ? wide.length : 0);
}

/** The cgroup's limit is 0 or beyond all measure where there is none. */
function memoryBytes(): number {
  const limit = process.constrainedMemory();
  return limit > 0 ? Math.min(limit, totalmem()) : totalmem();
}
