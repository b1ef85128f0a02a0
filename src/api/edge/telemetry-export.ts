/** Telemetry as a file, CSV or NDJSON: the whole range in one answer, read by cursor and written at the client's own pace. */
import { toIso } from '../../core/time.ts';
import type { AggregateQuery, TimeRange } from '../../store/telemetry.ts';
import { csvLine, csvText } from '../csv.ts';
import { type HistorySource, historyFor } from '../history-reads.ts';
import { ApiError, invalid } from '../problem.ts';
import { type Answer, ByteSource, type Call } from '../route.ts';
import { type BucketRow, bucketRows, type Row, sampleRows } from '../rows.ts';
import type { ApiServices } from '../services.ts';
import { aggregateOf, countTags, isAggregated, renderRow, type Selection, selectionOf, type TelemetryQuery } from './telemetry-params.ts';

export const CSV = 'text/csv';
export const NDJSON = 'application/x-ndjson';
export type ExportType = typeof CSV | typeof NDJSON;

/** Samples that are asked of the store at once. 5,000 of the longest text are 10 MB, of numbers 0.2. */
const PAGE_ROWS = 5_000;
/** Rows that become one chunk: some 100 KB, 2–5 ms of the main thread on a small box. */
const CHUNK_ROWS = 1_000;
/** Buckets that are asked of the store at once. */
const SLICE_BUCKETS = 20_000;
/** A client that reads slowly holds a page; so there are few at once. */
const MAX_EXPORTS = 8;
const MAX_EXPORTS_OF_TOKEN = 2;

type Services = Pick<ApiServices, 'store' | 'series' | 'clock'>;

/** The exports that are under way. */
export class TelemetryExports {
  readonly #services: Services;
  /** How many each token has open. */
  readonly #open = new Map<string, number>();

  constructor(services: Services) {
    this.#services = services;
  }

  /**
   * The answer, once the store has given its first rows, so that what is wrong is still told by a status. Rejects `validation_error`,
   * `range_too_large`, `overloaded`, and as the store does. A failure in the middle cuts the connection: nobody takes a part for the whole.
   */
  async answer(call: Call, query: TelemetryQuery, type: ExportType): Promise<Answer> {
    for (const field of ['page', 'per_page', 'cursor']) {
      if (call.request.query(field) !== undefined) throw invalid([{ field, message: 'must be left out: an export is the whole range' }]);
    }
    const pages = pagesOf(historyFor(this.#services, call), selectionOf(this.#services, call.tenant, query), query);
    const headers = { 'Content-Disposition': `attachment; filename="${this.#fileName(type)}"` };
    const mediaType = type === CSV ? `${CSV}; charset=utf-8; header=present` : NDJSON;
    if (call.request.method === 'HEAD') return { status: 200, body: undefined, headers: { ...headers, 'Content-Type': mediaType } };
    const close = this.#begin(call.token.id);
    try {
      const first = await pages.next();
      const data = new ByteSource(encode(first, pages, formOf(type, isAggregated(query))), close);
      return { status: 200, body: undefined, content: { type: mediaType, data }, headers };
    } catch (error) {
      close();
      throw error;
    }
  }

  /** Counts one more; the result, called once or more often, counts it off. */
  #begin(tokenId: string): () => void {
    const own = this.#open.get(tokenId) ?? 0;
    const all = [...this.#open.values()].reduce((sum, count) => sum + count, 0);
    if (own >= MAX_EXPORTS_OF_TOKEN || all >= MAX_EXPORTS)
      throw new ApiError('overloaded', `${own} exports of this token are under way, ${all} in all: wait for one to end.`);
    this.#open.set(tokenId, own + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#open.get(tokenId) ?? 1) - 1;
      if (left > 0) this.#open.set(tokenId, left);
      else this.#open.delete(tokenId);
    };
  }

  #fileName(type: ExportType): string {
    const now = toIso(this.#services.clock.now()).replaceAll(/[:.-]/g, '');
    return `telemetry-${now}.${type === CSV ? 'csv' : 'ndjson'}`;
  }
}

/** Throws as `aggregateOf`, before the store is asked for anything. */
function pagesOf(source: HistorySource, selection: Selection, query: TelemetryQuery): AsyncGenerator<readonly Row[], void> {
  return isAggregated(query) ? bucketPages(source, aggregateOf(source, selection, query)) : samplePages(source, selection);
}

async function* samplePages({ store, series: catalogue }: HistorySource, selection: Selection): AsyncGenerator<readonly Row[], void> {
  if (selection.series.length === 0) return;
  let cursor: string | null | undefined;
  while (cursor !== null) {
    const page = await store.raw({ ...selection, limit: PAGE_ROWS, ...(cursor !== undefined && { cursor }) });
    yield sampleRows(page.columns, catalogue);
    cursor = page.next;
  }
}

async function* bucketPages({ store, series }: HistorySource, query: AggregateQuery): AsyncGenerator<readonly BucketRow[], void> {
  if (query.series.length === 0) return;
  for (const range of slicesOf(query, countTags({ series }, query.series))) {
    const columns = await store.aggregate({ ...query, range });
    for (let row = 0; row < columns.rows; row += CHUNK_ROWS) yield bucketRows(columns, series, row, CHUNK_ROWS);
  }
}

/** The range cut at starts of buckets, so that each part has few of them. Calendar days are few as they are. */
function* slicesOf({ range, step }: AggregateQuery, tags: number): Generator<TimeRange> {
  if (!step || !('ms' in step)) {
    yield range;
    return;
  }
  const spanMs = Math.max(1, Math.floor(SLICE_BUCKETS / tags)) * step.ms;
  let from: number = range.from;
  while (from < range.to) {
    const to = Math.min(range.to, (Math.floor(from / step.ms) + 1) * step.ms + spanMs - step.ms);
    yield { from, to } as TimeRange;
    from = to;
  }
}

/** How rows are written, and what stands before the first. */
interface Form {
  readonly head: string;
  line(row: Row): string;
}

function formOf(type: ExportType, aggregated: boolean): Form {
  const last = aggregated ? 'count' : 'data_source_id';
  if (type === NDJSON) return { head: '', line: (row) => `${JSON.stringify({ ...renderRow(row), [last]: lastOf(row) })}\n` };
  return {
    head: csvLine(['timestamp', 'asset_id', 'tag_name', 'value', 'quality', last]),
    line: (row) => {
      const { def, timestamp, quality } = row;
      const end = lastOf(row);
      return csvLine([
        timestamp,
        csvText(def.asset),
        csvText(def.tag),
        csvValue(row),
        quality,
        typeof end === 'number' ? String(end) : csvText(end),
      ]);
    },
  };
}

function lastOf(row: Row): number | string {
  return 'count' in row ? (row as BucketRow).count : row.def.source;
}

/** Of text alone in quotes: a 64-bit integer is a string in JSON, and a number with all its digits here. */
function csvValue({ value, def }: Row): string {
  if (value === null) return '';
  return def.valueType === 'string' && typeof value === 'string' ? csvText(value) : String(value);
}

type Pages = AsyncGenerator<readonly Row[], void>;

async function* encode(first: Awaited<ReturnType<Pages['next']>>, pages: Pages, form: Form): AsyncGenerator<Uint8Array, void> {
  if (form.head !== '') yield Buffer.from(form.head);
  try {
    for (let page = first; !page.done; page = await pages.next()) {
      for (let at = 0; at < page.value.length; at += CHUNK_ROWS) {
        yield Buffer.from(
          page.value
            .slice(at, at + CHUNK_ROWS)
            .map(form.line)
            .join(''),
        );
      }
    }
  } finally {
    await pages.return();
  }
}
