/** Schemas of what answers have in common. */
import { z } from 'zod';

export const timeSchema = z.string().describe('RFC 3339, UTC');

export const valueSchema = z.union([z.number(), z.boolean(), z.string(), z.null()]).describe('64-bit integers beyond 2^53 are text');

export const qualitySchema = z.enum(['good', 'uncertain', 'bad']);

export const listMetaSchema = z.object({ page: z.int(), per_page: z.int(), total: z.int() });

/** The body of every refusal. */
export const problemSchema = z.object({
  error: z.object({
    code: z.string(),
    message: z.string().describe('for people'),
    details: z.array(z.object({ field: z.string().describe('dot path, such as data.3.value'), message: z.string() })).optional(),
    retry_after: z.number().optional().describe('seconds'),
    request_id: z.string().describe('the log has it too'),
  }),
});
