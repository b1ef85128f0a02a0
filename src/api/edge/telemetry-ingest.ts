/** POST /v1/telemetry: readings over REST, answered once they are on disk. */
import { z } from 'zod';
import type { Emit } from '../../core/emit.ts';
import { statusOf } from '../../core/status.ts';
import { MAX_AHEAD_MS, MIN_TIME_MS, parseTime, toIso } from '../../core/time.ts';
import { idSchema, tagNameSchema } from '../../drivers/schema.ts';
import { readJson, TELEMETRY_BODY_LIMIT_BYTES } from '../body.ts';
import type { Operation } from '../operation.ts';
import { parsed } from '../params.ts';
import { ApiError, type Detail, invalid } from '../problem.ts';
import { pushReading, readingSchema, requireRoom, textBytesOf, typeOf } from '../reading.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';

const MAX_POINTS = 5_000;
const NO_MORE_SERIES = 'names a new series, and the tenant or the box has as many as its memory allows';
const DAY_MS = 86_400_000; // samples are kept and removed by whole days, UTC

const pointSchema = z.strictObject({
  asset_id: idSchema,
  tag_name: tagNameSchema,
  value: readingSchema,
  timestamp: parsed(parseTime, 'must be an RFC 3339 time, such as 2026-01-06T10:00:00Z').optional(),
  quality: z.enum(['good', 'uncertain', 'bad'], 'must be good, uncertain or bad').optional(),
});

const ingestSchema = z.strictObject({ data: z.array(pointSchema).min(1, 'must hold at least one point') });

type Point = z.output<typeof pointSchema>;

interface PointError extends Detail {
  readonly index: number;
}

/** A point that may be stored. */
interface Accepted {
  readonly index: number;
  readonly point: Point;
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
  requireFewPoints(body);
  const { data: points } = validate(ingestSchema, body);

  // From here to the last push nothing waits, so no other producer takes the room that was found.
  const emit = services.door(call.tenant);
  const { believable, errors } = sortByClock(points, believableTimes(services));
  const untimely = errors.length;
  const accepted = push(emit, believable, errors, services);
  for (let left = untimely; left > 0; left--) emit.rejected('invalid_time');
  errors.sort((left, right) => left.index - right.index);
  if (accepted.length === 0 && untimely === 0) throw new ApiError('limit_reached', `Every point ${NO_MORE_SERIES}.`);
  if (accepted.length === 0) throw invalid(errors.map(({ index, field, message }) => ({ field: `data.${index}.${field}`, message })));
  await emit.durable(emit.sequence(), call.request.raw.signal);
  return ok({
    data: { accepted: accepted.length, rejected: errors.length, duplicates: countDuplicates(accepted), errors },
  });
}

/** Before the schema, which would write an issue for each of a million wrong points. */
function requireFewPoints(body: unknown): void {
  const data = typeof body === 'object' && body !== null && 'data' in body ? body.data : undefined;
  if (Array.isArray(data) && data.length > MAX_POINTS)
    throw invalid([{ field: 'data', message: `must hold at most ${MAX_POINTS} points` }]);
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

function sortByClock(points: readonly Point[], { earliestMs, latestMs, tooLate }: Times): { believable: Accepted[]; errors: PointError[] } {
  const believable: Accepted[] = [];
  const errors: PointError[] = [];
  for (const [index, point] of points.entries()) {
    const { timestamp: timeMs } = point;
    if (timeMs === undefined || (timeMs >= earliestMs && timeMs <= latestMs)) believable.push({ index, point });
    else if (timeMs > latestMs) errors.push({ index, field: 'timestamp', message: tooLate });
    else errors.push({ index, field: 'timestamp', message: `is older than samples are kept: before ${toIso(earliestMs)}` });
  }
  return { believable, errors };
}

/** All of them or, when there is no room, none. Points whose series is refused go to `errors`; returns the others. Throws `overloaded` or `storage_full`. */
function push(emit: Emit, points: readonly Accepted[], errors: PointError[], services: ApiServices): Accepted[] {
  const textBytes = points.reduce((sum, { point }) => sum + textBytesOf(point.value), 0);
  requireRoom(emit, points.length, textBytes, services);
  const ids = points.map(({ point }) => emit.series({ asset: point.asset_id, tag: point.tag_name, valueType: typeOf(point.value) }));
  requireRoom(emit, points.length, textBytes, services); // again: new series put their definitions into the same ring

  const accepted: Accepted[] = [];
  for (const [at, each] of points.entries()) {
    const series = ids[at];
    if (series === undefined) {
      errors.push({ index: each.index, field: 'tag_name', message: NO_MORE_SERIES });
      continue;
    }
    const { value, timestamp: timeMs, quality = 'good' } = each.point;
    pushReading(emit, series, { value, timeMs, status: statusOf(quality) });
    accepted.push(each);
  }
  return accepted;
}

/** Points that overwrite another of the same request: same tag, same time. */
function countDuplicates(accepted: readonly Accepted[]): number {
  const distinct = new Set(accepted.map(({ point }) => `${point.asset_id}\0${point.tag_name}\0${point.timestamp ?? 'now'}`));
  return accepted.length - distinct.size;
}
