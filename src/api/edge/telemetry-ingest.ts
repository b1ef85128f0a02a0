/** POST /v1/telemetry: readings over REST, answered once they are on disk. */
import { z } from 'zod';
import type { Emit } from '../../core/emit.ts';
import { statusOf } from '../../core/status.ts';
import type { SeriesId, ValueType } from '../../core/tag.ts';
import { MAX_AHEAD_MS, MIN_TIME_MS, toIso, type UnixMs } from '../../core/time.ts';
import { Turns } from '../../core/turns.ts';
import { readJson, TELEMETRY_BODY_LIMIT_BYTES } from '../body.ts';
import type { Operation } from '../operation.ts';
import { ApiError, type Detail, invalid } from '../problem.ts';
import { pushReading, requireRoom, textBytesOf, typeOf } from '../reading.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { ingestSchema, type Point, type Points, pointsOf } from './telemetry-points.ts';

const STEPS_BETWEEN_LOOKS = 64; // points between two looks at the clock: some 0.1 ms
const NO_MORE_SERIES = 'names a new series, and the tenant or the box has as many as its memory allows';
const DAY_MS = 86_400_000; // samples are kept and removed by whole days, UTC

interface PointError extends Detail {
  readonly index: number;
}

const INGEST_TELEMETRY: Operation = {
  id: 'ingestTelemetry',
  summary: 'Send readings; the answer comes when they are on disk',
  description: 'The same asset, tag and time overwrites, so that sending again is safe. One wrong point refuses them all.',
  group: 'Telemetry',
  body: {
    schema: ingestSchema,
    example: { data: [{ asset_id: 'Pump_001', tag_name: 'temperature', value: 65.5, timestamp: '2026-01-06T10:00:00Z', quality: 'good' }] },
    limitBytes: TELEMETRY_BODY_LIMIT_BYTES,
  },
  answers: [
    {
      status: 200,
      description: 'What was kept',
      schema: z.object({
        data: z.object({
          accepted: z.int(),
          rejected: z.int(),
          duplicates: z.int().describe('points that overwrote another of the same request'),
          errors: z.array(z.object({ index: z.int(), field: z.string(), message: z.string() })),
        }),
      }),
      example: { data: { accepted: 1, rejected: 0, duplicates: 0, errors: [] } },
    },
  ],
  errors: ['limit_reached', 'overloaded', 'store_failed', 'store_stalled', 'storage_full'],
};

export function telemetryIngestRoutes(services: ApiServices): Route[] {
  const ingestAt = (path: string) => route('POST', path, 'write:telemetry', (call) => ingest(services, call));
  return [
    documented(INGEST_TELEMETRY, ingestAt('/v1/telemetry')),
    documented(
      { ...INGEST_TELEMETRY, id: 'ingestTelemetryAlias', description: 'As POST /v1/telemetry.' },
      ingestAt('/v1/telemetry/ingest'),
    ),
  ];
}

async function ingest(services: ApiServices, call: Call): Promise<Answer> {
  const body = await readJson(call.request, TELEMETRY_BODY_LIMIT_BYTES);
  const turns = new Turns(services.clock);
  const points = await pointsOf(body, turns);
  const { believable, errors } = sortByClock(points, believableTimes(services));
  const untimely = errors.length;
  const emit = services.door(call.tenant);
  const textBytes = textBytesOfAll(points, believable);
  requireRoom(emit, believable.length, textBytes, services);
  const series = await seriesOf(emit, points, believable, turns);

  // From here to the last push nothing waits, so no other producer takes the room that is found.
  requireRoom(emit, believable.length, textBytes, services); // again: new series put their definitions into the same ring, and others had their turn
  const accepted = push(emit, points, { believable, series, errors });
  for (let left = untimely; left > 0; left--) emit.rejected('invalid_time');
  errors.sort((left, right) => left.index - right.index);
  if (accepted.length === 0 && untimely === 0) throw new ApiError('limit_reached', `Every point ${NO_MORE_SERIES}.`);
  if (accepted.length === 0) throw invalid(errors.map(({ index, field, message }) => ({ field: `data.${index}.${field}`, message })));
  await emit.durable(emit.sequence(), call.request.raw.signal);
  const duplicates = await countDuplicates(points, accepted, turns);
  return ok({ data: { accepted: accepted.length, rejected: errors.length, duplicates, errors } });
}

interface Times {
  readonly earliestMs: number;
  readonly latestMs: number;
  readonly tooLate: string;
}

/**
 * A time further ahead than clocks differ is a mistake that would hide newer values for as long. One of a day that is too old to be kept
 * would be taken in to be removed. A box that does not know its own time believes all but a wrong year.
 */
function believableTimes({ clock, clockTrusted, latestMs, rawMaxAgeMs }: ApiServices): Times {
  const times = { earliestMs: MIN_TIME_MS, latestMs: latestMs() };
  const tooLate = `lies after ${toIso(times.latestMs)}, the latest that this box believes as long as its clock is not set`;
  if (!clockTrusted()) return { ...times, tooLate };
  const maxAgeMs = rawMaxAgeMs();
  const earliestMs = maxAgeMs === null ? MIN_TIME_MS : Math.floor((clock.now() - maxAgeMs) / DAY_MS) * DAY_MS;
  return { ...times, earliestMs, tooLate: `lies more than ${MAX_AHEAD_MS / 60_000} minutes ahead of this box` };
}

/** The places of the points that may be stored, and what is wrong with the others. */
function sortByClock({ timesMs }: Points, { earliestMs, latestMs, tooLate }: Times): { believable: number[]; errors: PointError[] } {
  const believable: number[] = [];
  const errors: PointError[] = [];
  for (const [index, timeMs] of timesMs.entries()) {
    if (Number.isNaN(timeMs) || (timeMs >= earliestMs && timeMs <= latestMs)) believable.push(index);
    else if (timeMs > latestMs) errors.push({ index, field: 'timestamp', message: tooLate });
    else errors.push({ index, field: 'timestamp', message: `is older than samples are kept: before ${toIso(earliestMs)}` });
  }
  return { believable, errors };
}

function textBytesOfAll({ rows }: Points, places: readonly number[]): number {
  let sum = 0;
  for (const index of places) sum += textBytesOf((rows[index] as Point).value);
  return sum;
}

/** The series of each point that is named; undefined for one that the box cannot take. Takes turns. */
async function seriesOf(emit: Emit, { rows }: Points, places: readonly number[], turns: Turns): Promise<(SeriesId | undefined)[]> {
  const series: (SeriesId | undefined)[] = [];
  const known = new KnownSeries();
  for (const index of places) {
    if (series.length % STEPS_BETWEEN_LOOKS === 0 && turns.isOver) await turns.yield();
    const { asset_id: asset, tag_name: tag, value } = rows[index] as Point;
    const valueType = typeOf(value);
    const tags = known.tagsOf(asset, valueType);
    const id = tags.get(tag) ?? emit.series({ asset, tag, valueType });
    if (id !== undefined) tags.set(tag, id);
    series.push(id);
  }
  return series;
}

/** Series that a request has named already: most bodies bring many points of few tags, and the door looks at each tag closely. */
class KnownSeries {
  readonly #byType = new Map<ValueType, Map<string, Map<string, SeriesId>>>();

  /** Those of an asset, by tag. */
  tagsOf(asset: string, valueType: ValueType): Map<string, SeriesId> {
    const assets = this.#byType.get(valueType) ?? new Map<string, Map<string, SeriesId>>();
    this.#byType.set(valueType, assets);
    const tags = assets.get(asset) ?? new Map<string, SeriesId>();
    assets.set(asset, tags);
    return tags;
  }
}

interface Resolved {
  readonly believable: readonly number[];
  /** Of each of those. */
  readonly series: readonly (SeriesId | undefined)[];
  /** Takes the points whose series is refused. */
  readonly errors: PointError[];
}

/** Returns the places of the points that were pushed. */
function push(emit: Emit, { rows, timesMs }: Points, { believable, series, errors }: Resolved): number[] {
  const accepted: number[] = [];
  for (const [at, index] of believable.entries()) {
    const id = series[at];
    if (id === undefined) {
      errors.push({ index, field: 'tag_name', message: NO_MORE_SERIES });
      continue;
    }
    const { value, quality = 'good' } = rows[index] as Point;
    const timeMs = timesMs[index] as UnixMs;
    pushReading(emit, id, { value, timeMs: Number.isNaN(timeMs) ? undefined : timeMs, status: statusOf(quality) });
    accepted.push(index);
  }
  return accepted;
}

/** Points that overwrite another of the same request: same tag, same time. */
async function countDuplicates({ rows, timesMs }: Points, accepted: readonly number[], turns: Turns): Promise<number> {
  const distinct = new Set<string>();
  for (const [at, index] of accepted.entries()) {
    if (at % STEPS_BETWEEN_LOOKS === 0 && turns.isOver) await turns.yield();
    const { asset_id: asset, tag_name: tag } = rows[index] as Point;
    distinct.add(`${asset}\0${tag}\0${timesMs[index]}`);
  }
  return accepted.length - distinct.size;
}
