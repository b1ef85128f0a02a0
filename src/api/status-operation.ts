/** The description of GET /v1/status. */
import { z } from 'zod';
import type { Operation } from './operation.ts';
import { sourceFields, timeSchema } from './schema.ts';

const counts = z.record(z.string(), z.int()).describe('by reason');

const ledgerSchema = z
  .object({
    received: z.int(),
    committed: z.int(),
    deadbanded: z.int(),
    deduplicated: z.int(),
    rejected: counts,
    dropped: counts,
    in_flight: z.int(),
    clock_ahead: z.int(),
  })
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
    file_bytes: z.int(),
    oldest: timeSchema.nullable(),
    newest: timeSchema.nullable(),
    next_sequence: z.int(),
    durable_sequence: z.int().describe('everything below is on disk'),
    lag: z.int(),
    fault: z.string().nullable().describe('why nothing becomes durable at present'),
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
            engine: 'rows',
            profile: 'balanced',
            samples: 9,
            file_bytes: 4096,
            oldest: '2026-01-06T09:00:00Z',
            newest: '2026-01-06T10:00:00Z',
            next_sequence: 9,
            durable_sequence: 9,
            lag: 0,
            fault: null,
          },
        },
      },
    },
  ],
  errors: ['store_failed', 'store_stalled'],
};
