/** The channels over HTTP: the operator's view of them, and what a test of one answers. */
import { describe, expect, it } from 'vitest';
import { ApiClient } from '../../support/api-client.ts';
import { at } from '../../support/fake-services.ts';

describe('GET /v1/notification-channels', () => {
  it('lists how they fare, by pages', async () => {
    const client = new ApiClient();
    client.services.addChannel({
      name: 'maintenance',
      type: 'email',
      target: 'shift@plant by smtp://mail.plant:587',
      waiting: 2,
      delivered: 14,
      failed: 1,
      suppressed: 37,
      dropped: { outbox_full: 3, store_failed: 0 },
      failedAttempts: 5,
      lastDeliveredMs: at('2026-01-06T09:41:00Z'),
      lastError: { code: 'not_connected', message: 'ECONNREFUSED', timeMs: at('2026-01-06T10:00:00Z') },
    });
    client.services.addChannel({ name: 'mes' });
    const { status, body } = await client.send('/v1/notification-channels?per_page=1', { method: 'GET' });
    expect(status).toBe(200);
    expect(body).toEqual({
      data: [
        {
          name: 'maintenance',
          type: 'email',
          target: 'shift@plant by smtp://mail.plant:587',
          waiting: 2,
          delivered: 14,
          failed: 1,
          suppressed: 37,
          dropped: { outbox_full: 3, store_failed: 0 },
          failed_attempts: 5,
          last_delivered_at: '2026-01-06T09:41:00Z',
          last_error: { code: 'not_connected', message: 'ECONNREFUSED', at: '2026-01-06T10:00:00Z' },
        },
      ],
      meta: { page: 1, per_page: 1, total: 2 },
    });
  });
});

describe('POST /v1/notification-channels/{name}/test', () => {
  it('answers 200 whether it was taken or not, with the reason', async () => {
    const client = new ApiClient();
    client.services.addChannel({ name: 'mes' });
    const test = () => client.send('/v1/notification-channels/mes/test', { method: 'POST' });
    expect((await test()).body).toEqual({ data: { status: 'delivered', code: null, message: null, duration_ms: 12 } });
    client.services.testResult = { ok: false, code: 'timeout', message: 'https://mes: did not take it', durationMs: 20_000 };
    const { status, body } = await test();
    expect(status).toBe(200);
    expect(body.data).toEqual({ status: 'failed', code: 'timeout', message: 'https://mes: did not take it', duration_ms: 20_000 });
  });

  it('answers 404 for one that is not in the configuration', async () => {
    const { status, body } = await new ApiClient().send('/v1/notification-channels/none/test', { method: 'POST' });
    expect([status, body.error.code]).toEqual([404, 'not_found']);
  });
});
