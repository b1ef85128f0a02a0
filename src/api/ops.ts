/** How the box itself fares: alive, ready, and the full picture, for people and for Prometheus. */
import { z } from 'zod';
import { DEFAULT_TENANT } from '../core/tag.ts';
import { toIso, type UnixMs } from '../core/time.ts';
import type { Operation } from './operation.ts';
import { ApiError } from './problem.ts';
import { type Answer, ByteSource, type Call, documented, ok, publicRoute, type Route, route } from './route.ts';
import type { ApiServices, StreamsState } from './services.ts';
import { renderLedger, renderSource } from './source-view.ts';
import { GET_STATUS } from './status-operation.ts';

const GET_HEALTH: Operation = {
  id: 'getHealth',
  summary: 'Ask whether the process answers',
  group: 'Box',
  answers: [{ status: 200, description: 'It does', schema: z.object({ status: z.literal('ok') }), example: { status: 'ok' } }],
  errors: [],
};

const GET_READINESS: Operation = {
  id: 'getReadiness',
  summary: 'Ask whether all required parts run',
  group: 'Box',
  answers: [
    { status: 200, description: 'They do', schema: z.object({ status: z.literal('ready') }), example: { status: 'ready' } },
    {
      status: 503,
      headers: ['Retry-After'],
      description: 'Some do not',
      schema: z.object({ status: z.literal('not_ready'), missing: z.array(z.string()) }),
      example: { status: 'not_ready', missing: ['store: disk_full'] },
    },
  ],
  errors: [],
};

const GET_METRICS: Operation = {
  id: 'getMetrics',
  summary: 'Get the numbers of the whole box for Prometheus',
  description: 'Only for an admin of the tenant `default`.',
  group: 'Box',
  answers: [{ status: 200, description: 'Prometheus text format', type: 'text/plain' }],
  errors: ['store_failed', 'store_stalled'],
};

const GET_BACKUP: Operation = {
  id: 'getBackup',
  summary: 'Get a copy of everything that the box keeps',
  description:
    'One tar archive: the store, the records, the certificates with their private keys; `twinbox restore` brings it back. Only for an admin of the tenant `default`, one at a time.',
  group: 'Box',
  answers: [{ status: 200, description: 'The archive', type: 'application/x-tar', headers: ['Content-Disposition'] }],
  errors: ['conflict', 'storage_full', 'store_failed', 'store_stalled'],
};

/** `streams` tells of the live stream's clients. */
export function opsRoutes(services: ApiServices, streams: () => StreamsState): Route[] {
  return [
    documented(
      GET_HEALTH,
      publicRoute('/healthz', () => ok({ status: 'ok' })),
    ),
    documented(
      GET_READINESS,
      publicRoute('/readyz', () => readiness(services)),
    ),
    documented(
      GET_STATUS,
      route('GET', '/v1/status', 'read:assets', (call) => status(services, call)),
    ),
    documented(
      GET_METRICS,
      route('GET', '/metrics', 'admin', (call) => metrics(services, streams(), call)),
    ),
    documented(GET_BACKUP, { ...route('GET', '/v1/backup', 'admin', (call) => backup(services, call)), audited: true }),
  ];
}

function readiness(services: ApiServices): Answer {
  const { missing } = services.readiness();
  if (missing.length === 0) return ok({ status: 'ready' });
  return { status: 503, body: { status: 'not_ready', missing }, headers: { 'Retry-After': '1' } };
}

/** They name the sources of all tenants, so they are for the box's operator. */
async function metrics(services: ApiServices, streams: StreamsState, call: Call): Promise<Answer> {
  if (call.tenant !== DEFAULT_TENANT) throw new ApiError('forbidden', 'Only an admin of the tenant "default" sees the whole box.');
  return { status: 200, body: undefined, content: await services.metrics(streams) };
}

/** Sources are the caller's own; the store is the whole box's, which all its tenants share. */
async function status(services: ApiServices, call: Call): Promise<Answer> {
  const stats = await services.store.stats();
  const stream = services.stream();
  return ok({
    data: {
      version: services.version,
      time: toIso(services.clock.now()),
      ready: services.readiness().missing.length === 0,
      missing: services.readiness().missing,
      sources: services.sources.list(call.tenant).map((source) => ({
        ...renderSource(source),
        errors: source.errors,
        last_error: source.lastError,
        ledger: renderLedger(source.ledger),
      })),
      rest: { ledger: renderLedger(services.doorLedger(call.tenant)) },
      store: {
        engine: stats.engine,
        profile: stream.profile,
        samples: stats.samples,
        file_bytes: stats.fileBytes,
        raw_bytes: stats.rawBytes,
        rollup_bytes: stats.rollupBytes,
        log_bytes: stats.logBytes,
        free_bytes: stats.freeBytes,
        bytes_per_sample: stats.bytesPerSample,
        days: stats.days,
        unsealed_windows: stats.unsealedWindows,
        unsealed_samples: stats.unsealedRows,
        oldest: isoOrNull(stats.oldestMs),
        newest: isoOrNull(stats.newestMs),
        next_sequence: stream.next,
        durable_sequence: stream.durable,
        lag: stream.next - stream.durable,
        fault: stream.fault,
        damage: stream.damage,
      },
    },
  });
}

/** Of the whole box, all tenants: for its operator. */
async function backup(services: ApiServices, call: Call): Promise<Answer> {
  if (call.tenant !== DEFAULT_TENANT) throw new ApiError('forbidden', 'Only an admin of the tenant "default" may copy the whole box.');
  const name = `twinbox-${toIso(services.clock.now()).replaceAll(/[:.]/g, '')}.tar`;
  const headers = { 'Content-Disposition': `attachment; filename="${name}"` };
  const type = 'application/x-tar';
  if (call.request.raw.method === 'HEAD') return { status: 200, body: undefined, headers: { ...headers, 'Content-Type': type } };
  const { chunks, close } = await services.backup();
  return { status: 200, body: undefined, content: { type, data: new ByteSource(chunks, close) }, headers };
}

function isoOrNull(timeMs: UnixMs | null): string | null {
  return timeMs === null ? null : toIso(timeMs);
}
