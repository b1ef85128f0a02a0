/** What alerts a list of samples must give: slow and obvious, each time from the whole history, with no state carried on. */
import type { Condition } from '../../src/alerts/rule.ts';
import { isBad } from '../../src/core/status.ts';
import type { RigSample } from './rig.ts';

export interface Episode {
  readonly triggeredMs: number;
  readonly value: number;
  /** Null while it is open. */
  readonly endedMs: number | null;
}

interface Point {
  readonly timeMs: number;
  readonly value: number;
  /** The change in one second since the point before; NaN where there is none without a bad sample between. */
  readonly rate: number;
  /** How much of the time since the point before counts. */
  readonly spanMs: number;
}

/** The samples of one series in the order of their arrival. */
export function episodesOf(samples: readonly RigSample[], condition: Condition, staleMs: number): Episode[] {
  const points = pointsOf(samples, staleMs);
  const episodes: Episode[] = [];
  for (let first = 0; first < points.length; ) {
    const fired = firing(points, first, condition);
    if (fired === undefined) break;
    const over = points.findIndex((point, index) => index > fired && isOver(point, condition));
    const { timeMs, value } = points[fired] as Point;
    episodes.push({ triggeredMs: timeMs, value, endedMs: over < 0 ? null : (points[over] as Point).timeMs });
    if (over < 0) break;
    first = over;
  }
  return episodes;
}

/** Usable samples that are not late. */
function pointsOf(samples: readonly RigSample[], staleMs: number): Point[] {
  const timely = samples.filter(({ timeMs }, index) => samples.slice(0, index).every((before) => before.timeMs <= timeMs));
  const isUsable = ({ value, status }: RigSample) => typeof value === 'number' && !Number.isNaN(value) && !isBad(status);
  return timely.flatMap((sample, index) => {
    if (!isUsable(sample)) return [];
    const before = timely[index - 1];
    const gapMs = before && isUsable(before) ? sample.timeMs - before.timeMs : Number.NaN;
    const value = sample.value as number;
    const rate = ((value - Number(before?.value)) * 1_000) / gapMs;
    return [{ timeMs: sample.timeMs, value, rate, spanMs: Number.isNaN(gapMs) ? 0 : Math.min(gapMs, staleMs) }];
  });
}

/** The first point from `first` on at which the condition has held for its duration. */
function firing(points: readonly Point[], first: number, condition: Condition): number | undefined {
  for (let end = first; end < points.length; end++) {
    if (holds(points[end] as Point, condition) !== true) continue;
    let begin = end;
    while (begin > first && holds(points[begin - 1] as Point, condition) !== false) begin--;
    while (holds(points[begin] as Point, condition) !== true) begin++;
    const heldMs = points.slice(begin + 1, end + 1).reduce((sum, point) => sum + (holds(point, condition) === true ? point.spanMs : 0), 0);
    if (heldMs >= condition.durationMs) return end;
  }
  return undefined;
}

/** Undefined where it cannot be told. */
function holds({ value, rate }: Point, { operator, value: threshold }: Condition): boolean | undefined {
  const [low, high] = typeof threshold === 'object' ? threshold : [Number(threshold), Number(threshold)];
  const told: Record<Condition['operator'], () => boolean | undefined> = {
    gt: () => value > low,
    gte: () => value >= low,
    lt: () => value < low,
    lte: () => value <= low,
    eq: () => value === low,
    neq: () => value !== low,
    between: () => low <= value && value <= high,
    outside: () => value < low || high < value,
    rate_of_change: () => (Number.isNaN(rate) ? undefined : low > 0 ? rate > low : rate < low),
  };
  return told[operator]();
}

function isOver(point: Point, condition: Condition): boolean {
  const { operator, clearValue } = condition;
  if (clearValue === undefined) return holds(point, condition) === false;
  if (holds(point, condition)) return false;
  return operator === 'gt' || operator === 'gte' ? point.value <= clearValue : point.value >= clearValue;
}
