/** Twins, sensors and actuators as the Twin API shows them. */
import { toIso, type UnixMs } from '../../core/time.ts';
import { type Actuator, type ActuatorBinding, type Binding, type LiveReading, type Sensor, type Twin, tagOf } from '../../twin/twin.ts';
import type { ApiServices } from '../services.ts';
import { type JsonValue, renderScalar } from '../values.ts';
import { type CommandView, desiredState } from './command.ts';

/** What the parts of a twin show, and what was asked of their devices. */
interface Shown extends CommandView {
  readonly live: Pick<ApiServices['live'], 'reading'>;
}

export function renderSummary(twin: Twin) {
  return {
    id: twin.id,
    name: twin.name,
    description: twin.description ?? null,
    type: twin.type,
    status: twin.status,
    sensor_count: twin.sensors.length,
    actuator_count: twin.actuators.length,
    managed_by: twin.managedBy,
    created_at: toIso(twin.createdMs),
    updated_at: toIso(twin.updatedMs),
  };
}

export const SUMMARY_FIELDS: readonly string[] = [
  'id',
  'name',
  'description',
  'type',
  'status',
  'sensor_count',
  'actuator_count',
  'managed_by',
  'created_at',
  'updated_at',
] satisfies (keyof ReturnType<typeof renderSummary>)[];

export function renderTwin(twin: Twin, shown: Shown) {
  const { live } = shown;
  return {
    ...renderSummary(twin),
    sensors: twin.sensors.map((sensor) => renderSensor(sensor, live.reading(twin.tenant, sensor.binding))),
    actuators: twin.actuators.map((actuator) => renderActuator(shown, twin, actuator, live.reading(twin.tenant, tagOf(twin, actuator)))),
    metadata: twin.metadata,
  };
}

export function renderSensor(sensor: Sensor, reading: LiveReading | undefined) {
  return {
    id: sensor.id,
    name: sensor.name,
    description: sensor.description ?? null,
    unit: sensor.unit,
    current_value: renderScalar(reading?.value ?? null),
    min_value: sensor.minValue ?? null,
    max_value: sensor.maxValue ?? null,
    last_updated: isoOrNull(reading?.valueMs),
    quality: reading?.quality ?? 'bad',
    ...(sensor.bindingExplicit ? { binding: renderBinding(sensor.binding) } : undefined),
  };
}

/** `reading` is that of the actuator's tag. */
export function renderActuator(commands: CommandView, twin: Twin, actuator: Actuator, reading: LiveReading | undefined) {
  const value = renderScalar(reading?.value ?? null);
  const desired = desiredState(commands, twin, actuator, reading?.value ?? null);
  const { binding } = actuator;
  return {
    id: actuator.id,
    name: actuator.name,
    description: actuator.description ?? null,
    type: actuator.type,
    current_state: actuator.type === 'binary' ? asSwitch(value) : asNumber(value),
    last_updated: isoOrNull(reading?.valueMs),
    ...(desired ? { desired_state: renderScalar(desired.value) } : undefined),
    ...(binding ? { binding: { ...renderBinding(binding), ...limitsOf(binding) } } : undefined),
  };
}

/** A coil reads as true or false, a register behind a switch as a number. */
function asSwitch(value: JsonValue): JsonValue {
  return typeof value === 'number' ? value !== 0 : value;
}

/** Behind a continuous one may be a coil. */
function asNumber(value: JsonValue): JsonValue {
  return typeof value === 'boolean' ? Number(value) : value;
}

function limitsOf({ min, max }: ActuatorBinding) {
  return { ...(min === undefined ? undefined : { min }), ...(max === undefined ? undefined : { max }) };
}

export function renderBinding(binding: Binding) {
  return {
    ...(binding.source === undefined ? undefined : { data_source_id: binding.source }),
    asset_id: binding.asset,
    tag_name: binding.tag,
  };
}

function isoOrNull(timeMs: UnixMs | null | undefined): string | null {
  return timeMs === null || timeMs === undefined ? null : toIso(timeMs);
}
