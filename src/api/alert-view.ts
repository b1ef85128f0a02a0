/** An alert as the TwinEdge routes and the live stream show it. */
import type { Alert } from '../alerts/alert.ts';
import { toIso } from '../core/time.ts';

export function renderAlert(alert: Alert) {
  return {
    id: alert.id,
    rule_id: alert.ruleId,
    rule_name: alert.ruleName,
    severity: alert.severity,
    status: alert.status,
    kind: alert.kind,
    message: alert.message,
    data_source_id: alert.dataSourceId,
    asset_id: alert.assetId,
    tag_name: alert.tagName,
    value: alert.value,
    threshold: alert.threshold,
    created_at: toIso(alert.createdMs),
    triggered_at: toIso(alert.triggeredMs),
    acknowledged_at: timeOrNull(alert.acknowledgedMs),
    acknowledged_by: alert.acknowledgedBy,
    resolved_at: timeOrNull(alert.resolvedMs),
    resolved_by: alert.resolvedBy,
    resolution: alert.resolution,
    shelved_until: timeOrNull(alert.shelvedUntilMs),
    notes: alert.notes.map(({ atMs, by, text }) => ({ at: toIso(atMs), by, note: text })),
  };
}

function timeOrNull(timeMs: number | null): string | null {
  return timeMs === null ? null : toIso(timeMs);
}
