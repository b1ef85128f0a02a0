/** An alert for tests that ask for any. */
import type { Alert } from '../../src/alerts/alert.ts';
import type { UnixMs } from '../../src/core/time.ts';

export const at = (timeMs: number): UnixMs => timeMs as UnixMs;

export function alertOf(number: string, more: Partial<Alert> = {}): Alert {
  return {
    tenant: 'default',
    id: `alert-${number}`,
    ruleId: 'ar-1',
    ruleName: 'High Temperature',
    severity: 'warning',
    kind: 'condition',
    status: 'active',
    message: 'High Temperature: temperature of Pump_001 is 92.5, above 80',
    dataSourceId: 'ds-123',
    assetId: 'Pump_001',
    tagName: 'temperature',
    value: 92.5,
    threshold: 80,
    createdMs: at(2_010),
    triggeredMs: at(2_000),
    acknowledgedMs: null,
    acknowledgedBy: null,
    resolvedMs: null,
    resolvedBy: null,
    resolution: null,
    shelvedUntilMs: null,
    notes: [],
    channels: ['email'],
    untold: [],
    told: false,
    ...more,
  };
}
