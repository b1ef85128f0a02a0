/** GET /v1/telemetry: samples of many tags, raw or in buckets. */
import { z } from 'zod';
import type { SeriesId } from '../../core/tag.ts';
import type { AggregateColumns } from '../../store/telemetry.ts';
import { preferred } from '../accept.ts';
import { type HistorySource, historyFor } from '../history-reads.ts';
import type { Operation } from '../operation.ts';
import { compareText, skipOf } from '../page.ts';
import { ApiError, invalid } from '../problem.ts';
import { queryOf } from '../query.ts';
import { MAX_COUNTED, type Total, totalOf } from '../range.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { bucketRows, sampleRows } from '../rows.ts';
import type { ApiServices } from '../services.ts';
import { POINT_EXAMPLE, pointSchema } from './schema.ts';
import { CSV, NDJSON, TelemetryExports } from './telemetry-export.ts';
import {
  aggregateOf,
  isAggregated,
  renderRow,
  type Selection,
  selectionOf,
  type TelemetryQuery,
  telemetryQuery,
} from './telemetry-params.ts';

const JSON_TYPE = 'application/json';
const FORMS = [JSON_TYPE, CSV, NDJSON] as const;

type Catalogue = Pick<ApiServices['series'], 'definition'>;

interface Page extends Total {
  readonly rows: readonly object[];
  readonly next: string | null;
}

const LIST_TELEMETRY: Operation = {
  id: 'listTelemetry',
  summary: 'Query samples, as they are or by interval',
  description: [
    'By time, asset and tag. `interval` alone takes the mean, `aggregation` alone gives one row over the range.',
    '',
    'With `Accept: text/csv` or `application/x-ndjson` the whole range comes as one file, without `page`, `per_page` and `cursor`; rows that',
    'arrive meanwhile may be in it. When it cannot be finished the connection is cut. Two at once for each token, eight in all.',
    '',
    'CSV is that of RFC 4180 in UTF-8, with a header line: text stands in quotes, numbers and booleans do not, no value is an empty cell,',
    'and 64-bit integers have all their digits. Text that a spreadsheet could take for a formula (it begins with `=`, `+`, `-`, `@`, a tab or',
    'a line break), and text that begins with an apostrophe, gets an apostrophe before it: take one leading apostrophe away to have the text',
    'as it was. NDJSON has every text as it is.',
  ].join('\n'),
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
      otherTypes: [CSV, NDJSON],
      headers: ['Content-Disposition'],
    },
  ],
  errors: ['not_acceptable', 'overloaded', 'invalid_cursor', 'range_too_large', 'store_failed', 'store_stalled'],
};

export function telemetryQueryRoutes(services: ApiServices): Route[] {
  const exports = new TelemetryExports(services);
  return [
    documented(
      LIST_TELEMETRY,
      route('GET', '/v1/telemetry', 'read:telemetry', (call) => telemetry(services, exports, call)),
    ),
  ];
}

async function telemetry(services: ApiServices, exports: TelemetryExports, call: Call): Promise<Answer> {
  const type = preferred(call.request.header('accept'), FORMS);
  const query = queryOf(telemetryQuery, call.request);
  if (type !== JSON_TYPE) return exports.answer(call, query, type);
  if (query.cursor !== undefined && query.page > 1) throw invalid([{ field: 'page', message: 'must be left out with a cursor' }]);
  const selection = selectionOf(services, call.tenant, query);
  const source = historyFor(services, call);
  const page = await (isAggregated(query) ? bucketPage(source, selection, query) : rawPage(source, selection, query));
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

async function rawPage({ store, series }: HistorySource, selection: Selection, query: TelemetryQuery): Promise<Page> {
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
async function bucketPage(source: HistorySource, selection: Selection, query: TelemetryQuery): Promise<Page> {
  const catalogue = source.series;
  const aggregate = aggregateOf(source, selection, query);
  const key = query.cursor === undefined ? undefined : decodeKey(query.cursor);
  if (selection.series.length === 0) return { rows: [], total: 0, capped: false, next: null };
  const columns = await source.store.aggregate(aggregate);
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
