/** What a twin is: an asset with sensors (tags) and actuators. */
import type { Quality } from '../core/status.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';

export type TwinStatus = 'active' | 'inactive' | 'archived';
export type ManagedBy = 'config' | 'api';

/** Where a sensor's values come from; without `source` every source that feeds the tag counts. */
export interface Binding {
  readonly source?: string;
  readonly asset: string;
  readonly tag: string;
}

export interface Sensor {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly unit: string;
  readonly minValue?: number;
  readonly maxValue?: number;
  readonly binding: Binding;
  /** True when the binding is not just (twin id, sensor id) and so is worth showing. */
  readonly bindingExplicit: boolean;
  /** It is there because the tag is: nobody has described it. */
  readonly fromTag?: true;
}

export interface Actuator {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly type: 'binary' | 'continuous';
  /** Absent: the tag of the twin that is called as the actuator. */
  readonly binding?: ActuatorBinding;
}

export interface ActuatorBinding extends Binding {
  /** What may be asked for; the tag's own limits hold whatever stands here. */
  readonly min?: number;
  readonly max?: number;
}

export interface Twin {
  readonly tenant: string;
  readonly id: string;
  /** One more with each stored change. */
  readonly revision: number;
  readonly name: string;
  readonly description?: string;
  readonly type: string;
  readonly status: TwinStatus;
  readonly managedBy: ManagedBy;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly createdMs: UnixMs;
  readonly updatedMs: UnixMs;
  /** In the order of creation. */
  readonly sensors: readonly Sensor[];
  readonly actuators: readonly Actuator[];
  /** Tags of the asset that are not to be made sensors: theirs were deleted. */
  readonly hiddenTags: readonly string[];
}

/** Where an actuator's state is read, and written where a device has it. */
export function tagOf(twin: Pick<Twin, 'id'>, actuator: Actuator): ActuatorBinding {
  return actuator.binding ?? { asset: twin.id, tag: actuator.id };
}

/** The present state of a tag: the newest usable value and its time, with the quality of the newest sample of all. */
export interface LiveReading {
  /** As it is shown: a 32-bit float with the digits it has. Null while there never was a usable value. */
  readonly value: Scalar | null;
  /** Time of that value. */
  readonly valueMs: UnixMs | null;
  readonly quality: Quality;
  readonly status: number;
  /** Time of the newest reading, usable or not, stored or within the deadband. */
  readonly newestMs: UnixMs;
  /** The source that gave it. */
  readonly source: string;
}
