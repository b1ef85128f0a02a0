/** Translates a checked document into the terms of the house. */
import { dirname, resolve } from 'node:path';
import type { ChannelSpec } from '../alerts/notify/channel.ts';
import type { ChannelConfig, TlsConfig } from '../alerts/notify/schema.ts';
import { toRuleDraft } from '../alerts/schema.ts';
import { DEFAULT_TENANT } from '../core/tag.ts';
import { ruleIdOf } from './cross-checks.ts';
import {
  type ActuatorBindingSpec,
  type ActuatorSpec,
  type BindingSpec,
  type LoadedConfig,
  type SensorSpec,
  type SourceSpec,
  START_KEYS,
  type StartKey,
  type TagSpec,
  type TenantSpec,
  type TwinSpec,
} from './loaded.ts';
import { profilesDirOf } from './profiles.ts';
import type { ConfigDocument, SourceDocument, TwinDocument } from './schema.ts';
import { sourceIdOf } from './source-id.ts';
import type { TlsFiles } from './tls-pair.ts';
import type { YamlFile } from './yaml-file.ts';

/** As `sha256sum FILE | cut -c-12` prints it: enough to tell every version of a file from every other. */
const REVISION_DIGITS = 12;

/** `profileTags` are the tags of the sources that have a profile, by their index in the file. */
export function toLoaded(config: ConfigDocument, yaml: YamlFile, profileTags: ReadonlyMap<number, readonly TagSpec[]>): LoadedConfig {
  const { file, sha256 } = yaml;
  return {
    places: Object.fromEntries(START_KEYS.map((key) => [key, placeOf(key, yaml)])) as LoadedConfig['places'],
    revision: sha256.slice(0, REVISION_DIGITS),
    dataDir: resolve(dirname(file), config.data_dir),
    listen: config.api.listen,
    ...(config.api.tls && { tls: tlsFilesOf(config.api.tls, file) }),
    allowPlaintext: config.api.allow_plaintext,
    rateLimit: toRateLimit(config.api.rate_limit),
    corsOrigins: config.api.cors.origins,
    tokens: config.api.tokens.map(({ expires_at: expiresMs, ...token }) => ({ ...token, expiresMs: expiresMs ?? null })),
    retention: toRetention(config.store.retention),
    storeProfile: config.store.profile,
    egressAllow: config.security.egress.allow,
    filesAllow: config.security.files.allow,
    serialAllow: config.security.serial.allow,
    profilesDir: profilesDirOf(file),
    tenants: withDefault(config.tenants),
    twinTypes: config.twin_types,
    autoTwins: config.auto_twins,
    sources: config.sources.map((source, index) => toSource(source, profileTags.get(index) ?? ownTags(source))),
    twins: config.twins.map(toTwin),
    channels: Object.entries(config.notifications.channels).map(([name, channel]) => toChannel(name, channel, dirname(file))),
    alertRules: config.alert_rules.map((rule) => ({ tenant: rule.tenant, id: ruleIdOf(rule), ...toRuleDraft(rule) })),
    logLevel: config.log.level,
  };
}

function placeOf(key: StartKey, { file, keyAt }: YamlFile): string {
  const { line, column } = keyAt(key.split('.'));
  return `${file}:${line}:${column}`;
}

/** `file` is the configuration file. */
export function tlsFilesOf({ cert, key }: NonNullable<ConfigDocument['api']['tls']>, file: string): TlsFiles {
  return { certFile: resolve(dirname(file), cert), keyFile: resolve(dirname(file), key) };
}

/** `folder` is what relative file names start from. */
function toChannel(name: string, config: ChannelConfig, folder: string): ChannelSpec {
  if (config.type !== 'email') return { name, config: { ...config, ...withTls(config.tls, folder) } };
  return { name, config: { ...config, smtp: { ...config.smtp, ...withTls(config.smtp.tls, folder) } } };
}

function withTls(tls: TlsConfig | undefined, folder: string): { readonly tls?: TlsConfig } {
  if (!tls) return {};
  const { ca, cert, key } = tls;
  const files = Object.entries({ ca, cert, key }).flatMap(([part, name]) => (name === undefined ? [] : [[part, resolve(folder, name)]]));
  return { tls: { ...tls, ...Object.fromEntries(files) } };
}

function toRateLimit(limit: ConfigDocument['api']['rate_limit']): LoadedConfig['rateLimit'] {
  return limit === 'off' ? null : { perMinute: limit.per_minute, burst: limit.burst };
}

function toRetention(retention: ConfigDocument['store']['retention']): LoadedConfig['retention'] {
  const { raw, rollups, max_bytes: maxBytes, reserve_bytes: reserveBytes } = retention;
  return {
    ...(raw !== null && { maxAgeMs: raw }),
    ...(rollups !== null && { rollupMaxAgeMs: rollups }),
    ...(maxBytes !== null && { maxBytes }),
    reserveBytes,
  };
}

function withDefault(tenants: readonly TenantSpec[]): readonly TenantSpec[] {
  const own = tenants.find((tenant) => tenant.id === DEFAULT_TENANT);
  return [own ?? { id: DEFAULT_TENANT, name: 'Default' }, ...tenants.filter((tenant) => tenant !== own)];
}

function toSource(source: SourceDocument, tags: readonly TagSpec[]): SourceSpec {
  const { tenant, name, type, enabled, config } = source;
  const profile = 'profile' in source && typeof source.profile === 'string' ? { profile: source.profile } : {};
  return { id: sourceIdOf(source), tenant, name, type, enabled, managedBy: 'config', ...profile, config, tags };
}

/** Every driver's tag schema spreads `tagFields`, which the registry's common type does not show. */
function ownTags(source: SourceDocument): readonly TagSpec[] {
  return source.tags as unknown as readonly TagSpec[];
}

function toTwin(twin: TwinDocument): TwinSpec {
  const { tenant, id, type, metadata } = twin;
  const sensors = twin.sensors.map((sensor) => toSensor(sensor, id));
  const actuators = twin.actuators.map((actuator) => toActuator(actuator, id));
  return { tenant, ...labels(twin), type, status: 'active', managedBy: 'config', metadata, sensors, actuators };
}

function toSensor(sensor: TwinDocument['sensors'][number], twinId: string): SensorSpec {
  const binding = sensor.binding ? toBinding(sensor.binding, twinId) : { asset: twinId, tag: sensor.id };
  return {
    ...labels(sensor),
    unit: sensor.unit,
    ...(sensor.min_value !== undefined && { minValue: sensor.min_value }),
    ...(sensor.max_value !== undefined && { maxValue: sensor.max_value }),
    binding,
    bindingExplicit: binding.source !== undefined || binding.asset !== twinId || binding.tag !== sensor.id,
  };
}

function toActuator(actuator: TwinDocument['actuators'][number], twinId: string): ActuatorSpec {
  return { ...labels(actuator), type: actuator.type, ...(actuator.binding && { binding: toActuatorBinding(actuator.binding, twinId) }) };
}

function toActuatorBinding(binding: NonNullable<TwinDocument['actuators'][number]['binding']>, twinId: string): ActuatorBindingSpec {
  const { min, max } = binding;
  return { ...toBinding(binding, twinId), ...(min !== undefined && { min }), ...(max !== undefined && { max }) };
}

function toBinding(binding: NonNullable<TwinDocument['sensors'][number]['binding']>, twinId: string): BindingSpec {
  const source = binding.data_source_id;
  return { ...(source !== undefined && { source }), asset: binding.asset_id ?? twinId, tag: binding.tag_name };
}

interface Labelled {
  readonly id: string;
  readonly name?: string | undefined;
  readonly description?: string | undefined;
}

function labels({ id, name, description }: Labelled): { readonly id: string; readonly name: string; readonly description?: string } {
  return { id, name: name ?? id, ...(description !== undefined && { description }) };
}
