/** Each reading of a ledger is in the metrics once, whatever became of it. */
import { expect, test } from 'vitest';
import { metricFamilies } from '../../src/app/metrics.ts';
import { Ring } from '../../src/core/ring.ts';
import type { Sequence } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { LedgerCounts } from '../../src/ingest/source-state.ts';

const ledger: LedgerCounts = {
  received: 100,
  committed: 60,
  deadbanded: 5,
  deduplicated: 4,
  rejected: { malformed: 3, clock_ahead: 2 },
  dropped: { store_full: 20 },
  inFlight: 6,
  clockAhead: 1,
} as LedgerCounts;

test('the outcomes of a source and what is in flight add up to what it received', () => {
  const families = metricFamilies({
    version: '1.2.3',
    sources: [
      {
        id: 'plc',
        tenant: 'default',
        name: 'PLC',
        type: 'modbus',
        endpoint: '10.0.0.5:502',
        managedBy: 'config',
        state: 'back_off',
        reason: 'no answer',
        tagCount: 7,
        createdMs: 0 as UnixMs,
        ledger,
        writes: { requested: 9, confirmed: 4, failed: { timeout: 2, write_refused: 1 }, pending: 2 },
        errors: 3,
        lastError: null,
      },
    ],
    rest: [{ tenant: 'default', ledger }],
    alerts: { rules: 3, openAlerts: { critical: 1, warning: 4, info: 0 }, evaluations: 90, unwatched: 2, refused: 5, lagMs: 1_500 },
    channels: [],
    ring: new Ring(512),
    stream: {
      profile: 'sd-card',
      next: 50 as Sequence,
      durable: 44 as Sequence,
      fault: 'disk_full',
      damage: { found: 3, last: 'records.db: bad' },
    },
    streams: { streams: 2, queuedBytes: 300, sent: { telemetry: 7, source: 1 }, lost: { queue_full: 5, ended: 0 } },
    store: {
      engine: 'columnar',
      samples: 9,
      fileBytes: 10,
      rawBytes: 4,
      rollupBytes: 1,
      logBytes: 3,
      bytesPerSample: 0.5,
      unsealedWindows: 0,
      unsealedRows: 0,
      freeBytes: 0,
      days: 0,
      oldestMs: null,
      newestMs: 1_500 as UnixMs,
    },
  });
  const values = (name: string) => families.find((family) => family.name === `twinbox_${name}`)?.values ?? [];
  for (const source of ['plc', 'rest']) {
    const sum = (name: string) =>
      values(name)
        .filter(({ labels }) => labels?.['source'] === source)
        .reduce((total, { value }) => total + value, 0);
    expect(sum('readings_total') + sum('readings_in_flight')).toBe(sum('readings_received_total'));
  }
  expect(values('source_up')).toEqual([{ labels: { tenant: 'default', source: 'plc', type: 'modbus' }, value: 0 }]);
  expect(values('writes_total').map(({ labels, value }) => [labels?.['outcome'], labels?.['reason'], value])).toEqual([
    ['confirmed', '', 4],
    ['failed', 'timeout', 2],
    ['failed', 'write_refused', 1],
  ]);
  expect(values('writes_pending').map(({ value }) => value)).toEqual([2]);
  expect(values('store_fault')).toEqual([{ labels: { reason: 'disk_full' }, value: 1 }]);
  expect(values('store_bytes').map(({ labels, value }) => [labels?.['kind'], value])).toEqual([
    ['raw', 4],
    ['rollups', 1],
    ['log', 3],
    ['spare', 2],
  ]);
  expect(values('store_bytes_per_sample')).toEqual([{ value: 0.5 }]);
  expect(values('store_lag_records')).toEqual([{ value: 6 }]);
  expect(values('store_edge_seconds')).toEqual([{ labels: { edge: 'newest' }, value: 1.5 }]);
  expect(values('stream_clients')).toEqual([{ value: 2 }]);
  expect(values('stream_queued_bytes')).toEqual([{ value: 300 }]);
  expect(values('stream_events_sent_total').map(({ labels, value }) => [labels?.['event'], value])).toEqual([
    ['telemetry', 7],
    ['source', 1],
  ]);
  expect(values('stream_readings_dropped_total').map(({ labels, value }) => [labels?.['reason'], value])).toEqual([
    ['queue_full', 5],
    ['ended', 0],
  ]);
  expect(values('alerts_open').map(({ labels, value }) => [labels?.['severity'], value])).toEqual([
    ['critical', 1],
    ['warning', 4],
    ['info', 0],
  ]);
  const alerts = [
    'alert_rules',
    'alert_evaluations_total',
    'alert_save_lag_seconds',
    'alert_assets_unwatched_total',
    'alerts_refused_total',
  ];
  expect(alerts.map((name) => values(name))).toEqual([3, 90, 1.5, 2, 5].map((value) => [{ value }]));
  expect(new Set(families.map(({ name }) => name)).size).toBe(families.length);
});
