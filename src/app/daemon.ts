/** The only place where the parts meet: builds them, starts them in order, stops them in order. */
import { chmodSync, mkdirSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { Notifications } from '../alerts/notify/notifications.ts';
import { createApi } from '../api/api.ts';
import { listen } from '../api/server.ts';
import type { LoadedConfig } from '../config/loaded.ts';
import { systemClock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import { memoryBytes } from '../core/memory.ts';
import { Ring } from '../core/ring.ts';
import type { UnixMs } from '../core/time.ts';
import { DRIVERS } from '../drivers/registry.ts';
import { InputFeed } from '../ingest/input-feed.ts';
import { Pipeline } from '../ingest/pipeline.ts';
import { seriesLimits } from '../ingest/series-limits.ts';
import type { SourceSpec } from '../ingest/source.ts';
import { type SourceDraft, SourceRegistry } from '../ingest/source-registry.ts';
import { Supervisor } from '../ingest/supervisor.ts';
import { TagTable } from '../ingest/tag-table.ts';
import { sweepStages } from '../store/backup/stage.ts';
import { StoreClient } from '../store/client.ts';
import { lockDataDir } from '../store/lock.ts';
import type { RecoveryReport } from '../store/telemetry.ts';
import { EgressPolicy } from '../system/egress.ts';
import { DevicePolicy, FilePolicy } from '../system/file-policy.ts';
import { spawnWorker } from '../system/spawn.ts';
import { WallClock } from '../system/wall-clock.ts';
import { LiveValues } from '../twin/live.ts';
import { TwinRegistry } from '../twin/registry.ts';
import { TwinSync } from '../twin/sync.ts';
import { ensureAdminToken } from './admin-token.ts';
import { alertingOf } from './alerting.ts';
import { Apply } from './apply.ts';
import { oneBackupAtATime } from './backup.ts';
import { LiveSettings } from './live-settings.ts';
import { Reload } from './reload.ts';
import { restoreLive } from './restore.ts';
import { apiServices } from './services.ts';
import { SourceCheck } from './source-check.ts';
import { API_CLOSE_MS, begin, stopAll } from './stop.ts';
import { devicesOf } from './sync-devices.ts';
import { openTls } from './tls.ts';
import { buildMs, version } from './version.ts';

export interface DaemonOptions {
  readonly config: LoadedConfig;
  readonly log: Log;
}

export interface DaemonStatus {
  readonly sourcesUp: number;
  readonly sources: number;
  readonly tags: number;
  /** `ok` or what is wrong with the store. */
  readonly store: string;
}

export interface Daemon {
  /** `http://127.0.0.1:3000`, or `https:` where it speaks TLS */
  readonly url: string;
  /** The file with the first token, where one was made at this start. */
  readonly adminTokenFile: string | undefined;
  /** SHA-256 of the certificate that the API showed first; undefined where it speaks plain HTTP. */
  readonly fingerprint: string | undefined;
  status(): DaemonStatus;
  /** Takes a changed configuration, as far as it may change while the daemon runs; the log says what of it has to wait. Rejects `config_invalid`. */
  reload(config: LoadedConfig): Promise<void>;
  /** Sources, ring, API, store; nothing acknowledged is lost. Resolves within five seconds with the parts that hang. Safe to call twice. */
  stop(): Promise<readonly string[]>;
}

/** Starts everything; resolves when the API answers and the sources have been told to start. Throws GatewayErrors. */
export async function startDaemon({ config, log }: DaemonOptions): Promise<Daemon> {
  makeDataDir(config.dataDir);
  const unlock = lockDataDir(config.dataDir);
  const undo: (() => Promise<void> | void)[] = [unlock];
  try {
    sweepStages(config.dataDir);
    return await build(config, log, undo);
  } catch (error) {
    for (const step of undo.reverse()) await step();
    throw error;
  }
}

async function build(config: LoadedConfig, log: Log, undo: (() => Promise<void> | void)[]): Promise<Daemon> {
  const house = await furnish(config, log, undo);
  const { clock, store, supervisor, pipeline, twins, registry, egress, alerting } = house;
  const running = new AbortController();
  const parts = [
    pipeline.run(running.signal),
    twins.run(running.signal),
    alerting.run(running.signal),
    store.followClock(clock, running.signal),
  ];
  undo.push(() => running.abort());
  const notifying = begin((signal) => house.notifications.run(signal));
  undo.push(() => notifying.stop());
  const { rateLimit, corsOrigins } = config;
  const http = { rateLimit, corsOrigins };
  const backup = oneBackupAtATime({ dataDir: config.dataDir, clock, copy: store.backup });
  const api = createApi(
    apiServices({
      ...house,
      log,
      version: version(),
      http,
      backup,
    }),
  );
  undo.push(() => api.close(API_CLOSE_MS));
  const certificate = await openTls(config, { clock, log: log.child({ part: 'tls' }) });
  const adminTokenFile = config.tokens.length > 0 ? undefined : await ensureAdminToken(store.records, config.dataDir, clock.now());
  const created = await createdTimes(store, config.sources, clock.now());
  const listening = await listen({ ...config.listen, api, clock, log, ...(certificate && { tls: certificate.pair }) });
  undo.push(() => listening.close(API_CLOSE_MS));
  // From here on nothing waits: who is answered at all finds the token and every source.
  egress.apiPort = listening.port;
  if (certificate) parts.push(certificate.run((pair) => listening.useCertificate(pair), running.signal));
  for (const spec of config.sources) supervisor.add(spec, created.get(spec.id) as UnixMs);
  registry.start(supervisor);
  const createdOf = (sources: readonly SourceSpec[]) => createdTimes(store, sources, clock.now());
  const reload = new Reload(config, {
    ...house,
    store: store.telemetry,
    rules: alerting.rules,
    createdTimes: createdOf,
    log: log.child({ part: 'reload' }),
  });
  const [unlock] = undo;
  let stopped: Promise<readonly string[]> | undefined;
  return {
    url: `${certificate ? 'https' : 'http'}://${listening.host.includes(':') ? `[${listening.host}]` : listening.host}:${listening.port}`,
    adminTokenFile,
    fingerprint: certificate?.pair.fingerprint,
    status: () => statusOf(supervisor, store),
    reload: (next) => reload.take(next),
    stop: () => {
      stopped ??= stopAll({ clock: systemClock, log, supervisor, running, parts, alerting, notifying, api, listening, store }).then(
        (hung) => {
          if (hung.length === 0) void unlock?.(); // what hangs may still write: then the end of the process unlocks
          return hung;
        },
      );
      return stopped;
    },
  };
}

/** The parts that hold data, from the store upwards, with what the disk remembers; nothing runs yet but the store. */
async function furnish(config: LoadedConfig, log: Log, undo: (() => Promise<void> | void)[]) {
  const ring = new Ring();
  const store = new StoreClient({
    dataDir: config.dataDir,
    ring,
    retention: config.retention,
    profile: config.storeProfile,
    clock: systemClock,
    log: log.child({ part: 'store' }),
    spawn: (workerData) => spawnWorker({ source: 'store/worker.ts', bundle: 'store-worker.js' }, { workerData }),
    spawnQuery: (workerData) =>
      spawnWorker({ source: 'store/query-worker.ts', bundle: 'store-query-worker.js' }, { workerData, transferList: [workerData.store] }),
  });
  const recovered = await store.start();
  undo.push(() => store.stop());
  const clock = new WallClock({ machine: systemClock, builtMs: buildMs(), newestMs: recovered.newestMs });
  const live = new LiveValues(
    (series) => tags.entry(series)?.seenMs ?? Number.NEGATIVE_INFINITY,
    () => clock.latestMs,
  );
  const egress = new EgressPolicy({ allow: config.egressAllow });
  const files = new FilePolicy(config.filesAllow);
  const serialDevices = new DevicePolicy(config.serialAllow);
  const check = new SourceCheck({ egress, files, devices: serialDevices, profilesDir: config.profilesDir });
  const resolve = (draft: SourceDraft, id: string) => check.resolve(draft, id);
  const registry = new SourceRegistry({ records: store.records, clock, log: log.child({ part: 'sources' }), resolve });
  registry.load(await store.records.documents('data_source'), new Set(config.sources.map(({ id }) => id)));
  const settings = new LiveSettings(config);
  const twins = new TwinRegistry({
    clock,
    log: log.child({ part: 'twin' }),
    records: store.records,
    autoTwins: config.autoTwins,
    isPackSource: (source) => settings.isPackSource(source) || registry.get(source)?.profile !== undefined,
  });
  await twins.load(config.twins);
  const tags = new TagTable((series, def) => {
    live.define(series, def);
    twins.define(def);
    alerting.define(series, def);
    feed.define(series, def);
  }, seriesLimits(memoryBytes()));
  const feed = new InputFeed(tags);
  const notifications = new Notifications({
    channels: config.channels,
    store: store.records,
    clock,
    random: Math.random,
    log: log.child({ part: 'notifications' }),
    box: hostname(),
  });
  const alerting = alertingOf({
    clock,
    log: log.child({ part: 'alerts' }),
    store,
    tags,
    pipeline: () => pipeline,
    sources: () => supervisor.specs(),
    notifier: notifications,
  });
  await restore(recovered, tags, live, store);
  const apply = new Apply(live, alerting.consumer, feed);
  const pipeline = new Pipeline({ ring, tags, clock, committer: store, consumer: apply, onApplied: () => feed.settled() });
  store.onLost = (from, to) => pipeline.lose(from, to);
  const supervisor = new Supervisor({
    ...supervision(config, clock),
    isTenant: (tenant) => settings.isTenant(tenant),
    egress,
    pipeline,
    feed,
    log,
  });
  const devices = devicesOf({ pipeline, supervisor, live });
  const sync = new TwinSync({ clock, log: log.child({ part: 'sync' }), devices, records: store.records });
  await sync.load();
  await alerting.load(config.alertRules);
  return {
    store,
    clock,
    live,
    apply,
    twins,
    pipeline,
    supervisor,
    sync,
    notifications,
    registry,
    check,
    egress,
    files,
    devices: serialDevices,
    settings,
    alerting,
  };
}

/** What the supervisor takes from the configuration, the drivers and the clock. */
function supervision(config: LoadedConfig, clock: WallClock) {
  return {
    drivers: {
      endpoint: (spec: SourceSpec) => (spec.fault === undefined ? DRIVERS[spec.type].endpoint(spec.config) : ''),
      load: (spec: SourceSpec) => DRIVERS[spec.type].load(),
    },
    clock,
    random: Math.random,
    latestMs: () => clock.latestMs,
    stateDir: (type: string) => join(config.dataDir, type),
  };
}

function statusOf(supervisor: Supervisor, store: StoreClient): DaemonStatus {
  const views = supervisor.list();
  const up = views.filter(({ state }) => state === 'connected' || state === 'degraded').length;
  return { sourcesUp: up, sources: views.length, tags: views.reduce((sum, view) => sum + view.tagCount, 0), store: store.health };
}

async function restore(recovered: RecoveryReport, tags: TagTable, live: LiveValues, store: StoreClient): Promise<void> {
  tags.restore(recovered.catalogue, recovered.nextSeriesId);
  await restoreLive(
    store.telemetry,
    tags,
    live,
    recovered.catalogue.map(({ id }) => id),
  );
}

/** When the box first met each source, by id; new ones are remembered in one commit. */
async function createdTimes(store: StoreClient, sources: readonly SourceSpec[], nowMs: UnixMs): Promise<ReadonlyMap<string, UnixMs>> {
  const known = new Map((await store.records.documents('source')).map(({ id, createdMs }) => [id, createdMs]));
  const fresh = sources.filter(({ id }) => !known.has(id));
  await store.records.putDocuments(fresh.map(({ tenant, id }) => ({ kind: 'source', tenant, id, body: {}, atMs: nowMs })));
  for (const { id } of fresh) known.set(id, nowMs);
  return known;
}

function makeDataDir(dataDir: string): void {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    chmodSync(dataDir, 0o700);
  } catch (error) {
    throw new GatewayError('data_dir_unusable', `${dataDir} cannot be used: ${messageOf(error)}`, { cause: error });
  }
}
