/** Alerts and states of rules in memory, saved as a database would: whole changes, as JSON. */
import { GatewayError } from '../../src/core/errors.ts';
import type { AlertChange, AlertFilter, AlertPage, AlertStore, StoredAlert, StoredRuleState } from '../../src/store/records.ts';
import { MemoryRecords } from './memory-records.ts';

export class MemoryAlerts extends MemoryRecords implements AlertStore {
  cursor: string | null = null;
  saves = 0;
  /** By which the last save judged what is too old. */
  agedByMs: number | null = null;
  readonly #alerts = new Map<string, StoredAlert>();
  readonly #states = new Map<string, StoredRuleState>();

  async saveAlerts(change: AlertChange): Promise<void> {
    await this.gate;
    if (this.failing) throw new GatewayError('disk_full', 'no space left');
    this.saves++;
    const { nowMs, alerts, states, forgotten, cursor }: AlertChange = JSON.parse(JSON.stringify(change));
    this.agedByMs = nowMs;
    for (const alert of alerts) this.#alerts.set(alert.id, alert);
    for (const { tenant, ruleId } of forgotten) {
      for (const [key, state] of this.#states) if (state.tenant === tenant && state.ruleId === ruleId) this.#states.delete(key);
    }
    for (const state of states) this.#states.set(JSON.stringify([state.tenant, state.ruleId, state.asset]), state);
    this.cursor = cursor ?? this.cursor;
  }

  async pendingAlerts(): Promise<readonly StoredAlert[]> {
    return this.all().filter(({ pending }) => pending);
  }

  async alert(tenant: string, id: string): Promise<StoredAlert | undefined> {
    return this.all().find((alert) => alert.tenant === tenant && alert.id === id);
  }

  async alerts({ tenant, statuses, severities, fromMs, toMs, limit, skip }: AlertFilter): Promise<AlertPage> {
    const found = this.all()
      .filter((alert) => alert.tenant === tenant)
      .filter(({ status, severity }) => (statuses?.includes(status) ?? true) && (severities?.includes(severity) ?? true))
      .filter(({ triggeredMs }) => triggeredMs >= (fromMs ?? Number.NEGATIVE_INFINITY) && triggeredMs < (toMs ?? Number.POSITIVE_INFINITY))
      .sort((left, right) => right.triggeredMs - left.triggeredMs || (left.id < right.id ? -1 : 1));
    return { rows: found.slice(skip, skip + limit), total: found.length };
  }

  async ruleStates(): Promise<{ readonly cursor: string | null; readonly states: readonly StoredRuleState[] }> {
    return { cursor: this.cursor, states: structuredClone([...this.#states.values()]) };
  }

  all(): readonly StoredAlert[] {
    return structuredClone([...this.#alerts.values()]);
  }
}
