/** POST /api/twins, PATCH and DELETE /api/twins/{id}. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { editTwin, type TwinFields } from '../../twin/edit.ts';
import type { Twin } from '../../twin/twin.ts';
import { JSON_BODY_LIMIT_BYTES, readJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import { mergePatch } from '../merge-patch.ts';
import type { Operation } from '../operation.ts';
import { ApiError } from '../problem.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import { newTwinSchema, requireSameId, requireSmall, twinPatchSchema } from './edit-schema.ts';
import { findTwin } from './find.ts';
import { renderSummary, renderTwin } from './render.ts';
import { summarySchema, TWIN_EXAMPLE, TWIN_SUMMARY_EXAMPLE, twinSchema } from './schema.ts';
import { requireSameParts } from './sent-back.ts';

const DEFAULT_TYPE = 'equipment';
/** Of every change of a twin or of a part of one. */
const SAVING_ERRORS = ['limit_reached', 'store_failed', 'store_stalled', 'storage_full'] as const;
export const CHANGING_ERRORS = ['twin_not_found', 'managed_by_config', 'twin_archived', 'precondition_failed', ...SAVING_ERRORS] as const;

const CREATED_EXAMPLE = { ...TWIN_EXAMPLE, sensor_count: 0, actuator_count: 0, managed_by: 'api', sensors: [], actuators: [] };

const CREATE_TWIN: Operation = {
  id: 'createTwin',
  summary: 'Make a twin, or make one again that was deleted',
  group: 'Twins',
  body: {
    schema: newTwinSchema,
    example: {
      id: 'heat-exchanger-1',
      name: 'Primary Heat Exchanger',
      description: 'Main heat exchanger for cooling system',
      type: 'equipment',
      metadata: { manufacturer: 'HeatTech Inc' },
    },
  },
  answers: [
    { status: 201, description: 'The twin', etag: 'revision', schema: z.object({ data: twinSchema }), example: { data: CREATED_EXAMPLE } },
  ],
  errors: ['twin_exists', 'invalid_twin_type', ...SAVING_ERRORS],
};

const PATCH_TWIN: Operation = {
  id: 'updateTwin',
  summary: 'Change what a twin says of itself',
  description:
    'A JSON merge patch: null takes a field away, `metadata` merges. Sensors and actuators are changed at their own paths. An archived twin is changed only together with its `status`.',
  group: 'Twins',
  body: { schema: twinPatchSchema, example: { name: 'Primary Heat Exchanger (Updated)', metadata: { last_maintenance: '2025-11-01' } } },
  answers: [
    {
      status: 200,
      description: 'The twin without its parts',
      etag: 'revision',
      schema: z.object({ data: summarySchema.extend({ metadata: z.record(z.string(), z.unknown()) }) }),
      example: { data: { ...TWIN_SUMMARY_EXAMPLE, managed_by: 'api', metadata: TWIN_EXAMPLE.metadata } },
    },
  ],
  errors: ['invalid_twin_type', ...CHANGING_ERRORS],
};

const DELETE_TWIN: Operation = {
  id: 'deleteTwin',
  summary: 'Delete a twin',
  description: 'Its telemetry stays. Readings do not bring the twin back, a POST does.',
  group: 'Twins',
  answers: [{ status: 204, description: 'It is gone' }],
  errors: ['twin_not_found', 'managed_by_config', 'precondition_failed', ...SAVING_ERRORS],
};

export function twinEditRoutes(services: ApiServices): Route[] {
  return [
    documented(
      CREATE_TWIN,
      route('POST', '/api/twins', 'write:assets', (call) => createTwin(services, call)),
    ),
    documented(
      PATCH_TWIN,
      route('PATCH', '/api/twins/:id', 'write:assets', (call) => patchTwin(services, call)),
    ),
    documented(
      DELETE_TWIN,
      route('DELETE', '/api/twins/:id', 'write:assets', (call) => deleteTwin(services, call)),
    ),
  ];
}

async function createTwin(services: ApiServices, call: Call): Promise<Answer> {
  const body = validate(newTwinSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  const { id, name, description } = body;
  const type = body.type ?? DEFAULT_TYPE;
  const metadata = body.metadata ?? {};
  requireType(services, type);
  requireSmall(metadata);
  const twin = await services.twins.create({ tenant: call.tenant, id, name, type, metadata, ...(description != null && { description }) });
  const answer = { status: 201, body: { data: renderTwin(twin, services) }, headers: { Location: `/api/twins/${id}` } };
  return tagged(answer, twin.revision, false);
}

async function patchTwin(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  const patch = validate(twinPatchSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  requireSameId(patch.id, at.id);
  const twin = await services.twins.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const { sensors, actuators } = renderTwin(present, services);
    requireSameParts('sensors', patch.sensors, sensors);
    requireSameParts('actuators', patch.actuators, actuators);
    const before = fieldsOf(present);
    const after: TwinFields = {
      name: patch.name ?? before.name,
      description: patch.description === undefined ? before.description : (patch.description ?? undefined),
      type: patch.type === undefined ? before.type : (patch.type ?? DEFAULT_TYPE),
      status: patch.status ?? before.status,
      metadata: patch.metadata === null ? {} : (mergePatch(before.metadata, patch.metadata ?? {}) as TwinFields['metadata']),
    };
    return changed(services, present, after);
  });
  return tagged(ok({ data: { ...renderSummary(twin), metadata: twin.metadata } }), twin.revision, false);
}

/** Throws as `editTwin`, and `invalid_twin_type` or `validation_error`. */
function changed(services: ApiServices, present: Twin, after: TwinFields): Twin {
  if (isDeepStrictEqual(after, fieldsOf(present))) return present;
  if (after.type !== present.type) requireType(services, after.type);
  requireSmall(after.metadata);
  return editTwin(present, after);
}

async function deleteTwin(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  await services.twins.remove(at, ({ revision }) => requireMatch(call.request.header('if-match'), revision));
  return { status: 204, body: undefined };
}

function fieldsOf({ name, description, type, status, metadata }: Twin): TwinFields {
  return { name, description, type, status, metadata };
}

/** Throws `invalid_twin_type`, naming the field. */
export function requireType({ twins }: Pick<ApiServices, 'twins'>, type: string): void {
  if (twins.types.includes(type)) return;
  const message = `must be one of ${twins.types.join(', ')}`;
  throw new ApiError('invalid_twin_type', `There is no twin type of this name; there are ${twins.types.join(', ')}.`, {
    details: [{ field: 'type', message }],
  });
}
