/** The description of GET /v1/status. */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { ledgerFields, sourceFields, timeSchema } from './schema.ts';

const ledgerSchema = z
  .object(ledgerFields)
  .meta({ id: 'Ledger', description: 'received = committed + deadbanded + deduplicated + rejected + dropped + in flight' });

const statusSchema = z.object({
  version: z.string(),
  time: timeSchema,
  ready: z.boolean(),
  missing: z.array(z.string()),
  sources: z.array(
    z.object({ ...sourceFields, errors: z.int(), last_error: z.string().nullable(), ledger: ledgerSchema }).meta({ id: 'SourceStatus' }),
  ),
  rest: z.object({ ledger: ledgerSchema }).describe('readings that came over REST'),
  store: z.object({
    engine: z.string(),
    profile: z.string(),
    samples: z.int(),
    file_bytes: z.int().describe('all files of the store'),
    raw_bytes: z.int().describe('of these: samples with what is needed to find them'),
    rollup_bytes: z.int().describe('of these: aggregates of five minutes'),
    log_bytes: z.int().describe('of these: the log of what is not in its place yet'),
    free_bytes: z.int().describe('what the file system has left'),
    bytes_per_sample: z.number().nullable().describe('raw_bytes over the samples in their place; null when there are none'),
    days: z.int().describe('UTC days in files of their own'),
    unsealed_windows: z.int().describe('quarters of an hour that are still open'),
    unsealed_samples: z.int().describe('samples in them, in memory and in the log'),
    oldest: timeSchema.nullable(),
    newest: timeSchema.nullable(),
    next_sequence: z.int(),
    durable_sequence: z.int().describe('everything below is on disk'),
    lag: z.int(),
    fault: z.string().nullable().describe('why nothing becomes durable at present'),
    damage: z
      .object({
        found: z.int().describe('how many times something was found damaged, or was rescued, since the start'),
        last: z.string().nullable().describe('what it was, and how'),
      })
      .describe('of telemetry and records'),
  }),
});

const LEDGER_EXAMPLE = {
  received: 10,
  committed: 9,
  deadbanded: 1,
  deduplicated: 0,
  rejected: {},
  dropped: {},
  in_flight: 0,
  clock_ahead: 0,
};

export const GET_STATUS: Operation = {
  id: 'getStatus',
  summary: 'Get how the box fares: sources, ledgers, store',
  group: 'Box',
  answers: [
    {
      status: 200,
      description: 'The box now; sources are those of the token’s tenant',
      schema: z.object({ data: statusSchema }),
      example: {
        data: {
          version: '0.1.0',
          time: '2026-01-06T10:00:00Z',
          ready: true,
          missing: [],
          sources: [],
          rest: { ledger: LEDGER_EXAMPLE },
          store: {
            engine: 'columnar',
            profile: 'balanced',
            samples: 9,
            file_bytes: 9437184,
            raw_bytes: 1040384,
            rollup_bytes: 8192,
            log_bytes: 8388608,
            free_bytes: 21474836480,
            bytes_per_sample: 0.88,
            days: 1,
            unsealed_windows: 1,
            unsealed_samples: 52000,
            oldest: '2026-01-06T09:00:00Z',
            newest: '2026-01-06T10:00:00Z',
            next_sequence: 9,
            durable_sequence: 9,
            lag: 0,
            fault: null,
            damage: { found: 0, last: null },
          },
        },
      },
    },
  ],
  errors: ['store_failed', 'store_stalled'],
};
