/** Alerts in the live stream: each change of one, to those alone who may read alerts in its tenant and asked for its asset and tag. */
import { afterEach, expect, it } from 'vitest';
import { hashToken } from '../../../src/api/auth.ts';
import { LiveHub } from '../../../src/api/live/hub.ts';
import type { StoredToken } from '../../../src/store/records.ts';
import { draft } from '../../alerts/rig.ts';
import { FakeServices } from '../../support/fake-services.ts';
import { ManualClock, turn } from '../../support/manual-clock.ts';
import { SseReader } from '../../support/sse.ts';

const MAY_READ = ['read:telemetry', 'read:alerts'];

class Rig {
  readonly clock = new ManualClock();
  readonly services = new FakeServices();
  readonly hub: LiveHub;

  constructor() {
    const { log, records, series, sources, hear, hearAlerts } = this.services;
    this.hub = new LiveHub({ clock: this.clock, log, records, series, sources, hear, hearAlerts });
  }

  listen(scopes: readonly string[], more: Partial<StoredToken> = {}, filter: { assets?: string[]; tags?: string[] } = {}): SseReader {
    const sha256 = hashToken(this.services.addToken(scopes, more));
    const token = this.services.tokens.find((each) => each.sha256 === sha256) as StoredToken;
    const client = new SseReader();
    void follow(this.hub.open(token, { tenant: token.tenant, ...filter }), client);
    return client;
  }

  /** A temperature that fires the rule of `draft`. */
  async fire(): Promise<void> {
    await this.services.alerting.rules.create('default', draft());
    this.services.hearReading({ asset: 'Pump_001', tag: 'temperature', timeMs: this.services.nowMs, value: 92.5 });
    await turn();
  }
}

async function follow(stream: ReadableStream<Uint8Array>, client: SseReader): Promise<void> {
  for await (const bytes of stream) client.take(bytes);
}

const alertsOf = (client: SseReader) => client.events.filter(({ name }) => name === 'alert').map(({ data }) => data.data);

let rig: Rig;
afterEach(async () => {
  rig.hub.close();
  await rig.clock.advance(1_000);
  expect(rig.services.alerting.onAlert).toBeUndefined();
});

it('come to clients of the tenant that may read alerts, and to no others', async () => {
  rig = new Rig();
  const may = rig.listen(MAY_READ);
  const admin = rig.listen(['admin']);
  const unscoped = rig.listen(['read:telemetry', 'read:assets', 'write:alerts']);
  const foreign = rig.listen(['admin'], { tenant: 'northwind' });
  await rig.fire();
  for (const client of [may, admin])
    expect(alertsOf(client)).toMatchObject([{ rule_name: 'High Temperature', status: 'active', value: 92.5 }]);
  for (const client of [unscoped, foreign]) expect(alertsOf(client)).toEqual([]);
});

it('keep to the filters of a client', async () => {
  rig = new Rig();
  const same = rig.listen(MAY_READ, {}, { assets: ['Pump_001'], tags: ['temperature', 'speed'] });
  const otherAsset = rig.listen(MAY_READ, {}, { assets: ['Pump_002'] });
  const otherTag = rig.listen(MAY_READ, {}, { assets: ['Pump_001'], tags: ['speed'] });
  await rig.fire();
  expect([same, otherAsset, otherTag].map((client) => alertsOf(client).length)).toEqual([1, 0, 0]);
});

it('tell of each change, in the form that the list of alerts has', async () => {
  rig = new Rig();
  const client = rig.listen(MAY_READ);
  await rig.fire();
  const { alerting } = rig.services;
  const [{ id }] = alertsOf(client);
  await alerting.acknowledge({ tenant: 'default', id }, { by: 'anna', note: 'I look' });
  await alerting.resolve({ tenant: 'default', id }, { by: 'anna', note: undefined });
  await turn();
  expect(alertsOf(client)).toMatchObject([
    { id, status: 'active', notes: [], resolved_at: null },
    { id, status: 'acknowledged', acknowledged_by: 'anna', notes: [{ by: 'anna', note: 'I look' }] },
    { id, status: 'resolved', resolution: 'resolved', resolved_by: 'anna' },
  ]);
});
