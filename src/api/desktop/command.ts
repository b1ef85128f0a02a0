/** A command to an actuator: what it may be, whom it goes to, and what the caller hears of its end. */
import { ERRORS, type ErrorCode } from '../../core/errors.ts';
import type { Scalar } from '../../core/tag.ts';
import type { CommandFailure } from '../../ingest/commands.ts';
import { type Actuator, type LiveReading, type Twin, tagOf } from '../../twin/twin.ts';
import { ApiError, invalid, type ProblemCode } from '../problem.ts';
import type { Call } from '../route.ts';
import type { ApiServices, TagOwner } from '../services.ts';

type Devices = Pick<ApiServices, 'devices'>;

/** What was asked of the devices last. */
export interface CommandView {
  readonly devices: Pick<ApiServices['devices'], 'owner' | 'lastCommand'>;
}

/** A binary one takes true, false, 1 and 0, a continuous one a number within its limits. Throws `validation_error`. */
export function stateOf(actuator: Actuator, given: number | boolean): number | boolean {
  const refuse = (message: string) => invalid([{ field: 'current_state', message }]);
  if (actuator.type === 'binary') {
    if (typeof given === 'boolean') return given;
    if (given === 0 || given === 1) return given === 1;
    throw refuse('must be true, false, 1 or 0');
  }
  if (typeof given === 'boolean') throw refuse('must be a number');
  const { min, max } = actuator.binding ?? {};
  if (min !== undefined && given < min) throw refuse(`must be at least ${min}`);
  if (max !== undefined && given > max) throw refuse(`must be at most ${max}`);
  return given;
}

/** Whose device is to be written; undefined where the state is only kept. Throws `actuator_read_only`. */
export function ownerOf(services: Devices, twin: Twin, actuator: Actuator): TagOwner | undefined {
  const owner = services.devices.owner(twin.tenant, tagOf(twin, actuator));
  if (!owner && actuator.binding) throw new ApiError('actuator_read_only', 'No data source has the tag that the actuator is bound to.');
  if (owner && !owner.writable)
    throw new ApiError('actuator_read_only', 'The tag of the actuator may not be written: it does not say writable.');
  return owner;
}

/** Writes and returns what the device then shows. Throws what `failureOf` makes of the outcome. */
export async function command(
  services: Devices,
  call: Call,
  at: { owner: TagOwner; twin: Twin; actuator: Actuator },
  value: Scalar,
): Promise<LiveReading> {
  const { owner, twin, actuator } = at;
  const outcome = await services.devices.write(owner, tagOf(twin, actuator), value, call.request.raw.signal);
  if (!outcome.ok) throw failureOf(outcome);
  const { value: reported, timeMs } = outcome;
  return { value: reported, valueMs: timeMs, quality: 'good', status: 0, newestMs: timeMs, source: owner.source };
}

/** What the actuator is to show and does not yet: asked for, and on its way or failed. Undefined when there is no such thing. */
export function desiredState(
  services: CommandView,
  twin: Twin,
  actuator: Actuator,
  reported: Scalar | null,
): { readonly value: Scalar; readonly failure: ErrorCode | null } | undefined {
  const at = tagOf(twin, actuator);
  const owner = services.devices.owner(twin.tenant, at);
  const last = owner && services.devices.lastCommand(owner, at);
  if (!last || (last.failure === null && !last.pending)) return undefined;
  return asShown(actuator, reported) === asShown(actuator, last.value) ? undefined : last;
}

function asShown({ type }: Actuator, value: Scalar | null): Scalar | null {
  if (type === 'binary') return value === null ? null : Boolean(value);
  return typeof value === 'boolean' ? Number(value) : value;
}

const PROBLEM_OF: Partial<Record<ErrorCode, ProblemCode>> = {
  not_writable: 'actuator_read_only',
  not_supported: 'actuator_read_only',
  timeout: 'actuator_write_timeout',
  overloaded: 'overloaded',
  stopped: 'stopped',
};

/** Their messages speak of the value and of the device's answer; those of others may know hosts. */
const IN_OWN_WORDS: readonly ErrorCode[] = ['invalid_value', 'not_writable', 'write_refused', 'write_not_confirmed'];

function failureOf({ code, message }: CommandFailure): ApiError {
  const said = IN_OWN_WORDS.includes(code) ? message : ERRORS[code];
  if (code === 'invalid_value') return invalid([{ field: 'current_state', message: said }]);
  const problem = PROBLEM_OF[code] ?? 'actuator_write_failed';
  return new ApiError(problem, `The write failed: ${said}`, { details: [{ field: 'current_state', message: code }] });
}
