/** What the channels of notification are told, and who tells it further: the seam between alerts and their delivery. */
import type { UnixMs } from '../core/time.ts';
import type { Alert, AlertEvent, AlertValue, Severity, Threshold } from './alert.ts';

export interface AlertNotice {
  readonly alertId: string;
  readonly tenant: string;
  readonly ruleId: string;
  readonly ruleName: string;
  readonly severity: Severity;
  readonly event: AlertEvent;
  /** For people; at most 1,024 characters. */
  readonly message: string;
  /** Whose reading fired it; null where none did. */
  readonly dataSourceId: string | null;
  readonly assetId: string;
  readonly tagName: string;
  /** At firing; null where there was none. */
  readonly value: AlertValue | null;
  readonly threshold: Threshold | null;
  /** When it fired, or when it was resolved. */
  readonly timeMs: UnixMs;
}

/** As the channels are told of it. */
export function noticeOf(alert: Alert, event: AlertEvent): AlertNotice {
  const { id, tenant, ruleId, ruleName, severity, message, dataSourceId, assetId, tagName, value, threshold } = alert;
  const timeMs = event === 'resolved' && alert.resolvedMs !== null ? alert.resolvedMs : alert.triggeredMs;
  return { alertId: id, tenant, ruleId, ruleName, severity, event, message, dataSourceId, assetId, tagName, value, threshold, timeMs };
}

export interface Notifier {
  /**
   * Takes the notice on for each of the channels, and returns at once; names that no channel has are left out. After a crash
   * the same (alertId, event) may come again. Who has asked the records to keep it before this returns loses none: what marks
   * the notice as told is asked of the records behind it. Never throws.
   */
  notify(notice: AlertNotice, channels: readonly string[]): void;
}
