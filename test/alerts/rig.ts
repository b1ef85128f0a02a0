/** Alerting over a log of readings in memory: what is durable, what a crash takes, and what a restart finds. */
import { Alerting } from '../../src/alerts/alerting.ts';
import type { AlertNotice } from '../../src/alerts/notice.ts';
import type { RuleDraft, RuleSpec } from '../../src/alerts/rule.ts';
import { silentLog } from '../../src/core/log.ts';
import { BAD, GOOD, type StatusCode } from '../../src/core/status.ts';
import { DEFAULT_TENANT, type SeriesDef, type SeriesId } from '../../src/core/tag.ts';
import type { UnixMs } from '../../src/core/time.ts';
import type { Columns } from '../../src/store/telemetry.ts';
import { ManualClock } from '../support/manual-clock.ts';
import { MemoryAlerts } from '../support/memory-alerts.ts';

export interface RigSample {
  readonly series: SeriesId;
  readonly timeMs: UnixMs;
  /** NaN is no value. */
  readonly value: number | string | bigint;
  readonly status: StatusCode;
}

export class AlertRig {
  readonly clock = new ManualClock();
  readonly records = new MemoryAlerts();
  readonly notices: AlertNotice[] = [];
  readonly log: RigSample[] = [];
  /** Samples before this survive a crash. */
  durable = 0;
  trusted = true;
  /** Of every tag; undefined: readings come on change only. */
  periodMs: number | undefined;
  standsUntil = Number.NEGATIVE_INFINITY;
  /** The only series whose source vouches until then; undefined: of each. */
  vouching: SeriesId | undefined;
  /** Called whenever it is asked until when a series stands. */
  onAsked: () => void = () => {};
  alerting: Alerting;
  readonly #defs: SeriesDef[] = [];
  #running = new AbortController();
  #runs: Promise<void> = Promise.resolve();

  constructor() {
    this.alerting = this.#make();
  }

  /** Starts, as the daemon does after it was stopped or killed. */
  async start(specs: readonly RuleSpec[] = []): Promise<void> {
    this.alerting = this.#make();
    for (const [series, def] of this.#defs.entries()) this.alerting.define(series as SeriesId, def);
    await this.alerting.load(specs);
    this.#running = new AbortController();
    this.#runs = this.alerting.run(this.#running.signal);
  }

  /** Ends without a word; what was not durable is lost. */
  async kill(): Promise<void> {
    this.#running.abort();
    await this.#runs;
    this.log.length = this.durable;
  }

  series(asset: string, tag: string, more: Partial<SeriesDef> = {}): SeriesId {
    const def: SeriesDef = { tenant: DEFAULT_TENANT, source: 'plc', asset, tag, valueType: 'f64', generation: 0, ...more };
    const series = (this.#defs.push(def) - 1) as SeriesId;
    this.alerting.define(series, def);
    return series;
  }

  /** A reading; `null` is a bad one. Late ones carry the mark that the door gives them. */
  hear(series: SeriesId, timeMs: number, value: number | string | bigint | null, status: StatusCode = value === null ? BAD : GOOD): void {
    const sample = { series, timeMs: timeMs as UnixMs, value: value ?? Number.NaN, status };
    const isLate = sample.timeMs < this.#newestMs(series);
    this.log.push(sample);
    if (typeof sample.value === 'string') this.alerting.consumer.text(series, sample.timeMs, sample.value, status, isLate);
    else if (typeof sample.value === 'bigint') this.alerting.consumer.integer(series, sample.timeMs, sample.value, true, status, isLate);
    else this.alerting.consumer.number(series, sample.timeMs, sample.value, status, isLate);
  }

  /** Time passes, and everything that was due is done. */
  async pass(durationMs: number): Promise<void> {
    for (let left = durationMs; left > 0; left -= 250) await this.clock.advance(Math.min(250, left));
  }

  #until(series: SeriesId): number {
    this.onAsked();
    return this.vouching === undefined || this.vouching === series ? this.standsUntil : Number.NEGATIVE_INFINITY;
  }

  #newestMs(series: SeriesId): number {
    return Math.max(Number.NEGATIVE_INFINITY, ...this.log.filter((sample) => sample.series === series).map(({ timeMs }) => timeMs));
  }

  #make(): Alerting {
    return new Alerting({
      clock: this.clock,
      clockTrusted: () => this.trusted,
      log: silentLog,
      records: this.records,
      notifier: { notify: (notice) => this.notices.push(notice) },
      changes: async (cursor, limit) => {
        const from = Number(cursor);
        const rows = this.log.slice(from, Math.min(this.durable, from + limit));
        return { columns: columnsOf(rows), next: String(from + rows.length) };
      },
      position: async () => String(this.durable),
      committed: async () => {
        this.durable = this.log.length;
      },
      newest: (series) => {
        const newest = this.log.findLast((sample) => sample.series === series && sample.timeMs === this.#newestMs(series));
        return newest && { ...newest, value: Number(newest.value), text: typeof newest.value === 'string' ? newest.value : undefined };
      },
      standsUntilMs: (series) => this.#until(series),
      heardUntilMs: (series) => this.#until(series),
      periodMs: () => this.periodMs,
    });
  }
}

export function draft(condition: Partial<RuleDraft['condition']> = {}, more: Partial<RuleDraft> = {}): RuleDraft {
  return {
    name: 'High Temperature',
    severity: 'warning',
    condition: { tagName: 'temperature', operator: 'gt', value: 80, durationMs: 0, ...condition },
    channels: ['email'],
    enabled: true,
    ...more,
  };
}

function columnsOf(rows: readonly RigSample[]): Columns {
  return {
    rows: rows.length,
    series: Uint32Array.from(rows, ({ series }) => series),
    timeMs: Float64Array.from(rows, ({ timeMs }) => timeMs),
    numbers: Float64Array.from(rows, ({ value }) => (typeof value === 'number' ? value : Number.NaN)),
    status: Uint32Array.from(rows, ({ status }) => status),
    wide: rows.map(({ value }) => (typeof value === 'number' ? undefined : value)),
  };
}
