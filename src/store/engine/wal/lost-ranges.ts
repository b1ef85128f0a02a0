/** Says what the log has lost, and keeps the files as they are, for they will be used again. */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Sequence } from '../../../core/tag.ts';
import type { ColumnarOptions } from '../columnar-options.ts';
import { keepDamaged } from '../damaged-copy.ts';
import type { LostRange } from './replay.ts';

/** `dir` is the folder of the segments. */
export function tellLost(lost: readonly LostRange[], dir: string, report: ColumnarOptions['report']): void {
  for (const segment of new Set(lost.map((range) => range.segment))) {
    if (!existsSync(join(dir, segment))) continue;
    report(segment, new Error(`it is damaged; what it is now is kept as ${keepDamaged(join(dir, segment), 'copy')}`));
  }
  for (const range of lost) report(`the log in ${range.segment}: samples are lost`, range);
}

/** The log ends before what is known to have been in it. */
export function missingEnd(from: number, to: number): LostRange {
  return { segment: 'a segment that is gone', offset: 0, from: from as Sequence, to: to as Sequence };
}
