/** What the house tells of itself to Prometheus: sources with their ledgers, the ring, the store, the alerts. */
import { SEVERITIES } from '../alerts/alert.ts';
import type { AlertingStats } from '../alerts/alerting.ts';
import type { ChannelView } from '../alerts/notify/notifications.ts';
import type { StreamsState, StreamView } from '../api/services.ts';
import type { Ring } from '../core/ring.ts';
import type { LedgerCounts, SourceView } from '../ingest/source-state.ts';
import type { StoreStats } from '../store/telemetry.ts';
import type { MetricFamily, MetricValue } from '../system/metrics.ts';

export interface MetricParts {
  readonly version: string;
  /** Of all tenants. */
  readonly sources: readonly SourceView[];
  /** Readings that came over REST, by tenant. */
  readonly rest: readonly { readonly tenant: string; readonly ledger: LedgerCounts }[];
  readonly alerts: AlertingStats;
  /** Of notification, of all tenants. */
  readonly channels: readonly ChannelView[];
  readonly ring: Ring;
  readonly stream: StreamView;
  readonly streams: StreamsState;
  readonly store: StoreStats;
}

export function metricFamilies(parts: MetricParts): MetricFamily[] {
  const { version, ring } = parts;
  return [
    gauge('build_info', 'Version that runs', { value: 1, labels: { version } }),
    ...sourceFamilies(parts),
    gauge('ring_slots', 'Records that the ring can hold', { value: ring.slots }),
    gauge('ring_backlog_slots', 'Records in the ring that are not written yet', { value: ring.backlog }),
    ...storeFamilies(parts),
    ...streamFamilies(parts.streams),
    ...alertFamilies(parts.alerts),
    ...channelFamilies(parts),
  ];
}

function sourceFamilies({ sources, rest }: MetricParts): MetricFamily[] {
  const of = (select: (source: SourceView) => number): MetricValue[] =>
    sources.map((source) => ({ labels: { tenant: source.tenant, source: source.id, type: source.type }, value: select(source) }));
  const ledgers = [
    ...sources.map(({ tenant, id, ledger }) => ({ labels: { tenant, source: id }, ledger })),
    ...rest.map(({ tenant, ledger }) => ({ labels: { tenant, source: 'rest' }, ledger })),
  ];
  return [
    gauge('source_up', '1 while the source is connected', ...of(({ state }) => (state === 'connected' || state === 'degraded' ? 1 : 0))),
    gauge('source_tags', 'Tags of the source', ...of(({ tagCount }) => tagCount)),
    counter('source_errors_total', 'Failed connects and lost links', ...of(({ errors }) => errors)),
    counter(
      'readings_received_total',
      'Readings that arrived',
      ...ledgers.map(({ labels, ledger }) => ({ labels, value: ledger.received })),
    ),
    counter(
      'readings_total',
      'Readings by what became of them',
      ...ledgers.flatMap(({ labels, ledger }) =>
        outcomes(ledger).map(([outcome, reason, value]) => ({ labels: { ...labels, outcome, reason }, value })),
      ),
    ),
    gauge(
      'readings_in_flight',
      'Readings on their way to the disk',
      ...ledgers.map(({ labels, ledger }) => ({ labels, value: ledger.inFlight })),
    ),
    counter(
      'writes_total',
      'Writes to devices by how they ended; reason is the error code',
      ...sources.flatMap(({ tenant, id, writes }) =>
        [
          ['confirmed', '', writes.confirmed] as const,
          ...Object.entries(writes.failed).map(([code, count]) => ['failed', code, count] as const),
        ].map(([outcome, reason, value]) => ({ labels: { tenant, source: id, outcome, reason }, value })),
      ),
    ),
    gauge('writes_pending', 'Writes that wait or are under way', ...of(({ writes }) => writes.pending)),
  ];
}

function outcomes({ committed, deadbanded, deduplicated, rejected, dropped }: LedgerCounts): (readonly [string, string, number])[] {
  return [
    ['committed', '', committed],
    ['deadbanded', '', deadbanded],
    ['deduplicated', '', deduplicated],
    ...Object.entries(rejected).map(([reason, count]) => ['rejected', reason, count] as const),
    ...Object.entries(dropped).map(([reason, count]) => ['dropped', reason, count] as const),
  ];
}

function storeFamilies({ stream, store }: MetricParts): MetricFamily[] {
  const { engine, samples, rawBytes, rollupBytes, logBytes, bytesPerSample, oldestMs, newestMs } = store;
  const kinds = [
    ['raw', rawBytes],
    ['rollups', rollupBytes],
    ['log', logBytes],
    ['spare', Math.max(0, store.fileBytes - rawBytes - rollupBytes - logBytes)],
  ] as const;
  const edges = [
    ['oldest', oldestMs],
    ['newest', newestMs],
  ] as const;
  return [
    gauge('store_info', 'Engine and profile', { labels: { engine, profile: stream.profile }, value: 1 }),
    gauge(
      'store_fault',
      '1 while nothing becomes durable, by reason',
      ...(stream.fault ? [{ labels: { reason: stream.fault }, value: 1 }] : []),
    ),
    counter('store_damage_total', 'Times that something was found damaged, or was rescued; the log and GET /v1/status say what', {
      value: stream.damage.found,
    }),
    gauge('store_next_sequence', 'Sequence that the next record gets', { value: stream.next }),
    gauge('store_durable_sequence', 'Every record below is on disk', { value: stream.durable }),
    gauge('store_lag_records', 'Records that are not on disk yet', { value: stream.next - stream.durable }),
    gauge('store_samples', 'Samples kept', { value: samples }),
    gauge(
      'store_bytes',
      'Size of the files, by what is in them; spare is room that is used again',
      ...kinds.map(([kind, value]) => ({ labels: { kind }, value })),
    ),
    gauge('store_free_bytes', 'What the file system has left', { value: store.freeBytes }),
    gauge(
      'store_bytes_per_sample',
      'Bytes that a sample in its place takes',
      ...(bytesPerSample === null ? [] : [{ value: bytesPerSample }]),
    ),
    gauge('store_days', 'UTC days in files of their own', { value: store.days }),
    gauge('store_unsealed_windows', 'Quarters of an hour that are still open', { value: store.unsealedWindows }),
    gauge('store_unsealed_samples', 'Samples in them, in memory and in the log', { value: store.unsealedRows }),
    gauge(
      'store_edge_seconds',
      'Time of the oldest and the newest sample',
      ...edges.flatMap(([edge, timeMs]) => (timeMs === null ? [] : [{ labels: { edge }, value: timeMs / 1_000 }])),
    ),
  ];
}

function streamFamilies({ streams, queuedBytes, sent, lost }: StreamsState): MetricFamily[] {
  return [
    gauge('stream_clients', 'Clients of the live stream', { value: streams }),
    gauge('stream_queued_bytes', 'What waits in memory for clients that do not keep up', { value: queuedBytes }),
    counter(
      'stream_events_sent_total',
      'Events that clients took, once for each client',
      ...Object.entries(sent).map(([event, value]) => ({ labels: { event }, value })),
    ),
    counter(
      'stream_readings_dropped_total',
      'Readings that a client did not get: queue_full is a client too slow, ended what waited when its stream ended',
      ...Object.entries(lost).map(([reason, value]) => ({ labels: { reason }, value })),
    ),
  ];
}

function alertFamilies({ rules, openAlerts, evaluations, unwatched, refused, lagMs }: AlertingStats): MetricFamily[] {
  return [
    gauge('alert_rules', 'Rules that are enabled', { value: rules }),
    gauge(
      'alerts_open',
      'Alerts that are not resolved',
      ...SEVERITIES.map((severity) => ({ labels: { severity }, value: openAlerts[severity] })),
    ),
    counter('alert_evaluations_total', 'Readings held against a rule, once for each rule', { value: evaluations }),
    gauge('alert_save_lag_seconds', 'For how long a change of an alert has waited to be saved', { value: lagMs / 1_000 }),
    counter('alert_assets_unwatched_total', 'Assets that a rule does not watch, as too many are watched', { value: unwatched }),
    counter('alerts_refused_total', 'Alerts that were not opened, as too many are open', { value: refused }),
  ];
}

function channelFamilies({ channels }: MetricParts): MetricFamily[] {
  const of = (select: (channel: ChannelView) => number): MetricValue[] =>
    channels.map((channel) => ({ labels: { tenant: channel.tenant, channel: channel.name, type: channel.type }, value: select(channel) }));
  return [
    gauge('notifications_waiting', 'Messages in the outbox of a channel', ...of(({ waiting }) => waiting)),
    gauge(
      'notification_channel_failing',
      '1 while the last try of a channel came to nothing',
      ...of(({ lastError }) => (lastError ? 1 : 0)),
    ),
    counter('notification_attempts_failed_total', 'Tries that came to nothing', ...of(({ failedAttempts }) => failedAttempts)),
    counter(
      'notifications_total',
      'Messages by what became of them; reason says why one was dropped',
      ...channels.flatMap(({ tenant, name, type, delivered, failed, suppressed, dropped }) =>
        [
          ['delivered', '', delivered] as const,
          ['failed', '', failed] as const,
          ['suppressed', '', suppressed] as const,
          ...Object.entries(dropped).map(([reason, count]) => ['dropped', reason, count] as const),
        ].map(([outcome, reason, value]) => ({ labels: { tenant, channel: name, type, outcome, reason }, value })),
      ),
    ),
  ];
}

function gauge(name: string, help: string, ...values: MetricValue[]): MetricFamily {
  return { name: `twinbox_${name}`, help, type: 'gauge', values };
}

function counter(name: string, help: string, ...values: MetricValue[]): MetricFamily {
  return { name: `twinbox_${name}`, help, type: 'counter', values };
}
