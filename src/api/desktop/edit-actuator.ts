/** POST /api/twins/{id}/actuators, PATCH and DELETE /api/twins/{id}/actuators/{id}. */
import { isDeepStrictEqual } from 'node:util';
import { z } from 'zod';
import { actuatorOf, addActuator, removeActuator, replaceActuator, requireLive } from '../../twin/edit.ts';
import { type Actuator, type LiveReading, type Twin, tagOf } from '../../twin/twin.ts';
import { requireScope } from '../auth.ts';
import { JSON_BODY_LIMIT_BYTES, readJson } from '../body.ts';
import { requireMatch, tagged } from '../conditional.ts';
import type { Operation } from '../operation.ts';
import { invalid } from '../problem.ts';
import { keepReading, requireRoom } from '../reading.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import type { ApiServices, TagOwner } from '../services.ts';
import { validate } from '../validate.ts';
import { command, ownerOf, stateOf } from './command.ts';
import { actuatorPatchSchema, type NewActuator, newActuatorSchema, requireOrder, requireSameId } from './edit-schema.ts';
import { requireSource, toBinding } from './edit-sensor.ts';
import { CHANGING_ERRORS } from './edit-twin.ts';
import { findTwin } from './find.ts';
import { renderActuator } from './render.ts';
import { ACTUATOR_EXAMPLE, actuatorSchema } from './schema.ts';
import { requireSame, stateToSet } from './sent-back.ts';

const answered = { schema: z.object({ data: actuatorSchema }), example: { data: ACTUATOR_EXAMPLE } };

const ADD_ACTUATOR: Operation = {
  id: 'addActuator',
  summary: 'Describe an actuator',
  description:
    'Bound to a tag that says `writable: true`, by `binding` or by being called like it, it writes to the device. Any other keeps its state here; only for such a one may `current_state` be given at once, which needs write:control too.',
  group: 'Twins',
  body: { schema: newActuatorSchema, example: { id: 'speed_control', name: 'Speed Control', type: 'continuous', current_state: 0.75 } },
  answers: [{ status: 201, description: 'The actuator', etag: 'revision', ...answered }],
  errors: ['actuator_exists', 'actuator_read_only', 'overloaded', ...CHANGING_ERRORS],
};

const PATCH_ACTUATOR: Operation = {
  id: 'updateActuator',
  summary: 'Set an actuator, or rename it',
  description: [
    'A `current_state` goes to the device, once, and is read back: the answer has what the device then shows. After a refusal the new name, if',
    'there was one, is kept all the same. A whole answer of a GET can be sent back: with its `last_updated`, a `current_state` that the device',
    'still shows is no command; one that it no longer shows is.',
  ].join('\n'),
  group: 'Twins',
  body: { schema: actuatorPatchSchema, example: { current_state: 0.85 } },
  answers: [{ status: 200, description: 'The actuator', etag: 'revision', ...answered }],
  errors: ['actuator_not_found', 'actuator_read_only', 'actuator_write_failed', 'actuator_write_timeout', 'overloaded', ...CHANGING_ERRORS],
};

const DELETE_ACTUATOR: Operation = {
  id: 'removeActuator',
  summary: 'Delete an actuator',
  group: 'Twins',
  answers: [{ status: 204, description: 'It is gone' }],
  errors: ['actuator_not_found', ...CHANGING_ERRORS],
};

export function actuatorEditRoutes(services: ApiServices): Route[] {
  const path = '/api/twins/:id/actuators';
  return [
    documented(
      ADD_ACTUATOR,
      route('POST', path, 'write:assets', (call) => postActuator(services, call)),
    ),
    documented(
      PATCH_ACTUATOR,
      route('PATCH', `${path}/:actuatorId`, 'write:control', (call) => patchActuator(services, call)),
    ),
    documented(
      DELETE_ACTUATOR,
      route('DELETE', `${path}/:actuatorId`, 'write:assets', (call) => deleteActuator(services, call)),
    ),
  ];
}

async function postActuator(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  const body = validate(newActuatorSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  const actuator = toActuator(at.id, body);
  if (actuator.binding) requireSource(services, call.tenant, actuator.binding);
  if (body.current_state != null) requireScope(call.token, 'write:control');
  const state = body.current_state == null ? undefined : stateOf(actuator, body.current_state);
  const twin = await services.twins.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const after = addActuator(present, actuator);
    if (state !== undefined) {
      // Moving a machine asks for another scope than describing it.
      if (ownerOf(services, present, actuator))
        throw invalid([{ field: 'current_state', message: 'is set by PATCH: the actuator is bound to a device' }]);
      requireRoom(services.door(call.tenant), 1, 0, services);
    }
    return after;
  });
  if (state !== undefined) await keepReading(services, call, tagOf(twin, actuator), state);
  const answer = render(services, twin, actuator);
  return { ...answer, status: 201, headers: { ...answer.headers, Location: `/api/twins/${at.id}/actuators/${actuator.id}` } };
}

async function patchActuator(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  const id = call.request.param('actuatorId') ?? '';
  actuatorOf(at, id);
  const patch = validate(actuatorPatchSchema, await readJson(call.request, JSON_BODY_LIMIT_BYTES));
  requireSameId(patch.id, id);
  let state: number | boolean | undefined;
  let owner: TagOwner | undefined;
  const twin = await services.twins.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const before = actuatorOf(present, id);
    const reading = services.live.reading(call.tenant, tagOf(present, before));
    const shown = renderActuator(services, present, before, reading);
    requireSame('type', patch.type, shown.type);
    requireSame('binding', patch.binding, shown.binding ?? null);
    const wanted = stateToSet(patch, shown, reading !== undefined && reading.quality !== 'bad');
    if (wanted !== undefined) {
      requireLive(present);
      state = stateOf(before, wanted);
      owner = ownerOf(services, present, before);
      if (!owner) requireRoom(services.door(call.tenant), 1, 0, services);
    }
    const after = patched(before, patch.name, patch.description);
    return isDeepStrictEqual(after, before) ? present : replaceActuator(present, after);
  });
  const actuator = actuatorOf(twin, id);
  if (state === undefined) return render(services, twin, actuator);
  if (owner) return render(services, twin, actuator, await command(services, call, { owner, twin, actuator }, state));
  await keepReading(services, call, tagOf(twin, actuator), state);
  return render(services, twin, actuator);
}

async function deleteActuator(services: ApiServices, call: Call): Promise<Answer> {
  const at = findTwin(call, services.twins);
  await services.twins.change(at, (present) => {
    requireMatch(call.request.header('if-match'), present.revision);
    const actuator = actuatorOf(present, call.request.param('actuatorId') ?? '');
    const isDevices = services.devices.owner(call.tenant, tagOf(present, actuator)) !== undefined;
    return removeActuator(present, actuator.id, !isDevices);
  });
  return { status: 204, body: undefined };
}

function render(services: ApiServices, twin: Twin, actuator: Actuator, reading?: LiveReading): Answer {
  const shown = reading ?? services.live.reading(twin.tenant, tagOf(twin, actuator));
  return tagged(ok({ data: renderActuator(services, twin, actuator, shown) }), twin.revision, false);
}

/** Throws `validation_error` when the limits are the wrong way round. */
function toActuator(twinId: string, { id, name, type, description, binding }: NewActuator): Actuator {
  requireOrder('binding.min', binding?.min, binding?.max);
  const limits = binding && { ...(binding.min != null && { min: binding.min }), ...(binding.max != null && { max: binding.max }) };
  return {
    id,
    name,
    ...(description != null && { description }),
    type,
    ...(binding && { binding: { ...toBinding(twinId, id, binding), ...limits } }),
  };
}

function patched(before: Actuator, name: string | undefined, description: string | null | undefined): Actuator {
  const { description: old, ...rest } = before;
  const next = description === undefined ? old : description;
  return { ...rest, name: name ?? before.name, ...(next != null && { description: next }) };
}
