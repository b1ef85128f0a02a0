/**
 * What alert rules cost a reading: the same readings of 10,000 tags given to the engine as apply gives them, in turn without rules, with one
 * and with five for each tag, with one for the rate of change, and to a loop that only adds them up, by which runs on different days compare.
 */
import { RuleEngine } from '../src/alerts/engine.ts';
import type { Condition, Rule } from '../src/alerts/rule.ts';
import { GOOD, type StatusCode } from '../src/core/status.ts';
import { DEFAULT_TENANT, type SeriesDef, type SeriesId } from '../src/core/tag.ts';
import type { UnixMs } from '../src/core/time.ts';
import { type Benchmark, cpuUs, median, round } from './result.ts';

const TAGS = 10_000;
const TAGS_OF_AN_ASSET = 10;
/** Each tag once a second. */
const SECONDS_A_ROUND = 100;
const VALUES_A_ROUND = TAGS * SECONDS_A_ROUND;
/** Of each kind; the first of each warms the compiler up and does not count. */
const ROUNDS = 15;
const RULES_OF_A_TAG = 5;
const START_MS = Date.UTC(2026, 0, 6);

/** From 20 to 80 and back within two minutes, each tag at another place: a tenth of the time above the threshold. */
const THRESHOLD = 77;
const WAVE = Float64Array.from({ length: 120 }, (_, second) => 20 + Math.abs(60 - second));

interface Heard {
  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void;
}

/** CPU nanoseconds a value. */
function cpuNs(heard: Heard, fromSecond: number): number {
  const before = cpuUs();
  for (let second = fromSecond; second < fromSecond + SECONDS_A_ROUND; second++) {
    const timeMs = (START_MS + second * 1_000) as UnixMs;
    for (let series = 0; series < TAGS; series++) {
      heard.number(series as SeriesId, timeMs, WAVE[(second + series) % WAVE.length] as number, GOOD, false);
    }
  }
  return ((cpuUs() - before) * 1_000) / VALUES_A_ROUND;
}

/** Reads what the engine is given, and nothing else. */
class Sum implements Heard {
  total = 0;

  number(_series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, historical: boolean): void {
    if (!historical && status === GOOD) this.total += value + timeMs;
  }
}

class Plant {
  readonly engine: RuleEngine;
  episodes = 0;

  constructor(rules: readonly Rule[]) {
    this.engine = new RuleEngine({
      episodes: {
        begin: () => {
          this.episodes++;
          return true;
        },
        end: () => undefined,
        staleAfterMs: () => 30_000,
      },
      newest: () => undefined,
      standsUntilMs: () => Number.NEGATIVE_INFINITY,
      heardUntilMs: () => Number.NEGATIVE_INFINITY,
    });
    for (let series = 0; series < TAGS; series++) this.engine.define(series as SeriesId, defOf(series));
    for (const rule of rules) this.engine.add(rule);
  }
}

function defOf(series: number): SeriesDef {
  const asset = `asset-${Math.floor(series / TAGS_OF_AN_ASSET)}`;
  return { tenant: DEFAULT_TENANT, source: 'plc', asset, tag: `tag-${series % TAGS_OF_AN_ASSET}`, valueType: 'f64', generation: 0 };
}

/** Of one tag alone; of each ten one with a duration, one with a way back and one that waits for data. */
function ruleOf(series: number, more: Partial<Condition> = {}): Rule {
  const { tenant, asset, tag } = defOf(series);
  const kind = series % 10;
  return {
    tenant,
    id: `ar-${series}-${JSON.stringify(more)}`,
    name: `rule ${series}`,
    severity: 'warning',
    condition: {
      tagName: tag,
      assetId: asset,
      operator: 'gt',
      value: THRESHOLD,
      durationMs: kind === 1 ? 5_000 : 0,
      ...(kind === 2 && { clearValue: THRESHOLD - 5 }),
      ...(kind === 3 && { noDataMs: 60_000 }),
      ...more,
    },
    channels: [],
    enabled: true,
    revision: 1,
    managedBy: 'api',
    createdMs: START_MS as UnixMs,
    updatedMs: START_MS as UnixMs,
  };
}

const tags = Array.from({ length: TAGS }, (_, series) => series);
/** As somebody adds them who goes from tag to tag. */
const five = tags.flatMap((series) => Array.from({ length: RULES_OF_A_TAG }, (_, nth) => ruleOf(series, { value: THRESHOLD - nth * 10 })));
const rates = tags.map((series) => ruleOf(series, { operator: 'rate_of_change', value: 0.5, durationMs: 0 }));

export const benchmark: Benchmark = {
  title: `alert rules: ${TAGS} rules, one for each of ${TAGS} tags`,
  run: async () => {
    const plants = {
      none: new Plant([]),
      one: new Plant(tags.map((series) => ruleOf(series))),
      five: new Plant(five),
      rate: new Plant(rates),
    };
    const bare = new Sum();
    const found = { bare: [] as number[], none: [] as number[], one: [] as number[], five: [] as number[], rate: [] as number[] };
    for (let count = 0; count < ROUNDS; count++) {
      found.bare.push(cpuNs(bare, count * SECONDS_A_ROUND));
      for (const kind of ['none', 'one', 'five', 'rate'] as const) found[kind].push(cpuNs(plants[kind].engine, count * SECONDS_A_ROUND));
    }
    const expected = { none: 0, one: 1, five: RULES_OF_A_TAG, rate: 1 };
    for (const [kind, { engine, episodes }] of Object.entries(plants)) {
      const rules = expected[kind as keyof typeof expected];
      if (engine.evaluations !== rules * ROUNDS * VALUES_A_ROUND || (rules > 0 && episodes === 0)) {
        throw new Error(`the rules "${kind}" did not hear the readings that they ask for`);
      }
    }
    const ns = (kind: keyof typeof found) => median(found[kind].slice(1));
    /** Less what a reading costs that no rule asks for. */
    const cost = (kind: keyof typeof found) => median(found[kind].slice(1).map((figure, at) => figure - (found.none[at + 1] as number)));
    return {
      metrics: {
        us_per_value: round(cost('one') / 1_000, 4),
        five_rules_us_per_value: round(cost('five') / 1_000, 4),
        rate_us_per_value: round(cost('rate') / 1_000, 4),
        ns_bare_loop: round(ns('bare'), 1),
        ns_without_rules: round(ns('none'), 1),
        ns_with_rules: round(ns('one'), 1),
        times_bare_loop: round(ns('one') / ns('bare'), 1),
        episodes: plants.one.episodes,
      },
      goal: { us_per_value: 0.1 },
    };
  },
};
