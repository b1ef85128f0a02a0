/** What alerts a list of samples must give: slow and obvious, each time from the whole history, with no state carried on. */
import type { Condition } from '../../src/alerts/rule.ts';
import { isBad } from '../../src/core/status.ts';
import type { ValueType } from '../../src/core/tag.ts';
import type { RigSample } from './rig.ts';

export interface Episode {
  readonly triggeredMs: number;
  readonly value: number | string | boolean;
  /** Null while it is open. */
  readonly endedMs: number | null;
}

interface Point {
  readonly timeMs: number;
  readonly value: number | string;
  /** The change in one second since the point before; NaN where there is none without a bad sample between. */
  readonly rate: number;
  /** How much of the time since the point before counts. */
  readonly spanMs: number;
}

/** The samples of one asset's tag in the order of their arrival, whatever source they are of. */
export function episodesOf(samples: readonly RigSample[], condition: Condition, of: { staleMs: number; type: ValueType }): Episode[] {
  const points = pointsOf(samples, typeof condition.value === 'string', of.staleMs);
  return episodesIn(points, of.type === 'f32' ? asF32(condition) : condition).map((episode) => ({
    ...episode,
    value: shown(episode.value, of.type),
  }));
}

/** What is read is the nearest 32-bit float, so that is what it is held against. A rate of change is no such reading. */
function asF32(condition: Condition): Condition {
  const { operator, value, clearValue } = condition;
  if (operator === 'rate_of_change') return condition;
  const nearest = typeof value === 'object' ? ([Math.fround(value[0]), Math.fround(value[1])] as const) : Math.fround(Number(value));
  return { ...condition, value: nearest, ...(clearValue !== undefined && { clearValue: Math.fround(clearValue) }) };
}

/** As a person would write it. */
function shown(value: number | string | boolean, type: ValueType): number | string | boolean {
  if (type === 'bool') return value === 1;
  return type === 'f32' ? Number(Number(value).toPrecision(6)) : value;
}

function episodesIn(points: readonly Point[], condition: Condition): Episode[] {
  const episodes: Episode[] = [];
  for (let first = 0; first < points.length; ) {
    const fired = firing(points, first, condition);
    if (fired === undefined) break;
    const over = points.findIndex((point, index) => index > fired && isOver(point, condition));
    const { timeMs, value } = points[fired] as Point;
    // By the clock of another source it may be over before it began.
    const endedMs = over < 0 ? null : Math.max(timeMs, (points[over] as Point).timeMs);
    episodes.push({ triggeredMs: timeMs, value, endedMs });
    if (over < 0) break;
    first = over;
  }
  return episodes;
}

/** Usable samples that are not late by the clock of their own source. */
function pointsOf(samples: readonly RigSample[], wantsText: boolean, staleMs: number): Point[] {
  const timely = samples.filter(({ timeMs, series }, index) =>
    samples.slice(0, index).every((before) => before.series !== series || before.timeMs <= timeMs),
  );
  const isUsable = ({ value, status }: RigSample) => (typeof value === 'string') === wantsText && !Number.isNaN(value) && !isBad(status);
  return timely.flatMap((sample, index) => {
    if (!isUsable(sample)) return [];
    const { timeMs } = sample;
    const value = typeof sample.value === 'string' ? sample.value : Number(sample.value);
    const own = timely.slice(0, index).findLast(({ series }) => series === sample.series);
    const rate = own && isUsable(own) ? ((Number(value) - Number(own.value)) * 1_000) / (timeMs - own.timeMs) : Number.NaN;
    // What counted until now, unless its own source has taken it back. Of the time since that and since this source spoke last the less counts.
    const standing = timely.slice(0, index).findLast(isUsable);
    const isTakenBack = !standing || !isUsable(timely.slice(0, index).findLast(({ series }) => series === standing.series) as RigSample);
    const gapMs = isTakenBack ? 0 : Math.min(timeMs - standing.timeMs, timeMs - (own?.timeMs ?? Number.NEGATIVE_INFINITY));
    return [{ timeMs, value, rate, spanMs: Math.min(Math.max(0, gapMs), staleMs) }];
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
function holds({ value: said, rate }: Point, { operator, value: threshold }: Condition): boolean | undefined {
  if (typeof threshold === 'string') return operator === 'eq' ? said === threshold : said !== threshold;
  const value = Number(said);
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
  return operator === 'gt' || operator === 'gte' ? Number(point.value) <= clearValue : Number(point.value) >= clearValue;
}
