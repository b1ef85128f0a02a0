/** Schemas of what answers have in common. */
import { z } from 'zod';

export const timeSchema = z.string().describe('RFC 3339, UTC');

export const valueSchema = z.union([z.number(), z.boolean(), z.string(), z.null()]).describe('64-bit integers beyond 2^53 are text');

export const qualitySchema = z.enum(['good', 'uncertain', 'bad']);

export const listMetaSchema = z.object({ page: z.int(), per_page: z.int(), total: z.int() }).meta({ id: 'ListMeta' });

/** A data source as lists and the box's status show it. */
export const sourceFields = {
  id: z.string(),
  name: z.string(),
  type: z.string(),
  endpoint: z.string(),
  status: z.enum(['connected', 'disconnected']),
  state: z.enum(['connecting', 'connected', 'degraded', 'back_off', 'faulted', 'disabled']),
  reason: z.string().nullable().describe('why it is not connected'),
  tag_count: z.int(),
  managed_by: z.enum(['config', 'api']),
  created_at: timeSchema,
};

const counts = z.record(z.string(), z.int()).describe('by reason');

/** Where the readings of a source went. */
export const ledgerFields = {
  received: z.int(),
  committed: z.int(),
  deadbanded: z.int(),
  deduplicated: z.int(),
  rejected: counts,
  dropped: counts,
  in_flight: z.int(),
  clock_ahead: z.int(),
};

/** The body of every refusal. */
export const problemSchema = z
  .object({
    error: z.object({
      code: z.string(),
      message: z.string().describe('for people'),
      details: z.array(z.object({ field: z.string().describe('dot path, such as data.3.value'), message: z.string() })).optional(),
      retry_after: z.number().optional().describe('seconds'),
      request_id: z.string().describe('the log has it too'),
    }),
  })
  .meta({ id: 'Problem', description: 'the body of every refusal; its code is one of the table in docs/errors.md' });
