/** Whatever a source says and vouches for, whatever people do, and however often the box is stopped: the alerts are those of the obvious model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromStoredAlert } from '../../src/alerts/alert.ts';
import type { Condition, RuleKey } from '../../src/alerts/rule.ts';
import { HouseModel } from './house-model.ts';
import { AlertRig, draft } from './rig.ts';

const REMARK = { by: 'operator', note: undefined };
const ACTS = ['acknowledge', 'resolve', 'shelve', 'unshelve', 'put', 'rename', 'disable', 'enable', 'restart'] as const;
type Act = (typeof ACTS)[number];

/** Some seconds: at the first one the source says something or nothing, and the link is there or not; then somebody does something or nothing. */
interface Step {
  readonly seconds: number;
  readonly says: number | null | undefined;
  readonly isLinked: boolean;
  readonly act: Act | undefined;
}

const step: fc.Arbitrary<Step> = fc.record({
  seconds: fc.oneof(
    { weight: 4, arbitrary: fc.constant(1) },
    { weight: 2, arbitrary: fc.integer({ min: 2, max: 9 }) },
    { weight: 1, arbitrary: fc.constant(70) },
  ),
  says: fc.oneof(
    { weight: 4, arbitrary: fc.constantFrom(40, 60, 75, 85, 95) },
    { weight: 1, arbitrary: fc.constant(null) },
    { weight: 4, arbitrary: fc.constant(undefined) },
  ),
  isLinked: fc.oneof({ weight: 3, arbitrary: fc.constant(true) }, { weight: 2, arbitrary: fc.constant(false) }),
  act: fc.oneof(
    { weight: 3, arbitrary: fc.constant(undefined) },
    { weight: 2, arbitrary: fc.constantFrom(...ACTS, 'shelve' as const, 'resolve' as const) },
  ),
});

const condition: fc.Arbitrary<Condition> = fc
  .record({
    durationMs: fc.constantFrom(0, 0, 2_000, 6_500, 45_000),
    clearValue: fc.constantFrom(undefined, 50),
    noDataMs: fc.constantFrom(undefined, 4_000, 30_000),
  })
  .map(({ durationMs, clearValue, noDataMs }) => ({
    tagName: 'temperature',
    operator: 'gt',
    value: 80,
    durationMs,
    ...(clearValue !== undefined && { clearValue }),
    ...(noDataMs !== undefined && { noDataMs }),
  }));

class House {
  readonly rig = new AlertRig();
  readonly series = this.rig.series('Pump_001', 'temperature');
  readonly model: HouseModel;
  #rule: RuleKey = { tenant: 'default', id: '' };
  #isLinked = true;
  #names = 0;

  constructor(of: Condition, periodMs: number | undefined) {
    this.rig.periodMs = periodMs;
    this.rig.standsUntil = this.rig.clock.now();
    this.model = new HouseModel(of, periodMs === undefined ? Number.POSITIVE_INFINITY : Math.max(30_000, 3 * periodMs));
  }

  async start(): Promise<void> {
    await this.rig.start();
    this.#rule = await this.rig.alerting.rules.create('default', draft(this.model.condition));
  }

  /** Acts come between the seconds, when all that was to be told is told. */
  async step({ seconds, says, isLinked, act }: Step): Promise<void> {
    this.#isLinked = isLinked;
    for (let second = 0; second < seconds; second++) {
      if (second === 0 && says !== undefined) this.#say(says);
      await this.#flow(500);
      if (second === 0 && act) await this.#act(act);
      await this.#flow(500);
      if (act === 'restart' && second === 0) await this.#restart();
      this.model.second(this.#nowMs, this.rig.standsUntil);
      if (act === 'restart' && second === 0) this.model.restart();
    }
  }

  get #nowMs(): number {
    return this.rig.clock.now();
  }

  #say(value: number | null): void {
    this.rig.hear(this.series, this.#nowMs, value);
    this.model.say(this.#nowMs, value);
  }

  async #flow(durationMs: number): Promise<void> {
    if (this.#isLinked) this.rig.standsUntil = this.#nowMs + durationMs;
    await this.rig.pass(durationMs);
  }

  async #restart(): Promise<void> {
    await this.rig.alerting.close();
    await this.rig.kill();
    await this.rig.start();
  }

  async #act(act: Act): Promise<void> {
    const { rules } = this.rig.alerting;
    const { model } = this;
    const nowMs = this.#nowMs;
    const standsMs = this.rig.standsUntil;
    if (act === 'put') {
      const other = { ...model.condition, value: model.condition.value === 80 ? 70 : 80 };
      await rules.change(this.#rule, () => draft(other));
      model.begin(nowMs, standsMs, other);
    } else if (act === 'enable') {
      await rules.change(this.#rule, () => draft(model.condition));
      if (!model.isEnabled) model.begin(nowMs, standsMs, model.condition);
    } else if (act === 'disable') {
      await rules.change(this.#rule, () => draft(model.condition, { enabled: false }));
      model.leave(nowMs, 'rule_disabled');
    } else if (act === 'rename') {
      const name = `Another name ${++this.#names}`;
      await rules.change(this.#rule, () => draft(model.condition, { name, enabled: model.isEnabled }));
    } else if (act !== 'restart') await this.#remark(act, nowMs);
  }

  async #remark(act: 'acknowledge' | 'resolve' | 'shelve' | 'unshelve', nowMs: number): Promise<void> {
    const { alerting } = this.rig;
    const [open] = alerting.openAlerts('default');
    if (act === 'unshelve') {
      await alerting.unshelveRule(this.#rule, undefined, REMARK);
      this.model.unshelve();
    }
    if (!open) return;
    if (act === 'acknowledge') {
      await alerting.acknowledge(open, REMARK);
      this.model.acknowledge();
    } else if (act === 'resolve') {
      await alerting.resolve(open, REMARK);
      this.model.resolve(nowMs, this.rig.standsUntil);
    } else if (act === 'shelve') {
      await alerting.shelve(open, 60_000, REMARK);
      this.model.shelve(nowMs + 60_000);
    }
  }
}

function episodes(rig: AlertRig) {
  const own = rig.records.all().map(fromStoredAlert);
  return own
    .map(({ kind, triggeredMs, resolvedMs, resolution, acknowledgedMs }) => {
      return { kind, triggeredMs, endedMs: resolvedMs, resolution, isAcknowledged: acknowledgedMs !== null };
    })
    .sort(byTime);
}

function byTime(left: { triggeredMs: number; endedMs: number | null }, right: { triggeredMs: number; endedMs: number | null }): number {
  return left.triggeredMs - right.triggeredMs || (left.endedMs ?? Number.POSITIVE_INFINITY) - (right.endedMs ?? Number.POSITIVE_INFINITY);
}

describe('alerting', () => {
  it('gives the alerts and tells of them as the obvious model does, over standing values, missing data, acts of people and restarts', {
    timeout: 120_000,
  }, async () => {
    const periods = fc.constantFrom(undefined, 1_000);
    await fc.assert(
      fc.asyncProperty(condition, periods, fc.array(step, { maxLength: 30 }), async (of, periodMs, steps) => {
        const house = new House(of, periodMs);
        await house.start();
        for (const one of steps) await house.step(one);
        await house.rig.pass(500);
        await house.rig.alerting.close();
        const { rig, model } = house;
        expect(episodes(rig)).toEqual([...model.episodes].sort(byTime));
        expect(rig.notices.map(({ event, timeMs }) => [event, timeMs])).toEqual(model.told);
        await rig.kill();
      }),
      { numRuns: 700 },
    );
  });
});
