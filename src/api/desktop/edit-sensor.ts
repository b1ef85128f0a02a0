/** POST /api/twins/{id}/sensors, PATCH and DELETE /api/twins/{id}/sensors/{id}. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { addSensor, removeSensor, replaceSensor, requireLive, sensorOf } from '../../twin/edit.ts';
import type { Binding, Sensor, Twin } from '../../twin/twin.ts';
import { requireScope } from '../auth.ts';
import { JSON_BODY_LIMIT_BYTES, readJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import { mergePatch } from '../merge-patch.ts';
import type { Operation } from '../operation.ts';
import { ApiError, invalid } from '../problem.ts';
import { keepReading, type ReadingValue, requireRoom, textBytesOf } from '../reading.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices } from '../services.ts';
import { validate } from '../validate.ts';
import {
  newSensorSchema,
  requireOrder,
  requireSameId,
  type SensorDefinition,
  sensorDefinitionSchema,
  sensorPatchSchema,
} from './edit-schema.ts';
import { CHANGING_ERRORS } from './edit-twin.ts';
import { findTwin } from './find.ts';
import { renderBinding, renderSensor } from './render.ts';
import { SENSOR_EXAMPLE, sensorSchema } from './schema.ts';
import { valueToSet } from './sent-back.ts';

const answered = { schema: z.object({ data: sensorSchema }), example: { data: SENSOR_EXAMPLE } };
const READING_ERRORS = ['sensor_bound', 'overloaded'] as const;

const ADD_SENSOR: Operation = {
  id: 'addSensor',
  summary: 'Describe a sensor',
  description:
    'It shows the tag of its own name, unless `binding` says another. A `current_value` is kept as a reading of now, which needs write:telemetry too.',
  group: 'Twins',
  body: {
    schema: newSensorSchema,
    example: { id: 'flow_rate', name: 'Flow Rate', unit: 'L/min', current_value: 150, min_value: 0, max_value: 500 },
  },
  answers: [{ status: 201, description: 'The sensor', etag: 'revision', ...answered }],
  errors: ['sensor_exists', ...READING_ERRORS, ...CHANGING_ERRORS],
};

const PATCH_SENSOR: Operation = {
  id: 'updateSensor',
  summary: 'Change a sensor, or give it a value',
  description: [
    'A JSON merge patch. A `current_value` is kept as a reading of now, where no device gives the value; this needs write:telemetry too. A whole',
    'answer of a GET can be sent back: with its `last_updated`, a `current_value` that is still shown, or that a device has given since, is no',
    'value to set.',
  ].join('\n'),
  group: 'Twins',
  body: { schema: sensorPatchSchema, example: { current_value: 155.5, min_value: 0, max_value: 600 } },
  answers: [{ status: 200, description: 'The sensor', etag: 'revision', ...answered }],
  errors: ['sensor_not_found', ...READING_ERRORS, ...CHANGING_ERRORS],
};

const DELETE_SENSOR: Operation = {
  id: 'removeSensor',
  summary: 'Delete a sensor',
  description: 'Its telemetry stays. Readings of its tag do not bring it back, a POST does.',
  group: 'Twins',
  answers: [{ status: 204, description: 'It is gone' }],
  errors: ['sensor_not_found', ...CHANGING_ERRORS],
};

export function sensorEditRoutes(services: ApiServices): Route[] {
  const path = '/api/twins/:id/sensors';
  return [
    documented(
      ADD_SENSOR,
      route('POST', path, 'write:assets', (call) => postSensor(services, call)),
    ),
    documented(
      PATCH_SENSOR,
      route('PATCH', `${path}/:sensorId`, 'write:assets', (call) => patchSensor(services, call)),
    ),
    documented(
      DELETE_SENSOR,
      route('DELETE', `${path}/:sensorId`, 'write:assets', (call) => deleteSensor(services, call)),
    ),
  ];
}

async function postSensor(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  const { id, current_value: value, ...definition } = validate(newSensorSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  const sensor = toSensor(at.id, id, definition);
  requireSource(services, call.tenant, sensor.binding);
  if (value != null) requireScope(call.token, 'write:telemetry');
  const twin = await services.twins.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const after = addSensor(present, sensor);
    if (value != null) requireTaken(services, call, sensor.binding, value);
    return after;
  });
  if (value != null) await keepReading(services, call, sensor.binding, value);
  const answer = render(services, twin, id);
  return { ...answer, status: 201, headers: { ...answer.headers, Location: `/api/twins/${at.id}/sensors/${id}` } };
}

async function patchSensor(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  const id = call.request.param('sensorId') ?? '';
  sensorOf(at, id);
  const patch = validate(sensorPatchSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  const { id: sentId, current_value: _, quality: __, last_updated: ___, ...definition } = patch;
  requireSameId(sentId, id);
  let value: ReadingValue | undefined;
  const twin = await services.twins.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const { fromTag, ...before } = sensorOf(present, id);
    const after = toSensor(at.id, id, validate(sensorDefinitionSchema, mergePatch(definitionOf(before), definition)));
    if (!isDeepStrictEqual(after.binding, before.binding)) requireSource(services, call.tenant, after.binding);
    const shown = renderSensor(before, services.live.reading(call.tenant, before.binding));
    value = valueToSet(patch, shown, deviceOf(services, call, after.binding) !== undefined);
    if (value !== undefined) {
      requireLive(present);
      requireScope(call.token, 'write:telemetry');
      requireTaken(services, call, after.binding, value);
    }
    return isDeepStrictEqual(after, before) ? present : replaceSensor(present, after);
  });
  if (value !== undefined) await keepReading(services, call, sensorOf(twin, id).binding, value);
  return render(services, twin, id);
}

async function deleteSensor(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  await services.twins.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    return removeSensor(present, call.request.param('sensorId') ?? '');
  });
  return { status: 204, body: undefined };
}

function render(services: ApiServices, twin: Twin, id: string): Answer {
  const sensor = sensorOf(twin, id);
  return tagged(ok({ data: renderSensor(sensor, services.live.reading(twin.tenant, sensor.binding)) }), twin.revision, false);
}

/** Throws `sensor_bound`, `overloaded` or `storage_full`: before anything is saved. */
function requireTaken(services: ApiServices, call: Call, binding: Binding, value: ReadingValue): void {
  const source = deviceOf(services, call, binding);
  if (source !== undefined) throw new ApiError('sensor_bound', `The data source ${source} gives this sensor its value.`);
  requireRoom(services.door(call.tenant), 1, textBytesOf(value), services);
}

/** The source that gives the tag its values; undefined where nobody but the API does. */
function deviceOf(services: ApiServices, call: Call, binding: Binding): string | undefined {
  return binding.source ?? services.devices.owner(call.tenant, binding)?.source;
}

/** Throws `validation_error` when the binding names a data source that the tenant does not have. */
export function requireSource(services: ApiServices, tenant: string, { source }: Binding): void {
  if (source === undefined || services.sources.list(tenant).some(({ id }) => id === source)) return;
  throw invalid([{ field: 'binding.data_source_id', message: 'is no data source' }]);
}

/** Throws `validation_error` when the limits are the wrong way round. */
function toSensor(twinId: string, id: string, definition: SensorDefinition): Sensor {
  const { name, description, unit, min_value: min, max_value: max } = definition;
  requireOrder('min_value', min, max);
  const binding = toBinding(twinId, id, definition.binding);
  return {
    id,
    name,
    ...(description != null && { description }),
    unit,
    ...(min != null && { minValue: min }),
    ...(max != null && { maxValue: max }),
    binding,
    bindingExplicit: binding.source !== undefined || binding.asset !== twinId || binding.tag !== id,
  };
}

/** The tag that is named, or the twin's of that id. */
export function toBinding(twinId: string, id: string, given: SensorDefinition['binding']): Binding {
  if (given == null) return { asset: twinId, tag: id };
  const { data_source_id: source, asset_id: asset, tag_name: tag } = given;
  return { ...(source != null && { source }), asset: asset ?? twinId, tag };
}

/** What a merge patch is laid over. */
function definitionOf({ name, description, unit, minValue, maxValue, binding, bindingExplicit }: Sensor) {
  const shown = bindingExplicit ? { binding: renderBinding(binding) } : undefined;
  return { name, description, unit, min_value: minValue, max_value: maxValue, ...shown };
}
