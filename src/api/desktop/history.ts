/** GET /api/twins/{id}/sensors/{id}/history: a sensor's samples, raw or in buckets, and the gaps between them. */
import { z } from 'zod';
import type { SeriesId } from '../../core/tag.ts';
import { toIso } from '../../core/time.ts';
import type { Aggregation, Gap, TimeRange } from '../../store/telemetry.ts';
import { type HistorySource, historyFor } from '../history-reads.ts';
import type { Operation } from '../operation.ts';
import { type PageRequest, skipOf } from '../page.ts';
import { pageParams, timeParam } from '../params.ts';
import { invalid } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Interval, intervalParam, MAX_COUNTED, rangeOf, requireFewBuckets, stepOf, type Total, totalOf, zoneParam } from '../range.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { bucketRows, type Row, sampleRows } from '../rows.ts';
import { qualitySchema, timeSchema, valueSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { findSensor, findTwin } from './find.ts';
import { links, pagination } from './list-envelope.ts';
import { linksSchema, paginationSchema } from './schema.ts';

const DAY_MS = 86_400_000;
const MAX_GAPS = 1_000; // a link that flaps all day; beyond it the answer says so

const AGGREGATIONS = ['avg', 'min', 'max', 'sum', 'count', 'first', 'last'] as const satisfies readonly Aggregation[];

const historyQuery = z.object({
  ...pageParams(100, 1_000),
  start_date: timeParam.optional(),
  end_date: timeParam.optional(),
  interval: intervalParam.optional(),
  agg: z.enum(AGGREGATIONS, `must be one of ${AGGREGATIONS.join(', ')}`).optional(),
  tz: zoneParam,
});

interface Page extends Total {
  readonly rows: readonly Row[];
}

const NOTHING: Page = { rows: [], total: 0, capped: false };

interface Selection {
  readonly series: readonly SeriesId[];
  readonly range: TimeRange;
}

interface Buckets {
  readonly interval: Interval;
  readonly aggregation: Aggregation;
  readonly tz: string;
}

const historySchema = z.object({
  data: z.array(z.object({ timestamp: timeSchema, value: valueSchema, quality: qualitySchema })),
  meta: z.object({
    pagination: paginationSchema,
    aggregation: z.object({
      interval: z.string().nullable(),
      start_date: timeSchema,
      end_date: timeSchema,
      function: z.enum(AGGREGATIONS).optional(),
      tz: z.string().optional(),
    }),
    gaps: z.array(z.object({ start_date: timeSchema, end_date: timeSchema })).describe('when the source was away'),
    gaps_capped: z.literal(true).optional().describe(`there are more than ${MAX_GAPS}`),
  }),
  links: linksSchema,
});

const GET_HISTORY: Operation = {
  id: 'getSensorHistory',
  summary: 'Get what a sensor read, sample by sample or by interval',
  description: 'Ascending by time. Buckets hold good and uncertain samples; empty ones are left out.',
  group: 'Twins',
  query: historyQuery,
  answers: [
    {
      status: 200,
      description: 'A page of samples or buckets',
      schema: historySchema,
      example: {
        data: [{ timestamp: '2025-11-17T00:00:00Z', value: 64.2, quality: 'good' }],
        meta: {
          pagination: { total_items: 24, total_pages: 1, current_page: 1, per_page: 100 },
          aggregation: { interval: '1h', start_date: '2025-11-17T00:00:00Z', end_date: '2025-11-18T00:00:00Z', function: 'avg', tz: 'UTC' },
          gaps: [],
        },
        links: {
          self: '/api/twins/pump-101/sensors/temperature/history?page=1&per_page=100',
          first: '/api/twins/pump-101/sensors/temperature/history?page=1&per_page=100',
          last: '/api/twins/pump-101/sensors/temperature/history?page=1&per_page=100',
        },
      },
    },
  ],
  errors: ['twin_not_found', 'sensor_not_found', 'range_too_large', 'overloaded', 'store_failed', 'store_stalled'],
};

export function historyRoutes(services: ApiServices): Route[] {
  const path = '/api/twins/:id/sensors/:sensorId/history';
  return [
    documented(
      GET_HISTORY,
      route('GET', path, 'read:telemetry', (call) => history(services, call)),
    ),
  ];
}

async function history(services: ApiServices, call: Call): Promise<Answer> {
  const twin = findTwin(call, services.twins);
  const sensor = findSensor(call, twin);
  const query = queryOf(historyQuery, call.request);
  if (query.agg && !query.interval) throw invalid([{ field: 'agg', message: 'needs an interval' }]);
  const { asset, tag, source: boundTo } = sensor.binding;
  const sources = boundTo ? { sources: [boundTo] } : {};
  const series = services.series.find({ tenant: call.tenant, assets: [asset], tags: [tag], ...sources });
  const range = rangeOf(
    { start: query.start_date, end: query.end_date, startField: 'start_date', defaultSpanMs: DAY_MS },
    services.clock.now(),
  );
  const buckets = query.interval && { interval: query.interval, aggregation: query.agg ?? 'avg', tz: query.tz };
  const selection = { series, range };
  const source = historyFor(services, call);
  const [page, gaps] = await Promise.all([
    buckets ? bucketPage(source, selection, buckets, query) : rawPage(source, selection, query),
    series.length > 0 ? source.store.gaps({ series, range, limit: MAX_GAPS + 1 }) : [],
  ]);
  const place = { path: `/api/twins/${twin.id}/sensors/${sensor.id}/history`, search: new URL(call.request.url).search };
  return ok({
    data: page.rows.map(renderRow),
    meta: {
      pagination: { ...pagination(page.total, query), ...(page.capped ? { total_capped: true } : undefined) },
      aggregation: {
        interval: buckets?.interval.text ?? null,
        start_date: toIso(range.from),
        end_date: toIso(range.to),
        ...(buckets ? { function: buckets.aggregation, tz: buckets.tz } : undefined),
      },
      gaps: gaps.slice(0, MAX_GAPS).map(renderGap),
      ...(gaps.length > MAX_GAPS ? { gaps_capped: true } : undefined),
    },
    links: links(place, page.total, query),
  });
}

async function rawPage({ store, series }: HistorySource, selection: Selection, page: PageRequest): Promise<Page> {
  if (selection.series.length === 0) return NOTHING;
  const { total, capped } = totalOf(await store.count({ ...selection, atMost: MAX_COUNTED + 1 }));
  const skip = skipOf(page);
  if (skip >= total && !capped) return { rows: [], total, capped };
  const { columns } = await store.raw({ ...selection, limit: page.per_page, skip });
  return { rows: sampleRows(columns, series), total, capped };
}

async function bucketPage({ store, series }: HistorySource, selection: Selection, buckets: Buckets, page: PageRequest): Promise<Page> {
  requireFewBuckets(selection.range, buckets.interval, 1);
  const step = stepOf(buckets.interval, buckets.tz);
  if (selection.series.length === 0) return NOTHING;
  const columns = await store.aggregate({ ...selection, step, aggregation: buckets.aggregation });
  return { rows: bucketRows(columns, series, skipOf(page), page.per_page), total: columns.rows, capped: false };
}

function renderRow({ timestamp, value, quality }: Row) {
  return { timestamp, value, quality };
}

function renderGap(gap: Gap) {
  return { start_date: toIso(gap.from), end_date: toIso(gap.to) };
}
