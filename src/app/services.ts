/** Hands the parts of the house to the API in the shape it asks for. */

import type { Alerting } from '../alerts/alerting.ts';
import type { Notifications } from '../alerts/notify/notifications.ts';
import type { ApiServices, HttpSettings, StreamsState, StreamView } from '../api/services.ts';
import type { Emit } from '../core/emit.ts';
import type { Log } from '../core/log.ts';
import { API_SOURCE } from '../core/tag.ts';
import { TWIN_TYPES } from '../core/twin-type.ts';
import { DashboardRegistry } from '../dashboard/registry.ts';
import { pollingIntervalMs } from '../drivers/registry.ts';
import type { Pipeline } from '../ingest/pipeline.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { SourceRegistry } from '../ingest/source-registry.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import type { StoreClient } from '../store/client.ts';
import { METRICS_CONTENT_TYPE, Metrics } from '../system/metrics.ts';
import type { WallClock } from '../system/wall-clock.ts';
import { lastSyncMs } from '../twin/last-sync.ts';
import type { LiveValues } from '../twin/live.ts';
import type { TwinRegistry } from '../twin/registry.ts';
import type { TwinSync } from '../twin/sync.ts';
import type { Binding } from '../twin/twin.ts';
import type { Apply } from './apply.ts';
import { Devices } from './devices.ts';
import type { LiveSettings } from './live-settings.ts';
import { type MetricParts, metricFamilies } from './metrics.ts';
import { provenanceOf } from './provenance.ts';
import type { SourceCheck } from './source-check.ts';
import { sourceServices } from './sources.ts';

export interface Parts {
  readonly clock: WallClock;
  readonly log: Log;
  readonly version: string;
  readonly store: StoreClient;
  readonly pipeline: Pipeline;
  readonly supervisor: Supervisor;
  readonly live: LiveValues;
  readonly apply: Apply;
  readonly twins: TwinRegistry;
  readonly sync: TwinSync;
  readonly notifications: Notifications;
  readonly registry: SourceRegistry;
  readonly check: SourceCheck;
  readonly alerting: Alerting;
  readonly settings: LiveSettings;
  readonly http: HttpSettings;
  readonly backup: ApiServices['backup'];
}

export function apiServices(parts: Parts): ApiServices {
  const { clock, log, version, store, pipeline, supervisor, live, twins } = parts;
  const doors = new Map<string, Emit>();
  const metrics = new Metrics();
  return {
    clock,
    clockTrusted: () => clock.trusted,
    rawMaxAgeMs: () => parts.settings.rawMaxAgeMs,
    latestMs: () => clock.latestMs,
    log,
    version,
    store: store.telemetry,
    records: withConfigTokens(store.records, parts.settings),
    http: parts.http,
    series: { find: (filter) => pipeline.tags.find(filter), definition: (series) => pipeline.tags.definition(series) },
    twins: {
      list: (tenant) => twins.list(tenant),
      get: (tenant, id) => twins.get(tenant, id),
      create: (made) => twins.create(made),
      change: (at, edit) => twins.change(at, edit),
      remove: async (at, allow) => {
        await twins.remove(at, allow);
        await parts.sync.forget(at);
      },
      get types() {
        return [...TWIN_TYPES, ...parts.settings.twinTypes];
      },
    },
    dashboards: new DashboardRegistry({ clock, records: store.records }),
    devices: new Devices(pipeline.tags, supervisor),
    live: {
      reading: (tenant, binding) => live.reading(tenant, binding),
      provenance: (tenant, binding, one) => provenanceOf(parts, tenant, binding, one),
      tagNames: (tenant, asset) => [...live.tagNames(tenant, asset)].sort(),
      periodMs: (tenant, binding) => periodOf(supervisor, tenant, binding),
    },
    hear: (listener) => {
      parts.apply.listener = listener;
    },
    channels: parts.notifications,
    sources: sourceServices({ supervisor, registry: parts.registry, check: parts.check, clock }),
    alerting: parts.alerting,
    hearAlerts: (listener) => {
      parts.alerting.onAlert = listener;
    },
    door: (tenant) => {
      const door = doors.get(tenant) ?? supervisor.openDoor(API_SOURCE, tenant);
      doors.set(tenant, door);
      return door;
    },
    doorLedger: (tenant) => supervisor.account(API_SOURCE, tenant).counts(),
    stream: () => streamView(parts),
    metrics: async (streams) => ({
      type: METRICS_CONTENT_TYPE,
      data: await metrics.text(metricFamilies(await metricParts(parts, streams))),
    }),
    backup: parts.backup,
    readiness: () => ({ missing: store.health === 'ok' ? [] : [`store: ${store.health}`] }),
    sync: (twin, options) => parts.sync.run(twin, options),
    lastSyncMs: (tenant, twinId) => {
      const twin = twins.get(tenant, twinId);
      return twin ? lastSyncMs(twin, parts.sync.lastMs(twin), (binding) => live.reading(tenant, binding)) : null;
    },
  };
}

function streamView({ store, pipeline: { ring } }: Parts): StreamView {
  return { profile: store.profile, next: ring.head, durable: ring.durable, fault: faultOf(store), damage: store.damage };
}

async function metricParts(parts: Parts, streams: StreamsState): Promise<MetricParts> {
  const { version, supervisor, pipeline, store } = parts;
  const sources = supervisor.list();
  const rest = parts.settings.tenants.map((tenant) => ({ tenant, ledger: supervisor.account(API_SOURCE, tenant).counts() }));
  const channels = parts.notifications.views();
  const alerts = parts.alerting.stats();
  const stream = streamView(parts);
  return { version, sources, rest, alerts, channels, ring: pipeline.ring, stream, streams, store: await store.telemetry.stats() };
}

function faultOf(store: StoreClient): 'store_failed' | 'disk_full' | 'store_stalled' | 'stopped' | null {
  const { health } = store;
  if (health === 'ok') return null;
  return health === 'starting' ? 'store_failed' : health;
}

/** Tokens of the file stand beside those of the database. */
function withConfigTokens(records: StoreClient['records'], settings: LiveSettings): ApiServices['records'] {
  return { ...records, tokenByHash: async (sha256) => settings.token(sha256) ?? (await records.tokenByHash(sha256)) };
}

/** By asset and tag. A changed source is another spec. */
const periodsOfSpecs = new WeakMap<SourceSpec, ReadonlyMap<string, number>>();

function periodOf(supervisor: Supervisor, tenant: string, { asset, tag }: Binding): number | undefined {
  for (const spec of supervisor.specs()) {
    const periodMs = spec.tenant === tenant ? periodsOf(spec).get(`${asset}\0${tag}`) : undefined;
    if (periodMs !== undefined) return periodMs;
  }
  return undefined;
}

function periodsOf(spec: SourceSpec): ReadonlyMap<string, number> {
  const known = periodsOfSpecs.get(spec);
  if (known) return known;
  const periods = new Map<string, number>();
  for (const tag of spec.tags) {
    const periodMs = pollingIntervalMs(spec.config, tag);
    if (periodMs !== undefined && tag.tag_name) periods.set(`${tag.asset_id ?? spec.id}\0${tag.tag_name}`, periodMs);
  }
  periodsOfSpecs.set(spec, periods);
  return periods;
}
