/** What the alert engine does with several series, rules that come and go, and readings that change nothing. */
import { describe, expect, it } from 'vitest';
import { RuleEngine } from '../../src/alerts/engine.ts';
import type { Condition, Rule } from '../../src/alerts/rule.ts';
import type { Watch } from '../../src/alerts/watch.ts';
import type { WatchState } from '../../src/alerts/watch-state.ts';
import { BAD, GOOD } from '../../src/core/status.ts';
import { DEFAULT_TENANT, type SeriesDef, type SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { draft } from './rig.ts';

/** An engine with a diary of what began and ended. */
class Bench {
  readonly diary: string[] = [];
  /** No alert can be opened. */
  isFull = false;
  readonly engine = new RuleEngine({
    episodes: {
      begin: (watch) => {
        if (this.isFull) return false;
        watch.alertId = `${watch.rule.id} at ${watch.voices.value}`;
        this.diary.push(`begin ${watch.alertId} by ${watch.feed?.source}`);
        return true;
      },
      end: (watch, resolution) => {
        watch.alertId = undefined;
        this.diary.push(`end ${watch.rule.id} ${resolution} at ${watch.voices.value}`);
      },
      staleAfterMs: () => 30_000,
    },
    newest: () => undefined,
    standsUntilMs: () => Number.NEGATIVE_INFINITY,
    heardUntilMs: () => Number.NEGATIVE_INFINITY,
  });
  #nowMs = MORNING_MS as number;

  define(series: number, more: Partial<SeriesDef> = {}): void {
    const def: SeriesDef = {
      tenant: DEFAULT_TENANT,
      source: 'plc',
      asset: 'Pump_001',
      tag: 'temperature',
      valueType: 'f64',
      generation: 0,
    };
    this.engine.define(series as SeriesId, { ...def, ...more });
  }

  add(id: string, condition: Partial<Condition> = {}): void {
    this.engine.add(ruleOf(id, condition));
  }

  /** A reading of the next second; null is a bad one. */
  hear(series: number, value: number | null): void {
    this.#nowMs += 1_000;
    this.hearAgain(series, value);
  }

  /** Another one of the same time as the newest. */
  hearAgain(series: number, value: number | null): void {
    this.engine.number(series as SeriesId, this.#nowMs as UnixMs, value ?? Number.NaN, value === null ? BAD : GOOD, false);
  }

  watch(id: string): Watch {
    return this.engine.watches({ tenant: DEFAULT_TENANT, id }).get('Pump_001') as Watch;
  }
}

function ruleOf(id: string, condition: Partial<Condition>): Rule {
  const times = { createdMs: MORNING_MS as UnixMs, updatedMs: MORNING_MS as UnixMs };
  return { ...draft(condition), ...times, tenant: DEFAULT_TENANT, id, revision: 1, managedBy: 'api' };
}

describe('the alert engine', () => {
  it('goes by each source of a tag in turn, a 32-bit one having the threshold of its kind', () => {
    const bench = new Bench();
    bench.define(1);
    bench.define(2, { source: 'scada', valueType: 'f32' });
    bench.add('hot', { operator: 'gte', value: 80.1 });
    const nearly = Math.fround(80.1); // less than 80.1
    for (const series of [1, 1, 2, 2, 1, 1, 2]) bench.hear(series, nearly);
    expect(bench.diary).toEqual([`begin hot at ${nearly} by scada`, `end hot cleared at ${nearly}`, `begin hot at ${nearly} by scada`]);
    expect(bench.watch('hot').voices.value).toBe(nearly);
    expect(bench.engine.evaluations).toBe(7);
  });

  it('knows time and value of readings that change nothing', () => {
    const bench = new Bench();
    bench.define(1);
    bench.add('hot');
    bench.add('fast', { operator: 'rate_of_change', value: 10 });
    for (const value of [20, 21, 22, 23]) bench.hear(1, value);
    const newest = {
      lastMs: MORNING_MS + 4_000,
      usableMs: MORNING_MS + 4_000,
      value: 23,
      previousMs: MORNING_MS + 3_000,
      previousValue: 22,
    };
    expect(bench.watch('fast').saved(0)).toMatchObject(newest);
    expect(bench.watch('hot').saved(0)).toMatchObject({ ...newest, previousMs: null, previousValue: null });
    bench.hear(1, 34);
    expect(bench.diary).toEqual(['begin fast at 34 by plc']);
    expect(bench.watch('fast').saved(0)).toMatchObject({ phase: 'firing', previousValue: 23 });
  });

  it('takes no rate across a bad reading, and goes on behind it', () => {
    const bench = new Bench();
    bench.define(1);
    bench.add('fast', { operator: 'rate_of_change', value: 10 });
    for (const value of [20, 21, 22, null, 90, 91, 120, 121]) bench.hear(1, value);
    expect(bench.diary).toEqual(['begin fast at 120 by plc', 'end fast cleared at 121']);
  });

  it('takes a reading of the same time as the newest in its place, good or bad, and its rate from the one before both', () => {
    const bench = new Bench();
    bench.define(1);
    bench.add('hot');
    bench.add('fast', { operator: 'rate_of_change', value: 10 });
    bench.add('long', { durationMs: 2_000 });
    for (const value of [20, 21]) bench.hear(1, value);
    bench.hearAgain(1, 90);
    expect(bench.diary.sort()).toEqual(['begin fast at 90 by plc', 'begin hot at 90 by plc']);
    bench.hearAgain(1, 95);
    expect(bench.watch('fast').saved(0)).toMatchObject({ value: 95, previousValue: 20 });
    bench.hearAgain(1, null);
    for (const _ of [1, 2]) bench.hear(1, 90);
    expect(bench.diary).toHaveLength(3); // the rate is over; and behind the bad one the first of these two seconds does not count
    expect(bench.diary).toContain('end fast cleared at 90');
    bench.hear(1, 90);
    expect(bench.diary.at(-1)).toBe('begin long at 90 by plc');
  });

  it('knows after a restart all that it knew of each source, of each type that it spoke in', () => {
    const before = new Bench();
    const after = new Bench();
    for (const bench of [before, after]) {
      bench.define(1);
      bench.define(2, { valueType: 'i64' });
      bench.define(3, { source: 'scada' });
    }
    before.add('fast', { operator: 'rate_of_change', value: 10, durationMs: 3_000 });
    for (const [series, value] of [
      [1, 20],
      [1, 21],
      [2, 5],
      [2, 7],
      [3, 40],
      [1, 22],
      [3, 51],
      [2, null],
      [3, 90],
    ] as const)
      before.hear(series, value);
    const state: WatchState = JSON.parse(JSON.stringify(before.watch('fast').saved(60_000)));
    expect(state).toMatchObject({ phase: 'pending', source: 'scada', previousValue: 51, others: [{ paused: true }, { paused: true }] });
    after.engine.add(ruleOf('fast', before.watch('fast').rule.condition), new Map([['Pump_001', state]]));
    expect(JSON.parse(JSON.stringify(after.watch('fast').saved(60_000)))).toEqual({ ...state, quietMs: expect.anything() });
    expect(after.watch('fast').voices.heardMs).toBe(-state.quietMs);
  });

  it('counts an alert only when it is opened, so that a replay gives it the same number', () => {
    const bench = new Bench();
    bench.define(1);
    bench.add('hot');
    bench.isFull = true;
    for (const value of [90, 91, 92]) bench.hear(1, value);
    bench.isFull = false;
    bench.hear(1, 93);
    expect(bench.diary).toEqual(['begin hot at 93 by plc']);
    expect(bench.watch('hot').episode).toBe(1);
  });

  it('lets a duration begin anew when the condition has not held between', () => {
    const bench = new Bench();
    bench.define(1);
    bench.add('hot', { durationMs: 3_000 });
    for (const value of [20, 90, 90, 20, 20, 90, 90, 90]) bench.hear(1, value);
    expect(bench.diary).toEqual([]);
    bench.hear(1, 90);
    expect(bench.diary).toEqual(['begin hot at 90 by plc']);
  });

  it('leaves the other rules of a series as they are when one goes, and gives its place to the next', () => {
    const bench = new Bench();
    bench.define(1);
    for (const id of ['first', 'second', 'third']) bench.add(id);
    bench.hear(1, 90);
    const gone = bench.watch('second');
    bench.engine.remove({ tenant: DEFAULT_TENANT, id: 'second' }, 'rule_deleted', MORNING_MS as UnixMs);
    bench.add('fourth', { value: 85 });
    bench.add('fifth', { value: 99 });
    bench.diary.length = 0;
    bench.hear(1, 95);
    expect(bench.diary).toEqual(['begin fourth at 95 by plc']);
    bench.hear(1, 20);
    expect(bench.diary.slice(1).sort()).toEqual(['first', 'fourth', 'third'].map((id) => `end ${id} cleared at 20`));
    expect(gone.voices).toMatchObject({ value: 90, lastMs: MORNING_MS + 1_000 });
    expect(['first', 'third', 'fourth', 'fifth'].map((id) => bench.watch(id).voices.value)).toEqual([20, 20, 20, 20]);
  });

  it('holds apart thousands of series and rules, more than it had room for at first', () => {
    const bench = new Bench();
    const series = Array.from({ length: 2_500 }, (_, at) => at);
    for (const at of series) {
      bench.define(at, { tag: `tag-${at}` });
      bench.add(`ar-${at}`, { tagName: `tag-${at}`, value: at });
    }
    for (const at of series) bench.hear(at, at);
    expect(bench.diary).toEqual([]);
    for (const at of series) bench.hear(at, at + 0.5);
    expect(bench.diary).toEqual(series.map((at) => `begin ar-${at} at ${at + 0.5} by plc`));
  });
});
