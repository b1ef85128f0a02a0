/** The polls of one run: a loop for each interval, whose tags may change while it goes on. */
import { aborted, type Clock } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import type { ThrottledLog } from '../../core/log.ts';
import { GOOD, isBad } from '../../core/status.ts';
import { ticks } from '../../core/ticker.ts';
import { type LinkReport, tagKey } from '../driver.ts';
import type { ModbusLink } from './link.ts';
import type { ReadLimits } from './plan.ts';
import type { Point } from './point.ts';
import { type PolledPoint, PollGroup } from './poll-group.ts';

/** The reason of a degraded source names so many of the failing tags. */
const NAMED_TAGS = 3;

export interface PollingContext {
  readonly link: ModbusLink;
  readonly limits: ReadLimits;
  readonly emit: Emit;
  readonly clock: Clock;
  readonly log: ThrottledLog;
  readonly report: (link: LinkReport) => void;
}

export class Polling {
  readonly #context: PollingContext;
  /** By interval; none is empty. */
  readonly #groups = new Map<number, PollGroup>();
  /** By `tagKey`. */
  #points: ReadonlyMap<string, PolledPoint> = new Map();
  /** While `run` goes on. */
  #begin: (group: PollGroup) => void = () => {};

  constructor(points: Iterable<Point>, context: PollingContext) {
    this.#context = context;
    this.replace(points);
  }

  /** Resolves on abort; rejects as the first loop that fails does, when the others have ended. */
  async run(signal: AbortSignal): Promise<void> {
    const failed = new AbortController();
    const stop = AbortSignal.any([signal, failed.signal]);
    const loops = new Set<Promise<void>>();
    const failures: unknown[] = [];
    this.#begin = (group) => {
      const loop = this.#poll(group, stop)
        .catch((error: unknown) => {
          if (stop.aborted) return;
          failures.push(error);
          failed.abort();
        })
        .finally(() => loops.delete(loop));
      loops.add(loop);
    };
    for (const group of this.#groups.values()) this.#begin(group);
    await aborted(stop);
    this.#begin = () => {};
    await Promise.all(loops);
    if (failures.length > 0) throw failures[0];
  }

  /**
   * Polls these points from now on. One of the same tag as before goes on in its loop, also in the round under way;
   * what still comes for the others goes nowhere. A tag that the door does not take is not read.
   */
  replace(points: Iterable<Point>): void {
    const before = this.#points;
    const kept = new Map<string, PolledPoint>();
    for (const point of points) {
      const polled = this.polled(point) ?? this.#open(point);
      if (polled) kept.set(tagKey(point), polled);
    }
    this.#points = kept;
    for (const [key, point] of before) if (kept.get(key) !== point) point.left = true;
    this.#regroup();
  }

  /** What is polled for a point; undefined where the door does not take it, or its tag has been changed since. */
  polled(point: Point): PolledPoint | undefined {
    const polled = this.#points.get(tagKey(point));
    return polled?.rule === point.rule ? polled : undefined;
  }

  /** Says which tags fail. */
  report(): void {
    const { log, report } = this.#context;
    const failing = [...this.#points.values()].filter((point) => isBad(point.status));
    if (failing.length === 0) {
      report({ tagsFailed: 0 });
      return;
    }
    const named = failing.slice(0, NAMED_TAGS).map((point) => `${point.tagName} (${point.failure?.message})`);
    const others = failing.length - named.length;
    const reason = `no value for ${named.join(', ')}${others > 0 ? ` and ${others} more` : ''}`;
    log.warn(`failing ${failing.length}`, { tagsFailed: failing.length }, reason);
    report({ tagsFailed: failing.length, reason });
  }

  #open(point: Point): PolledPoint | undefined {
    const series = this.#context.emit.series(point.emitTag);
    return series === undefined ? undefined : { ...point, series, status: GOOD, failure: undefined, last: undefined, left: false };
  }

  #regroup(): void {
    const byInterval = new Map<number, PolledPoint[]>();
    for (const point of this.#points.values()) {
      const points = byInterval.get(point.intervalMs) ?? [];
      points.push(point);
      byInterval.set(point.intervalMs, points);
    }
    for (const [intervalMs, group] of this.#groups) {
      if (byInterval.has(intervalMs)) continue;
      group.end();
      this.#groups.delete(intervalMs);
    }
    for (const [intervalMs, points] of byInterval) {
      const known = this.#groups.get(intervalMs);
      if (known) known.replace(points);
      else {
        const group = new PollGroup(intervalMs, points, this.#context);
        this.#groups.set(intervalMs, group);
        this.#begin(group);
      }
    }
  }

  /** Until the stop or the end of the group: that one only keeps it from waiting, for a request that is cut off costs the socket. */
  async #poll(group: PollGroup, stop: AbortSignal): Promise<void> {
    const { clock, log } = this.#context;
    const { intervalMs } = group;
    for await (const { missed } of ticks(clock, intervalMs, AbortSignal.any([stop, group.ended]))) {
      if (missed > 0) log.warn('late', { intervalMs, missed }, 'polls were missed: the device takes longer than the polling interval');
      if (await group.poll(stop)) this.report();
    }
  }
}
