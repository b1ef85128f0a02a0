/** What time and people do to alerts: missing data, standing values, shelving, resolving by hand, and a disk that cannot save. */
import { describe, expect, it } from 'vitest';
import type { RuleDraft } from '../../src/alerts/rule.ts';
import { GatewayError } from '../../src/core/errors.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { AlertRig, draft } from './rig.ts';

const REMARK = { by: 'operator', note: undefined };

async function rigWith(rule: RuleDraft) {
  const rig = new AlertRig();
  const series = rig.series('Pump_001', 'temperature');
  await rig.start();
  const made = await rig.alerting.rules.create('default', rule);
  const open = () => rig.alerting.openAlerts('default');
  return { rig, series, made, open };
}

/** The next save hangs, until what this gives is called: then it fails, and others do not. */
function holdSave({ records }: AlertRig): () => void {
  const save = records.saveAlerts;
  let refuse = () => {};
  records.saveAlerts = () =>
    new Promise((_, reject) => {
      refuse = () => reject(new GatewayError('disk_full', 'no space left'));
    });
  return () => {
    records.saveAlerts = save;
    refuse();
  };
}

describe('alerting', () => {
  it('raises an alert when data stays away, and ends it when data returns', async () => {
    const { rig, series, open } = await rigWith(draft({ noDataMs: 60_000 }));
    rig.hear(series, MORNING_MS, 20);
    await rig.pass(59_000);
    expect(open()).toEqual([]);
    await rig.pass(3_000);
    expect(open()).toMatchObject([{ kind: 'no_data', value: null, threshold: null }]);
    rig.hear(series, MORNING_MS + 62_000, 20);
    expect(open()).toEqual([]);
    await rig.pass(500);
    expect(rig.notices.map(({ event }) => event)).toEqual(['triggered', 'resolved']);
    await rig.kill();
  });

  it('looks at many watches in turns, and at none of a rule that is removed between two of them', async () => {
    const rig = new AlertRig();
    const assets = Array.from({ length: 500 }, (_, index) => `Pump_${index}`);
    for (const asset of assets) rig.series(asset, 'temperature');
    await rig.start();
    const stays = await rig.alerting.rules.create('default', draft({ noDataMs: 60_000 }));
    const goes = await rig.alerting.rules.create('default', draft({ noDataMs: 60_000 }));
    const openOf = (ruleId: string) => rig.alerting.openAlerts('default').filter((alert) => alert.ruleId === ruleId).length;
    await rig.pass(59_000);
    rig.onAsked = () => rig.clock.busy(1);
    const seen = new Set<number>();
    let removed: Promise<unknown> | undefined;
    const passing = rig.pass(3_000);
    for (let round = 0; round < 200; round++) {
      await new Promise((resolve) => setImmediate(resolve));
      seen.add(openOf(stays.id));
      if (openOf(goes.id) > 0) removed ??= rig.alerting.rules.remove({ tenant: 'default', id: goes.id }, () => {});
    }
    await passing;
    await removed;
    expect([...seen].filter((count) => count > 0 && count < assets.length).length).toBeGreaterThan(3);
    expect(openOf(stays.id)).toBe(assets.length);
    expect(removed).toBeDefined();
    expect(openOf(goes.id)).toBe(0);
    await rig.kill();
  });

  it('goes on with the time without data after a restart', async () => {
    const { rig, series, open } = await rigWith(draft({ noDataMs: 60_000 }));
    rig.hear(series, MORNING_MS, 20);
    await rig.pass(40_000);
    await rig.alerting.close();
    await rig.kill();
    await rig.start();
    await rig.pass(18_000);
    expect(open()).toEqual([]);
    await rig.pass(4_000);
    expect(open()).toMatchObject([{ kind: 'no_data' }]);
    await rig.kill();
  });

  it('does not count time without data while the clock is not to be trusted', async () => {
    const { rig, open } = await rigWith(draft({ noDataMs: 60_000, assetId: 'Pump_009' }));
    rig.trusted = false;
    await rig.pass(120_000);
    expect(open()).toEqual([]);
    rig.trusted = true;
    await rig.pass(62_000);
    expect(open()).toMatchObject([{ kind: 'no_data', assetId: 'Pump_009' }]);
    await rig.kill();
  });

  it('lets no resolved alert become too old while the clock is not to be trusted', async () => {
    const { rig, series } = await rigWith(draft());
    rig.trusted = false;
    rig.hear(series, MORNING_MS, 90);
    await rig.pass(1_000);
    expect(rig.records.all()).toHaveLength(1);
    expect(rig.records.agedByMs).toBeNull();
    rig.trusted = true;
    rig.hear(series, MORNING_MS + 1_000, 20);
    await rig.pass(1_000);
    expect(rig.records.agedByMs).toBeGreaterThan(MORNING_MS);
    await rig.kill();
  });

  it('lets a duration go by while a value is known to stand, and not behind a bad sample', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 20_000 }));
    rig.hear(series, MORNING_MS, 90);
    rig.standsUntil = MORNING_MS + 19_999;
    await rig.pass(1_000);
    expect(open()).toEqual([]);
    rig.standsUntil = MORNING_MS + 21_000;
    await rig.pass(1_000);
    expect(open()).toMatchObject([{ triggeredMs: MORNING_MS + 20_000 }]);
    await rig.kill();
    const other = await rigWith(draft({ durationMs: 20_000 }));
    other.rig.hear(other.series, MORNING_MS, 90);
    other.rig.hear(other.series, MORNING_MS + 1_000, null);
    other.rig.standsUntil = MORNING_MS + 60_000;
    await other.rig.pass(2_000);
    expect(other.open()).toEqual([]);
    await other.rig.kill();
  });

  it('calls late what is older than the last word of its own source, whatever clock another one has, over a restart too', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 3_000 }));
    const byRest = rig.series('Pump_001', 'temperature', { source: 'api' });
    const ahead = 280_000;
    rig.hear(series, MORNING_MS, 90);
    rig.hear(byRest, MORNING_MS + ahead, 1);
    for (const second of [1, 2, 3]) rig.hear(series, MORNING_MS + second * 1_000, 90);
    rig.hear(byRest, MORNING_MS + ahead - 5_000, 1); // late
    await rig.alerting.close();
    await rig.kill();
    await rig.start();
    rig.hear(series, MORNING_MS + 2_500, 1); // late
    rig.hear(series, MORNING_MS + 4_000, 90);
    expect(open()).toMatchObject([{ triggeredMs: MORNING_MS + 4_000, dataSourceId: 'plc' }]);
    await rig.kill();
  });

  it('does not count the difference between the clocks of two sources as time', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 20_000 }));
    const other = rig.series('Pump_001', 'temperature', { source: 'scada' });
    rig.hear(other, MORNING_MS + 279_000, 90);
    for (let second = 0; second < 19; second++) {
      rig.hear(series, MORNING_MS + second * 1_000, 90);
      rig.hear(other, MORNING_MS + 280_000 + second * 1_000, 90);
    }
    expect(open()).toEqual([]);
    for (const second of [19, 20]) rig.hear(other, MORNING_MS + 280_000 + second * 1_000, 90);
    expect(open()).toMatchObject([{ dataSourceId: 'scada', triggeredMs: MORNING_MS + 299_000 }]);
    await rig.kill();
  });

  it('lets a lost source pause what it said itself, and nothing that another one says', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 20_000 }));
    const other = rig.series('Pump_001', 'temperature', { source: 'scada' });
    rig.hear(other, MORNING_MS, 90);
    rig.hear(series, MORNING_MS + 1_000, 90);
    rig.hear(other, MORNING_MS + 2_000, null);
    rig.standsUntil = MORNING_MS + 30_000;
    await rig.pass(1_000);
    expect(open()).toMatchObject([{ triggeredMs: MORNING_MS + 20_000 }]);
    await rig.kill();
  });

  it('lets a source that speaks in another type take back what it said before', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 20_000 }));
    const asText = rig.series('Pump_001', 'temperature', { valueType: 'string', generation: 1 });
    rig.hear(series, MORNING_MS, 90);
    rig.hear(asText, MORNING_MS + 1_000, 'broken');
    rig.standsUntil = MORNING_MS + 60_000;
    await rig.pass(2_000);
    expect(open()).toEqual([]);
    await rig.kill();
  });

  it('takes the rate of change of each source for itself', async () => {
    const { rig, series, open } = await rigWith(draft({ operator: 'rate_of_change', value: 5 }));
    const other = rig.series('Pump_001', 'temperature', { source: 'scada' });
    for (let second = 0; second < 5; second++) {
      rig.hear(series, MORNING_MS + second * 1_000, 20 + second);
      rig.hear(other, MORNING_MS + second * 1_000 + 1, 60 + second);
    }
    expect(open()).toEqual([]);
    rig.hear(series, MORNING_MS + 5_000, 31);
    expect(open()).toMatchObject([{ value: 31, dataSourceId: 'plc' }]);
    await rig.kill();
  });

  it('misses no data of a tag while one of its sources vouches for it, whichever spoke last', async () => {
    const { rig, series, open } = await rigWith(draft({ noDataMs: 10_000 }));
    const other = rig.series('Pump_001', 'temperature', { source: 'api' });
    rig.hear(series, MORNING_MS, 20);
    rig.hear(other, MORNING_MS + 1_000, 20);
    rig.vouching = series;
    for (let second = 0; second < 20; second++) {
      rig.standsUntil = MORNING_MS + second * 1_000;
      await rig.pass(1_000);
    }
    expect(open()).toEqual([]);
    rig.hear(series, MORNING_MS + 20_000, null);
    for (let second = 20; second < 32; second++) {
      rig.standsUntil = MORNING_MS + second * 1_000;
      await rig.pass(1_000);
    }
    expect(open()).toMatchObject([{ kind: 'no_data' }]);
    await rig.kill();
  });

  it('judges a value anew when its own source vouches for it again, though another one ended the silence', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 20_000, noDataMs: 10_000 }));
    const other = rig.series('Pump_001', 'temperature', { source: 'scada' });
    const vouch = async (by: number, from: number, to: number) => {
      rig.vouching = by as typeof series;
      for (let second = from; second < to; second++) {
        rig.standsUntil = MORNING_MS + second * 1_000;
        await rig.pass(1_000);
      }
    };
    rig.hear(other, MORNING_MS, 20);
    rig.hear(series, MORNING_MS, 90);
    await rig.pass(12_000);
    expect(open()).toMatchObject([{ kind: 'no_data' }]);
    await vouch(other, 12, 14);
    expect(open()).toEqual([]);
    await vouch(series, 14, 40);
    expect(open()).toMatchObject([{ kind: 'condition', value: 90 }]);
    await rig.kill();
  });

  it('judges a value that stood when its rule was made as soon as its source vouches for it, after a restart too', async () => {
    const { rig, series, open } = await rigWith(draft({ value: 95 }));
    rig.standsUntil = MORNING_MS;
    rig.hear(series, MORNING_MS, 90);
    const { id } = await rig.alerting.rules.create('default', draft());
    await rig.alerting.close();
    await rig.kill();
    await rig.start();
    await rig.pass(2_000);
    expect(open()).toEqual([]);
    rig.standsUntil = MORNING_MS + 2_000;
    await rig.pass(1_000);
    expect(open()).toMatchObject([{ ruleId: id, value: 90 }]);
    await rig.kill();
  });

  it('remembers over a crash that a source took back what it said in another type, long before', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 30_000 }));
    const texts = rig.series('Pump_001', 'temperature', { valueType: 'string' });
    rig.hear(series, MORNING_MS, 90);
    await rig.pass(61_000);
    rig.hear(texts, MORNING_MS + 61_000, null);
    await rig.pass(122_000); // two checkpoints: the reading lies before the place from where a restart plays
    await rig.kill();
    await rig.start();
    rig.hear(series, MORNING_MS + 183_000, 90);
    await rig.pass(1_000);
    expect(open()).toEqual([]);
    await rig.kill();
  });

  it('raises a new alert after the duration when one is resolved whose condition holds on', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 10_000 }));
    for (const second of [0, 10]) rig.hear(series, MORNING_MS + second * 1_000, 90);
    const first = open()[0]?.id ?? '';
    const at = { tenant: 'default', id: first };
    await rig.alerting.resolve(at, REMARK);
    expect(await rig.alerting.resolve(at, REMARK)).toMatchObject({ status: 'resolved', resolution: 'resolved', resolvedBy: 'operator' });
    await expect(rig.alerting.acknowledge(at, REMARK)).rejects.toMatchObject({ code: 'alert_resolved' });
    for (const second of [11, 20]) rig.hear(series, MORNING_MS + second * 1_000, 90);
    expect(open()).toEqual([]);
    rig.hear(series, MORNING_MS + 21_000, 90);
    expect(open()).toMatchObject([{ triggeredMs: MORNING_MS + 21_000 }]);
    expect(open()[0]?.id).not.toBe(first);
    await rig.kill();
  });

  it('tells of an alert that begins while its rule is shelved on its asset when the time is up', async () => {
    const { rig, series, open } = await rigWith(draft());
    rig.hear(series, MORNING_MS, 90);
    await rig.pass(500);
    await rig.alerting.shelve({ tenant: 'default', id: open()[0]?.id ?? '' }, 60_000, REMARK);
    rig.hear(series, MORNING_MS + 1_000, 10);
    rig.hear(series, MORNING_MS + 2_000, 90);
    await rig.pass(50_000);
    expect(rig.notices.map(({ event }) => event)).toEqual(['triggered', 'resolved']);
    expect(open()).toMatchObject([{ shelvedUntilMs: MORNING_MS + 60_500 }]);
    await rig.pass(12_000);
    expect(rig.notices.map(({ event, alertId }) => [event, alertId])[2]).toEqual(['triggered', open()[0]?.id]);
    await rig.kill();
  });

  it('tells whoever knows of an alert that it is over, shelved or not, and nobody else', async () => {
    const { rig, series, open } = await rigWith(draft());
    rig.hear(series, MORNING_MS, 90);
    await rig.pass(500);
    await rig.alerting.shelve({ tenant: 'default', id: open()[0]?.id ?? '' }, 60_000, REMARK);
    for (const [second, value] of [10, 90, 10].entries()) rig.hear(series, MORNING_MS + (second + 1) * 1_000, value);
    await rig.pass(62_000);
    const [known] = rig.notices;
    expect(rig.notices.map(({ event, alertId }) => [event, alertId])).toEqual([
      ['triggered', known?.alertId],
      ['resolved', known?.alertId],
    ]);
    await rig.kill();
  });

  it('shows where a rule is shelved though its alert is over, over a restart too, and ends that there', async () => {
    const { rig, series, made, open } = await rigWith(draft());
    const other = rig.series('Pump_002', 'temperature');
    for (const each of [series, other]) rig.hear(each, MORNING_MS, 90);
    for (const { id } of open()) await rig.alerting.shelve({ tenant: 'default', id }, 3_600_000, REMARK);
    for (const each of [series, other]) rig.hear(each, MORNING_MS + 1_000, 10);
    await rig.pass(500);
    expect(open()).toEqual([]);
    await rig.kill();
    await rig.start();
    const untilMs = MORNING_MS + 3_600_000;
    expect(rig.alerting.shelves(made)).toEqual([
      { asset: 'Pump_001', untilMs },
      { asset: 'Pump_002', untilMs },
    ]);
    await rig.alerting.unshelveRule(made, 'Pump_001', REMARK);
    await rig.kill();
    await rig.start();
    expect(rig.alerting.shelves(made)).toEqual([{ asset: 'Pump_002', untilMs }]);
    rig.notices.length = 0; // what was told before the shelving, and that it is over
    for (const each of [series, other]) rig.hear(each, MORNING_MS + 2_000, 90);
    await rig.pass(500);
    expect(rig.notices.map(({ assetId }) => assetId)).toEqual(['Pump_001']);
    await rig.alerting.unshelveRule(made, undefined, { by: 'operator', note: 'back in service' });
    await rig.pass(500);
    expect(rig.notices.map(({ assetId }) => assetId)).toEqual(['Pump_001', 'Pump_002']);
    expect(open().find(({ assetId }) => assetId === 'Pump_002')?.notes).toMatchObject([{ text: 'back in service' }]);
    expect(rig.alerting.shelves(made)).toEqual([]);
    await rig.kill();
  });

  it('notifies again from when an alert is unshelved', async () => {
    const { rig, series, open } = await rigWith(draft());
    rig.hear(series, MORNING_MS, 90);
    const at = { tenant: 'default', id: open()[0]?.id ?? '' };
    await rig.alerting.shelve(at, 3_600_000, REMARK); // before anybody was told
    await rig.pass(2_000);
    expect(rig.notices).toEqual([]);
    expect(await rig.alerting.unshelve(at, REMARK)).toMatchObject({ shelvedUntilMs: null });
    await rig.pass(2_000);
    expect(rig.notices.map(({ event }) => event)).toEqual(['triggered']);
    await rig.kill();
  });

  it('watches by a rule that was made over the API after a restart too', async () => {
    const { rig, series, made, open } = await rigWith(draft());
    await rig.kill();
    await rig.start();
    expect(rig.alerting.rules.list('default')).toEqual([made]);
    rig.hear(series, MORNING_MS, 90);
    expect(open()).toMatchObject([{ ruleId: made.id }]);
    await rig.kill();
  });

  it('resolves the open alerts of a rule that is changed, disabled or deleted', async () => {
    const { rig, series, made } = await rigWith(draft());
    const hot = (second: number) => rig.hear(series, MORNING_MS + second * 1_000, 90);
    hot(1);
    await rig.alerting.rules.change(made, () => draft({ value: 70 }));
    hot(2);
    await rig.alerting.rules.change(made, () => draft({ value: 70 }, { enabled: false }));
    hot(3);
    await rig.alerting.rules.change(made, () => draft({ value: 70 }));
    hot(4);
    await rig.alerting.rules.remove(made, () => undefined);
    await rig.pass(500);
    const all = rig.records.all().map(({ body }) => (body as { resolution: string }).resolution);
    expect(all.sort()).toEqual(['rule_changed', 'rule_deleted', 'rule_disabled']);
    await rig.kill();
  });

  it('lets a rule of the file that says the same keep its episode, and one with another name too', async () => {
    const rig = new AlertRig();
    const series = rig.series('Pump_001', 'temperature');
    const [kept, named, harder, gone] = ['kept', 'named', 'harder', 'gone'].map((id) => ({ tenant: 'default', id, ...draft() }));
    if (!kept || !named || !harder || !gone) throw new Error('four rules were made');
    await rig.start([kept, named, harder, gone]);
    rig.hear(series, MORNING_MS, 90);
    const before = new Map(rig.alerting.openAlerts('default').map(({ ruleId, id }) => [ruleId, id]));
    expect(before.size).toBe(4);
    const { rules } = rig.alerting;
    const revision = rules.get(kept)?.revision;
    await rules.takeFile([
      kept,
      { ...named, name: 'Another name' },
      { ...harder, condition: { ...harder.condition, value: 100 } },
      { ...gone, id: 'fresh' },
    ]);
    rig.hear(series, MORNING_MS + 1_000, 91);
    const after = new Map(rig.alerting.openAlerts('default').map(({ ruleId, id }) => [ruleId, id]));
    expect(new Set(after.keys())).toEqual(new Set(['kept', 'named', 'fresh']));
    expect([after.get('kept'), after.get('named')]).toEqual([before.get('kept'), before.get('named')]);
    expect(rules.get(kept)?.revision).toBe(revision);
    await rig.pass(500);
    expect(rig.records.all().filter(({ status }) => status === 'resolved')).toHaveLength(2);
    expect(
      rules
        .list('default')
        .map(({ id, managedBy }) => `${id} ${managedBy}`)
        .sort(),
    ).toEqual(['fresh config', 'harder config', 'kept config', 'named config']);
    await rig.kill();
  });

  it('tells of alerts that cannot be saved after a while, and saves them when it can', async () => {
    const { rig, series, open } = await rigWith(draft());
    await rig.pass(500);
    rig.records.failing = true;
    rig.hear(series, MORNING_MS, 90);
    await rig.pass(5_000);
    expect(rig.notices).toEqual([]);
    await rig.pass(7_000);
    expect(rig.notices).toHaveLength(1);
    rig.records.failing = false;
    await rig.pass(1_000);
    expect(rig.records.all()).toMatchObject([{ id: open()[0]?.id, status: 'active' }]);
    expect(rig.notices).toHaveLength(1);
    await rig.kill();
  });

  it('saves what a checkpoint that failed had taken with the next one, before a crash takes it', async () => {
    const { rig, series, open } = await rigWith(draft({ durationMs: 30_000 }));
    rig.hear(series, MORNING_MS, 90);
    rig.records.failing = true;
    await rig.pass(61_000);
    rig.records.failing = false;
    await rig.pass(1_000);
    rig.durable = rig.log.length;
    await rig.pass(61_000); // another one: the reading lies before the place from where a restart plays
    await rig.kill();
    await rig.start();
    rig.hear(series, MORNING_MS + 30_000, 90);
    expect(open()).toMatchObject([{ triggeredMs: MORNING_MS + 30_000 }]);
    await rig.kill();
  });

  it('forgets what a rule had come to before it was changed, though saving that was being tried when it was', async () => {
    const { rig, series } = await rigWith(draft());
    const { id } = await rig.alerting.rules.create('default', draft({ value: 10, durationMs: 60_000 }));
    rig.hear(series, MORNING_MS, 50);
    const refuse = holdSave(rig);
    const checkpoint = rig.alerting.close().catch((error) => error);
    await rig.pass(250);
    await rig.alerting.rules.change({ tenant: 'default', id }, () => draft({ value: 20, durationMs: 60_000 }));
    refuse();
    expect(await checkpoint).toMatchObject({ code: 'disk_full' });
    await rig.pass(1_000);
    const { states } = await rig.records.ruleStates();
    const [state] = states.filter(({ ruleId, asset }) => ruleId === id && asset === 'Pump_001');
    expect(state?.body).toMatchObject({ phase: 'ok', sinceMs: null });
    await rig.kill();
  });

  it('saves as over an alert that ends while saving its beginning fails', async () => {
    const { rig, series } = await rigWith(draft());
    const refuse = holdSave(rig);
    rig.hear(series, MORNING_MS, 90);
    await rig.pass(500);
    rig.hear(series, MORNING_MS + 1_000, 20);
    refuse();
    await rig.pass(1_000);
    expect(rig.records.all()).toMatchObject([{ status: 'resolved', body: { resolution: 'cleared' } }]);
    expect(rig.notices.map(({ event }) => event)).toEqual(['triggered', 'resolved']);
    await rig.kill();
  });

  it('leaves nothing behind of a rule that is deleted, though saving fails at first', async () => {
    const { rig, series, made } = await rigWith(draft());
    await rig.pass(500);
    rig.hear(series, MORNING_MS, 90);
    const refuse = holdSave(rig);
    await rig.alerting.rules.remove(made, () => undefined);
    await rig.pass(500);
    refuse();
    await rig.pass(1_000);
    expect((await rig.records.ruleStates()).states).toEqual([]);
    await rig.kill();
  });

  it('counts its rules, its open alerts by severity, what it held against a rule and how long a save waits', async () => {
    const { rig, series } = await rigWith(draft());
    await rig.alerting.rules.create('default', draft({ value: 85 }, { severity: 'critical' }));
    await rig.alerting.rules.create('default', draft({}, { enabled: false }));
    rig.hear(rig.series('Pump_001', 'pressure'), MORNING_MS, 90);
    rig.records.failing = true;
    for (const [second, value] of [20, 82, 90].entries()) rig.hear(series, MORNING_MS + second * 1_000, value);
    await rig.pass(3_000);
    const counts = { rules: 2, openAlerts: { critical: 1, warning: 1, info: 0 }, evaluations: 6, unwatched: 0, refused: 0 };
    expect(rig.alerting.stats()).toEqual({ ...counts, lagMs: 3_000 });
    rig.records.failing = false;
    await rig.pass(1_000);
    expect(rig.alerting.stats()).toEqual({ ...counts, lagMs: 0 });
    await rig.kill();
  });
});
