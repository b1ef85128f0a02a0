/** What 10,000 alert rules cost a reading: the same readings of 10,000 tags given to the engine as apply gives them, with rules and without in turn. */
import { RuleEngine } from '../src/alerts/engine.ts';
import type { Rule } from '../src/alerts/rule.ts';
import { GOOD } from '../src/core/status.ts';
import { DEFAULT_TENANT, type SeriesDef, type SeriesId } from '../src/core/tag.ts';
import type { UnixMs } from '../src/core/time.ts';
import { type Benchmark, cpuUs, median, round } from './result.ts';

const TAGS = 10_000;
const TAGS_OF_AN_ASSET = 10;
/** Each tag once a second. */
const SECONDS_A_ROUND = 100;
const VALUES_A_ROUND = TAGS * SECONDS_A_ROUND;
/** Of each kind; the first of either warms the compiler up and does not count. */
const ROUNDS = 15;
const START_MS = Date.UTC(2026, 0, 6);

/** From 20 to 80 and back within two minutes, each tag at another place: a tenth of the time above the threshold. */
const THRESHOLD = 77;
const WAVE = Float64Array.from({ length: 120 }, (_, second) => 20 + Math.abs(60 - second));

class Plant {
  readonly engine: RuleEngine;
  episodes = 0;

  constructor(rules: number) {
    this.engine = new RuleEngine({
      episodes: {
        begin: () => {
          this.episodes++;
          return true;
        },
        end: () => undefined,
        staleAfterMs: () => 30_000,
      },
      newestMs: () => Number.NEGATIVE_INFINITY,
      standsUntilMs: () => Number.NEGATIVE_INFINITY,
    });
    for (let series = 0; series < TAGS; series++) this.engine.define(series as SeriesId, defOf(series));
    for (let series = 0; series < rules; series++) this.engine.add(ruleOf(series));
  }

  /** CPU nanoseconds a value. */
  round(fromSecond: number): number {
    const { engine } = this;
    const before = cpuUs();
    for (let second = fromSecond; second < fromSecond + SECONDS_A_ROUND; second++) {
      const timeMs = (START_MS + second * 1_000) as UnixMs;
      for (let series = 0; series < TAGS; series++) {
        engine.number(series as SeriesId, timeMs, WAVE[(second + series) % WAVE.length] as number, GOOD, false);
      }
    }
    return ((cpuUs() - before) * 1_000) / VALUES_A_ROUND;
  }
}

function defOf(series: number): SeriesDef {
  const asset = `asset-${Math.floor(series / TAGS_OF_AN_ASSET)}`;
  return { tenant: DEFAULT_TENANT, source: 'plc', asset, tag: `tag-${series % TAGS_OF_AN_ASSET}`, valueType: 'f64', generation: 0 };
}

/** Of one tag alone; of each ten one with a duration, one with a way back and one that waits for data. */
function ruleOf(series: number): Rule {
  const { tenant, asset, tag } = defOf(series);
  const kind = series % 10;
  return {
    tenant,
    id: `ar-${series}`,
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
    },
    channels: [],
    enabled: true,
    revision: 1,
    managedBy: 'api',
    createdMs: START_MS as UnixMs,
    updatedMs: START_MS as UnixMs,
  };
}

export const benchmark: Benchmark = {
  title: `alert rules: ${TAGS} rules, one for each of ${TAGS} tags`,
  run: async () => {
    const bare = new Plant(0);
    const watched = new Plant(TAGS);
    const without: number[] = [];
    const withRules: number[] = [];
    for (let count = 0; count < ROUNDS; count++) {
      without.push(bare.round(count * SECONDS_A_ROUND));
      withRules.push(watched.round(count * SECONDS_A_ROUND));
    }
    if (watched.engine.evaluations !== ROUNDS * VALUES_A_ROUND || watched.episodes === 0 || bare.engine.evaluations !== 0) {
      throw new Error('the rules did not hear the readings that they ask for');
    }
    const cost = withRules.slice(1).map((figure, index) => figure - (without[index + 1] as number));
    return {
      metrics: {
        us_per_value: round(median(cost) / 1_000, 4),
        ns_without_rules: round(median(without.slice(1)), 1),
        ns_with_rules: round(median(withRules.slice(1)), 1),
        episodes: watched.episodes,
      },
      goal: { us_per_value: 0.1 },
    };
  },
};
