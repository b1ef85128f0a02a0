/** The store's columns as rows, ready to print. */
import { type Quality, qualityOf } from '../core/status.ts';
import type { SeriesDef, SeriesId } from '../core/tag.ts';
import { toIso } from '../core/time.ts';
import type { AggregateColumns, Columns } from '../store/telemetry.ts';
import type { ApiServices } from './services.ts';
import { type JsonValue, renderCell, renderNumber } from './values.ts';

export interface Row {
  readonly def: SeriesDef;
  readonly timestamp: string;
  readonly value: JsonValue;
  readonly quality: Quality;
}

export interface BucketRow extends Row {
  readonly count: number;
}

type Catalogue = Pick<ApiServices['series'], 'definition'>;

export function sampleRows(columns: Columns, catalogue: Catalogue): Row[] {
  return Array.from({ length: columns.rows }, (_, row) => {
    const def = catalogue.definition(columns.series[row] as SeriesId);
    return {
      def,
      timestamp: toIso(columns.timeMs[row] as number),
      value: renderCell(columns, row, def.valueType),
      quality: qualityOf(columns.status[row] as number),
    };
  });
}

/** The buckets from row `first` on, at most `limit` of them. */
export function bucketRows(columns: AggregateColumns, catalogue: Catalogue, first: number, limit: number): BucketRow[] {
  return Array.from({ length: Math.max(0, Math.min(limit, columns.rows - first)) }, (_, index) => {
    const row = first + index;
    const def = catalogue.definition(columns.series[row] as SeriesId);
    return {
      def,
      timestamp: toIso(columns.timeMs[row] as number),
      value: renderNumber(columns.values[row] as number, def.valueType),
      quality: columns.uncertain[row] === 0 ? 'good' : 'uncertain',
      count: columns.count[row] as number,
    };
  });
}
