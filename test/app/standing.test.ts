/** Alerts of values that do not change, from the door to the rules: what is polled, sent on change, sent over REST, and gone. */
import { describe, expect, it } from 'vitest';
import { Alerting } from '../../src/alerts/alerting.ts';
import type { RuleDraft } from '../../src/alerts/rule.ts';
import { Standing } from '../../src/app/standing.ts';
import { silentLog } from '../../src/core/log.ts';
import { BAD, GOOD } from '../../src/core/status.ts';
import { API_SOURCE, type Scalar } from '../../src/core/tag.ts';
import type { SourceSpec } from '../../src/ingest/source.ts';
import { draft } from '../alerts/rig.ts';
import { bench, open } from '../ingest/bench.ts';
import { source } from '../ingest/fake-driver.ts';
import { MORNING_MS } from '../support/manual-clock.ts';
import { MemoryAlerts } from '../support/memory-alerts.ts';

type Kind = 'polled' | 'opcua' | 'mqtt' | typeof API_SOURCE;

/** One tag of a source of this kind, with a deadband of 1, and alerting behind the real door. */
function plant(kind: Kind) {
  const heard: { alerting?: Alerting } = {};
  const consumer = () => ({
    number: (...sample: Parameters<Alerting['consumer']['number']>) => heard.alerting?.consumer.number(...sample),
    integer: (...sample: Parameters<Alerting['consumer']['integer']>) => heard.alerting?.consumer.integer(...sample),
    text: (...sample: Parameters<Alerting['consumer']['text']>) => heard.alerting?.consumer.text(...sample),
  });
  const b = bench({ consumer });
  const door = b.door(kind);
  const series = open(door, 'temperature', { deadband: { type: 'absolute', value: 1 } });
  const tags = [{ tag_name: 'temperature', asset_id: 'pump', writable: false }];
  const config = kind === 'polled' ? { polling_interval_ms: 1_000 } : {};
  const sources = [source(kind, { tags, config, type: kind === 'polled' || kind === API_SOURCE ? 'modbus' : kind })];
  const standing = new Standing({
    tags: b.tags,
    sources: () => sources,
    nowMs: () => b.pipeline.nowMs,
    monotonicMs: () => b.clock.monotonicMs(),
  });
  const alerting = new Alerting({
    clock: b.clock,
    clockTrusted: () => true,
    log: silentLog,
    records: new MemoryAlerts(),
    notifier: { notify: () => undefined },
    changes: async () => ({
      columns: { rows: 0, series: new Uint32Array(), timeMs: new Float64Array(), numbers: new Float64Array(), status: new Uint32Array() },
      next: '0',
    }),
    position: async () => '0',
    committed: async () => undefined,
    newest: (id) => standing.newest(id),
    standsUntilMs: (id) => standing.standsUntilMs(id),
    heardUntilMs: (id) => standing.heardUntilMs(id),
    periodMs: (...tag) => standing.periodMs(...tag),
  });
  heard.alerting = alerting;
  const say = (value: Scalar | null) => {
    if (value === null) door.missing(series, undefined, BAD);
    else if (typeof value === 'string') door.text(series, undefined, value, GOOD);
    else if (typeof value === 'bigint') door.integer(series, undefined, value, true, GOOD);
    else if (typeof value === 'boolean') door.boolean(series, undefined, value, GOOD);
    else door.number(series, undefined, value, GOOD);
    for (const [id, def] of b.announced) alerting.define(id, def);
  };
  const stop = new AbortController();
  const runs = alerting.run(stop.signal);
  return {
    b,
    door,
    series,
    sources,
    standing,
    say,
    rule: (condition: Partial<RuleDraft['condition']>) => alerting.rules.create('default', draft({ assetId: 'pump', ...condition })),
    alerting,
    open: () => alerting.openAlerts('default').map(({ kind: of, triggeredMs }) => [of, (triggeredMs - MORNING_MS) / 1_000]),
    /** Seconds pass; each second the value is read again, where one is given. */
    pass: async (seconds: number, value?: Scalar | null) => {
      for (let second = 0; second < seconds; second++) {
        if (value !== undefined) say(value);
        await b.clock.advance(1_000);
      }
    },
    end: async () => {
      stop.abort();
      await runs;
    },
  };
}

describe('missing data', () => {
  it('is not that of a polled tag whose value stays within its deadband, but of one that is polled no more', async () => {
    const p = plant('polled');
    await p.rule({ noDataMs: 5_000, value: 1_000 });
    await p.pass(30, 92);
    expect(p.b.stored('polled')).toHaveLength(1);
    expect(p.open()).toEqual([]);
    await p.pass(7);
    expect(p.open()).toMatchObject([['no_data', expect.any(Number)]]);
    await p.pass(3, 92); // polled again, and not stored again
    expect(p.b.stored('polled')).toHaveLength(1);
    expect(p.open()).toEqual([]);
    await p.end();
  });

  it('is not that of a steady tag whose server tells of changes, as long as the link holds', async () => {
    const p = plant('opcua');
    await p.rule({ noDataMs: 5_000, value: 1_000 });
    await p.pass(1, 92);
    await p.pass(30);
    expect(p.open()).toEqual([]);
    p.door.lost();
    await p.pass(7);
    expect(p.open()).toMatchObject([['no_data', expect.any(Number)]]);
    await p.end();
  });

  it.each(['mqtt', API_SOURCE] as const)('is that of a device behind %s that falls silent', async (kind) => {
    const p = plant(kind);
    await p.rule({ noDataMs: 5_000, value: 1_000 });
    await p.pass(4, 92);
    await p.pass(4);
    expect(p.open()).toEqual([]);
    await p.pass(3);
    expect(p.open()).toMatchObject([['no_data', expect.any(Number)]]);
    await p.end();
  });

  it('is that of a tag that is read as bad all the time', async () => {
    const p = plant('polled');
    await p.rule({ noDataMs: 5_000, value: 1_000 });
    await p.pass(3, 92);
    await p.pass(7, null);
    expect(p.open()).toMatchObject([['no_data', expect.any(Number)]]);
    await p.end();
  });
});

describe('a value that stands', () => {
  it('does so while the link does, and no longer than the loss of it', async () => {
    const p = plant('opcua');
    await p.pass(1, 92);
    const untilMs = p.standing.standsUntilMs(p.series);
    await p.pass(5);
    expect(p.standing.standsUntilMs(p.series)).toBe(untilMs + 5_000);
    p.door.lost();
    const lostMs = p.standing.standsUntilMs(p.series);
    await p.pass(5);
    expect(p.standing.standsUntilMs(p.series)).toBe(lostMs);
    await p.end();
  });

  it('goes by the period that its source has now, some seconds after that was changed', async () => {
    const p = plant('polled');
    expect(p.standing.periodMs('default', 'pump', 'temperature')).toBe(1_000);
    p.sources[0] = { ...(p.sources[0] as SourceSpec), config: { polling_interval_ms: 5_000 } };
    await p.pass(11);
    expect(p.standing.periodMs('default', 'pump', 'temperature')).toBe(5_000);
    await p.end();
  });

  it('is judged by a new rule, after its duration', async () => {
    const p = plant('polled');
    await p.pass(10, 92);
    await p.rule({ durationMs: 60_000 });
    await p.pass(59, 92);
    expect(p.open()).toEqual([]);
    await p.pass(4, 92);
    expect(p.open()).toEqual([['condition', 69]]);
    await p.end();
  });

  it.each(['polled', 'opcua', 'mqtt'] as const)('of %s fires anew when its alert is resolved by hand', async (kind) => {
    const p = plant(kind);
    await p.rule({ durationMs: 10_000 });
    p.say(92);
    const again = kind === 'polled' ? 92 : undefined;
    await p.pass(15, again);
    const [first] = p.alerting.openAlerts('default');
    expect(first).toMatchObject({ value: 92 });
    await p.alerting.resolve({ tenant: 'default', id: first?.id ?? '' }, { by: 'operator', note: undefined });
    await p.pass(8, again);
    expect(p.open()).toEqual([]);
    await p.pass(5, again);
    expect(p.alerting.openAlerts('default')).toMatchObject([{ value: 92 }]);
    expect(p.alerting.openAlerts('default')[0]?.id).not.toBe(first?.id);
    await p.end();
  });

  it('fires anew when the rule gets another threshold, and when it is enabled', async () => {
    const p = plant('polled');
    const rule = await p.rule({});
    await p.pass(3, 100);
    for (const change of [draft({ value: 79 }), draft({ value: 79 }, { enabled: false }), draft({ value: 79 })]) {
      await p.alerting.rules.change(rule, () => change);
      expect(p.open()).toEqual([]);
      await p.pass(3, 100);
      expect(p.open()).toHaveLength(change.enabled ? 1 : 0);
    }
    await p.alerting.rules.change(rule, () => draft({ value: 101 }));
    await p.pass(3, 100);
    expect(p.open()).toEqual([]);
    await p.end();
  });

  it.each([
    ['open', { operator: 'eq', value: 'open' }],
    [false, { operator: 'eq', value: false }],
    [2n ** 60n, { operator: 'gt', value: 2 ** 59 }],
  ] as const)('may be %s', async (value, condition) => {
    const p = plant('opcua');
    p.say(value);
    await p.pass(1);
    await p.rule(condition);
    await p.pass(2);
    expect(p.open()).toHaveLength(1);
    await p.end();
  });

  it('is not judged behind a bad sample, nor when the link is lost, nor when nobody vouches for it', async () => {
    for (const [kind, end] of [
      ['polled', (p: ReturnType<typeof plant>) => p.say(null)],
      ['opcua', (p: ReturnType<typeof plant>) => p.door.lost()],
      [API_SOURCE, () => undefined],
    ] as const) {
      const p = plant(kind);
      p.say(92);
      await p.pass(1);
      end(p);
      await p.rule({});
      await p.pass(5);
      expect(p.open()).toEqual([]);
      await p.pass(2, 92);
      expect(p.open()).toHaveLength(1);
      await p.end();
    }
  });

  it('does not fire when its source is gone while the duration runs', async () => {
    const p = plant('opcua');
    await p.rule({ durationMs: 15_000 });
    p.say(95);
    await p.pass(10);
    p.door.lost();
    await p.pass(30);
    expect(p.open()).toEqual([]);
    await p.end();
  });
});
