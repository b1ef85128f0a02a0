/** How a twin fares, judged from its sensors, its actuators and the sources behind them. */

import { ERRORS, type ErrorCode } from '../core/errors.ts';
import type { UnixMs } from '../core/time.ts';
import { type Actuator, type Binding, type LiveReading, type Sensor, type Twin, tagOf } from './twin.ts';

export type Health = 'good' | 'warning' | 'critical' | 'unknown';

export const REASON_CODES = [
  ...(['source_down', 'no_value', 'bad_quality', 'uncertain_quality', 'stale'] as const),
  ...(['below_minimum', 'above_maximum', 'write_failed'] as const),
] as const;
export type ReasonCode = (typeof REASON_CODES)[number];

export interface Reason {
  readonly part: 'sensor' | 'actuator';
  readonly id: string;
  readonly level: 'warning' | 'error';
  readonly code: ReasonCode;
  /** For people. */
  readonly message: string;
}

export interface TwinHealth {
  readonly health: Health;
  readonly sensors: { readonly total: number; readonly healthy: number; readonly warning: number; readonly error: number };
  readonly actuators: { readonly total: number; readonly operational: number; readonly error: number };
  readonly reasons: readonly Reason[];
}

/** A source without a link. */
export interface DownSource {
  readonly name: string;
  /** What it does instead of delivering: `back_off`, `faulted`. */
  readonly state: string;
  readonly reason: string | null;
}

/** What is known of the twin's tags and sources now. */
export interface Surroundings {
  readonly nowMs: UnixMs;
  reading(binding: Binding): LiveReading | undefined;
  /** How often the tag is sampled, where that is known. */
  periodMs(binding: Binding): number | undefined;
  /** The source whose device has the tag; undefined where none has it. */
  owner(binding: Binding): string | undefined;
  /** Why the actuator does not show what was last asked of it; null when it does, or may still come to. */
  writeFailure(actuator: Actuator): ErrorCode | null;
  /** The source while it has no link; undefined for what is no source of its own, as readings over REST. */
  downSource(id: string): DownSource | undefined;
}

const STALE_PERIODS = 3;
const MIN_STALE_MS = 30_000;

/** A source that is down is the only reason of its sensors: their values say nothing more. */
export function healthOf(twin: Twin, now: Surroundings): TwinHealth {
  const sensorReasons = twin.sensors.map((sensor) => judgeSensor(sensor, now));
  const actuatorReasons = twin.actuators.flatMap((actuator) => judgeActuator(twin, actuator, now));
  const error = sensorReasons.filter((reasons) => reasons.some(({ level }) => level === 'error')).length;
  const healthy = sensorReasons.filter((reasons) => reasons.length === 0).length;
  const reasons = [...sensorReasons.flat(), ...actuatorReasons];
  return {
    health: twin.sensors.length === 0 ? 'unknown' : worst(reasons),
    sensors: { total: twin.sensors.length, healthy, warning: twin.sensors.length - healthy - error, error },
    actuators: {
      total: twin.actuators.length,
      operational: twin.actuators.length - actuatorReasons.length,
      error: actuatorReasons.length,
    },
    reasons,
  };
}

function worst(reasons: readonly Reason[]): Health {
  if (reasons.some(({ level }) => level === 'error')) return 'critical';
  return reasons.length > 0 ? 'warning' : 'good';
}

/** Its one error or all its warnings. */
function judgeSensor(sensor: Sensor, now: Surroundings): readonly Reason[] {
  const reason = (level: Reason['level'], code: ReasonCode, message: string): Reason => ({
    part: 'sensor',
    id: sensor.id,
    level,
    code,
    message: `${sensor.name} ${message}`,
  });
  const reading = now.reading(sensor.binding);
  const down = downSource(sensor.binding, reading, now);
  if (down) return [reason('error', 'source_down', `has no link: ${sayState(down)}`)];
  if (!reading || reading.value === null) return [reason('error', 'no_value', 'has no value yet')];
  if (reading.quality === 'bad') return [reason('error', 'bad_quality', 'reads bad')];

  const warnings: Reason[] = [];
  if (reading.quality === 'uncertain') warnings.push(reason('warning', 'uncertain_quality', 'is uncertain'));
  const periodMs = now.periodMs(sensor.binding);
  const ageMs = now.nowMs - reading.newestMs;
  if (periodMs !== undefined && ageMs > Math.max(STALE_PERIODS * periodMs, MIN_STALE_MS)) {
    warnings.push(reason('warning', 'stale', `has not reported for ${Math.round(ageMs / 1_000)} s`));
  }
  const value = Number(reading.value); // NaN for text, which is inside any limits
  if (sensor.minValue !== undefined && value < sensor.minValue) {
    warnings.push(reason('warning', 'below_minimum', `is below its minimum of ${sensor.minValue}`));
  }
  if (sensor.maxValue !== undefined && value > sensor.maxValue) {
    warnings.push(reason('warning', 'above_maximum', `is above its maximum of ${sensor.maxValue}`));
  }
  return warnings;
}

function judgeActuator(twin: Twin, actuator: Actuator, now: Surroundings): readonly Reason[] {
  const at = tagOf(twin, actuator);
  const source = now.owner(at);
  const down = downSource(source === undefined ? at : { ...at, source }, now.reading(at), now);
  const reason = (code: ReasonCode, message: string): readonly Reason[] => [
    { part: 'actuator', id: actuator.id, level: 'error', code, message: `${actuator.name} ${message}` },
  ];
  if (down) return reason('source_down', `has no link: ${sayState(down)}`);
  const failure = now.writeFailure(actuator);
  return failure === null ? [] : reason('write_failed', `did not take the last write (${failure}): ${ERRORS[failure]}`);
}

/** The source behind a binding when it is down: the one it names, else the one that gave the value. */
function downSource(binding: Binding, reading: LiveReading | undefined, now: Surroundings): DownSource | undefined {
  const id = binding.source ?? reading?.source;
  return id === undefined ? undefined : now.downSource(id);
}

function sayState(source: DownSource): string {
  return `${source.name} is ${source.state}${source.reason === null ? '' : ` (${source.reason})`}`;
}
