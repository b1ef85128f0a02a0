/** How a twin fares. */
import { describe, expect, it } from 'vitest';
import { BAD, type StatusCode, UNCERTAIN } from '../../../src/core/status.ts';
import type { UnixMs } from '../../../src/core/time.ts';
import { draft } from '../../alerts/rig.ts';
import { ApiClient } from '../../support/api-client.ts';
import { sensor } from '../../support/fake-services.ts';

interface Case {
  readonly value?: number | string | null;
  readonly status?: StatusCode;
  readonly ageMs?: number;
  readonly periodMs?: number;
  readonly state?: 'connected' | 'degraded' | 'back_off' | 'faulted' | 'disabled' | 'connecting';
}

/** A pump with one sensor (limits 0 and 100) fed by ds-1. */
function pump({ value = 50, status, ageMs = 0, periodMs, state = 'connected' }: Case): ApiClient {
  const client = new ApiClient();
  const { services } = client;
  services.addTwin({ id: 'pump', sensors: [sensor('pump', 't', { name: 'Temperature', minValue: 0, maxValue: 100 })] });
  services.addSource({ id: 'ds-1', name: 'Press PLC', state, reason: state === 'connected' ? null : 'no answer' });
  services.addSample({
    source: 'ds-1',
    asset: 'pump',
    tag: 't',
    timeMs: (services.nowMs - ageMs) as UnixMs,
    value,
    ...(status === undefined ? {} : { status }),
  });
  if (periodMs !== undefined) services.periods.set('pump/t', periodMs);
  return client;
}

const statusOf = async (client: ApiClient) => (await client.get('/api/twins/pump/status')).body.data;

describe('the health of a twin', () => {
  it('is good while its sensors report within their limits', async () => {
    expect(await statusOf(pump({}))).toEqual({
      id: 'pump',
      name: 'pump',
      status: 'active',
      health: 'good',
      last_sync: '2026-01-06T10:30:00Z',
      sensors: { total: 1, healthy: 1, warning: 0, error: 0 },
      actuators: { total: 0, operational: 0, error: 0 },
      reasons: [],
      alerts: [],
    });
  });

  it.each<[string, Case, string]>([
    ['an uncertain value', { status: UNCERTAIN }, 'uncertain_quality'],
    ['a value below the minimum', { value: -0.1 }, 'below_minimum'],
    ['a value above the maximum', { value: 100.1 }, 'above_maximum'],
    ['silence of more than three periods', { ageMs: 30_001, periodMs: 10_000 }, 'stale'],
  ])('is warning at %s', async (_name, given, code) => {
    const status = await statusOf(pump(given));
    expect(status.health).toBe('warning');
    expect(status.sensors).toEqual({ total: 1, healthy: 0, warning: 1, error: 0 });
    expect(status.reasons).toEqual([{ part: 'sensor', id: 't', level: 'warning', code, message: expect.stringContaining('Temperature ') }]);
  });

  it.each<[string, Case, string]>([
    ['a bad value', { status: BAD }, 'no_value'],
    ['no value', { value: null, status: UNCERTAIN }, 'no_value'],
    ['a source in back-off', { state: 'back_off' }, 'source_down'],
    ['a disabled source', { state: 'disabled' }, 'source_down'],
    ['a source that is connecting', { state: 'connecting' }, 'source_down'],
  ])('is critical at %s', async (_name, given, code) => {
    const status = await statusOf(pump(given));
    expect(status.health).toBe('critical');
    expect(status.sensors).toEqual({ total: 1, healthy: 0, warning: 0, error: 1 });
    expect(status.reasons).toMatchObject([{ level: 'error', code }]);
  });

  it('is critical when a sensor reads bad after it was good', async () => {
    const client = pump({ ageMs: 1_000 });
    client.services.addSample({
      source: 'ds-1',
      asset: 'pump',
      tag: 't',
      valueType: 'f64',
      timeMs: client.services.nowMs,
      value: 1,
      status: BAD,
    });
    const status = await statusOf(client);
    expect(status.reasons).toMatchObject([{ code: 'bad_quality' }]);
    expect(status.last_sync).toBe('2026-01-06T10:29:59Z');
  });

  it.each<[string, Case]>([
    ['silence of three periods', { ageMs: 30_000, periodMs: 10_000 }],
    ['half a minute of silence of a fast tag', { ageMs: 30_000, periodMs: 100 }],
    ['silence of a tag that reports on change', { ageMs: 86_400_000 }],
    ['text, whatever the limits', { value: 'running' }],
    ['a source that delivers with some tags failing', { state: 'degraded' }],
  ])('stays good at %s', async (_name, given) => {
    expect((await statusOf(pump(given))).health).toBe('good');
  });

  it('says in words what is wrong with the source', async () => {
    const [reason] = (await statusOf(pump({ state: 'faulted' }))).reasons;
    expect(reason.message).toBe('Temperature has no link: Press PLC is faulted (no answer)');
  });

  it('is unknown without sensors, and has no last sync before the first sample', async () => {
    const client = new ApiClient();
    client.services.addTwin({ id: 'pump' });
    expect(await statusOf(client)).toMatchObject({ health: 'unknown', last_sync: null, sensors: { total: 0 } });
  });

  it('counts an actuator whose source is down', async () => {
    const client = pump({ state: 'connected' });
    client.services.addSource({ id: 'ds-2', state: 'back_off' });
    client.services.addTwin({
      id: 'valve',
      sensors: [sensor('pump', 't')],
      actuators: [
        { id: 'open', name: 'Open', type: 'binary', binding: { source: 'ds-2', asset: 'valve', tag: 'open' } },
        { id: 'loose', name: 'Loose', type: 'binary' },
      ],
    });
    const { data } = (await client.get('/api/twins/valve/status')).body;
    expect(data.actuators).toEqual({ total: 2, operational: 1, error: 1 });
    expect(data.health).toBe('critical');
    expect(data.reasons).toMatchObject([{ part: 'actuator', id: 'open', code: 'source_down' }]);
  });
});

describe('the alerts of a twin', () => {
  it('are for tokens that may read alerts, and left out for others', async () => {
    const client = pump({});
    const shown = async (...scopes: string[]) => {
      const { status, body } = await client.get('/api/twins/pump/status', { token: client.services.addToken(scopes) });
      return [status, Object.hasOwn(body.data, 'alerts')];
    };
    expect(await shown('read:assets')).toEqual([200, false]);
    expect(await shown('read:assets', 'read:alerts')).toEqual([200, true]);
    expect(await shown('admin')).toEqual([200, true]);
  });

  it('are those of its asset that are not resolved, the newest fifty of them', async () => {
    const client = pump({});
    const { services } = client;
    const { rules } = services.alerting;
    const hear = (asset: string, minute: number) =>
      services.hearReading({ source: 'ds-1', asset, tag: 't', timeMs: (services.nowMs + minute * 60_000) as UnixMs, value: 100 + minute });
    for (let minute = 1; minute <= 60; minute++) {
      await rules.create('default', draft({ tagName: 't', value: 99.5 + minute }, { name: `over by ${minute}` }));
    }
    for (let minute = 1; minute <= 60; minute++) hear('pump', minute);
    hear('fan', 61);
    await rules.create('northwind', draft({ tagName: 't', value: 0 }));
    const { alerts } = await statusOf(client);
    expect(alerts).toHaveLength(50);
    expect(alerts[0]).toMatchObject({
      severity: 'warning',
      created_at: '2026-01-06T11:30:00Z',
      message: expect.stringContaining('over by 60'),
    });
    expect(alerts.at(-1).created_at).toBe('2026-01-06T10:41:00Z');
    await services.alerting.resolve({ tenant: 'default', id: alerts[0].id }, { by: 'anna', note: undefined });
    await services.alerting.acknowledge({ tenant: 'default', id: alerts[1].id }, { by: 'anna', note: undefined });
    const after = (await statusOf(client)).alerts;
    expect(after.map(({ id }: { id: string }) => id).slice(0, 49)).toEqual(alerts.slice(1).map(({ id }: { id: string }) => id));
    expect(after[49].created_at).toBe('2026-01-06T10:40:00Z');
  });

  it('are those too of the tags elsewhere that its sensors and actuators are bound to, by the source they name', async () => {
    const client = new ApiClient();
    const { services } = client;
    const elsewhere = { asset: 'press', tag: 'oil', source: 'ds-2' };
    services.addTwin({
      id: 'pump',
      sensors: [sensor('pump', 't'), sensor('pump', 'oil', { binding: elsewhere, bindingExplicit: true })],
      actuators: [{ id: 'valve', name: 'Valve', type: 'binary', binding: { asset: 'press', tag: 'flow' } }],
    });
    for (const tagName of ['oil', 'flow', 'heat']) await services.alerting.rules.create('default', draft({ tagName }));
    const hear = (source: string, tag: string) => services.hearReading({ source, asset: 'press', tag, timeMs: services.nowMs, value: 90 });
    const tags = async () => (await statusOf(client)).alerts.map(({ message }: { message: string }) => message.match(/oil|flow|heat/)?.[0]);
    hear('ds-1', 'oil');
    hear('ds-1', 'heat');
    expect(await tags()).toEqual([]);
    hear('ds-1', 'flow');
    expect(await tags()).toEqual(['flow']);
    services.hearReading({ source: 'ds-1', asset: 'press', tag: 'oil', timeMs: (services.nowMs + 1_000) as UnixMs, value: 20 });
    services.hearReading({ source: 'ds-2', asset: 'press', tag: 'oil', timeMs: (services.nowMs + 2_000) as UnixMs, value: 90 });
    expect((await tags()).sort()).toEqual(['flow', 'oil']);
  });
});
