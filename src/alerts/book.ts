/** The alerts that are open, in memory: opened and ended by the engine, acknowledged, resolved and shelved by people. */
import { createHash } from 'node:crypto';
import { shortestF32 } from '../core/float32.ts';
import { shortId } from '../core/short-id.ts';
import type { UnixMs } from '../core/time.ts';
import type { Alert, AlertEvent, AlertValue, Resolution, Severity } from './alert.ts';
import { messageOf } from './message.ts';
import type { Watch } from './watch.ts';

/** Of the box: about 10 MB. A plant with more of them at once has one alarm: everything. */
const MAX_OPEN = 10_000;
/** Of one alert. */
const MAX_NOTES = 100;

export interface BookOptions {
  readonly now: () => UnixMs;
  /** Hears of each alert that is new or has changed, with its watch where there is one. */
  readonly onChange: (alert: Alert, watch: Watch | undefined) => void;
}

/** Who does something about an alert, and what they say to it. */
export interface Remark {
  readonly by: string;
  readonly note: string | undefined;
}

interface Open {
  readonly alert: Alert;
  /** Undefined for a rule that is gone. */
  readonly watch: Watch | undefined;
}

export class AlertBook {
  /** Alerts that were not opened, as there were too many. */
  refused = 0;
  readonly #options: BookOptions;
  readonly #open = new Map<string, Open>();

  constructor(options: BookOptions) {
    this.#options = options;
  }

  /** How many are open. */
  bySeverity(): Readonly<Record<Severity, number>> {
    const counts = { critical: 0, warning: 0, info: 0 };
    for (const { alert } of this.#open.values()) counts[alert.severity]++;
    return counts;
  }

  get(tenant: string, id: string): Alert | undefined {
    const alert = this.#open.get(id)?.alert;
    return alert?.tenant === tenant ? alert : undefined;
  }

  list(tenant: string): readonly Alert[] {
    const own = [...this.#open.values()].map(({ alert }) => alert).filter((alert) => alert.tenant === tenant);
    return own.sort((left, right) => right.triggeredMs - left.triggeredMs || (left.id < right.id ? -1 : 1));
  }

  /** An alert that the records remember as open. */
  restore(alert: Alert, watch: Watch | undefined): void {
    this.#open.set(alert.id, { alert, watch });
  }

  /** False when there are too many already. */
  begin(watch: Watch, kind: 'condition' | 'no_data', triggeredMs: UnixMs): boolean {
    if (this.#open.size >= MAX_OPEN) {
      this.refused++;
      return false;
    }
    const { rule, asset } = watch;
    const value = kind === 'no_data' ? null : shownValue(watch);
    const shelvedUntilMs = watch.shelvedUntilMs ?? null;
    const alert: Alert = {
      tenant: rule.tenant,
      id: idOf(watch, kind),
      ruleId: rule.id,
      ruleName: rule.name,
      severity: rule.severity,
      kind,
      status: 'active',
      message: messageOf(rule, asset, value),
      dataSourceId: (kind === 'condition' ? watch.feed?.source : rule.dataSourceId) ?? null,
      assetId: asset,
      tagName: rule.condition.tagName,
      value,
      threshold: kind === 'condition' ? rule.condition.value : null,
      createdMs: this.#options.now(),
      triggeredMs,
      acknowledgedMs: null,
      acknowledgedBy: null,
      resolvedMs: null,
      resolvedBy: null,
      resolution: null,
      shelvedUntilMs,
      notes: [],
      channels: rule.channels,
      untold: shelvedUntilMs === null && rule.channels.length > 0 ? ['triggered'] : [],
      told: false,
    };
    watch.alertId = alert.id;
    this.#change(alert, watch);
    return true;
  }

  end(watch: Watch, resolution: Resolution, resolvedMs: UnixMs, remark?: Remark): void {
    const open = watch.alertId === undefined ? undefined : this.#open.get(watch.alertId);
    watch.alertId = undefined;
    if (open) this.#end(open, resolution, resolvedMs, remark);
  }

  /** Ends an alert whatever its watch; of an open one. Undefined when there is none. */
  endById(id: string, resolution: Resolution, resolvedMs: UnixMs, remark?: Remark): Alert | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    if (open.watch?.alertId === id) open.watch.alertId = undefined;
    return this.#end(open, resolution, resolvedMs, remark);
  }

  /** Again it adds the note. Undefined when no such alert is open. */
  acknowledge(id: string, remark: Remark): Alert | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    const { alert, watch } = open;
    const nowMs = this.#options.now();
    const first = alert.status === 'active' && { status: 'acknowledged' as const, acknowledgedMs: nowMs, acknowledgedBy: remark.by };
    if (!first && remark.note === undefined) return alert;
    return this.#change({ ...alert, ...first, notes: noted(alert, remark, nowMs) }, watch);
  }

  /** Until `untilMs` nobody is told that this alert began, nor the next ones of its rule on its asset. Null takes it back. */
  shelve(id: string, untilMs: UnixMs | null, remark: Remark | undefined): Alert | undefined {
    const open = this.#open.get(id);
    if (!open) return undefined;
    const { alert, watch } = open;
    if (watch) watch.shelvedUntilMs = untilMs ?? undefined;
    const wasShelved = alert.shelvedUntilMs !== null;
    if (untilMs === null && !wasShelved) return alert;
    const isNews = !alert.told && alert.status === 'active' && alert.channels.length > 0;
    const again: readonly AlertEvent[] = isNews ? ['triggered'] : [];
    const notes = remark ? noted(alert, remark, this.#options.now()) : alert.notes;
    return this.#change({ ...alert, shelvedUntilMs: untilMs, notes, untold: untilMs === null ? again : [] }, watch);
  }

  /** The channels have been told. */
  told(alert: Alert, events: readonly AlertEvent[]): Alert {
    const untold = alert.untold.filter((event) => !events.includes(event));
    const open = this.#open.get(alert.id);
    const after = { ...alert, untold, told: alert.told || events.includes('triggered') };
    if (open) this.#open.set(alert.id, { ...open, alert: after });
    return after;
  }

  #end(open: Open, resolution: Resolution, endedMs: UnixMs, remark: Remark | undefined): Alert {
    const { alert, watch } = open;
    this.#open.delete(alert.id);
    const notes = remark ? noted(alert, remark, this.#options.now()) : alert.notes;
    // Who was told that it began hears that it is over, shelved or not: a receiver would keep it open for ever. Nobody else needs to.
    const isKnown = alert.told || alert.untold.includes('triggered');
    const untold: readonly AlertEvent[] = isKnown ? [...alert.untold, 'resolved'] : [];
    const resolvedMs = Math.max(endedMs, alert.triggeredMs) as UnixMs;
    const over: Alert = { ...alert, status: 'resolved', resolvedMs, resolvedBy: remark?.by ?? null, resolution, notes, untold };
    this.#options.onChange(over, watch);
    return over;
  }

  #change(alert: Alert, watch: Watch | undefined): Alert {
    this.#open.set(alert.id, { alert, watch });
    this.#options.onChange(alert, watch);
    return alert;
  }
}

/** The same episode has the same id whenever it is found: a replay after a crash finds the alert that was there. */
function idOf(watch: Watch, kind: 'condition' | 'no_data'): string {
  const { rule, asset, episode } = watch;
  const beginMs = kind === 'condition' ? watch.hold.sinceMs : watch.voices.usableMs;
  const identity = JSON.stringify([rule.tenant, rule.id, rule.revision, asset, kind, episode, beginMs]);
  return shortId('alert-', createHash('sha256').update(identity).digest());
}

function shownValue({ voices: { value, text, feed } }: Watch): AlertValue {
  if (text !== undefined) return text;
  if (feed?.valueType === 'bool') return value !== 0;
  return feed?.valueType === 'f32' ? shortestF32(value) : value;
}

/** The newest ones stay. */
function noted({ notes }: Alert, { by, note }: Remark, atMs: UnixMs): Alert['notes'] {
  return note === undefined ? notes : [...notes, { atMs, by, text: note }].slice(-MAX_NOTES);
}
