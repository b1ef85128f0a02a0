/** Whatever samples come, however late, bad or far apart, and whenever the box is killed: the alerts are those of the obvious model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromStoredAlert } from '../../src/alerts/alert.ts';
import type { Condition } from '../../src/alerts/rule.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { type Episode, episodesOf } from './model.ts';
import { AlertRig, draft } from './rig.ts';

const ASSETS = ['Pump_001', 'Pump_002'] as const;
const RULE = { tenant: 'default', id: 'ar-1' };

type Step =
  | { readonly kind: 'sample'; readonly asset: 0 | 1; readonly afterMs: number; readonly value: number | null }
  | { readonly kind: 'late'; readonly asset: 0 | 1; readonly beforeMs: number; readonly value: number }
  | { readonly kind: 'synced' }
  | { readonly kind: 'pass'; readonly durationMs: number }
  | { readonly kind: 'killed' | 'stopped' };

const asset = fc.constantFrom(0 as const, 1 as const);
const value = fc.integer({ min: 0, max: 12 }).map((tenth) => tenth * 10);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('sample' as const),
      asset,
      afterMs: fc.oneof(fc.constant(1_000), fc.integer({ min: 1, max: 90_000 })),
      value: fc.oneof({ weight: 6, arbitrary: value }, { weight: 1, arbitrary: fc.constant(null) }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('late' as const), asset, beforeMs: fc.integer({ min: 1, max: 50_000 }), value }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'synced' as const }) },
  { weight: 1, arbitrary: fc.constantFrom(250, 1_000, 61_000).map((durationMs) => ({ kind: 'pass' as const, durationMs })) },
  { weight: 3, arbitrary: fc.constantFrom({ kind: 'killed' as const }, { kind: 'stopped' as const }) },
);

const durationMs = fc.constantFrom(0, 1_000, 5_000, 40_000, 120_000);
const condition: fc.Arbitrary<Condition> = fc
  .oneof(
    fc.record({
      operator: fc.constantFrom('gt' as const, 'gte' as const),
      value: fc.constant(80),
      clearValue: fc.constantFrom(undefined, 50, 80),
    }),
    fc.record({
      operator: fc.constantFrom('lt' as const, 'lte' as const),
      value: fc.constant(40),
      clearValue: fc.constantFrom(undefined, 40, 90),
    }),
    fc.record({ operator: fc.constantFrom('eq' as const, 'neq' as const), value: fc.constant(60) }),
    fc.record({ operator: fc.constantFrom('between' as const, 'outside' as const), value: fc.constant([30, 90] as const) }),
    fc.record({ operator: fc.constant('rate_of_change' as const), value: fc.constantFrom(5, -5, 0.5) }),
  )
  .chain((rest) => durationMs.map((ms) => withoutUndefined({ tagName: 'temperature', durationMs: ms, ...rest })));

function withoutUndefined(condition: object): Condition {
  return Object.fromEntries(Object.entries(condition).filter(([, member]) => member !== undefined)) as unknown as Condition;
}

async function play(rig: AlertRig, steps: readonly Step[], start: () => Promise<void>): Promise<void> {
  const timesMs = [MORNING_MS as number, MORNING_MS as number];
  for (const one of steps) {
    if (one.kind === 'sample') {
      timesMs[one.asset] = (timesMs[one.asset] as number) + one.afterMs;
      rig.hear(one.asset as never, timesMs[one.asset] as number, one.value);
    } else if (one.kind === 'late') rig.hear(one.asset as never, (timesMs[one.asset] as number) - one.beforeMs, one.value);
    else if (one.kind === 'synced') rig.durable = rig.log.length;
    else if (one.kind === 'pass') await rig.pass(one.durationMs);
    else {
      if (one.kind === 'stopped') await rig.alerting.close();
      await rig.kill();
      await start();
    }
  }
}

function episodes(rig: AlertRig, assetId: string): Episode[] {
  const own = rig.records
    .all()
    .map(fromStoredAlert)
    .filter((alert) => alert.assetId === assetId);
  return own
    .map(({ triggeredMs, value: at, resolvedMs }) => ({ triggeredMs, value: at as number, endedMs: resolvedMs }))
    .sort((left, right) => left.triggeredMs - right.triggeredMs);
}

describe('the alert engine', () => {
  it('opens and ends the alerts that the obvious model gives, over gaps, bad and late samples, crashes and restarts', {
    timeout: 120_000,
  }, async () => {
    const periods = fc.constantFrom(undefined, 1_000, 20_000);
    await fc.assert(
      fc.asyncProperty(condition, periods, fc.array(step, { maxLength: 60 }), async (tested, periodMs, steps) => {
        const rig = new AlertRig();
        rig.periodMs = periodMs;
        for (const name of ASSETS) rig.series(name, 'temperature');
        const start = () => rig.start([{ ...RULE, ...draft(tested) }]);
        await start();
        await play(rig, steps, start);
        await rig.alerting.close();
        const staleMs = periodMs === undefined ? Number.POSITIVE_INFINITY : Math.max(30_000, 3 * periodMs);
        for (const [index, name] of ASSETS.entries()) {
          const samples = rig.log.filter(({ series }) => (series as number) === index);
          expect(episodes(rig, name)).toEqual(episodesOf(samples, tested, staleMs));
        }
        await rig.kill();
      }),
      { numRuns: 500 },
    );
  });
});
