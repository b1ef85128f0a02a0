/** Alerting as the house sees it: readings in, alerts out; rules and alerts for the API; everything that a restart must not forget. */
import type { Clock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { StatusCode } from '../core/status.ts';
import type { SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import { Turns } from '../core/turns.ts';
import type { AlertFilter, AlertStore, RecordStore } from '../store/records.ts';
import type { ChangesPage } from '../store/telemetry.ts';
import { type Alert, fromStoredAlert, type Resolution, type Severity } from './alert.ts';
import { AlertBook, type Remark } from './book.ts';
import { type NewestSample, RuleEngine, type SavedWatches } from './engine.ts';
import { Keeper, RULE_ROW, type RuleRow, scopeOf } from './keeper.ts';
import type { Notifier } from './notice.ts';
import { RuleRegistry } from './registry.ts';
import type { Rule, RuleKey, RuleSpec, RuleState, Shelf } from './rule.ts';
import type { Watch } from './watch.ts';
import type { WatchState } from './watch-state.ts';

const TICK_MS = 1_000;
/** Between two looks at the clock. */
const WATCHES_A_LOOK = 64;
const REPLAY_ROWS = 10_000;

/** What alerting asks of the house. */
export interface AlertingPorts {
  readonly clock: Clock;
  /** While false, time that passes without data does not count, and no resolved alert is too old. */
  readonly clockTrusted: () => boolean;
  readonly log: Log;
  readonly records: AlertStore & Pick<RecordStore, 'documents' | 'putDocument' | 'removeDocument'>;
  readonly notifier: Notifier;
  /** Of the store: what has arrived since a place. */
  readonly changes: (cursor: string, limit: number) => Promise<ChangesPage>;
  /** As `Keeper` asks. */
  readonly position: (signal: AbortSignal) => Promise<string>;
  readonly committed: (signal: AbortSignal) => Promise<void>;
  /** As `RuleEngine` asks. */
  readonly newest: (series: SeriesId) => NewestSample | undefined;
  readonly standsUntilMs: (series: SeriesId) => number;
  readonly heardUntilMs: (series: SeriesId) => number;
  /** How often a tag is sampled; undefined where readings come on change only. */
  readonly periodMs: (tenant: string, asset: string, tag: string) => number | undefined;
}

/** For the metrics. */
export interface AlertingStats {
  /** That are enabled. */
  readonly rules: number;
  readonly openAlerts: Readonly<Record<Severity, number>>;
  /** Readings, once for each rule that asks for them. */
  readonly evaluations: number;
  /** Assets not watched and alerts not opened, as there are too many. */
  readonly unwatched: number;
  readonly refused: number;
  /** For how long something has been waiting to be saved. */
  readonly lagMs: number;
}

export interface AlertKey {
  readonly tenant: string;
  readonly id: string;
}

export type AlertQuery = Omit<AlertFilter, 'statuses'> & { readonly statuses: readonly Alert['status'][] };

/** A late sample stands three periods, as a twin's health has it; where there is no period a value stands until the next. */
const PERIODS_TO_STALE = 3;

export class Alerting {
  readonly rules: RuleRegistry;
  /** Hears of every alert that is new or has changed. */
  onAlert: ((alert: Alert) => void) | undefined;
  readonly #ports: AlertingPorts;
  readonly #engine: RuleEngine;
  readonly #book: AlertBook;
  readonly #keeper: Keeper;

  constructor(ports: AlertingPorts) {
    this.#ports = ports;
    const { clock, clockTrusted, log, records, notifier, position, committed } = ports;
    this.#book = new AlertBook({
      now: () => clock.now(),
      onChange: (alert, watch) => {
        this.#keeper.alertChanged(alert, watch);
        this.onAlert?.(alert);
      },
    });
    this.#engine = new RuleEngine({
      episodes: {
        begin: (watch, kind, timeMs) => this.#book.begin(watch, kind, timeMs),
        end: (watch, resolution, timeMs) => this.#book.end(watch, resolution, timeMs),
        staleAfterMs: ({ rule, asset }) =>
          PERIODS_TO_STALE * (ports.periodMs(rule.tenant, asset, rule.condition.tagName) ?? Number.POSITIVE_INFINITY),
      },
      newest: ports.newest,
      standsUntilMs: ports.standsUntilMs,
      heardUntilMs: ports.heardUntilMs,
    });
    this.#keeper = new Keeper({
      clock,
      clockTrusted,
      log,
      records,
      notifier,
      position,
      committed,
      watches: () => this.#engine.allWatches(),
      engineMs: () => this.#engine.engineMs,
      onTold: (alert, events) => this.#book.told(alert, events),
    });
    this.rules = new RuleRegistry({ clock, records, engine: this.#engine, keeper: this.#keeper });
  }

  /** Hears of every reading on the main thread. */
  get consumer(): RuleEngine {
    return this.#engine;
  }

  /** A series exists; before its first sample. */
  define(series: SeriesId, def: SeriesDef): void {
    this.#engine.define(series, def);
  }

  /** Takes up rules, states and open alerts as they were left, then plays the readings that came in behind. All series are defined. */
  async load(specs: readonly RuleSpec[]): Promise<void> {
    const { records } = this.#ports;
    const { cursor, states } = await records.ruleStates();
    const saved = new Map<string, Map<string, unknown>>();
    for (const { tenant, ruleId, asset, body } of states) {
      const key = `${tenant}\0${ruleId}`;
      const rows = saved.get(key) ?? new Map<string, unknown>();
      saved.set(key, rows.set(asset, body));
    }
    await this.rules.load(specs, (rule) => savedStates(rule, saved.get(`${rule.tenant}\0${rule.id}`)));
    for (const { tenant, ruleId } of states) {
      if (!this.rules.get({ tenant, id: ruleId })?.enabled) this.#keeper.ruleEnds({ tenant, id: ruleId }, []);
    }
    for (const stored of await records.pendingAlerts()) this.#takeUp(fromStoredAlert(stored));
    for (const watch of this.#engine.allWatches()) {
      const isOpen = watch.alertId !== undefined && this.#book.get(watch.rule.tenant, watch.alertId) !== undefined;
      if (!isOpen && (watch.phase === 'firing' || watch.phase === 'no_data')) this.#engine.reset(watch);
      if (!isOpen) watch.alertId = undefined;
    }
    if (cursor !== null && this.#engine.ruleCount > 0) await this.#replay(cursor);
    await this.#keeper.checkpoint();
  }

  /** Time, saving and telling until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all([this.#keeper.run(signal), this.#ticking(signal)]);
  }

  /** To be called when no more readings come, and before the store stops. */
  async close(): Promise<void> {
    await this.#keeper.checkpoint();
  }

  stateOf(rule: RuleKey): RuleState {
    return this.#engine.stateOf(rule);
  }

  stats(): AlertingStats {
    const { ruleCount, evaluations, unwatched } = this.#engine;
    return {
      rules: ruleCount,
      openAlerts: this.#book.bySeverity(),
      evaluations,
      unwatched,
      refused: this.#book.refused,
      lagMs: this.#keeper.lagMs,
    };
  }

  /** Of the tenant, newest first. */
  openAlerts(tenant: string): readonly Alert[] {
    return this.#book.list(tenant);
  }

  /** A page, newest first, and how many there are in all. Rejects as the records do where resolved ones are asked for. */
  async list(query: AlertQuery): Promise<{ readonly alerts: readonly Alert[]; readonly total: number }> {
    const { tenant, statuses, severities, fromMs, toMs, limit, skip } = query;
    if (statuses.includes('resolved')) {
      await this.#keeper.flush();
      const { rows, total } = await this.#ports.records.alerts(query);
      return { alerts: rows.map(fromStoredAlert), total };
    }
    const found = this.#book
      .list(tenant)
      .filter(({ status, severity }) => statuses.includes(status) && (severities?.includes(severity) ?? true))
      .filter(({ triggeredMs }) => (fromMs === undefined || triggeredMs >= fromMs) && (toMs === undefined || triggeredMs < toMs));
    return { alerts: found.slice(skip, skip + limit), total: found.length };
  }

  async get({ tenant, id }: AlertKey): Promise<Alert | undefined> {
    const open = this.#book.get(tenant, id);
    if (open) return open;
    await this.#keeper.flush();
    const stored = await this.#ports.records.alert(tenant, id);
    return stored && fromStoredAlert(stored);
  }

  /** Again it adds the note. Undefined when there is none. Rejects `alert_resolved`; as the records do when it is done but not saved yet. */
  acknowledge(at: AlertKey, remark: Remark): Promise<Alert | undefined> {
    return this.#act(at, () => this.#book.acknowledge(at.id, remark));
  }

  /** One that is resolved is given back as it is. A condition that still holds fires anew after its duration. Undefined when there is none. */
  async resolve(at: AlertKey, remark: Remark): Promise<Alert | undefined> {
    const alert = this.#book.get(at.tenant, at.id);
    if (!alert) return this.get(at);
    const watch = this.#engine.watches({ tenant: alert.tenant, id: alert.ruleId }).get(alert.assetId);
    if (watch?.alertId === alert.id) this.#engine.reset(watch);
    const resolved = this.#book.endById(at.id, 'resolved', this.#ports.clock.now(), remark);
    await this.#keeper.flush();
    return resolved;
  }

  /** For so long nobody is told that this alert began, nor the next ones of its rule on its asset. Undefined when there is none. Rejects `alert_resolved`. */
  shelve(at: AlertKey, durationMs: number, remark: Remark): Promise<Alert | undefined> {
    const untilMs = (this.#ports.clock.now() + durationMs) as UnixMs;
    return this.#act(at, () => this.#book.shelve(at.id, untilMs, remark));
  }

  /** From now on it is notified again; where nobody has acknowledged it, at once. */
  unshelve(at: AlertKey, remark: Remark): Promise<Alert | undefined> {
    return this.#act(at, () => this.#book.shelve(at.id, null, remark));
  }

  /** Where the rule is shelved, whether it has an open alert there or not; by asset. */
  shelves(rule: RuleKey): readonly Shelf[] {
    const shelved = [...this.#engine.watches(rule).values()].flatMap(({ asset, shelvedUntilMs: untilMs }) =>
      untilMs === undefined ? [] : [{ asset, untilMs }],
    );
    return shelved.sort((left, right) => (left.asset < right.asset ? -1 : 1));
  }

  /** Ends the shelving of the rule on one asset or on all, whether it has open alerts there or not. Rejects as the records do. */
  async unshelveRule(rule: RuleKey, asset: string | undefined, remark: Remark): Promise<void> {
    for (const watch of this.#engine.watches(rule).values()) {
      if (watch.shelvedUntilMs === undefined || (asset !== undefined && asset !== watch.asset)) continue;
      this.#endShelf(watch, remark);
    }
    await this.#keeper.flush();
  }

  async #act(at: AlertKey, act: () => Alert | undefined): Promise<Alert | undefined> {
    if (this.#book.get(at.tenant, at.id)) {
      const alert = act();
      await this.#keeper.flush();
      return alert;
    }
    const resolved = await this.get(at);
    if (resolved) throw new GatewayError('alert_resolved', `alert ${at.id} is resolved`);
    return undefined;
  }

  /** An alert that was open, or not told yet, when the daemon ended. */
  #takeUp(alert: Alert): void {
    if (alert.status === 'resolved') {
      this.#keeper.alertChanged(alert, undefined);
      return;
    }
    const watch = this.#engine.watches({ tenant: alert.tenant, id: alert.ruleId }).get(alert.assetId);
    const isWatched = watch?.alertId === alert.id;
    this.#book.restore(alert, isWatched ? watch : undefined);
    if (!isWatched) this.#book.endById(alert.id, this.#whyOver(alert), this.#ports.clock.now());
    else if (alert.untold.length > 0) this.#keeper.alertChanged(alert, undefined);
  }

  #whyOver({ tenant, ruleId }: Alert): Resolution {
    const rule = this.rules.get({ tenant, id: ruleId });
    if (!rule) return 'rule_deleted';
    return rule.enabled ? 'rule_changed' : 'rule_disabled';
  }

  async #replay(from: string): Promise<void> {
    const { changes, log } = this.#ports;
    this.#engine.replaying = true;
    try {
      for (let cursor = from; ; ) {
        const { columns, next } = await changes(cursor, REPLAY_ROWS);
        for (let row = 0; row < columns.rows; row++) {
          const series = columns.series[row] as SeriesId;
          const timeMs = columns.timeMs[row] as UnixMs;
          const status = columns.status[row] as StatusCode;
          const wide = columns.wide?.[row];
          if (typeof wide === 'string') this.#engine.text(series, timeMs, wide, status, false);
          else if (typeof wide === 'bigint') this.#engine.integer(series, timeMs, wide, true, status, false);
          else this.#engine.number(series, timeMs, columns.numbers[row] as number, status, false);
        }
        if (columns.rows === 0 || next === cursor) break;
        cursor = next;
      }
    } catch (error) {
      // Whatever is wrong there, what comes from now on must be watched.
      log.error({ reason: messageOf(error) }, 'the readings since the last checkpoint could not be played to the alert rules');
    } finally {
      this.#engine.replaying = false;
    }
  }

  async #ticking(signal: AbortSignal): Promise<void> {
    const { clock, clockTrusted } = this.#ports;
    let lastMs = clock.monotonicMs();
    while (!signal.aborted) {
      try {
        await clock.sleep(TICK_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      const nowMs = clock.monotonicMs();
      await this.#tick(clockTrusted(), nowMs - lastMs, signal);
      lastMs = nowMs;
    }
  }

  /** What time alone brings about. In turns, for there may be 100,000 watches. */
  async #tick(isTrusted: boolean, elapsedMs: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#ports;
    const turns = new Turns(clock);
    const nowMs = clock.now();
    if (isTrusted) this.#engine.pass(elapsedMs);
    let looked = 0;
    for (const watch of this.#engine.allWatches()) {
      this.#engine.tick(watch, nowMs);
      if (isTrusted && watch.shelvedUntilMs !== undefined && watch.shelvedUntilMs <= nowMs) this.#endShelf(watch, undefined);
      if (++looked % WATCHES_A_LOOK !== 0 || !turns.isOver) continue;
      await turns.yield();
      if (signal.aborted) return;
    }
  }

  #endShelf(watch: Watch, remark: Remark | undefined): void {
    watch.shelvedUntilMs = undefined;
    if (watch.alertId !== undefined) this.#book.shelve(watch.alertId, null, remark);
    else this.#keeper.watchChanged(watch);
  }
}

/** How the rule was left; undefined when what was saved is of another condition, or nothing was. */
function savedStates(rule: Rule, rows: ReadonlyMap<string, unknown> | undefined): SavedWatches | undefined {
  if ((rows?.get(RULE_ROW) as RuleRow | undefined)?.scope !== scopeOf(rule)) return undefined;
  return new Map([...(rows ?? [])].filter(([asset]) => asset !== RULE_ROW) as [string, WatchState][]);
}
