/**
 * Keeps alerts and the states of rules on disk, never ahead of the readings that they come of, and tells the channels what is
 * kept. An alert is saved at once; the states of all watches each minute, with the place from where a restart plays the
 * readings again.
 */
import type { Clock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import type { AlertStore, StoredRuleState } from '../store/records.ts';
import { type Alert, type AlertEvent, storedAlert } from './alert.ts';
import { type Notifier, noticeOf } from './notice.ts';
import type { Rule, RuleKey } from './rule.ts';
import type { Watch } from './watch.ts';

const TICK_MS = 250;
/** A crash replays so much; at 100,000 readings a second that is two or three seconds of the start. */
const CHECKPOINT_MS = 60_000;
/** A disk that hangs is not waited for any longer. */
const COMMIT_TIMEOUT_MS = 10_000;
/** A disk that cannot save must not silence the alarms: after this they are told unsaved. */
const PATIENCE_MS = 10_000;

export interface KeeperOptions {
  readonly clock: Clock;
  /** While false, no resolved alert is too old to be kept. */
  readonly clockTrusted: () => boolean;
  readonly log: Log;
  readonly records: Pick<AlertStore, 'saveAlerts'>;
  readonly notifier: Notifier;
  /** Resolves with a place in the store's changes before which the engine has heard everything. */
  readonly position: (signal: AbortSignal) => Promise<string>;
  /** Resolves when everything that the engine has heard until now is on disk. */
  readonly committed: (signal: AbortSignal) => Promise<void>;
  readonly watches: () => Iterable<Watch>;
  readonly engineMs: () => number;
  /** The channels have been told of the alert. */
  readonly onTold: (alert: Alert, events: readonly AlertEvent[]) => Alert;
}

/** The rule's own row among the states of its assets: which condition they are of. No asset has this name. */
export const RULE_ROW = '';

export interface RuleRow {
  readonly scope: string;
}

/** What must stay the same for a rule's states to stay. */
export function scopeOf({ condition, dataSourceId }: Rule): string {
  return JSON.stringify([condition, dataSourceId ?? null]);
}

export class Keeper {
  readonly #options: KeeperOptions;
  readonly #throttled: ThrottledLog;
  /** Not saved yet, by id. */
  readonly #alerts = new Map<string, Alert>();
  readonly #watches = new Set<Watch>();
  readonly #rules = new Map<string, Rule>();
  readonly #forgotten = new Map<string, RuleKey>();
  #saving: Promise<void> = Promise.resolve();
  /** A save that has not begun yet: who asks for one joins it. */
  #next: Promise<void> | undefined;
  #checkpointMs: number;
  #wantsCheckpoint = false;
  /** Since when alerts wait to be saved. */
  #unsavedSinceMs: number | undefined;

  constructor(options: KeeperOptions) {
    this.#options = options;
    this.#throttled = new ThrottledLog(options.log, options.clock);
    this.#checkpointMs = options.clock.monotonicMs();
  }

  /** For how long something has been waiting to be saved. */
  get lagMs(): number {
    return this.#unsavedSinceMs === undefined ? 0 : this.#options.clock.monotonicMs() - this.#unsavedSinceMs;
  }

  alertChanged(alert: Alert, watch: Watch | undefined): void {
    this.#alerts.set(alert.id, alert);
    if (watch) this.#watches.add(watch);
    this.#unsavedSinceMs ??= this.#options.clock.monotonicMs();
  }

  /** What is known of the watch has changed though none of its alerts has. */
  watchChanged(watch: Watch): void {
    this.#watches.add(watch);
    this.#unsavedSinceMs ??= this.#options.clock.monotonicMs();
  }

  /** A rule begins, or begins anew: what is known of its assets is from now on. */
  ruleBegins(rule: Rule, watches: Iterable<Watch>): void {
    this.#forgotten.set(keyOf(rule), rule);
    this.#rules.set(keyOf(rule), rule);
    for (const watch of watches) this.#watches.add(watch);
    this.#unsavedSinceMs ??= this.#options.clock.monotonicMs();
  }

  /** `watches` are those that it had. */
  ruleEnds(key: RuleKey, watches: Iterable<Watch>): void {
    for (const watch of watches) this.#watches.delete(watch);
    this.#forgotten.set(keyOf(key), key);
    this.#rules.delete(keyOf(key));
    this.#unsavedSinceMs ??= this.#options.clock.monotonicMs();
  }

  /** Resolves when everything that has changed until now is on disk. Rejects as the store does; then it is tried again. */
  flush(): Promise<void> {
    if (this.#next) return this.#next;
    const next = this.#saving.then(() => {
      this.#next = undefined;
      return this.#save();
    });
    this.#next = next;
    this.#saving = next.catch(() => undefined); // whoever asked has the error
    return next;
  }

  /** All states with the place from where to go on. */
  checkpoint(): Promise<void> {
    this.#wantsCheckpoint = true;
    return this.flush();
  }

  /** Saves until the signal aborts. The last checkpoint is made by who knows that no more readings come. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      try {
        await clock.sleep(TICK_MS, signal);
      } catch (error) {
        if (signal.aborted) return;
        throw error;
      }
      if (clock.monotonicMs() - this.#checkpointMs >= CHECKPOINT_MS) this.#wantsCheckpoint = true;
      if (!this.#wantsCheckpoint && this.#unsavedSinceMs === undefined) continue;
      await this.#attempt();
    }
  }

  async #attempt(): Promise<void> {
    try {
      const patience = new AbortController();
      const late = this.#options.clock.sleep(PATIENCE_MS, patience.signal).then(
        () => this.#tellUnsaved(),
        () => undefined,
      );
      await this.flush().finally(() => patience.abort());
      await late;
    } catch (error) {
      this.#throttled.warn('save', { reason: messageOf(error) }, 'alerts could not be saved and will be tried again');
      if (this.lagMs >= PATIENCE_MS) this.#tellUnsaved();
    }
  }

  async #save(): Promise<void> {
    const timeout = new AbortController();
    const timer = new AbortController();
    void this.#options.clock.sleep(COMMIT_TIMEOUT_MS, timer.signal).then(
      () => timeout.abort(new GatewayError('store_stalled', 'the readings behind the alerts did not become durable in time')),
      () => undefined,
    );
    try {
      const isCheckpoint = this.#wantsCheckpoint;
      if (!isCheckpoint && this.#unsavedSinceMs === undefined) return;
      const cursor = isCheckpoint ? await this.#options.position(timeout.signal) : undefined;
      const taken = this.#take(isCheckpoint);
      try {
        await this.#options.committed(timeout.signal);
        await this.#options.records.saveAlerts({ ...this.#changeOf(taken), ...(cursor !== undefined && { cursor }) });
      } catch (error) {
        this.#putBack(taken);
        throw error;
      }
      if (isCheckpoint) this.#checkpointMs = this.#options.clock.monotonicMs();
      this.#tell(taken.alerts);
    } finally {
      timer.abort();
    }
  }

  /** What is to be saved, as it is at this moment. */
  #take(isCheckpoint: boolean): Taken {
    const engineMs = this.#options.engineMs();
    if (isCheckpoint) for (const watch of this.#options.watches()) if (isOutdated(watch)) this.#watches.add(watch);
    const taken: Taken = {
      isCheckpoint,
      sinceMs: this.#unsavedSinceMs,
      alerts: [...this.#alerts.values()],
      rules: [...this.#rules.values()],
      forgotten: [...this.#forgotten.values()],
      watches: [...this.#watches],
      states: [...this.#watches].map((watch) => stateOf(watch, engineMs)),
    };
    for (const watch of this.#watches) watch.savedMs = watch.voices.lastMs;
    this.#alerts.clear();
    this.#rules.clear();
    this.#forgotten.clear();
    this.#watches.clear();
    this.#wantsCheckpoint = false;
    this.#unsavedSinceMs = undefined;
    return taken;
  }

  #changeOf({ alerts, rules, forgotten, states }: Taken) {
    const { clock, clockTrusted } = this.#options;
    const rows = rules.map((rule): StoredRuleState => {
      const body: RuleRow = { scope: scopeOf(rule) };
      return { tenant: rule.tenant, ruleId: rule.id, asset: RULE_ROW, body };
    });
    return {
      nowMs: clockTrusted() ? clock.now() : null,
      alerts: alerts.map(storedAlert),
      states: [...rows, ...states],
      forgotten: forgotten.map(({ tenant, id }) => ({ tenant, ruleId: id })),
    };
  }

  /** What has changed since goes before what was taken; nothing of a rule comes back that has ended or begun anew meanwhile. */
  #putBack(taken: Taken): void {
    const isPresent = (rule: RuleKey) => !this.#forgotten.has(keyOf(rule));
    for (const alert of taken.alerts) if (!this.#alerts.has(alert.id)) this.#alerts.set(alert.id, alert);
    for (const rule of taken.rules.filter(isPresent)) this.#rules.set(keyOf(rule), rule);
    for (const watch of taken.watches) if (isPresent(watch.rule)) this.#watches.add(watch);
    for (const key of taken.forgotten) this.#forgotten.set(keyOf(key), key);
    this.#wantsCheckpoint ||= taken.isCheckpoint;
    this.#unsavedSinceMs = taken.sinceMs ?? this.#unsavedSinceMs;
  }

  #tellUnsaved(): void {
    this.#tell([...this.#alerts.values()]);
  }

  /** Then what was told is marked, which is saved with the next. */
  #tell(alerts: readonly Alert[]): void {
    for (const alert of alerts) {
      if (alert.untold.length === 0) continue;
      for (const event of alert.untold) this.#options.notifier.notify(noticeOf(alert, event), alert.channels);
      const present = this.#alerts.get(alert.id) ?? alert;
      this.alertChanged(this.#options.onTold(present, alert.untold), undefined);
    }
  }
}

interface Taken {
  readonly isCheckpoint: boolean;
  readonly sinceMs: number | undefined;
  readonly alerts: readonly Alert[];
  readonly rules: readonly Rule[];
  readonly forgotten: readonly RuleKey[];
  readonly watches: readonly Watch[];
  readonly states: readonly StoredRuleState[];
}

/** A watch that waits for data gets older by itself. */
function isOutdated(watch: Watch): boolean {
  return watch.voices.lastMs !== watch.savedMs || (watch.rule.condition.noDataMs !== undefined && watch.phase !== 'no_data');
}

function stateOf(watch: Watch, engineMs: number): StoredRuleState {
  const { rule, asset } = watch;
  return { tenant: rule.tenant, ruleId: rule.id, asset, body: watch.saved(engineMs) };
}

function keyOf({ tenant, id }: RuleKey): string {
  return `${tenant}\0${id}`;
}
