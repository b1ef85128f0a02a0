/** A columnar engine in a folder of its own, with a clock and a file system whose room the test sets, filled day by day. */
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import type { SeriesId } from '../../../src/core/tag.ts';
import { toIso, type UnixMs } from '../../../src/core/time.ts';
import { ColumnarEngine } from '../../../src/store/engine/columnar.ts';
import type { EngineHook } from '../../../src/store/engine/steps.ts';
import type { AggregateQuery, RetentionPolicy } from '../../../src/store/telemetry.ts';
import { ManualClock } from '../../support/manual-clock.ts';
import { Feed } from '../contract/feed.ts';
import { type Row, rowsOf } from '../contract/model.ts';
import { ALWAYS } from '../contract/rig.ts';

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;
/** A midnight. */
export const FIRST_DAY_MS = Date.UTC(2026, 0, 6);

export class DaysRig {
  readonly clock: ManualClock;
  readonly dir: string;
  readonly reports: string[] = [];
  /** What the file system has left. */
  free: () => number = () => 2 ** 40;
  isClockTrusted = true;
  /** Called at each step of the engine's work. */
  hook: EngineHook = () => {};
  engine: ColumnarEngine;
  feed!: Feed;
  series: SeriesId[] = [];

  constructor(dir: string, clock = new ManualClock(FIRST_DAY_MS as UnixMs)) {
    this.dir = dir;
    this.clock = clock;
    this.engine = this.#make();
  }

  async open(): Promise<this> {
    this.feed = new Feed(this.engine, await this.engine.open());
    const known = [...this.feed.defs.keys()];
    this.series = known.length > 0 ? known : [this.feed.define('level'), this.feed.define('flow')];
    return this;
  }

  async reopen(): Promise<void> {
    await this.engine.close();
    this.engine = this.#make();
    await this.open();
  }

  /** As a kill would leave it. */
  async crash(dir: string): Promise<DaysRig> {
    cpSync(this.dir, dir, { recursive: true });
    return new DaysRig(dir, this.clock).open();
  }

  /** Samples each so many milliseconds for so many days, and of one moment in the next one; all that is due is sealed and compacted. */
  async fill(days: number, everyMs = MINUTE): Promise<void> {
    for (let day = 0; day < days; day++) {
      const fromMs = this.clock.now();
      for (let at = 0; at < DAY; at += everyMs) {
        for (const [index, id] of this.series.entries()) this.feed.add(id, fromMs + at + index, ((at * 7_919) % 1_000_003) / 7);
        if (at % (1_000 * everyMs) === 0) await this.feed.commit();
      }
      await this.feed.commit();
      this.clock.busy(DAY);
      await this.settle();
    }
    this.clock.busy(HOUR);
    for (const id of this.series) this.feed.add(id, this.clock.now(), 0);
    await this.feed.commit();
    await this.settle();
  }

  async retain(policy: RetentionPolicy): Promise<void> {
    await this.engine.setRetention(policy);
    await this.settle();
  }

  async settle(): Promise<void> {
    while (await this.engine.expire());
  }

  /** Days of which there is a file, as `01-06`. */
  files(): string[] {
    return readdirSync(join(this.dir, 'day'))
      .filter((name) => name.endsWith('.db'))
      .map((name) => toIso(Number(name.split('-')[0]) * DAY).slice(5, 10))
      .sort();
  }

  /** Days that have samples. */
  async daysWithSamples(): Promise<string[]> {
    return [...new Set((await this.raw()).map(({ timeMs }) => toIso(timeMs).slice(5, 10)))];
  }

  async raw(): Promise<Row[]> {
    const { columns } = await this.engine.raw({ series: this.series, range: ALWAYS, limit: 1_000_000 });
    return rowsOf(columns);
  }

  async aggregate(query: Omit<AggregateQuery, 'series' | 'range'> & Partial<AggregateQuery>) {
    const { timeMs, values, count } = await this.engine.aggregate({ series: this.series, range: ALWAYS, ...query });
    return [...timeMs].map((at, row) => ({ at, value: values[row], count: count[row] }));
  }

  #make(): ColumnarEngine {
    return new ColumnarEngine({
      dir: this.dir,
      clock: this.clock,
      isClockTrusted: () => this.isClockTrusted,
      report: (what) => this.reports.push(what),
      log: { segmentBytes: 256 << 10 },
      freeBytes: () => this.free(),
      hook: (step, what) => this.hook(step, what),
    });
  }
}
