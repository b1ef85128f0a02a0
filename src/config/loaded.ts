/** The configuration as the rest of the house takes it: valid, secrets filled in, defaults written out, in its own terms. */

import type { ChannelSpec } from '../alerts/notify/channel.ts';
import type { toRuleDraft } from '../alerts/schema.ts';
import type { Cidr } from '../core/cidr.ts';
import type { Scope } from '../core/scope.ts';
import type { StoreProfile } from '../core/store-profile.ts';
import type { DriverType } from '../drivers/registry.ts';
import type { Listen } from './listen.ts';
import type { TlsFiles } from './tls-pair.ts';

export interface LoadedConfig {
  /** Where keys that are read at the start alone stand in the file, by dotted path: `config.yaml:12:3`. Of one that is absent, its nearest parent. */
  readonly places: Readonly<Record<StartKey, string>>;
  /** Of the file: the first digits of its SHA-256. */
  readonly revision: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly listen: Listen;
  /** The operator's own certificate. */
  readonly tls?: TlsFiles;
  /** True serves other machines without TLS, where there is no `tls`. */
  readonly allowPlaintext: boolean;
  /** How often a token may call; null: as often as it likes. */
  readonly rateLimit: { readonly perMinute: number; readonly burst: number } | null;
  readonly corsOrigins: readonly string[];
  readonly tokens: readonly TokenSpec[];
  /** As the store takes it; absent: no limit. */
  readonly retention: {
    readonly maxAgeMs?: number;
    readonly rollupMaxAgeMs?: number;
    readonly maxBytes?: number;
    readonly reserveBytes: number;
  };
  readonly storeProfile: StoreProfile;
  /** What sources made over the API may connect to. */
  readonly egressAllow: readonly Cidr[];
  /** Folders that sources made over the API may name files of, absolute. */
  readonly filesAllow: readonly string[];
  /** Serial devices, and folders of them, that sources made over the API may use, absolute. */
  readonly serialAllow: readonly string[];
  /** Where the operator's own battery profiles are, absolute. */
  readonly profilesDir: string;
  /** `default` first, whether the file names it or not. */
  readonly tenants: readonly TenantSpec[];
  /** Those beside the ones that come with twinbox. */
  readonly twinTypes: readonly string[];
  readonly autoTwins: boolean;
  readonly sources: readonly SourceSpec[];
  readonly twins: readonly TwinSpec[];
  /** In the order of the file. */
  readonly channels: readonly ChannelSpec[];
  readonly alertRules: readonly AlertRuleSpec[];
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error';
}

/** What a running daemon does not change. */
export const START_KEYS = [
  'data_dir',
  'api.listen',
  'api.tls',
  'api.allow_plaintext',
  'api.rate_limit',
  'api.cors',
  'store.profile',
  'auto_twins',
] as const;
export type StartKey = (typeof START_KEYS)[number];

/** As `alerts` takes it. */
export type AlertRuleSpec = { readonly tenant: string; readonly id: string } & ReturnType<typeof toRuleDraft>;

export interface TokenSpec {
  readonly name: string;
  /** Hexadecimal, lower case. */
  readonly sha256: string;
  readonly scopes: readonly Scope[];
  readonly tenant: string;
  /** Milliseconds since the epoch. */
  readonly expiresMs: number | null;
}

export interface TenantSpec {
  readonly id: string;
  readonly name: string;
}

/** As `ingest` runs it. */
export interface SourceSpec {
  readonly id: string;
  readonly tenant: string;
  readonly name: string;
  readonly type: DriverType;
  readonly enabled: boolean;
  readonly managedBy: 'config';
  /** The BMS profile that the tags are of. */
  readonly profile?: string;
  /** As the driver's `configSchema` gave it. */
  readonly config: unknown;
  /** Each as the driver's `tagSchema` gave it; those of a profile where the source has one. */
  readonly tags: readonly TagSpec[];
}

/** What every protocol's tag has; the driver knows the rest. */
export interface TagSpec {
  readonly tag_name?: string | undefined;
  readonly asset_id?: string | undefined;
  readonly unit?: string | undefined;
  readonly writable: boolean;
}

/** A twin of the file, without the times that the store gives it. */
export interface TwinSpec {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly type: string;
  readonly status: 'active';
  readonly managedBy: 'config';
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly sensors: readonly SensorSpec[];
  readonly actuators: readonly ActuatorSpec[];
}

export interface BindingSpec {
  readonly source?: string;
  readonly asset: string;
  readonly tag: string;
}

export interface ActuatorBindingSpec extends BindingSpec {
  readonly min?: number;
  readonly max?: number;
}

export interface SensorSpec {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly unit: string;
  readonly minValue?: number;
  readonly maxValue?: number;
  readonly binding: BindingSpec;
  /** True when the binding is not just (twin id, sensor id). */
  readonly bindingExplicit: boolean;
}

export interface ActuatorSpec {
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly type: 'binary' | 'continuous';
  readonly binding?: ActuatorBindingSpec;
}
