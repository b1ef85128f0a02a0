/** Whatever samples come, of whatever type and source, however late, bad or far apart, and whenever the box is killed: the alerts are those of the obvious model. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromStoredAlert } from '../../src/alerts/alert.ts';
import type { Condition } from '../../src/alerts/rule.ts';
import { BAD, GOOD, type StatusCode, UNCERTAIN } from '../../src/core/status.ts';
import type { SeriesId, ValueType } from '../../src/core/tag.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { type Episode, episodesOf } from './model.ts';
import { AlertRig, draft } from './rig.ts';

const ASSETS = ['Pump_001', 'Pump_002'] as const;
const SOURCES = ['plc', 'scada'] as const;
const RULE = { tenant: 'default', id: 'ar-1' };

/** The place of a value among those of its type, or null for none. */
type Said = { readonly asset: 0 | 1; readonly source: 0 | 1; readonly value: number | null; readonly status: StatusCode };
type Step =
  | (Said & { readonly kind: 'sample'; readonly afterMs: number })
  | (Said & { readonly kind: 'late'; readonly beforeMs: number })
  | { readonly kind: 'synced' }
  | { readonly kind: 'pass'; readonly durationMs: number }
  | { readonly kind: 'killed' | 'stopped' };

const place = fc.integer({ min: 0, max: 12 });
const said = {
  asset: fc.constantFrom(0 as const, 1 as const),
  source: fc.oneof({ weight: 3, arbitrary: fc.constant(0 as const) }, { weight: 1, arbitrary: fc.constant(1 as const) }),
  value: fc.oneof({ weight: 6, arbitrary: place }, { weight: 1, arbitrary: fc.constant(null) }),
  status: fc.oneof({ weight: 8, arbitrary: fc.constant(GOOD) }, { weight: 2, arbitrary: fc.constantFrom(UNCERTAIN, BAD) }),
};
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 14,
    arbitrary: fc.record({
      kind: fc.constant('sample' as const),
      ...said,
      afterMs: fc.oneof(fc.constant(1_000), fc.integer({ min: 1, max: 90_000 })),
    }),
  },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('late' as const), ...said, beforeMs: fc.integer({ min: 1, max: 50_000 }) }) },
  { weight: 2, arbitrary: fc.constant({ kind: 'synced' as const }) },
  { weight: 1, arbitrary: fc.constantFrom(250, 1_000, 61_000).map((durationMs) => ({ kind: 'pass' as const, durationMs })) },
  { weight: 3, arbitrary: fc.constantFrom({ kind: 'killed' as const }, { kind: 'stopped' as const }) },
);

const durationMs = fc.constantFrom(0, 1_000, 5_000, 40_000, 120_000);
/** What a rule may say of numbers; `as` makes of a whole one what the type has: 80 may be 80.1. */
const ofNumbers = (as: (whole: number) => number): fc.Arbitrary<object> =>
  fc.oneof(
    fc.record({
      operator: fc.constantFrom('gt' as const, 'gte' as const),
      value: fc.constant(as(80)),
      clearValue: fc.constantFrom(undefined, as(50), as(80)),
    }),
    fc.record({
      operator: fc.constantFrom('lt' as const, 'lte' as const),
      value: fc.constant(as(40)),
      clearValue: fc.constantFrom(undefined, as(40), as(90)),
    }),
    fc.record({ operator: fc.constantFrom('eq' as const, 'neq' as const), value: fc.constant(as(60)) }),
    fc.record({ operator: fc.constantFrom('between' as const, 'outside' as const), value: fc.constant([as(30), as(90)] as const) }),
    fc.record({ operator: fc.constant('rate_of_change' as const), value: fc.constantFrom(5, -5, 0.5) }),
  );
const equal = (...values: readonly (string | boolean)[]): fc.Arbitrary<object> =>
  fc.record({ operator: fc.constantFrom('eq' as const, 'neq' as const), value: fc.constantFrom(...values) });

interface Kind {
  readonly type: ValueType;
  /** The value of a place from 0 to 12. */
  readonly valueAt: (place: number) => number | string | bigint;
  readonly conditions: fc.Arbitrary<object>;
}

const whole = (number: number) => number;
const tenth = (number: number) => number + 0.1;
const KINDS: readonly Kind[] = [
  { type: 'f64', valueAt: (at) => at * 10, conditions: ofNumbers(whole) },
  { type: 'f32', valueAt: (at) => Math.fround(tenth(at * 10)), conditions: ofNumbers(tenth) },
  { type: 'i64', valueAt: (at) => BigInt(at * 10), conditions: ofNumbers(whole) },
  { type: 'string', valueAt: (at) => (at < 6 ? 'open' : at < 9 ? 'ajar' : ''), conditions: equal('open', '') },
  { type: 'bool', valueAt: (at) => (at < 6 ? 0 : 1), conditions: equal(true, false) },
];

const tested = fc.constantFrom(...KINDS).chain((kind) =>
  fc.record({
    kind: fc.constant(kind),
    condition: fc
      .tuple(kind.conditions, durationMs)
      .map(([rest, ms]) => withoutUndefined({ tagName: 'temperature', durationMs: ms, ...rest })),
    dataSourceId: fc.constantFrom(undefined, undefined, ...SOURCES),
  }),
);

function withoutUndefined(condition: object): Condition {
  return Object.fromEntries(Object.entries(condition).filter(([, member]) => member !== undefined)) as unknown as Condition;
}

const seriesOf = (asset: number, source: number): SeriesId => (asset * SOURCES.length + source) as SeriesId;

interface Play {
  readonly kind: Kind;
  /** By how much the clock of the second source is ahead. */
  readonly aheadMs: number;
  readonly start: () => Promise<void>;
}

async function play(rig: AlertRig, steps: readonly Step[], { kind, aheadMs, start }: Play): Promise<void> {
  const timesMs = [MORNING_MS as number, MORNING_MS as number];
  const say = ({ asset, source, value, status }: Said, timeMs: number) => {
    const stampMs = timeMs + source * aheadMs;
    rig.hear(seriesOf(asset, source), stampMs, value === null ? null : kind.valueAt(value), value === null ? BAD : status);
  };
  for (const one of steps) {
    if (one.kind === 'sample') {
      timesMs[one.asset] = (timesMs[one.asset] as number) + one.afterMs;
      say(one, timesMs[one.asset] as number);
    } else if (one.kind === 'late') say(one, (timesMs[one.asset] as number) - one.beforeMs);
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
  return own.map(({ triggeredMs, value, resolvedMs }) => ({ triggeredMs, value: value ?? Number.NaN, endedMs: resolvedMs })).sort(byTime);
}

/** Episodes of sources whose clocks differ need not follow each other by their times. */
function byTime(left: Episode, right: Episode): number {
  return left.triggeredMs - right.triggeredMs || (left.endedMs ?? Number.POSITIVE_INFINITY) - (right.endedMs ?? Number.POSITIVE_INFINITY);
}

describe('the alert engine', () => {
  it('opens and ends the alerts that the obvious model gives, of all types and two sources with clocks of their own, over gaps, bad and late samples and restarts', {
    timeout: 120_000,
  }, async () => {
    const periods = fc.constantFrom(undefined, 1_000, 20_000);
    const ahead = fc.constantFrom(0, 280_000, -3_000);
    const world = fc.record({ periodMs: periods, aheadMs: ahead });
    await fc.assert(
      fc.asyncProperty(tested, world, fc.array(step, { maxLength: 60 }), async ({ kind, condition, dataSourceId }, of, steps) => {
        const { periodMs, aheadMs } = of;
        const rig = new AlertRig();
        rig.periodMs = periodMs;
        for (const asset of ASSETS) for (const source of SOURCES) rig.series(asset, 'temperature', { source, valueType: kind.type });
        const rule = { ...RULE, ...draft(condition, dataSourceId === undefined ? {} : { dataSourceId }) };
        const start = () => rig.start([rule]);
        await start();
        await play(rig, steps, { kind, aheadMs, start });
        await rig.alerting.close();
        const staleMs = periodMs === undefined ? Number.POSITIVE_INFINITY : Math.max(30_000, 3 * periodMs);
        for (const [asset, name] of ASSETS.entries()) {
          const watched = SOURCES.flatMap((id, source) =>
            dataSourceId === undefined || dataSourceId === id ? [seriesOf(asset, source)] : [],
          );
          const samples = rig.log.filter(({ series }) => watched.includes(series));
          expect(episodes(rig, name)).toEqual(episodesOf(samples, condition, { staleMs, type: kind.type }).sort(byTime));
        }
        await rig.kill();
      }),
      { numRuns: 1500 },
    );
  });
});
