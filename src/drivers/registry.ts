/** Which driver types exist: their schemas at once, their code (and its heavy libraries) only when a source needs it. */
import type { z } from 'zod';
import * as derived from './derived/options.ts';
import type { DriverModule } from './driver.ts';
import * as modbus from './modbus/options.ts';
import * as mqtt from './mqtt/options.ts';
import * as opcua from './opcua/options.ts';
import type { NamedDevice, NamedFile, TagOrigin, Target } from './schema.ts';
import * as simulator from './simulator/options.ts';

export interface DriverEntry {
  readonly configSchema: z.ZodObject;
  readonly tagSchema: z.ZodObject;
  /** Where a valid config leads, without secrets. */
  endpoint(config: unknown): string;
  /** Where the value of a valid tag stands at its device. */
  describe(config: unknown, tag: unknown): TagOrigin;
  /** Where the connection of a valid config goes; absent where there is none. */
  target?(config: unknown): Target | undefined;
  /** The files that a valid config names; absent where it cannot. */
  files?(config: unknown): readonly NamedFile[];
  /** The devices of this machine that a valid config names; absent where it cannot. */
  devices?(config: unknown): readonly NamedDevice[];
  /** The config for a second connection that only tries; absent where the first one's will do. */
  trial?(config: unknown): unknown;
  load(): Promise<DriverModule<unknown, unknown>>;
}

export const DRIVER_TYPES = ['opcua', 'modbus', 'mqtt', 'simulator', 'derived'] as const;
export type DriverType = (typeof DRIVER_TYPES)[number];

export const DRIVERS: Readonly<Record<DriverType, DriverEntry>> = {
  opcua: { ...opcua, describe: opcua.describe, target: opcua.target, files: opcua.files, load: () => import('./opcua/driver.ts') },
  modbus: {
    ...modbus,
    describe: modbus.describe,
    target: modbus.target,
    devices: modbus.devices,
    load: () => import('./modbus/driver.ts'),
  },
  mqtt: {
    ...mqtt,
    describe: mqtt.describe,
    target: mqtt.target,
    files: mqtt.files,
    trial: mqtt.trial,
    load: () => import('./mqtt/driver.ts'),
  },
  simulator: { ...simulator, describe: simulator.describe, load: () => import('./simulator/driver.ts') },
  derived: { ...derived, describe: derived.describe, load: () => import('./derived/driver.ts') },
};

/** How often a tag is polled, its own interval before the source's; undefined for sources that send by themselves. */
export function pollingIntervalMs(config: unknown, tag: unknown): number | undefined {
  const interval = (options: unknown) => (options as { readonly polling_interval_ms?: number } | undefined)?.polling_interval_ms;
  const ofSource = interval(config);
  return ofSource === undefined ? undefined : (interval(tag) ?? ofSource);
}
