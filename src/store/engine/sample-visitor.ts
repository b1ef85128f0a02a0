/** Shows the samples of a ring or a log in the one shape in which the engine holds them. */
import type { RecordVisitor } from '../../core/ring.ts';
import type { SeriesDef, SeriesId } from '../../core/tag.ts';

/** `number` is NaN where there is none; text and 64-bit integers are `wide`. */
export type TakeSample = (series: SeriesId, timeMs: number, number: number, wide: string | bigint | undefined, status: number) => void;

export function sampleVisitor(take: TakeSample, define: (series: SeriesId, def: SeriesDef) => void): RecordVisitor {
  return {
    define,
    number: (series, timeMs, value, status) => take(series, timeMs, value, undefined, status),
    integer: (series, timeMs, value, _signed, status) => take(series, timeMs, Number.NaN, value, status),
    text: (series, timeMs, value, status) => take(series, timeMs, Number.NaN, value, status),
  };
}
