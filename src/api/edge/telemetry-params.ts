/** What a query of telemetry may say, and what it then asks of the store. */
import { z } from 'zod';
import type { SeriesId } from '../../core/tag.ts';
import type { AggregateQuery, Aggregation, TimeRange } from '../../store/telemetry.ts';
import { listParam, pageParams, timeParam } from '../params.ts';
import { intervalParam, rangeOf, requireFewBuckets, requireFewDays, stepOf, zoneParam } from '../range.ts';
import type { Row } from '../rows.ts';
import type { ApiServices, SeriesFilter } from '../services.ts';

const HOUR_MS = 3_600_000;

const AGGREGATIONS = ['avg', 'min', 'max', 'sum', 'count'] as const satisfies readonly Aggregation[];

export const telemetryQuery = z.object({
  ...pageParams(1_000, 10_000),
  cursor: z.string().min(1).max(1_024).optional(),
  data_source_id: listParam,
  asset_id: listParam,
  tag_name: listParam,
  start: timeParam.optional(),
  end: timeParam.optional(),
  aggregation: z.enum(AGGREGATIONS, `must be one of ${AGGREGATIONS.join(', ')}`).optional(),
  interval: intervalParam.optional(),
  tz: zoneParam,
});

export type TelemetryQuery = z.output<typeof telemetryQuery>;

export interface Selection {
  readonly series: readonly SeriesId[];
  readonly range: TimeRange;
}

/** The last hour unless the query says another range. Throws `validation_error`. */
export function selectionOf(services: Pick<ApiServices, 'series' | 'clock'>, tenant: string, query: TelemetryQuery): Selection {
  const range = rangeOf({ start: query.start, end: query.end, startField: 'start', defaultSpanMs: HOUR_MS }, services.clock.now());
  return { series: services.series.find(filterOf(tenant, query)), range };
}

function filterOf(tenant: string, query: TelemetryQuery): SeriesFilter {
  return {
    tenant,
    ...(query.data_source_id && { sources: query.data_source_id }),
    ...(query.asset_id && { assets: query.asset_id }),
    ...(query.tag_name && { tags: query.tag_name }),
  };
}

export function isAggregated(query: TelemetryQuery): boolean {
  return query.aggregation !== undefined || query.interval !== undefined;
}

/** Of an aggregated query. Throws `validation_error`, and `range_too_large` for more buckets, or days, than one answer may be made of. */
export function aggregateOf(services: Pick<ApiServices, 'series'>, selection: Selection, query: TelemetryQuery): AggregateQuery {
  const tags = countTags(services, selection.series);
  if (query.interval) requireFewBuckets(selection.range, query.interval, tags);
  else requireFewDays(selection.range, tags);
  const step = query.interval && { step: stepOf(query.interval, query.tz) };
  return { ...selection, ...step, aggregation: query.aggregation ?? 'avg' };
}

export function countTags({ series: catalogue }: Pick<ApiServices, 'series'>, series: readonly SeriesId[]): number {
  const tags = new Set<string>();
  for (const id of series) {
    const { asset, tag } = catalogue.definition(id);
    tags.add(`${asset}\0${tag}`);
  }
  return tags.size;
}

/** What all rows have, whatever their form. */
export function renderRow({ timestamp, def, value, quality }: Row) {
  return { timestamp, asset_id: def.asset, tag_name: def.tag, value, quality };
}
