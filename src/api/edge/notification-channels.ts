/** GET /v1/notification-channels and POST …/{name}/test: how the ways to people fare, and whether one works. */
import { z } from 'zod';
import type { ChannelView } from '../../alerts/notify/notifications.ts';
import { toIso, type UnixMs } from '../../core/time.ts';
import type { Operation } from '../operation.ts';
import { pageOf } from '../page.ts';
import { pageParams } from '../params.ts';
import { ApiError } from '../problem.ts';
import { queryOf } from '../query.ts';
import { type Answer, type Call, documented, ok, type Route, route } from '../route.ts';
import { listMetaSchema, timeSchema } from '../schema.ts';
import type { ApiServices } from '../services.ts';
import { listMeta } from './list-meta.ts';

type Services = Pick<ApiServices, 'channels'>;

const listQuery = z.object(pageParams(20, 100));

const channelSchema = z
  .object({
    name: z.string().describe('as alert rules call it'),
    type: z.enum(['email', 'slack', 'webhook', 'mqtt']),
    target: z.string().describe('where it leads, without secrets'),
    waiting: z.int().describe('messages in the outbox'),
    delivered: z.int().describe('messages that the receiver took; this and the numbers below count from the start of the daemon'),
    failed: z.int().describe('messages that were refused for good, or not taken for a day'),
    suppressed: z.int().describe('messages of a storm that a summary stood for'),
    dropped: z.record(z.string(), z.int()).describe('messages that there was no room for, by reason'),
    failed_attempts: z.int().describe('tries that came to nothing'),
    last_delivered_at: timeSchema.nullable(),
    last_error: z
      .object({ code: z.string(), message: z.string(), at: timeSchema })
      .nullable()
      .describe('of the last try, when it came to nothing'),
  })
  .meta({ id: 'NotificationChannel' });

const testSchema = z.object({
  status: z.enum(['delivered', 'failed']),
  code: z.string().nullable().describe('of the failure, as in the table of operating errors'),
  message: z.string().nullable().describe('why it failed, or for whom the receiver did not take it'),
  duration_ms: z.int(),
});

const LIST_CHANNELS: Operation = {
  id: 'listNotificationChannels',
  summary: 'List notification channels',
  description: 'Those of the configuration that the rules of the tenant may name, in the order of the file.',
  group: 'Alerts',
  query: listQuery,
  answers: [
    {
      status: 200,
      description: 'A page of channels',
      schema: z.object({ data: z.array(channelSchema), meta: listMetaSchema }),
      example: {
        data: [
          {
            name: 'maintenance',
            type: 'email',
            target: 'shift@plant.example by smtp://10.0.0.4:587',
            waiting: 2,
            delivered: 14,
            failed: 0,
            suppressed: 37,
            dropped: { outbox_full: 0, store_failed: 0 },
            failed_attempts: 3,
            last_delivered_at: '2026-01-06T09:41:00Z',
            last_error: {
              code: 'not_connected',
              message: 'smtp://10.0.0.4:587: connect ECONNREFUSED 10.0.0.4:587',
              at: '2026-01-06T10:00:00Z',
            },
          },
        ],
        meta: { page: 1, per_page: 20, total: 1 },
      },
    },
  ],
  errors: [],
};

const TEST_CHANNEL: Operation = {
  id: 'testNotificationChannel',
  summary: 'Send a test message over a channel',
  description: 'At once, past the outbox and the storm limit; answers when the receiver has taken it, or within 20 seconds.',
  group: 'Alerts',
  answers: [
    {
      status: 200,
      description: 'What became of it',
      schema: z.object({ data: testSchema }),
      example: { data: { status: 'delivered', code: null, message: null, duration_ms: 312 } },
    },
  ],
  errors: ['not_found', 'conflict'],
};

export function notificationChannelRoutes(services: Services): Route[] {
  return [
    documented(
      LIST_CHANNELS,
      route('GET', '/v1/notification-channels', 'admin', (call) => listChannels(services, call)),
    ),
    documented(
      TEST_CHANNEL,
      route('POST', '/v1/notification-channels/:name/test', 'admin', (call) => testChannel(services, call)),
    ),
  ];
}

function listChannels({ channels }: Services, call: Call): Answer {
  const query = queryOf(listQuery, call.request);
  const found = channels.list(call.tenant);
  return ok({ data: pageOf(found, query).map(renderChannel), meta: listMeta(query, found.length) });
}

async function testChannel({ channels }: Services, call: Call): Promise<Answer> {
  const name = call.request.param('name') ?? '';
  const result = await channels.test(call.tenant, name, call.request.raw.signal);
  if (!result) throw new ApiError('not_found', 'There is no such channel in the configuration.');
  const { ok: delivered, code, message, durationMs } = result;
  return ok({ data: { status: delivered ? 'delivered' : 'failed', code, message, duration_ms: durationMs } });
}

function renderChannel(view: ChannelView): z.input<typeof channelSchema> {
  const { name, type, target, waiting, delivered, failed, suppressed, dropped, lastError } = view;
  return {
    name,
    type,
    target,
    waiting,
    delivered,
    failed,
    suppressed,
    dropped,
    failed_attempts: view.failedAttempts,
    last_delivered_at: isoOrNull(view.lastDeliveredMs),
    last_error: lastError && { code: lastError.code, message: lastError.message, at: toIso(lastError.timeMs) },
  };
}

function isoOrNull(timeMs: UnixMs | null): string | null {
  return timeMs === null ? null : toIso(timeMs);
}
