/** POST /api/twins/{id}/sync: the twin's bound tags, read at their devices now. */
import { z } from 'zod';
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import { toIso } from '../../core/time.ts';
import type { SyncError, SyncResult } from '../../twin/sync.ts';
import type { Twin } from '../../twin/twin.ts';
import { JSON_BODY_LIMIT_BYTES, readOptionalJson } from '../body.ts';
import type { Operation } from '../operation.ts';
import { ApiError } from '../problem.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { timeSchema, valueSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import { renderScalar } from '../values.ts';
import { findTwin } from './find.ts';

const TIMEOUT_RANGE = 'must be 1 to 300 seconds';

const bodySchema = z.strictObject({
  force: z.boolean().default(false).describe('true synchronizes even when the last time was less than a minute ago'),
  timeout: z.number().min(1, TIMEOUT_RANGE).max(300, TIMEOUT_RANGE).default(30).describe('seconds'),
});

const resultSchema = z.object({
  id: z.string(),
  sync_status: z.enum(['completed', 'partial', 'skipped']),
  sync_time: timeSchema.describe('of the last one where this one was skipped'),
  sensors_updated: z.int().describe('that were read at their devices; those of devices that speak by themselves are not among them'),
  actuators_updated: z.int().describe('likewise'),
  changes: z
    .record(z.string(), z.object({ old_value: valueSchema, new_value: valueSchema }))
    .describe('by id of the sensor or actuator: those whose value differs'),
  errors: z
    .array(
      z.object({
        part: z.enum(['sensor', 'actuator']),
        id: z.string(),
        data_source_id: z.string(),
        code: z.enum(Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]]).describe('of the operating errors in docs/errors.md'),
        message: z.string().describe('for people'),
      }),
    )
    .optional()
    .describe('tags that could not be read; only when partial'),
});

const SYNC_TWIN: Operation = {
  id: 'syncTwin',
  summary: 'Synchronize a twin with its machine',
  description: [
    'Reads every bound tag at its device, past polling, and answers when the readings are on disk. One run at a time for each twin, shared',
    'by its callers. A device that speaks by itself (MQTT) cannot be asked: it is in step when its value came within the last minute, though it',
    'is not counted as updated, and else among the errors as `not_supported`.',
  ].join('\n'),
  group: 'Twins',
  body: { schema: bodySchema, example: { force: false, timeout: 30 }, optional: true },
  answers: [
    {
      status: 200,
      description: 'What was read',
      schema: z.object({ data: resultSchema }),
      example: {
        data: {
          id: 'pump-101',
          sync_status: 'completed',
          sync_time: '2025-11-17T04:05:00Z',
          sensors_updated: 3,
          actuators_updated: 2,
          changes: { temperature: { old_value: 65.5, new_value: 66.2 }, pressure: { old_value: 2.5, new_value: 2.6 } },
        },
      },
    },
  ],
  errors: ['twin_not_found', 'twin_archived', 'sync_failed', 'sync_timed_out', 'store_failed', 'store_stalled', 'storage_full'],
};

export function syncRoutes(services: ApiServices): Route[] {
  return [
    documented(
      SYNC_TWIN,
      route('POST', '/api/twins/:id/sync', 'write:assets', (call) => synchronize(services, call)),
    ),
  ];
}

async function synchronize(services: ApiServices, call: Call): Promise<Answer> {
  const twin = findTwin(call, services.twins);
  const body = await readOptionalJson(call.request, JSON_BODY_LIMIT_BYTES);
  const { force, timeout } = validate(bodySchema, body === undefined ? {} : body);
  const result = await services.sync(twin, { force, timeoutMs: timeout * 1_000 });
  const details = result.errors.map(({ id, code }) => ({ field: id, message: ERRORS[code] }));
  switch (result.status) {
    case 'failed':
      throw new ApiError('sync_failed', `None of the twin's tags could be read. ${details[0]?.message}`, { details });
    case 'timed_out':
      throw new ApiError('sync_timed_out', `None of the twin's tags could be read in time, within ${timeout} s.`, { details });
    case 'completed':
    case 'partial':
    case 'skipped':
      return ok({ data: renderResult(twin, result.status, result) });
  }
}

function renderResult(twin: Twin, status: 'completed' | 'partial' | 'skipped', result: SyncResult) {
  const changes = [...result.changes].map(([id, { before, after }]) => [
    id,
    { old_value: renderScalar(before), new_value: renderScalar(after) },
  ]);
  return {
    id: twin.id,
    sync_status: status,
    sync_time: toIso(result.timeMs),
    sensors_updated: result.sensorsUpdated,
    actuators_updated: result.actuatorsUpdated,
    changes: Object.fromEntries(changes),
    ...(status === 'partial' ? { errors: result.errors.map(renderError) } : undefined),
  };
}

/** The words of the code, as those of the driver may know hosts. */
function renderError({ part, id, source, code }: SyncError) {
  return { part, id, data_source_id: source, code, message: ERRORS[code] };
}
