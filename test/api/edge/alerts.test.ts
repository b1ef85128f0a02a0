/** Alerts over HTTP: in which order and pages they come, and what people may do to one, and when. */
import { describe, expect, it } from 'vitest';
import type { UnixMs } from '../../../src/core/time.ts';
import { ApiClient } from '../../support/api-client.ts';

const RULE = { name: 'Hot', condition: { tag_name: 'temperature', operator: 'gt', value: 80 }, notifications: ['email'] };
const START_MS = Date.UTC(2026, 0, 6, 10);
const ACTS = ['acknowledge', 'resolve', 'shelve', 'unshelve'] as const;

async function plant() {
  const client = new ApiClient();
  const rule = (await client.post('/v1/alert-rules', RULE)).body.data.id as string;
  const read = (asset: string, second: number, value: number) =>
    client.services.hearReading({ asset, tag: 'temperature', timeMs: (START_MS + second * 1_000) as UnixMs, value });
  const alerts = async (query = '') => (await client.get(`/v1/alerts?${query}`)).body;
  return { client, rule: `/v1/alert-rules/${rule}`, read, alerts };
}

/** One alert, and the paths of what may be done to it. */
async function withAlert() {
  const made = await plant();
  made.read('Pump_001', 0, 90);
  const [alert] = (await made.alerts()).data;
  const act = (name: (typeof ACTS)[number], json?: unknown) => made.client.post(`/v1/alerts/${alert.id}/${name}`, json);
  const show = async () => (await made.client.get(`/v1/alerts/${alert.id}`)).body.data;
  return { ...made, alert, act, show };
}

describe('the list of alerts', () => {
  it('has the newest first, in pages, of whatever status is asked for', async () => {
    const { read, alerts } = await plant();
    for (const second of [2, 0, 1, 4, 3]) read(`Pump_00${second}`, second, 90);
    for (const second of [1, 3]) read(`Pump_00${second}`, 10, 20);
    const assets = (page: { data: { asset_id: string }[] }) => page.data.map(({ asset_id: id }) => id.at(-1)).join('');
    expect(assets(await alerts())).toBe('420');
    expect(assets(await alerts('status=resolved'))).toBe('31');
    for (const status of ['active,acknowledged', 'active,resolved']) {
      const whole = assets(await alerts(`status=${status}`));
      const second = await alerts(`status=${status}&page=2&per_page=2`);
      expect(assets(second)).toBe(whole.slice(2, 4));
      expect(second.meta).toEqual({ page: 2, per_page: 2, total: whole.length });
    }
    expect(assets(await alerts('status=active,acknowledged,resolved'))).toBe('43210');
  });

  it.each([
    ['start=2026-01-06T10:00:00Z&end=2026-01-06T10:00:00Z', 'start'],
    ['start=2026-01-06T10:00:01Z&end=2026-01-06T10:00:00Z', 'start'],
    ['start=yesterday', 'start'],
    ['status=open', 'status'],
    ['severity=fatal', 'severity'],
    ['per_page=101', 'per_page'],
  ])('is refused for %s', async (query, field) => {
    const { client } = await plant();
    const { status, body } = await client.get(`/v1/alerts?${query}`);
    expect([status, body.error.details[0].field]).toEqual([400, field]);
  });
});

describe('an alert', () => {
  it('keeps who took care of it first, and each note', async () => {
    const { act, show } = await withAlert();
    await act('acknowledge', { note: 'on my way' });
    const first = await show();
    expect((await act('acknowledge', { note: 'there' })).body.data).toMatchObject({
      status: 'acknowledged',
      acknowledged_at: first.acknowledged_at,
      acknowledged_by: first.acknowledged_by,
      notes: [{ note: 'on my way' }, { note: 'there', by: 'token-0' }],
    });
    expect((await act('acknowledge')).body.data.notes).toHaveLength(2);
  });

  it('that is resolved stays as it is: again resolved 200, all else 409', async () => {
    const { act, show } = await withAlert();
    const { status, body } = await act('resolve', { note: 'a loose wire' });
    expect([status, body.data.status, body.data.resolved_by, body.data.notes[0].note]).toEqual([
      200,
      'resolved',
      'token-0',
      'a loose wire',
    ]);
    const again = await act('resolve', { note: 'again' });
    expect([again.status, again.body]).toEqual([200, body]);
    for (const [name, json] of [['acknowledge'], ['shelve', { minutes: 5 }], ['unshelve']] as const) {
      const late = await act(name, json);
      expect([late.status, late.body.error.code]).toEqual([409, 'alert_resolved']);
    }
    expect(await show()).toEqual(body.data);
  });

  it('may be shelved for a minute to a week, and again for another time, and unshelved', async () => {
    const { act, show } = await withAlert();
    for (const [minutes, until] of [
      [1, '2026-01-06T10:31:00Z'],
      [10_080, '2026-01-13T10:30:00Z'],
    ] as const) {
      const { status, body } = await act('shelve', { minutes, note: `${minutes} min` });
      expect([status, body.data.shelved_until, body.data.status]).toEqual([200, until, 'active']);
    }
    expect((await show()).notes).toMatchObject([{ note: '1 min' }, { note: '10080 min' }]);
    const { status, body } = await act('unshelve', { note: 'mended' });
    expect([status, body.data.shelved_until, body.data.notes[2].note]).toEqual([200, null, 'mended']);
  });

  it.each([0, 0.5, 10_081, -1, '60', null, undefined])('is not shelved for %j minutes', async (minutes) => {
    const { act, show } = await withAlert();
    const { status, body } = await act('shelve', { minutes });
    expect([status, body.error.details[0].field]).toEqual([400, 'minutes']);
    expect((await show()).shelved_until).toBeNull();
  });

  it.each(ACTS)('takes nothing but what is known of %s', async (name) => {
    const { act, show } = await withAlert();
    const before = await show();
    for (const [field, value] of Object.entries({ status: 'resolved', tenant: 'northwind', resolved_by: 'me', constructor: {}, note: 7 })) {
      const { status, body } = await act(name, { ...(name === 'shelve' && { minutes: 5 }), [field]: value });
      expect([status, body.error.details[0].field]).toEqual([400, field]);
    }
    expect(await show()).toEqual(before);
  });
});

describe('the shelving of a rule', () => {
  it('is shown and ended at the rule when the alert is over', async () => {
    const { client, rule, read, act, alerts } = await withAlert();
    await act('shelve', { minutes: 60 });
    read('Pump_001', 1, 20);
    expect((await alerts()).data).toEqual([]);
    const shelved = async () => (await client.get(rule)).body.data.shelved;
    expect(await shelved()).toEqual([{ asset_id: 'Pump_001', until: '2026-01-06T11:30:00Z' }]);
    expect((await client.get('/v1/alert-rules')).body.data[0].shelved).toHaveLength(1);
    const elsewhere = await client.post(`${rule}/unshelve`, { asset_id: 'Pump_002' });
    expect([elsewhere.status, elsewhere.body.data.shelved.length]).toEqual([200, 1]);
    const ended = await client.post(`${rule}/unshelve`, { asset_id: 'Pump_001', note: 'back' });
    expect([ended.status, ended.body.data.shelved]).toEqual([200, []]);
    read('Pump_001', 2, 90);
    expect((await alerts()).data).toMatchObject([{ shelved_until: null }]);
  });

  it('ends on all assets without a body, and again changes nothing', async () => {
    const { client, rule, read, alerts } = await plant();
    for (const asset of ['Pump_001', 'Pump_002']) read(asset, 0, 90);
    for (const { id } of (await alerts()).data) await client.post(`/v1/alerts/${id}/shelve`, { minutes: 60 });
    for (let round = 0; round < 2; round++) expect((await client.post(`${rule}/unshelve`, undefined)).body.data.shelved).toEqual([]);
    expect((await alerts()).data).toMatchObject([{ shelved_until: null }, { shelved_until: null }]);
    const other = await client.post(`${rule}/unshelve`, { minutes: 5 });
    expect([other.status, other.body.error.details[0].field]).toEqual([400, 'minutes']);
  });
});
