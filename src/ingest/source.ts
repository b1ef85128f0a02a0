/** A source as the house runs it: options that are valid already, tags that a profile has been expanded into. */
import type { DriverType } from '../drivers/registry.ts';

export interface SourceSpec {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly type: DriverType;
  readonly enabled: boolean;
  readonly managedBy: 'config' | 'api';
  /** Name of the BMS profile whose tags these are: its assets are battery packs. */
  readonly profile?: string;
  /** As the driver's `configSchema` gave it, secrets filled in. */
  readonly config: unknown;
  /** Each as the driver's `tagSchema` gave it. */
  readonly tags: readonly SourceTag[];
  /** Why it cannot be run as it is; it is shown all the same. */
  readonly fault?: string;
}

/** What the house itself reads of a tag; the driver knows the rest. */
export interface SourceTag {
  readonly tag_name?: string | undefined;
  readonly asset_id?: string | undefined;
  readonly unit?: string | undefined;
  readonly writable: boolean;
}
