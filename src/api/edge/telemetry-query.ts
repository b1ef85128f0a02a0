/** GET /v1/telemetry: samples of many tags, raw or in buckets. */
import { z } from 'zod';
import type { SeriesId } from '../../core/tag.ts';
import type { AggregateColumns, Aggregation, TimeRange } from '../../store/telemetry.ts';
import type { Operation } from '../operation.ts';
import { compareText, skipOf } from '../page.ts';
import { listParam, pageParams, timeParam } from '../params.ts';
import { ApiError, invalid } from '../problem.ts';
import { intervalParam, MAX_COUNTED, rangeOf, requireFewBuckets, stepOf, type Total, totalOf, zoneParam } from '../range.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { bucketRows, type Row, sampleRows } from '../rows.ts';
import type { ApiServices, SeriesFilter } from '../services.ts';
import { validate } from '../validate.ts';
import { POINT_EXAMPLE, pointSchema } from './schema.ts';

const HOUR_MS = 3_600_000;

const AGGREGATIONS = ['avg', 'min', 'max', 'sum', 'count'] as const satisfies readonly Aggregation[];

const telemetryQuery = z.object({
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

type Catalogue = Pick<ApiServices['series'], 'definition'>;
type TelemetryQuery = z.output<typeof telemetryQuery>;

interface Selection {
  readonly series: readonly SeriesId[];
  readonly range: TimeRange;
}

interface Page extends Total {
  readonly rows: readonly object[];
  readonly next: string | null;
}

const LIST_TELEMETRY: Operation = {
  id: 'listTelemetry',
  summary: 'Query samples, as they are or by interval',
  description: 'By time, asset and tag. `interval` alone takes the mean, `aggregation` alone gives one row over the range.',
  group: 'Telemetry',
  query: telemetryQuery,
  answers: [
    {
      status: 200,
      description: 'A page of samples or buckets',
      schema: z.object({
        data: z.array(pointSchema),
        meta: z.object({
          page: z.int().optional().describe('absent behind a cursor'),
          per_page: z.int(),
          total: z.int(),
          total_capped: z.literal(true).optional().describe(`there are more than ${MAX_COUNTED}`),
          next_cursor: z.string().nullable().describe('null at the end'),
        }),
      }),
      example: { data: [POINT_EXAMPLE], meta: { page: 1, per_page: 1000, total: 1, next_cursor: null } },
    },
  ],
  errors: ['invalid_cursor', 'range_too_large', 'store_failed', 'store_stalled'],
};

export function telemetryQueryRoutes(services: ApiServices): Route[] {
  return [
    documented(
      LIST_TELEMETRY,
      route('GET', '/v1/telemetry', 'read:telemetry', (call) => telemetry(services, call)),
    ),
  ];
}

async function telemetry(services: ApiServices, call: Call): Promise<Answer> {
  const query = validate(telemetryQuery, call.request.query());
  if (query.cursor !== undefined && query.page > 1) throw invalid([{ field: 'page', message: 'must be left out with a cursor' }]);
  const range = rangeOf({ start: query.start, end: query.end, startField: 'start', defaultSpanMs: HOUR_MS }, services.clock.now());
  const selection = { series: services.series.find(filterOf(call.tenant, query)), range };
  const aggregated = query.aggregation !== undefined || query.interval !== undefined;
  const page = await (aggregated ? bucketPage(services, selection, query) : rawPage(services, selection, query));
  return ok({
    data: page.rows,
    meta: {
      ...(query.cursor === undefined ? { page: query.page } : undefined), // behind a cursor pages have no number
      per_page: query.per_page,
      total: page.total,
      ...(page.capped ? { total_capped: true } : undefined),
      next_cursor: page.next,
    },
  });
}

function filterOf(tenant: string, query: TelemetryQuery): SeriesFilter {
  return {
    tenant,
    ...(query.data_source_id && { sources: query.data_source_id }),
    ...(query.asset_id && { assets: query.asset_id }),
    ...(query.tag_name && { tags: query.tag_name }),
  };
}

async function rawPage({ store, series }: ApiServices, selection: Selection, query: TelemetryQuery): Promise<Page> {
  const { total, capped } =
    selection.series.length === 0 ? totalOf(0) : totalOf(await store.count({ ...selection, atMost: MAX_COUNTED + 1 }));
  const skip = skipOf(query);
  if (query.cursor === undefined && skip >= total && !capped) return { rows: [], total, capped, next: null };
  const place = query.cursor === undefined ? { skip } : { cursor: query.cursor };
  const { columns, next } = await store.raw({ ...selection, limit: query.per_page, ...place });
  const rows = sampleRows(columns, series).map((row) => ({ ...renderRow(row), data_source_id: row.def.source }));
  return { rows, total, capped, next };
}

/** Buckets are made as a whole: pages and cursors only choose among them. */
async function bucketPage(services: ApiServices, selection: Selection, query: TelemetryQuery): Promise<Page> {
  const catalogue = services.series;
  if (query.interval) requireFewBuckets(selection.range, query.interval, countTags(selection.series, catalogue));
  const step = query.interval && { step: stepOf(query.interval, query.tz) };
  const key = query.cursor === undefined ? undefined : decodeKey(query.cursor);
  if (selection.series.length === 0) return { rows: [], total: 0, capped: false, next: null };
  const columns = await services.store.aggregate({ ...selection, ...step, aggregation: query.aggregation ?? 'avg' });
  const first = key ? firstAfter(columns, key, catalogue) : skipOf(query);
  const rows = bucketRows(columns, catalogue, first, query.per_page);
  const end = first + rows.length;
  return {
    rows: rows.map((row) => ({ ...renderRow(row), count: row.count })),
    total: columns.rows,
    capped: false,
    next: rows.length > 0 && end < columns.rows ? encodeKey(keyOf(columns, end - 1, catalogue)) : null,
  };
}

function renderRow({ timestamp, def, value, quality }: Row) {
  return { timestamp, asset_id: def.asset, tag_name: def.tag, value, quality };
}

function countTags(series: readonly SeriesId[], catalogue: Catalogue): number {
  const tags = new Set<string>();
  for (const id of series) {
    const { asset, tag } = catalogue.definition(id);
    tags.add(`${asset}\0${tag}`);
  }
  return tags.size;
}

/** The place of a bucket in the order of rows: time, asset, tag. */
type BucketKey = readonly [timeMs: number, asset: string, tag: string];

function keyOf(columns: AggregateColumns, row: number, catalogue: Catalogue): BucketKey {
  const { asset, tag } = catalogue.definition(columns.series[row] as SeriesId);
  return [columns.timeMs[row] as number, asset, tag];
}

function firstAfter(columns: AggregateColumns, key: BucketKey, catalogue: Catalogue): number {
  let low = 0;
  let high = columns.rows;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareKeys(keyOf(columns, middle, catalogue), key) > 0) high = middle;
    else low = middle + 1;
  }
  return low;
}

function compareKeys(left: BucketKey, right: BucketKey): number {
  return left[0] - right[0] || compareText(left[1], right[1]) || compareText(left[2], right[2]);
}

const keySchema = z.tuple([z.number(), z.string(), z.string()]);

function encodeKey(key: BucketKey): string {
  return Buffer.from(JSON.stringify(key)).toString('base64url');
}

/** Throws `invalid_cursor`. */
function decodeKey(cursor: string): BucketKey {
  try {
    return keySchema.parse(JSON.parse(Buffer.from(cursor, 'base64url').toString()));
  } catch (error) {
    if (error instanceof SyntaxError || error instanceof z.ZodError)
      throw new ApiError('invalid_cursor', 'This cursor was not made by this query.');
    throw error;
  }
}
