/** An alert: one episode of one rule on one asset, from when it fired until it was resolved; and how the records keep it. */
import type { UnixMs } from '../core/time.ts';
import type { StoredAlert } from '../store/records.ts';

export const SEVERITIES = ['critical', 'warning', 'info'] as const;
export type Severity = (typeof SEVERITIES)[number];

/** What the channels of notification are told of. */
export type AlertEvent = 'triggered' | 'resolved';

export const ALERT_STATUSES = ['active', 'acknowledged', 'resolved'] as const;
export type AlertStatus = (typeof ALERT_STATUSES)[number];

/** As plain JSON has it; a 64-bit integer is the nearest number. */
export type AlertValue = number | boolean | string;

/** What the value is held against; two numbers for a band. */
export type Threshold = AlertValue | readonly [number, number];

/** Why it is over: the value went back, data came again, a person said so, or its rule is no longer what it was. */
export type Resolution = 'cleared' | 'data_returned' | 'resolved' | 'rule_deleted' | 'rule_disabled' | 'rule_changed';

export interface AlertNote {
  readonly atMs: UnixMs;
  /** Name of the token. */
  readonly by: string;
  readonly text: string;
}

export interface Alert {
  readonly tenant: string;
  readonly id: string;
  readonly ruleId: string;
  readonly ruleName: string;
  readonly severity: Severity;
  /** `no_data` where the rule's data stayed away, `condition` for all else. */
  readonly kind: 'condition' | 'no_data';
  readonly status: AlertStatus;
  /** For people; at most 1,024 characters. */
  readonly message: string;
  /** Whose reading fired it; null where none did. */
  readonly dataSourceId: string | null;
  readonly assetId: string;
  readonly tagName: string;
  /** At firing; null where there was none. */
  readonly value: AlertValue | null;
  /** Null of a rule that waits for data. */
  readonly threshold: Threshold | null;
  /** By the box's clock. */
  readonly createdMs: UnixMs;
  /** By the time of the samples; by the box's clock where data stayed away. */
  readonly triggeredMs: UnixMs;
  readonly acknowledgedMs: UnixMs | null;
  readonly acknowledgedBy: string | null;
  readonly resolvedMs: UnixMs | null;
  /** Name of the token, or null where nobody did it. */
  readonly resolvedBy: string | null;
  readonly resolution: Resolution | null;
  /** Until then nobody is notified of it. */
  readonly shelvedUntilMs: UnixMs | null;
  readonly notes: readonly AlertNote[];
  /** Names of the channels that hear of it, as its rule had them when it fired. */
  readonly channels: readonly string[];
  /** What the channels have not been told yet. */
  readonly untold: readonly AlertEvent[];
  /** They have been told that it began. */
  readonly told: boolean;
}

/** As the records keep it. */
export function storedAlert(alert: Alert): StoredAlert {
  const { tenant, id, status, severity, triggeredMs, resolvedMs, untold, ...body } = alert;
  return {
    tenant,
    id,
    status,
    severity,
    triggeredMs,
    resolvedMs,
    pending: status !== 'resolved' || untold.length > 0,
    body: { ...body, untold },
  };
}

/** What `storedAlert` was made of. */
export function fromStoredAlert({ tenant, id, status, severity, triggeredMs, resolvedMs, body }: StoredAlert): Alert {
  const rest = body as Omit<Alert, 'tenant' | 'id' | 'status' | 'severity' | 'triggeredMs' | 'resolvedMs'>;
  return { ...rest, tenant, id, status: status as AlertStatus, severity: severity as Severity, triggeredMs, resolvedMs };
}
