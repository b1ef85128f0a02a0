/** A reading that comes over REST: what it may be, and its way through the door. */
import { z } from 'zod';
import type { Emit } from '../core/emit.ts';
import { GOOD, type StatusCode } from '../core/status.ts';
import { MAX_TEXT_LENGTH, type SeriesId, type ValueType } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import { ApiError } from './problem.ts';
import type { Call } from './route.ts';
import type { ApiServices } from './services.ts';

const textSchema = z
  .string()
  .max(MAX_TEXT_LENGTH, `must be at most ${MAX_TEXT_LENGTH} characters`)
  .refine((text) => !/\p{Cs}/u.test(text), 'must not hold half a surrogate pair');

export const readingSchema = z.union([z.number(), z.boolean(), textSchema], {
  error: ({ input }) => (input === undefined ? 'is required' : 'must be a finite number, a boolean or text'),
});

export type ReadingValue = z.output<typeof readingSchema>;

export interface NewReading {
  readonly value: ReadingValue;
  /** Absent: the box's own. */
  readonly timeMs?: UnixMs | undefined;
  readonly status: StatusCode;
}

export function typeOf(value: ReadingValue): ValueType {
  return typeof value === 'number' ? 'f64' : typeof value === 'boolean' ? 'bool' : 'string';
}

export function textBytesOf(value: ReadingValue): number {
  return typeof value === 'string' ? Buffer.byteLength(value) : 0;
}

/** Throws `overloaded` or `storage_full`. */
export function requireRoom(emit: Emit, records: number, textBytes: number, services: Pick<ApiServices, 'stream'>): void {
  if (emit.reserve(records, textBytes)) return;
  if (services.stream().fault === 'disk_full') throw new ApiError('storage_full', 'There is no space left for new data.');
  throw new ApiError('overloaded', 'More arrives than can be taken now; nothing of this request was kept. Try again shortly.');
}

export function pushReading(emit: Emit, series: SeriesId, { value, timeMs, status }: NewReading): void {
  if (typeof value === 'number') emit.number(series, timeMs, value, status);
  else if (typeof value === 'boolean') emit.boolean(series, timeMs, value, status);
  else emit.text(series, timeMs, value, status);
}

/** Keeps one good reading of now; resolves when it is on disk. Throws `overloaded`, `storage_full`, `limit_reached` and as the store does. */
export async function keepReading(
  services: ApiServices,
  call: Call,
  at: { readonly asset: string; readonly tag: string },
  value: ReadingValue,
): Promise<void> {
  const emit = services.door(call.tenant);
  requireRoom(emit, 1, textBytesOf(value), services);
  const series = emit.series({ asset: at.asset, tag: at.tag, valueType: typeOf(value) });
  if (series === undefined) throw new ApiError('limit_reached', 'The tag would be a new series, and the box takes no more of them.');
  requireRoom(emit, 1, textBytesOf(value), services); // again: a new series puts its definition into the same ring
  pushReading(emit, series, { value, status: GOOD });
  await emit.durable(emit.sequence(), call.request.raw.signal);
}
