/** The services under the API, in memory and with knobs: small enough to be believed at sight. */
import { isDeepStrictEqual } from 'node:util';
import type { Alert } from '../../src/alerts/alert.ts';
import { Alerting } from '../../src/alerts/alerting.ts';
import type { AlertNotice } from '../../src/alerts/notice.ts';
import type { ChannelView, TestResult } from '../../src/alerts/notify/notifications.ts';
import type { RuleSpec } from '../../src/alerts/rule.ts';
import { hashToken, newToken } from '../../src/api/auth.ts';
import type { ApiServices, Command, HttpSettings, Provenance, TagOwner } from '../../src/api/services.ts';
import type { Clock } from '../../src/core/clock.ts';
import type { Emit } from '../../src/core/emit.ts';
import { type ErrorCode, GatewayError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/log.ts';
import { GOOD, isBad, qualityOf, type StatusCode } from '../../src/core/status.ts';
import {
  API_SOURCE,
  DEFAULT_TENANT,
  type Scalar,
  type Sequence,
  type SeriesDef,
  type SeriesId,
  type ValueType,
} from '../../src/core/tag.ts';
import { MAX_AHEAD_MS, MAX_AHEAD_UNSET_MS, parseTime, type UnixMs } from '../../src/core/time.ts';
import { TWIN_TYPES } from '../../src/core/twin-type.ts';
import { DashboardRegistry } from '../../src/dashboard/registry.ts';
import type { WriteOutcome } from '../../src/ingest/commands.ts';
import type { Consumer } from '../../src/ingest/pipeline.ts';
import type { LedgerCounts, SourceView } from '../../src/ingest/source-state.ts';
import type { AuditEntry, AuditFilter, KeptRequest, RequestKey, StoredToken } from '../../src/store/records.ts';
import type { AggregateQuery, Columns, SeriesQuery, TelemetryReads } from '../../src/store/telemetry.ts';
import { requireOwn } from '../../src/twin/edit.ts';
import { lastSyncMs } from '../../src/twin/last-sync.ts';
import { type Devices, TwinSync } from '../../src/twin/sync.ts';
import type { Binding, LiveReading, Sensor, Twin } from '../../src/twin/twin.ts';
import { FakeSources } from './fake-sources.ts';
import { MemoryAlerts } from './memory-alerts.ts';
import { twinOf } from './twin.ts';

/** A time by its text. */
export function at(text: string): UnixMs {
  const timeMs = parseTime(text);
  if (timeMs === undefined) throw new Error(`${text} is no time`);
  return timeMs;
}

interface Sample {
  readonly series: SeriesId;
  readonly timeMs: UnixMs;
  /** null: no value, the status says why. */
  readonly value: Scalar | null;
  readonly status: StatusCode;
}

export interface SampleSpec {
  readonly tenant?: string;
  readonly source?: string;
  readonly asset: string;
  readonly tag: string;
  readonly valueType?: ValueType;
  readonly timeMs: UnixMs;
  readonly value: Scalar | null;
  readonly status?: StatusCode;
}

export class FakeServices implements ApiServices {
  nowMs: UnixMs;
  readonly doorCounts: LedgerCounts = {
    received: 3,
    committed: 2,
    deadbanded: 0,
    deduplicated: 0,
    rejected: {},
    dropped: {},
    inFlight: 1,
    clockAhead: 0,
  };
  /** Set by tests. */
  hasRoom = true;
  fault: ErrorCode | null = null;
  durableError: ErrorCode | null = null;
  /** While set, `durable` waits for it. */
  durableGate: Promise<void> | null = null;
  /** While set, no change of a twin is saved. */
  saveError: ErrorCode | null = null;
  /** Devices' tags, by `asset/tag`. */
  readonly owners = new Map<string, TagOwner>();
  /** What was written to devices. */
  readonly commands: { readonly source: string; readonly asset: string; readonly tag: string; readonly value: Scalar }[] = [];
  readonly lastCommands = new Map<string, Command>();
  /** How writes end; null: the device does as it is told. */
  outcome: WriteOutcome | null = null;
  missing: string[] = [];
  trusted = true;
  maxSeries = 10_000;
  readonly rejections: string[] = [];
  readonly tokens: StoredToken[] = [];
  tokenLookups = 0;
  /** Settings before the API is made. */
  http: HttpSettings = { rateLimit: null, corsOrigins: [] };
  readonly answers = new Map<string, KeptRequest>();
  readonly auditRows: AuditEntry[] = [];
  auditCommits = 0;
  /** By what time each commit removed what was too old. */
  readonly auditAgedMs: (UnixMs | null)[] = [];
  auditError: ErrorCode | null = null;
  readonly allTwins: Twin[] = [];
  readonly allSources: SourceView[] = [];
  readonly samples: Sample[] = [];
  readonly periods = new Map<string, number>();
  provenance: Provenance = { source: null, origin: null, configRevision: null, raw: null, receivedMs: null };
  readonly #defs: SeriesDef[] = [];
  #monotonicMs = 0;

  constructor(now = '2026-01-06T10:30:00Z') {
    this.nowMs = at(now);
  }

  readonly version = '0.0.0-test';
  readonly log = silentLog;
  readonly clock: Clock = {
    now: () => this.nowMs,
    monotonicMs: () => this.#monotonicMs,
    sleep: () => new Promise<void>((resolve) => setImmediate(resolve)),
  };
  readonly clockTrusted = () => this.trusted;
  /** Set by tests. */
  maxAgeMs: number | null = null;
  readonly rawMaxAgeMs = () => this.maxAgeMs;
  readonly latestMs = () => (this.nowMs + (this.trusted ? MAX_AHEAD_MS : MAX_AHEAD_UNSET_MS)) as UnixMs;

  advance(durationMs: number): void {
    this.nowMs = (this.nowMs + durationMs) as UnixMs;
    this.#monotonicMs += durationMs;
  }

  // ── what tests put in ──────────────────────────────────────────────────────────────────────────────────────────────

  /** Makes a token and returns it in clear. */
  addToken(scopes: readonly string[] = ['admin'], more: Partial<StoredToken> = {}): string {
    const { token, sha256 } = newToken();
    const id = `token-${this.tokens.length}`;
    this.tokens.push({
      id,
      name: id,
      sha256,
      tenant: DEFAULT_TENANT,
      scopes,
      createdMs: this.nowMs,
      expiresMs: null,
      revokedMs: null,
      ...more,
    });
    return token;
  }

  revoke(token: string): void {
    const index = this.tokens.findIndex(({ sha256 }) => sha256 === hashToken(token));
    this.tokens[index] = { ...(this.tokens[index] as StoredToken), revokedMs: this.nowMs };
  }

  addTwin(twin: Partial<Twin> & { readonly id: string }): Twin {
    const made = twinOf({ createdMs: this.nowMs, updatedMs: this.nowMs, ...twin });
    this.allTwins.push(made);
    return made;
  }

  addSource(source: Partial<SourceView> & { readonly id: string }): void {
    this.allSources.push({
      tenant: DEFAULT_TENANT,
      name: source.id,
      type: 'modbus',
      endpoint: '10.0.0.5:502',
      managedBy: 'config',
      state: 'connected',
      reason: null,
      tagCount: 0,
      createdMs: this.nowMs,
      ledger: { received: 0, committed: 0, deadbanded: 0, deduplicated: 0, rejected: {}, dropped: {}, inFlight: 0, clockAhead: 0 },
      writes: { requested: 0, confirmed: 0, failed: {}, pending: 0 },
      errors: 0,
      lastError: null,
      ...source,
    });
  }

  /** Kept before the next request is answered. */
  addDashboard(id: string, name: string): void {
    const body = { name, layout: { columns: 24, widgets: [{ id: 'w1', type: 'text' }] } };
    void this.documents.putDocument({ kind: 'dashboard', tenant: DEFAULT_TENANT, id }, body, this.nowMs);
  }

  addSample(spec: SampleSpec): void {
    const { tenant = DEFAULT_TENANT, source = API_SOURCE, asset, tag, valueType = typeOf(spec.value) } = spec;
    const series = this.#seriesOf({ tenant, source, asset, tag, valueType, generation: 0 });
    this.samples.push({ series, timeMs: spec.timeMs, value: spec.value, status: spec.status ?? GOOD });
  }

  #seriesOf(def: SeriesDef): SeriesId {
    const same = (other: SeriesDef) => keyOf(other) === keyOf(def) && other.source === def.source && other.valueType === def.valueType;
    const known = this.#defs.findIndex(same);
    return (known >= 0 ? known : this.#defs.push(def) - 1) as SeriesId;
  }

  // ── what the API asks ──────────────────────────────────────────────────────────────────────────────────────────────

  readonly records = {
    tokenByHash: async (sha256: string) => {
      this.tokenLookups++;
      return this.tokens.find((token) => token.sha256 === sha256);
    },
    keptAnswer: async (key: RequestKey) => this.answers.get(JSON.stringify(key)),
    keepAnswer: async (key: RequestKey, answer: KeptRequest) => {
      this.answers.set(JSON.stringify(key), answer);
    },
    appendAudit: async (entries: readonly AuditEntry[], nowMs: UnixMs | null) => {
      this.auditCommits++;
      this.auditAgedMs.push(nowMs);
      if (this.auditError) throw new GatewayError(this.auditError, 'no audit now');
      this.auditRows.push(...entries);
    },
    audit: async (filter: AuditFilter) => {
      const found = this.auditRows
        .map((entry, index) => ({ ...entry, id: index + 1 }))
        .filter(({ tenant }) => filter.tenant === undefined || tenant === filter.tenant)
        .filter(({ tokenName }) => filter.tokenName === undefined || tokenName === filter.tokenName)
        .filter(({ kind }) => filter.kind === undefined || kind === filter.kind)
        .reverse();
      return { rows: found.slice(filter.skip, filter.skip + filter.limit), total: found.length };
    },
  };

  readonly series: ApiServices['series'] = {
    find: ({ tenant, sources, assets, tags }) =>
      [...this.#defs.entries()]
        .filter(([, def]) => def.tenant === tenant)
        .filter(([, def]) => !sources || sources.includes(def.source))
        .filter(([, def]) => !assets || assets.includes(def.asset))
        .filter(([, def]) => !tags || tags.includes(def.tag))
        .map(([id]) => id as SeriesId),
    definition: (series) => this.#defs[series] as SeriesDef,
  };

  readonly twins: ApiServices['twins'] = {
    list: (tenant) => this.allTwins.filter((twin) => twin.tenant === tenant),
    get: (tenant, id) => this.allTwins.find((twin) => twin.tenant === tenant && twin.id === id),
    create: async (made) => {
      this.#failSave();
      if (this.twins.get(made.tenant, made.id)) throw new GatewayError('twin_exists', 'it is there');
      return this.addTwin({ ...made, createdMs: this.nowMs, updatedMs: this.nowMs });
    },
    change: async ({ tenant, id }, edit) => {
      const index = this.allTwins.findIndex((twin) => twin.tenant === tenant && twin.id === id);
      const present = this.allTwins[index];
      if (!present) throw new GatewayError('twin_not_found', 'it is not there');
      const edited = edit(present);
      if (isDeepStrictEqual(edited, present)) return present;
      this.#failSave();
      const changed = { ...edited, revision: present.revision + 1, updatedMs: this.nowMs };
      this.allTwins[index] = changed;
      return changed;
    },
    remove: async ({ tenant, id }, allow) => {
      const index = this.allTwins.findIndex((twin) => twin.tenant === tenant && twin.id === id);
      const present = this.allTwins[index];
      if (!present) throw new GatewayError('twin_not_found', 'it is not there');
      allow(present);
      requireOwn(present);
      this.#failSave();
      this.allTwins.splice(index, 1);
    },
    types: [...TWIN_TYPES, 'kiln'],
  };

  #failSave(): void {
    if (this.saveError) throw new GatewayError(this.saveError, 'ENOSPC: /var/lib/secret-path');
  }

  /** What the real parts among these services keep. */
  readonly documents = new MemoryAlerts();
  readonly dashboards = new DashboardRegistry({ clock: this.clock, records: this.documents });

  /** What the channels were told. */
  readonly notices: { readonly notice: AlertNotice; readonly channels: readonly string[] }[] = [];
  readonly alerting = new Alerting({
    clock: this.clock,
    clockTrusted: () => this.trusted,
    log: silentLog,
    records: this.documents,
    notifier: { notify: (notice, channels) => this.notices.push({ notice, channels }) },
    changes: async () => ({ columns: columnsOf([]), next: '0' }),
    position: async () => '0',
    committed: async () => undefined,
    newest: () => undefined,
    standsUntilMs: () => Number.NEGATIVE_INFINITY,
    heardUntilMs: () => Number.NEGATIVE_INFINITY,
    periodMs: () => undefined,
  });
  readonly hearAlerts = (listener: ((alert: Alert) => void) | undefined): void => {
    this.alerting.onAlert = listener;
  };

  /** A rule and an open alert of it, both of this id, for readings of the asset's temperature above 80; before the first call. */
  async addAlert(id: string, name: string): Promise<void> {
    const condition = { tagName: 'temperature', operator: 'gt' as const, value: 80, durationMs: 0 };
    const rule: RuleSpec = { tenant: DEFAULT_TENANT, id, name, severity: 'warning', condition, channels: [], enabled: true };
    const { tenant, id: _id, ...body } = rule;
    await this.documents.putDocument({ kind: 'alert_rule', tenant, id }, { ...body, managedBy: 'api' }, this.nowMs);
    await this.alerting.load([]);
    this.hearReading({ asset: id, tag: 'temperature', timeMs: this.nowMs, value: 90 });
    const [alert] = this.alerting.openAlerts(tenant);
    if (!alert) throw new Error('no alert was raised');
    this.alertId = alert.id;
  }

  /** Of the alert that `addAlert` made. */
  alertId = '';

  /** A reading that the alert rules hear of. */
  hearReading(spec: SampleSpec): void {
    this.addSample(spec);
    const { series, timeMs, value, status } = this.samples.at(-1) as Sample;
    this.alerting.define(series, this.series.definition(series));
    if (typeof value === 'string') this.alerting.consumer.text(series, timeMs, value, status, false);
    else this.alerting.consumer.number(series, timeMs, value === null ? Number.NaN : Number(value), status, false);
  }

  readonly devices: ApiServices['devices'] = {
    owner: (_tenant, { asset, tag, source }) => {
      const owner = this.owners.get(`${asset}/${tag}`);
      return source === undefined || owner?.source === source ? owner : undefined;
    },
    write: async ({ source }, { asset, tag }, value) => {
      this.commands.push({ source, asset, tag, value });
      const outcome = this.outcome ?? { ok: true, value, timeMs: this.nowMs };
      const reported = outcome.ok ? outcome.value : (outcome.reported?.value ?? null);
      if (reported !== null) this.addSample({ source, asset, tag, timeMs: this.nowMs, value: reported });
      this.lastCommands.set(`${asset}/${tag}`, { value, failure: outcome.ok ? null : outcome.code, pending: false });
      return outcome;
    },
    lastCommand: (_owner, { asset, tag }) => this.lastCommands.get(`${asset}/${tag}`),
  };

  readonly live: ApiServices['live'] = {
    reading: (tenant, binding) => this.#reading(tenant, binding),
    provenance: () => this.provenance,
    tagNames: (tenant, asset) => {
      const defs = this.samples.map(({ series }) => this.series.definition(series));
      return [...new Set(defs.filter((def) => def.tenant === tenant && def.asset === asset).map(({ tag }) => tag))].sort();
    },
    periodMs: (_tenant, { asset, tag }) => this.periods.get(`${asset}/${tag}`),
  };

  #reading(tenant: string, { asset, tag, source }: Binding): LiveReading | undefined {
    const ids = this.series.find({ tenant, assets: [asset], tags: [tag], ...(source ? { sources: [source] } : {}) });
    const samples = this.#merged({
      series: ids,
      range: { from: Number.NEGATIVE_INFINITY as UnixMs, to: Number.POSITIVE_INFINITY as UnixMs },
    });
    const newest = samples.at(-1);
    if (!newest) return undefined;
    const usable = samples.filter(({ value, status }) => value !== null && !isBad(status)).at(-1);
    return {
      value: usable?.value ?? null,
      valueMs: usable?.timeMs ?? null,
      quality: qualityOf(newest.status),
      status: newest.status,
      newestMs: newest.timeMs,
      source: this.series.definition(newest.series).source,
    };
  }

  /** Who listens to the live stream. */
  listener: Consumer | undefined;
  readonly hear = (listener: Consumer | undefined): void => {
    this.listener = listener;
  };
  /** What `channels.list` gives to the tenant `default`. */
  readonly allChannels: ChannelView[] = [];
  testResult: TestResult = { ok: true, code: null, message: null, durationMs: 12 };
  readonly channels: ApiServices['channels'] = {
    list: (tenant) => this.allChannels.filter((channel) => channel.tenant === tenant),
    has: (tenant, name) => tenant === DEFAULT_TENANT && ['email', 'slack'].includes(name),
    deliveries: async () => [],
    test: async (tenant, name) => (this.channels.list(tenant).some((channel) => channel.name === name) ? this.testResult : undefined),
  };

  addChannel(channel: Partial<ChannelView> & { readonly name: string }): void {
    this.allChannels.push({
      tenant: DEFAULT_TENANT,
      type: 'webhook',
      target: 'https://mes.plant',
      waiting: 0,
      delivered: 0,
      failed: 0,
      suppressed: 0,
      dropped: {},
      failedAttempts: 0,
      lastDeliveredMs: null,
      lastError: null,
      ...channel,
    });
  }

  readonly fakeSources = new FakeSources(this.allSources, this.clock, (view) => this.addSource(view));
  readonly sources: ApiServices['sources'] = this.fakeSources.services;
  readonly metrics = async () => ({ type: 'text/plain; version=0.0.4', data: 'twinbox_ring_slots 16\n' });
  backupsOpen = 0;
  /** Pieces of a backup; throws the one that is an error. */
  backupChunks: readonly (Uint8Array | Error)[] = [Buffer.from('"tar'), Buffer.from(' archive"')];

  readonly backup = async () => {
    this.backupsOpen++;
    const pieces = this.backupChunks;
    async function* chunks() {
      for (const piece of pieces) {
        if (piece instanceof Error) throw piece;
        yield piece;
      }
    }
    return { chunks: chunks(), close: () => void this.backupsOpen-- };
  };

  readonly stream = () => ({
    profile: 'balanced' as const,
    next: this.samples.length as Sequence,
    durable: this.samples.length as Sequence,
    fault: this.fault,
    damage: { found: 1, last: 'records.db: it was damaged' },
  });
  readonly readiness = () => ({ missing: this.missing });

  /** Tags behind a binding, and what a read of them brings; none by default. */
  readonly syncDevices: { -readonly [Name in keyof Devices]: Devices[Name] } = {
    tagsOf: () => [],
    read: async (tags) => tags.map(() => ({ ok: true })),
    committed: async () => undefined,
    reading: (tenant, binding) => this.#reading(tenant, binding),
  };
  readonly synchronizer = new TwinSync({
    clock: this.clock,
    log: silentLog,
    devices: this.syncDevices,
    records: { documents: async () => [], putDocuments: async () => undefined, removeDocument: async () => false },
  });
  readonly sync: ApiServices['sync'] = (twin, options) => this.synchronizer.run(twin, options);

  readonly lastSyncMs = (tenant: string, twinId: string): UnixMs | null => {
    const twin = this.twins.get(tenant, twinId);
    return twin ? lastSyncMs(twin, this.synchronizer.lastMs(twin), (binding) => this.#reading(tenant, binding)) : null;
  };

  readonly doorLedger = (): LedgerCounts => this.doorCounts;
  readonly door = (tenant: string): Emit => {
    const push = (series: SeriesId, timeMs: UnixMs | undefined, value: Scalar | null, status: StatusCode): void => {
      this.samples.push({ series, timeMs: timeMs ?? this.nowMs, value, status });
    };
    return {
      series: ({ asset, tag, valueType = 'f64' }) => {
        const def: SeriesDef = { tenant, source: API_SOURCE, asset, tag, valueType, generation: 0 };
        const known = this.#defs.some((other) => keyOf(other) === keyOf(def));
        return known || this.#defs.length < this.maxSeries ? this.#seriesOf(def) : undefined;
      },
      reserve: () => this.hasRoom,
      room: () => Promise.resolve(),
      number: push,
      boolean: push,
      text: push,
      integer: (series, timeMs, value, _signed, status) => push(series, timeMs, value, status),
      missing: (series, timeMs, status) => push(series, timeMs, null, status),
      rejected: (reason) => {
        this.rejections.push(reason);
      },
      sequence: () => this.samples.length as Sequence,
      durable: async () => {
        await this.durableGate;
        if (this.durableError) throw new GatewayError(this.durableError, 'ENOSPC: /var/lib/secret-path');
      },
    };
  };

  // ── the store ──────────────────────────────────────────────────────────────────────────────────────────────────────

  readonly store: TelemetryReads = {
    latest: () => Promise.reject(new Error('the API answers latest values from memory')),
    changes: () => Promise.reject(new Error('the API does not follow changes')),
    raw: async (query) => {
      const all = this.#merged(query);
      const first = query.cursor === undefined ? (query.skip ?? 0) : cursorRow(query.cursor);
      const page = all.slice(first, first + query.limit);
      const end = first + page.length;
      return { columns: columnsOf(page), next: page.length > 0 && end < all.length ? `row-${end}` : null };
    },
    asOf: async (query) => {
      const usable = this.#merged(query).filter(({ value, status }) => value !== null && !isBad(status));
      const newest = new Map(usable.map((sample) => [this.#key(sample), sample]));
      return columnsOf([...newest.values()].sort((left, right) => compare(this.#key(left), this.#key(right))));
    },
    aggregate: async (query) => this.#aggregate(query),
    gaps: async (query) => {
      const gaps: { from: UnixMs; to: UnixMs }[] = [];
      let from: UnixMs | undefined;
      for (const { timeMs, status } of this.#merged(query)) {
        if (isBad(status)) from ??= timeMs;
        else if (from !== undefined) {
          gaps.push({ from, to: timeMs });
          from = undefined;
        }
      }
      if (from !== undefined) gaps.push({ from, to: query.range.to });
      return gaps.slice(0, query.limit);
    },
    count: async (query) => Math.min(query.atMost, this.#merged(query).length),
    stats: async () => ({
      engine: 'fake',
      profile: 'balanced',
      samples: this.samples.length,
      fileBytes: 0,
      rawBytes: 0,
      rollupBytes: 0,
      logBytes: 0,
      bytesPerSample: null,
      unsealedWindows: 0,
      unsealedRows: 0,
      freeBytes: 0,
      days: 0,
      oldestMs: this.samples[0]?.timeMs ?? null,
      newestMs: this.samples.at(-1)?.timeMs ?? null,
    }),
  };

  /** By (time, asset, tag); of samples at the same place the last to arrive. */
  #merged({ series, range }: SeriesQuery): readonly Sample[] {
    const rows = new Map<string, Sample>();
    for (const sample of this.samples) {
      if (!series.includes(sample.series) || sample.timeMs < range.from || sample.timeMs >= range.to) continue;
      rows.set(`${sample.timeMs} ${keyOf(this.series.definition(sample.series))}`, sample);
    }
    return [...rows.values()].sort((left, right) => left.timeMs - right.timeMs || compare(this.#key(left), this.#key(right)));
  }

  #key(sample: Sample): string {
    return keyOf(this.series.definition(sample.series));
  }

  #aggregate(query: AggregateQuery) {
    const { step, range } = query;
    const stepMs = step === undefined ? undefined : 'ms' in step ? step.ms : 86_400_000; // no daylight saving in a fake
    const buckets = new Map<string, { readonly timeMs: number; readonly series: SeriesId; readonly samples: Sample[] }>();
    for (const sample of this.#merged(query)) {
      if (isBad(sample.status)) continue;
      const timeMs = stepMs === undefined ? range.from : Math.floor(sample.timeMs / stepMs) * stepMs;
      const key = `${timeMs} ${this.#key(sample)}`;
      const bucket = buckets.get(key) ?? { timeMs, series: sample.series, samples: [] };
      bucket.samples.push(sample);
      buckets.set(key, bucket);
    }
    const rows = [...buckets.values()].sort(
      (left, right) =>
        left.timeMs - right.timeMs || compare(keyOf(this.series.definition(left.series)), keyOf(this.series.definition(right.series))),
    );
    return {
      rows: rows.length,
      series: Uint32Array.from(rows, ({ series }) => series),
      timeMs: Float64Array.from(rows, ({ timeMs }) => timeMs),
      values: Float64Array.from(rows, ({ samples }) => fold(samples, query.aggregation)),
      count: Uint32Array.from(rows, ({ samples }) => samples.length),
      uncertain: Uint32Array.from(rows, ({ samples }) => samples.filter(({ status }) => qualityOf(status) === 'uncertain').length),
    };
  }
}

function fold(samples: readonly Sample[], aggregation: AggregateQuery['aggregation']): number {
  const values = samples.map(({ value }) => Number(value));
  const sum = values.reduce((total, value) => total + value, 0);
  switch (aggregation) {
    case 'avg':
      return sum / values.length;
    case 'sum':
      return sum;
    case 'min':
      return Math.min(...values);
    case 'max':
      return Math.max(...values);
    case 'count':
      return values.length;
    case 'first':
      return values[0] ?? Number.NaN;
    case 'last':
      return values.at(-1) ?? Number.NaN;
  }
}

function columnsOf(samples: readonly Sample[]): Columns {
  return {
    rows: samples.length,
    series: Uint32Array.from(samples, ({ series }) => series),
    timeMs: Float64Array.from(samples, ({ timeMs }) => timeMs),
    numbers: Float64Array.from(samples, ({ value }) =>
      typeof value === 'number' ? value : typeof value === 'boolean' ? Number(value) : Number.NaN,
    ),
    status: Uint32Array.from(samples, ({ status }) => status),
    wide: samples.map(({ value }) => (typeof value === 'string' || typeof value === 'bigint' ? value : undefined)),
  };
}

function cursorRow(cursor: string): number {
  const row = /^row-(\d+)$/.exec(cursor)?.[1];
  if (row === undefined) throw new GatewayError('invalid_cursor', `not a cursor: ${cursor}`);
  return Number(row);
}

function keyOf({ tenant, asset, tag }: SeriesDef): string {
  return `${tenant}\0${asset}\0${tag}`;
}

function compare(left: string, right: string): number {
  return left < right ? -1 : left > right ? 1 : 0;
}

function typeOf(value: Scalar | null): ValueType {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  return typeof value === 'bigint' ? 'i64' : 'f64';
}

/** A sensor that shows the tag of its own name. */
export function sensor(asset: string, id: string, more: Partial<Sensor> = {}): Sensor {
  return { id, name: id, unit: '', binding: { asset, tag: id }, bindingExplicit: false, ...more };
}
