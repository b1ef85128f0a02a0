/** What a client sends back in a PATCH as it read it: GET, edit, PATCH of the whole must change what was edited and nothing else. */
import { isDeepStrictEqual } from 'node:util';
import { invalid } from '../problem.ts';
import type { ReadingValue } from '../reading.ts';
import type { JsonValue } from '../values.ts';
import type { renderActuator, renderSensor } from './render.ts';

type ShownSensor = ReturnType<typeof renderSensor>;
type ShownActuator = ReturnType<typeof renderActuator>;

interface SentValue {
  readonly current_value?: ReadingValue | null | undefined;
  readonly last_updated?: unknown;
}

interface SentState {
  readonly current_state?: number | boolean | null | undefined;
  readonly last_updated?: unknown;
}

/**
 * The value that a patch sets; undefined for one that only comes back. A value that is set stands without a `last_updated`. Where a device gives
 * the value it has moved on since it was read, so that one with another time than the present is taken for what was read.
 */
export function valueToSet(sent: SentValue, shown: ShownSensor, isDevices: boolean): ReadingValue | undefined {
  const { current_value: value, last_updated: readAt } = sent;
  if (value == null) return undefined;
  const isShown = value === shown.current_value;
  const isRead = readAt !== undefined;
  if (isDevices) return isShown || (isRead && readAt !== shown.last_updated) ? undefined : value;
  return isShown && isRead ? undefined : value;
}

/** The state that a patch asks for; undefined for one that only comes back, which is when the actuator shows it and it is no guess (`isConfirmed`). */
export function stateToSet(sent: SentState, shown: ShownActuator, isConfirmed: boolean): number | boolean | undefined {
  const { current_state: state, last_updated: readAt } = sent;
  if (state == null) return undefined;
  const isShown = isConfirmed && shown.desired_state === undefined && state === shown.current_state;
  return isShown && readAt !== undefined ? undefined : state;
}

/** For what is not changed by a PATCH. Throws `validation_error` unless it is absent, or as it is shown (null: nothing is shown). */
export function requireSame(field: string, sent: unknown, shown: unknown): void {
  if (sent === undefined || isDeepStrictEqual(sent, shown)) return;
  throw invalid([{ field, message: 'is not changed here: must be as it is, or be left out' }]);
}

/** What moves by itself between a GET and the PATCH that follows. */
const LIVE_FIELDS = ['current_value', 'current_state', 'desired_state', 'last_updated', 'quality', 'explain'];

/** As `requireSame`, for the sensors or actuators of a twin, whatever their values are. */
export function requireSameParts(field: 'sensors' | 'actuators', sent: unknown, shown: readonly object[]): void {
  if (sent === undefined) return;
  requireSame(field, Array.isArray(sent) ? sent.map(describedOf) : sent, shown.map(describedOf));
}

function describedOf(part: unknown): unknown {
  if (typeof part !== 'object' || part === null) return part;
  return Object.fromEntries(Object.entries(part as Record<string, JsonValue>).filter(([field]) => !LIVE_FIELDS.includes(field)));
}
