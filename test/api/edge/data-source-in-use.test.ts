/** A data source that alert rules name: it is not deleted by mistake. */
import { describe, expect, it } from 'vitest';
import { draft } from '../../alerts/rig.ts';
import { ApiClient } from '../../support/api-client.ts';

const SOURCE = {
  name: 'PLC',
  type: 'modbus',
  config: { host: '10.0.0.5' },
  tags: [{ tag_name: 'speed', asset_id: 'fan', register_type: 'holding', address: 4 }],
};

describe('a source that alert rules name', () => {
  const RULE = { name: 'Hot', condition: { tag_name: 'speed', operator: 'gt', value: 80 } };

  const ruleOn = (dataSourceId: string) => draft({ tagName: 'speed' }, { dataSourceId });

  /** A source of the API, and a rule on it whose alert is open. */
  async function watched() {
    const client = new ApiClient();
    const path = (await client.post('/v1/data-sources', SOURCE)).headers.get('location') as string;
    const id = path.split('/').at(-1) as string;
    const rule = (await client.post('/v1/alert-rules', { ...RULE, data_source_id: id })).body.data;
    client.services.hearReading({ source: id, asset: 'fan', tag: 'speed', timeMs: client.services.nowMs, value: 92 });
    return { client, path, id, rule };
  }

  it.each(['', '?force=0', '?force=false'])('is kept by DELETE%s, which names the rules', async (search) => {
    const { client, path, rule } = await watched();
    const { status, body } = await client.send(path + search, { method: 'DELETE' });
    expect([status, body.error.code]).toEqual([409, 'data_source_in_use']);
    expect(body.error.details).toEqual([{ field: `alert_rules.${rule.id}`, message: 'Hot' }]);
    expect((await client.get(path)).status).toBe(200);
  });

  it.each(['?force', '?force=', '?force=1', '?force=true'])('is deleted with %s, and the rule and its alert stay', async (search) => {
    const { client, path, rule } = await watched();
    expect((await client.send(path + search, { method: 'DELETE' })).status).toBe(204);
    expect((await client.get(path)).status).toBe(404);
    expect((await client.get(`/v1/alert-rules/${rule.id}`)).body.data.state).toBe('firing');
    expect((await client.get('/v1/alerts')).body.data).toMatchObject([{ rule_id: rule.id, status: 'active' }]);
  });

  it('is deleted once they are gone, or when they are of another tenant or name no source', async () => {
    const { client, path, id, rule } = await watched();
    await client.send(`/v1/alert-rules/${rule.id}`, { method: 'DELETE' });
    await client.services.alerting.rules.create('northwind', ruleOn(id));
    await client.post('/v1/alert-rules', RULE);
    expect((await client.send(path, { method: 'DELETE' })).status).toBe(204);
  });

  it('is not deleted by any force where If-Match names another revision, nor by one that is no word of ours', async () => {
    const { client, path } = await watched();
    const stale = await client.send(`${path}?force=1`, { method: 'DELETE', headers: { 'If-Match': '"9"' } });
    expect(stale.status).toBe(412);
    const unclear = await client.send(`${path}?force=yes`, { method: 'DELETE' });
    expect([unclear.status, unclear.body.error.details[0].field]).toEqual([400, 'force']);
    expect((await client.get(path)).status).toBe(200);
  });

  it('names a hundred of them and says how many there are', async () => {
    const { client, path, id } = await watched();
    for (let count = 0; count < 100; count++) await client.services.alerting.rules.create('default', ruleOn(id));
    const { error } = (await client.send(path, { method: 'DELETE' })).body;
    expect(error.details).toHaveLength(100);
    expect(error.message).toContain('101 alert rules');
  });
});
