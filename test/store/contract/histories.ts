/** Random histories for the property tests: several sources and generations of few tags, at few times, so that they collide. */
import fc from 'fast-check';
import { BAD, BAD_NO_COMMUNICATION, GOOD, UNCERTAIN, UNCERTAIN_CLOCK } from '../../../src/core/status.ts';
import type { Scalar, SeriesDef, SeriesId, ValueType } from '../../../src/core/tag.ts';
import type { Feed } from './feed.ts';

/** What a history has series of: tag b/flow from two sources, the second in two generations; and others alone. */
const SERIES: readonly { readonly tag: string; readonly valueType: ValueType; readonly rest: Partial<SeriesDef> }[] = [
  { tag: 'flow', valueType: 'f64', rest: { asset: 'b', source: 's1' } },
  { tag: 'flow', valueType: 'f64', rest: { asset: 'b', source: 's2' } },
  { tag: 'flow', valueType: 'i64', rest: { asset: 'b', source: 's2', generation: 2 } },
  { tag: 'state', valueType: 'string', rest: { asset: 'b' } },
  { tag: 'Flow', valueType: 'f32', rest: { asset: 'a' } },
  { tag: 'on', valueType: 'bool', rest: { asset: 'ä' } },
  { tag: 'total', valueType: 'u64', rest: { asset: 'B' } },
];
const STATUSES = [GOOD, GOOD, GOOD, UNCERTAIN, UNCERTAIN_CLOCK, BAD, BAD_NO_COMMUNICATION, 0xc000_0000, 0xffff_ffff, 1] as const;

const VALUES: Record<ValueType, fc.Arbitrary<Scalar>> = {
  f64: fc.double({ noNaN: true, min: -1e12, max: 1e12 }),
  f32: fc.float({ noNaN: true, min: -1e6, max: 1e6 }),
  i64: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  u64: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
  bool: fc.boolean(),
  string: fc.string({ unit: 'binary', maxLength: 40 }),
};

export interface Step {
  /** Index into the history's series. */
  readonly which: number;
  readonly timeMs: number;
  readonly value: Scalar | null;
  readonly status: number;
  /** True: what was added so far is committed after this sample. */
  readonly commit: boolean;
}

export function steps(times: fc.Arbitrary<number>, maxLength = 60): fc.Arbitrary<Step[]> {
  const step = fc.nat(SERIES.length - 1).chain((which) =>
    fc.record({
      which: fc.constant(which),
      timeMs: times,
      value: fc.option(VALUES[(SERIES[which] as (typeof SERIES)[number]).valueType], { freq: 8 }),
      status: fc.constantFrom<number[]>(...STATUSES),
      commit: fc.nat(9).map((one) => one === 0),
    }),
  );
  return fc.array(step, { minLength: 1, maxLength, size: 'max' }); // long ones: short histories hardly ever collide
}

/** Defines a fresh set of series, whose tenant is the history's own; gives their ids. */
export function defineAll(feed: Feed, tenant: string): SeriesId[] {
  return SERIES.map(({ tag, valueType, rest }) => feed.define(tag, valueType, { ...rest, tenant }));
}

export async function play(feed: Feed, series: readonly SeriesId[], history: readonly Step[]): Promise<void> {
  for (const { which, timeMs, value, status, commit } of history) {
    feed.add(series[which] as SeriesId, timeMs, value, status);
    if (commit) await feed.commit();
  }
  await feed.commit();
}
