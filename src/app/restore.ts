/** Brings memory up to what the store knows, so that a restart shows the same twins with the same values. */
import { isGatewayError } from '../core/errors.ts';
import type { StatusCode } from '../core/status.ts';
import { BAD_NO_COMMUNICATION } from '../core/status.ts';
import type { SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { TagTable } from '../ingest/tag-table.ts';
import type { Columns, TelemetryStore } from '../store/telemetry.ts';
import type { LiveValues } from '../twin/live.ts';

const BATCH_SERIES = 5_000; // a call of this size keeps the worker busy for some ten milliseconds, as memory answers it

/** Reads the newest sample and the newest usable one of every series. */
export async function restoreLive(store: TelemetryStore, tags: TagTable, live: LiveValues, series: readonly SeriesId[]): Promise<void> {
  for (let start = 0; start < series.length; start += BATCH_SERIES) {
    const batch = series.slice(start, start + BATCH_SERIES);
    show(await newestUsable(store, batch), live);
    const newest = await store.latest(batch, 'newest');
    show(newest, live);
    for (let row = 0; row < newest.rows; row++) {
      const entry = tags.entry(newest.series[row] as SeriesId);
      if (!entry) continue;
      entry.lastMs = newest.timeMs[row] as number;
      entry.seenMs = entry.lastMs;
      entry.lastNumber = newest.numbers[row] as number;
      entry.lastWide = newest.wide?.[row];
      entry.lastStatus = newest.status[row] as number;
      entry.lost = entry.lastStatus === BAD_NO_COMMUNICATION;
    }
  }
}

/** The newest of all do without them: a file that cannot be read now must not keep the box from starting. */
async function newestUsable(store: TelemetryStore, series: readonly SeriesId[]): Promise<Columns> {
  try {
    return await store.latest(series, 'usable');
  } catch (error) {
    if (!isGatewayError(error, 'store_failed')) throw error;
    return store.latest(series, 'newest');
  }
}

function show(columns: Columns, live: LiveValues): void {
  for (let row = 0; row < columns.rows; row++) {
    const series = columns.series[row] as SeriesId;
    const timeMs = columns.timeMs[row] as UnixMs;
    const status = columns.status[row] as StatusCode;
    const wide = columns.wide?.[row];
    if (typeof wide === 'string') live.text(series, timeMs, wide, status, false);
    else if (typeof wide === 'bigint') live.integer(series, timeMs, wide, true, status, false);
    else live.number(series, timeMs, columns.numbers[row] as number, status, false);
  }
}
