/** When a twin was last in step with its machine. */
import type { UnixMs } from '../core/time.ts';
import { type Binding, type LiveReading, type Twin, tagOf } from './twin.ts';

/**
 * The time of the newest usable sample of its sensors and actuators, or of the last completed synchronization (`completedMs`), whichever is the
 * later; null before the first. The bad sample of a lost link is no word of the machine and does not count.
 */
export function lastSyncMs(twin: Twin, completedMs: UnixMs | null, reading: (binding: Binding) => LiveReading | undefined): UnixMs | null {
  const tags = [...twin.sensors.map(({ binding }) => binding), ...twin.actuators.map((actuator) => tagOf(twin, actuator))];
  return tags.reduce<UnixMs | null>((newest, tag) => later(newest, reading(tag)?.valueMs ?? null), completedMs);
}

function later(one: UnixMs | null, other: UnixMs | null): UnixMs | null {
  return one === null || (other !== null && other > one) ? other : one;
}
