/** Who changed what is written down, and who was refused; reading it shows what was just done. */
import { describe, expect, it } from 'vitest';
import { AuditLog } from '../../src/api/audit-log.ts';
import { silentLog } from '../../src/core/log.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { AuditEntry } from '../../src/store/records.ts';
import { ApiClient } from '../support/api-client.ts';
import { FakeServices } from '../support/fake-services.ts';
import { ManualClock, turn } from '../support/manual-clock.ts';

const BODY = { data: [{ asset_id: 'a', tag_name: 't', value: 1 }] };

describe('the audit log of the API', () => {
  it('has who, what, from where and with which result, and is read with what was just done', async () => {
    const api = new ApiClient();
    await api.api.fetch(
      new Request('http://box.test/v1/telemetry', {
        method: 'POST',
        headers: { Authorization: `Bearer ${api.token}`, 'Content-Type': 'application/json', 'X-Request-Id': 'r-1' },
        body: JSON.stringify(BODY),
      }),
      { incoming: { socket: { remoteAddress: '10.0.0.7' } } },
    );
    const { status, body } = await api.get('/v1/audit');
    expect(status).toBe(200);
    expect(body).toEqual({
      data: [
        {
          id: 1,
          time: '2026-01-06T10:30:00Z',
          kind: 'ingest',
          tenant: 'default',
          token_id: 'token-0',
          token_name: 'token-0',
          method: 'POST',
          route: '/v1/telemetry',
          object_id: null,
          status: 200,
          code: null,
          address: '10.0.0.7',
          request_id: 'r-1',
          count: 1,
        },
      ],
      meta: { page: 1, per_page: 100, total: 1 },
    });
  });

  it('has refused calls, of strangers and of tokens that lack the scope, and no reads that were granted', async () => {
    const api = new ApiClient();
    await api.post('/v1/telemetry', BODY, { token: null });
    await api.post('/v1/telemetry', BODY, { token: api.services.addToken(['read:assets'], { name: 'viewer', tenant: 'northwind' }) });
    await api.post('/v1/telemetry', { data: [] });
    await api.get('/api/twins');
    await api.get('/api/twins', { token: null });
    const { body } = await api.get('/v1/audit');
    const told = body.data.map((row: Record<string, unknown>) => [
      row['kind'],
      row['status'],
      row['code'],
      row['token_name'],
      row['tenant'],
    ]);
    expect(told).toEqual([
      ['refused', 401, 'unauthorized', null, null],
      ['ingest', 400, 'validation_error', 'token-0', 'default'],
      ['refused', 403, 'forbidden', 'viewer', 'northwind'],
      ['refused', 401, 'unauthorized', null, null],
    ]);
  });

  it('has what is refused of reads, and of paths that lead to none, which it does not name', async () => {
    const api = new ApiClient();
    const stranger = { token: 'tbx_guessed' };
    await api.get('/api/twins/pump-101', stranger);
    await api.get('/api/twins/fan-7', stranger);
    await api.send('/api/twins/fan-7', { method: 'HEAD', ...stranger });
    await api.get('/metrics', { token: api.services.addToken(['read:assets'], { name: 'viewer' }) });
    await api.get('/made/up', stranger);
    await api.send('/api/twins', { method: 'PUT', ...stranger });
    await api.get('/made/up');
    const told = async () => {
      const { body } = await api.get('/v1/audit?kind=refused');
      return body.data.map((row: Record<string, unknown>) => [row['method'], row['route'], row['object_id'], row['status'], row['count']]);
    };
    expect(await told()).toEqual([
      ['PUT', '*', null, 401, 1],
      ['GET', '*', null, 401, 1],
      ['GET', '/metrics', null, 403, 1],
      ['GET', '/api/twins/:id', null, 401, 3],
    ]);
  });

  it('names what was made: by its id, and a part of a twin with that of the twin', async () => {
    const api = new ApiClient();
    await api.post('/api/twins', { id: 'tank', name: 'Tank' });
    await api.post('/api/twins/tank/sensors', { id: 'level', name: 'Level', unit: 'm' });
    await api.post('/api/twins/tank/actuators', { id: 'valve', name: 'Valve', type: 'binary' });
    await api.send('/api/twins/tank/sensors/level', { method: 'PATCH', json: { unit: 'mm' } });
    const made = (await api.post('/v1/dashboards', { name: 'Hall', layout: { widgets: [] } })).body.data.id;
    const copied = (await api.post(`/v1/dashboards/${made}/duplicate`, undefined)).body.data.id;
    const { body } = await api.get('/v1/audit');
    const told = body.data.map((row: Record<string, unknown>) => [row['method'], row['object_id']]);
    expect(told.reverse()).toEqual([
      ['POST', 'tank'],
      ['POST', 'tank/level'],
      ['POST', 'tank/valve'],
      ['PATCH', 'tank/level'],
      ['POST', made],
      ['POST', copied],
    ]);
  });

  it('is for admins: the box’s own sees all tenants, another tenant’s its own', async () => {
    const api = new ApiClient();
    const northwind = api.services.addToken(['admin'], { tenant: 'northwind', name: 'nw' });
    await api.post('/v1/telemetry', BODY, { token: northwind });
    await api.post('/v1/telemetry', BODY);
    const tenants = async (query: string, token = api.token) => {
      const { body } = await api.get(`/v1/audit${query}`, { token });
      return body.data.map((row: { tenant: string }) => row.tenant);
    };
    expect(await tenants('')).toEqual(['default', 'northwind']);
    expect(await tenants('?tenant=northwind')).toEqual(['northwind']);
    expect(await tenants('?token=nw')).toEqual(['northwind']);
    expect(await tenants('', northwind)).toEqual(['northwind']);
    expect((await api.get('/v1/audit?tenant=default', { token: northwind })).status).toBe(403);
    const reader = api.services.addToken(['read:assets', 'write:control']);
    expect((await api.get('/v1/audit', { token: reader })).status).toBe(403);
  });

  it('is paged, and refuses a range that ends before it starts', async () => {
    const api = new ApiClient();
    for (let n = 0; n < 3; n++) await api.post('/v1/telemetry', { data: [], [`x${n}`]: 1 }, { token: api.services.addToken() });
    const second = await api.get('/v1/audit?page=2&per_page=2');
    expect(second.body.data).toHaveLength(1);
    expect(second.body.meta).toEqual({ page: 2, per_page: 2, total: 3 });
    expect((await api.get('/v1/audit?per_page=1001')).status).toBe(400);
    expect((await api.get('/v1/audit?start=2026-01-02&end=2026-01-01')).status).toBe(400);
    expect((await api.get('/v1/audit?kind=none')).status).toBe(400);
  });
});

function entry(more: Partial<AuditEntry> = {}): AuditEntry {
  return {
    kind: 'write',
    timeMs: 1 as UnixMs,
    tenant: 'default',
    tokenId: 't',
    tokenName: 't',
    method: 'PATCH',
    route: '/x',
    objectId: null,
    status: 200,
    code: null,
    address: null,
    requestId: 'r',
    count: 1,
    ...more,
  };
}

const rig = () => {
  const services = new FakeServices();
  const clock = new ManualClock();
  return { services, clock, log: new AuditLog({ records: services.records, clock, clockTrusted: () => true, log: silentLog }) };
};

describe('rows on their way to the disk', () => {
  it('are one for all that a stranger is refused of one route, whatever object was named', async () => {
    const { services, log } = rig();
    const stranger = { kind: 'refused', tenant: null, tokenId: null, tokenName: null, status: 401, code: 'unauthorized' } as const;
    for (let n = 0; n < 1_000; n++) log.record(entry({ ...stranger, objectId: `made-up-${n}` }));
    for (const objectId of ['pump', 'fan']) log.record(entry({ kind: 'refused', status: 403, code: 'forbidden', objectId }));
    await log.flush();
    expect(services.auditRows.map(({ tokenId, objectId, count }) => [tokenId, objectId, count])).toEqual([
      [null, null, 1_000],
      ['t', 'pump', 1],
      ['t', 'fan', 1],
    ]);
  });

  const guess = (address: string) =>
    entry({ kind: 'refused', tenant: null, tokenId: null, tokenName: null, method: 'GET', status: 401, code: 'unauthorized', address });

  it('that tell of refused calls are one at once and one a minute for as long as they go on, and none when they have ended', async () => {
    const { services, clock, log } = rig();
    for (let second = 0; second < 250; second++) {
      if (second < 130) log.record(guess('10.0.0.7'));
      await clock.advance(1_000);
    }
    expect(services.auditRows.map(({ count }) => count)).toEqual([1, 60, 60, 9]);
    expect(services.auditCommits).toBe(4);
    log.record(guess('10.0.0.7'));
    await clock.advance(1_000);
    expect(services.auditRows).toHaveLength(5);
  });

  it('that tell of refused calls are one for all addresses of one IPv6 customer', async () => {
    const { services, log } = rig();
    for (let n = 0; n < 1_000; n++) log.record(guess(`2001:db8:1:2::${n.toString(16)}`));
    log.record(guess('2001:db8:1:3::1'));
    await log.flush();
    expect(services.auditRows.map(({ address, count }) => [address, count])).toEqual([
      ['2001:db8:1:2::0', 1_000],
      ['2001:db8:1:3::1', 1],
    ]);
  });

  it('that tell of refused calls are bounded in kinds, and the log goes on after the bound', async () => {
    const { services, clock, log } = rig();
    for (let n = 0; n < 3_000; n++) {
      log.record(guess(`10.0.${n >> 8}.${n & 255}`));
      if (n % 500 === 499) await clock.advance(1_000);
    }
    expect(services.auditRows).toHaveLength(3_000);
    await clock.advance(120_000);
    log.record(guess('10.9.9.9'));
    log.record(guess('10.9.9.9'));
    await clock.advance(1_000);
    expect(services.auditRows.at(-1)).toMatchObject({ address: '10.9.9.9', count: 2 });
  });

  it('that tell of refused calls are read while they are still counted, and written at the stop', async () => {
    const { services, clock, log } = rig();
    const read = async () => {
      await log.page({ limit: 1, skip: 0 });
      return services.auditRows.map(({ count }) => count);
    };
    log.record(guess('10.0.0.7'));
    await clock.advance(1_000);
    log.record(guess('10.0.0.7'));
    log.record(guess('10.0.0.7'));
    expect(await read()).toEqual([1, 2]);
    log.record(guess('10.0.0.7'));
    await log.close(1_000);
    expect(services.auditRows.map(({ count }) => count)).toEqual([1, 2, 1]);
  });

  it('that tell of refused calls leave room for those that tell of writes', async () => {
    const { services, log } = rig();
    services.auditError = 'disk_full';
    for (let n = 0; n < 20_000; n++) log.record(entry({ kind: 'refused', status: 403, objectId: `o-${n}` }));
    log.record(entry({ requestId: 'the-write' }));
    services.auditError = null;
    await log.flush();
    expect(services.auditRows).toHaveLength(1_001);
    expect(services.auditRows.at(-1)?.requestId).toBe('the-write');
    for (let n = 0; n < 500; n++) log.record(entry({ kind: 'refused', status: 403, objectId: `again-${n}` }));
    await log.flush();
    expect(services.auditRows).toHaveLength(1_501);
  });

  it.each([true, false])('are too old by the clock only where that is trusted: %s', async (trusted) => {
    const { services, clock } = rig();
    const log = new AuditLog({ records: services.records, clock, clockTrusted: () => trusted, log: silentLog });
    log.record(entry());
    await log.flush();
    expect(services.auditAgedMs).toEqual([trusted ? clock.now() : null]);
  });

  it('gather for a second and go in one commit', async () => {
    const { services, clock, log } = rig();
    for (let n = 0; n < 20; n++) log.record(entry({ requestId: `r-${n}` }));
    await clock.advance(999);
    expect(services.auditCommits).toBe(0);
    await clock.advance(1);
    expect(services.auditCommits).toBe(1);
    expect(services.auditRows.map(({ requestId }) => requestId)).toEqual(Array.from({ length: 20 }, (_, n) => `r-${n}`));
    await clock.advance(60_000);
    expect(services.auditCommits).toBe(1);
  });

  it('go at once when there are many', async () => {
    const { services, log } = rig();
    for (let n = 0; n < 500; n++) log.record(entry({ requestId: `r-${n}` }));
    await turn();
    expect(services.auditRows).toHaveLength(500);
  });

  it('that are readings or refusals alike become one with a count; writes stay apart', async () => {
    const { services, log } = rig();
    for (let n = 0; n < 100; n++) {
      log.record(entry({ kind: 'ingest', requestId: `i-${n}` }));
      log.record(entry({ kind: 'refused', tokenId: null, status: 401, requestId: `s-${n}` }));
    }
    log.record(entry({ kind: 'refused', tokenId: null, status: 401, address: '10.0.0.9', requestId: 'other' }));
    log.record(entry({ requestId: 'w-0' }));
    log.record(entry({ requestId: 'w-0' }));
    await log.flush();
    expect(services.auditRows.map(({ requestId, count }) => [requestId, count])).toEqual([
      ['i-0', 100],
      ['s-0', 100],
      ['other', 1],
      ['w-0', 1],
      ['w-0', 1],
    ]);
  });

  it('wait when the store does not take them, in their order, and go when it does', async () => {
    const { services, clock, log } = rig();
    services.auditError = 'disk_full';
    log.record(entry({ requestId: 'first' }));
    await clock.advance(1_000);
    log.record(entry({ requestId: 'second' }));
    await expect(log.flush()).rejects.toMatchObject({ code: 'disk_full' });
    services.auditError = null;
    await clock.advance(10_000);
    expect(services.auditRows.map(({ requestId }) => requestId)).toEqual(['first', 'second']);
  });

  it('wait in a bounded number', async () => {
    const { services, clock, log } = rig();
    services.auditError = 'store_failed';
    for (let n = 0; n < 10_500; n++) log.record(entry({ requestId: `r-${n}` }));
    services.auditError = null;
    await clock.advance(10_000);
    expect(services.auditRows).toHaveLength(10_000);
    expect(services.auditRows[0]?.requestId).toBe('r-0');
    expect(services.auditCommits).toBeLessThan(5);
  });

  it('are written at the stop, which waits no longer than it may', async () => {
    const { services, log } = rig();
    log.record(entry());
    await log.close(1_000);
    expect(services.auditRows).toHaveLength(1);

    const hung = rig();
    hung.services.records.appendAudit = () => new Promise(() => {});
    hung.log.record(entry());
    const closed = hung.log.close(1_000);
    await hung.clock.advance(1_000);
    await closed;
  });
});
