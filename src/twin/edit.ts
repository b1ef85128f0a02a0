/** What a change makes of a twin: pure, so that it can be tried, saved and only then shown. */
import { GatewayError } from '../core/errors.ts';
import { type Actuator, type Sensor, type Twin, type TwinStatus, tagOf } from './twin.ts';

/** Of sensors that somebody described, and of actuators; a machine has tens. Sensors that follow from tags do not count. */
export const MAX_PARTS = 1_000;
/** The document that holds them is written as a whole. */
const MAX_HIDDEN_TAGS = 5_000;

/** What a client may say of a twin. */
export interface TwinFields {
  readonly name: string;
  /** `undefined` takes it away. */
  readonly description?: string | undefined;
  readonly type: string;
  readonly status: TwinStatus;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Throws `managed_by_config`, or `twin_archived` unless the status is set to another. */
export function editTwin(twin: Twin, fields: TwinFields): Twin {
  requireOwn(twin);
  if (fields.status === 'archived') requireLive(twin);
  const { description: _, ...rest } = twin;
  const { description, ...others } = fields;
  return { ...rest, ...others, ...(description === undefined ? {} : { description }) };
}

/** Throws `managed_by_config`, `twin_archived`, `sensor_exists` or `limit_reached`. */
export function addSensor(twin: Twin, sensor: Sensor): Twin {
  requireEditable(twin);
  if (twin.sensors.some(({ id }) => id === sensor.id)) {
    throw new GatewayError('sensor_exists', `twin ${twin.id} has a sensor ${sensor.id} already`);
  }
  requireRoom(twin.sensors.filter(({ fromTag }) => !fromTag).length, 'described sensors');
  const hiddenTags = sensor.binding.asset === twin.id ? without(twin.hiddenTags, sensor.binding.tag) : twin.hiddenTags;
  return { ...twin, sensors: [...twin.sensors, sensor], hiddenTags };
}

/** In place of the sensor of that id. Throws `managed_by_config`, `twin_archived` or `limit_reached`. */
export function replaceSensor(twin: Twin, sensor: Sensor): Twin {
  requireEditable(twin);
  const before = sensorOf(twin, sensor.id);
  if (before.fromTag) requireRoom(twin.sensors.filter(({ fromTag }) => !fromTag).length, 'described sensors');
  const hiddenTags = sensor.binding.asset === twin.id ? without(twin.hiddenTags, sensor.binding.tag) : twin.hiddenTags;
  return { ...twin, sensors: twin.sensors.map((each) => (each.id === sensor.id ? sensor : each)), hiddenTags };
}

/** Its tag does not bring it back. Throws `managed_by_config`, `twin_archived`, `sensor_not_found` or `limit_reached`. */
export function removeSensor(twin: Twin, id: string): Twin {
  const gone = sensorOf(twin, id);
  requireEditable(twin);
  const left = { ...twin, sensors: twin.sensors.filter((sensor) => sensor.id !== id) };
  const { asset, tag } = gone.binding;
  const shownStill = left.sensors.some((sensor) => showsTag(sensor, twin.id, tag));
  return asset === twin.id && !shownStill ? hide(left, tag) : left;
}

/** Throws `managed_by_config`, `twin_archived`, `actuator_exists` or `limit_reached`. */
export function addActuator(twin: Twin, actuator: Actuator): Twin {
  requireEditable(twin);
  if (twin.actuators.some(({ id }) => id === actuator.id)) {
    throw new GatewayError('actuator_exists', `twin ${twin.id} has an actuator ${actuator.id} already`);
  }
  requireRoom(twin.actuators.length, 'actuators');
  return { ...twin, actuators: [...twin.actuators, actuator] };
}

/** In place of the actuator of that id. Throws `managed_by_config` or `twin_archived`. */
export function replaceActuator(twin: Twin, actuator: Actuator): Twin {
  requireEditable(twin);
  return { ...twin, actuators: twin.actuators.map((each) => (each.id === actuator.id ? actuator : each)) };
}

/** `hidesTag`: no device has its tag, so that what it was set to is no sensor's. Throws `managed_by_config`, `twin_archived` or `actuator_not_found`. */
export function removeActuator(twin: Twin, id: string, hidesTag: boolean): Twin {
  const gone = actuatorOf(twin, id);
  requireEditable(twin);
  const left = { ...twin, actuators: twin.actuators.filter((actuator) => actuator.id !== id) };
  const { asset, tag } = tagOf(twin, gone);
  const shownStill = left.sensors.some((sensor) => showsTag(sensor, twin.id, tag));
  return hidesTag && asset === twin.id && !shownStill ? hide(left, tag) : left;
}

/** Throws `sensor_not_found`. */
export function sensorOf(twin: Twin, id: string): Sensor {
  const sensor = twin.sensors.find((each) => each.id === id);
  if (!sensor) throw new GatewayError('sensor_not_found', `twin ${twin.id} has no sensor ${id}`);
  return sensor;
}

/** Throws `actuator_not_found`. */
export function actuatorOf(twin: Twin, id: string): Actuator {
  const actuator = twin.actuators.find((each) => each.id === id);
  if (!actuator) throw new GatewayError('actuator_not_found', `twin ${twin.id} has no actuator ${id}`);
  return actuator;
}

/** Throws `managed_by_config`. */
export function requireOwn(twin: Twin): void {
  if (twin.managedBy === 'config') throw new GatewayError('managed_by_config', `twin ${twin.id} comes from the configuration file`);
}

/** Throws `twin_archived`. */
export function requireLive(twin: Twin): void {
  if (twin.status === 'archived') throw new GatewayError('twin_archived', `twin ${twin.id} is archived`);
}

function requireEditable(twin: Twin): void {
  requireOwn(twin);
  requireLive(twin);
}

function requireRoom(count: number, what: string): void {
  if (count >= MAX_PARTS) throw new GatewayError('limit_reached', `the twin has ${count} ${what}`);
}

function showsTag(sensor: Sensor, asset: string, tag: string): boolean {
  return !sensor.fromTag && sensor.binding.asset === asset && sensor.binding.tag === tag;
}

function hide(twin: Twin, tag: string): Twin {
  if (twin.hiddenTags.includes(tag)) return twin;
  if (twin.hiddenTags.length >= MAX_HIDDEN_TAGS) {
    throw new GatewayError('limit_reached', `the twin has ${MAX_HIDDEN_TAGS} deleted sensors whose tags it must remember`);
  }
  return { ...twin, hiddenTags: [...twin.hiddenTags, tag] };
}

function without(tags: readonly string[], tag: string): readonly string[] {
  return tags.includes(tag) ? tags.filter((each) => each !== tag) : tags;
}
