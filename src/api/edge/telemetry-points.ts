/** The points of an ingest body: what the schema says of them, checked by hand where they are plainly right, for they come by the thousand. */
import { z } from 'zod';
import { ID_PATTERN, MAX_TEXT_LENGTH, TAG_NAME_PATTERN } from '../../core/tag.ts';
import { parseTime } from '../../core/time.ts';
import type { Turns } from '../../core/turns.ts';
import { idSchema, tagNameSchema } from '../../drivers/schema.ts';
import { parsed } from '../params.ts';
import { type Detail, invalid } from '../problem.ts';
import { readingSchema } from '../reading.ts';
import { faultsOf } from '../validate.ts';

const MAX_POINTS = 5_000;
const STEPS_BETWEEN_LOOKS = 64; // points between two looks at the clock: some 0.1 ms

const pointSchema = z.strictObject({
  asset_id: idSchema,
  tag_name: tagNameSchema,
  value: readingSchema,
  timestamp: parsed(parseTime, 'must be an RFC 3339 time, such as 2026-01-06T10:00:00Z').optional(),
  quality: z.enum(['good', 'uncertain', 'bad'], 'must be good, uncertain or bad').optional(),
});

export const ingestSchema = z.strictObject({ data: z.array(pointSchema).min(1, 'must hold at least one point') });

/** The body around its points. */
const envelopeSchema = z.strictObject({ data: z.array(z.unknown()).min(1, 'must hold at least one point') });

/** As it came; what its timestamp says is in `timesMs`. */
export type Point = Omit<z.input<typeof pointSchema>, 'timestamp'> & { readonly timestamp?: string | undefined };

export interface Points {
  readonly rows: readonly Point[];
  /** NaN for a point without a time. */
  readonly timesMs: Float64Array;
}

/** Gives what `validate(ingestSchema, body)` gives, and throws what it throws; no more than 5,000 points. Takes turns. */
export async function pointsOf(body: unknown, turns: Turns): Promise<Points> {
  const data = typeof body === 'object' && body !== null && 'data' in body ? body.data : undefined;
  const rows: readonly unknown[] = Array.isArray(data) ? data : [];
  if (rows.length > MAX_POINTS) throw invalid([{ field: 'data', message: `must hold at most ${MAX_POINTS} points` }]);
  const timesMs = new Float64Array(rows.length);
  const details: Detail[] = [];
  for (let index = 0; index < rows.length; index++) {
    if (index % STEPS_BETWEEN_LOOKS === 0 && turns.isOver) await turns.yield();
    const timeMs = timeOfPlain(rows[index]) ?? timeOfAny(rows[index], index, details);
    timesMs[index] = timeMs;
  }
  details.push(...faultsOf(envelopeSchema, body, []));
  if (details.length > 0) throw invalid(details);
  return { rows: rows as readonly Point[], timesMs };
}

/** The time of a point that is plainly right, NaN where it has none; undefined where the schema has to judge. */
function timeOfPlain(point: unknown): number | undefined {
  if (typeof point !== 'object' || point === null) return undefined;
  const { asset_id: asset, tag_name: tag, value, timestamp, quality } = point as Readonly<Record<string, unknown>>;
  if (typeof asset !== 'string' || !ID_PATTERN.test(asset)) return undefined;
  if (typeof tag !== 'string' || !TAG_NAME_PATTERN.test(tag)) return undefined;
  if (!isPlainValue(value)) return undefined;
  if (quality !== undefined && quality !== 'good' && quality !== 'uncertain' && quality !== 'bad') return undefined;
  let fields = 0;
  for (const _ in point) fields++;
  if (fields !== 3 + (timestamp === undefined ? 0 : 1) + (quality === undefined ? 0 : 1)) return undefined;
  if (timestamp === undefined) return Number.NaN;
  return typeof timestamp === 'string' ? parseTime(timestamp) : undefined;
}

function isPlainValue(value: unknown): boolean {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value === 'string') return value.length <= MAX_TEXT_LENGTH && value.isWellFormed();
  return typeof value === 'boolean';
}

/** The same by the schema; what is wrong goes to `details`. */
function timeOfAny(point: unknown, index: number, details: Detail[]): number {
  details.push(...faultsOf(pointSchema, point, ['data', index]));
  const timestamp = typeof point === 'object' && point !== null && 'timestamp' in point ? point.timestamp : undefined;
  return (typeof timestamp === 'string' ? parseTime(timestamp) : undefined) ?? Number.NaN;
}
