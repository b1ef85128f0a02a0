/** `explain=1`: where a shown value came from, with what is not known of it said and not made up. */
import { z } from 'zod';
import { toIso, type UnixMs } from '../core/time.ts';
import type { Binding, LiveReading } from '../twin/twin.ts';
import { timeSchema } from './schema.ts';
import type { ApiServices } from './services.ts';

export const explainParam = z
  .enum(['0', '1'], 'must be 0 or 1')
  .optional()
  .describe('1 adds where each value came from; needs read:assets');

const FIELDS = [
  ...(['raw', 'read_time', 'source_time', 'server_time', 'config_revision'] as const),
  ...(['endpoint', 'address', 'decode', 'received_time'] as const),
] as const;

const wordsSchema = z.record(z.string(), z.union([z.string(), z.number()])).nullable();

export const explainSchema = z
  .object({
    data_source_id: z.string(),
    type: z.string().nullable(),
    endpoint: z.string().nullable(),
    address: wordsSchema.describe('at the device, in the words of its protocol'),
    decode: wordsSchema.describe('what is done to the raw value; of a derived tag the tag behind each name of its expression'),
    raw: wordsSchema.describe(
      'the newest that the device said, before anything was made of it; a deadband may have kept an older value on show',
    ),
    read_time: timeSchema.nullable().describe('when the box read that; null where the device speaks by itself'),
    source_time: timeSchema.nullable().describe("the device's own time of it"),
    server_time: timeSchema.nullable().describe("its server's time of it"),
    config_revision: z
      .string()
      .nullable()
      .describe('of the configuration file the first 12 digits of its SHA-256; of a source that was made over the API its revision'),
    status_code: z.string().describe('OPC UA StatusCode of the newest sample'),
    value_time: timeSchema.nullable().describe('of the value shown'),
    sample_time: timeSchema.describe('of the newest sample, usable or not'),
    received_time: timeSchema.nullable().describe('when that came in, by the clock of this box'),
    unknown: z.array(z.enum(FIELDS)).describe('what this box does not know of the value'),
  })
  .meta({ id: 'Explanation' });

/** Null for a tag without a reading. */
export function explain(live: Pick<ApiServices['live'], 'provenance'>, tenant: string, binding: Binding, reading: LiveReading | undefined) {
  if (!reading) return null;
  const { source, origin, raw, configRevision, receivedMs } = live.provenance(tenant, binding, reading);
  const known = {
    endpoint: source?.endpoint ?? null,
    address: origin?.address ?? null,
    decode: origin?.decode ?? null,
    raw: raw?.words ?? null,
    read_time: isoOrNull(raw?.readMs),
    source_time: isoOrNull(raw?.sourceMs),
    server_time: isoOrNull(raw?.serverMs),
    config_revision: configRevision,
    received_time: isoOrNull(receivedMs),
  };
  return {
    data_source_id: reading.source,
    type: source?.type ?? null,
    ...known,
    status_code: `0x${(reading.status >>> 0).toString(16).padStart(8, '0')}`,
    value_time: reading.valueMs === null ? null : toIso(reading.valueMs),
    sample_time: toIso(reading.newestMs),
    unknown: FIELDS.filter((field) => known[field] === null),
  };
}

function isoOrNull(timeMs: UnixMs | null | undefined): string | null {
  return timeMs == null ? null : toIso(timeMs);
}
