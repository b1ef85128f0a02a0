/** Notices and letters for tests. */

import type { AlertNotice } from '../../../src/alerts/notice.ts';
import { alertLetter } from '../../../src/alerts/notify/compose.ts';
import type { Letter } from '../../../src/alerts/notify/letter.ts';
import type { UnixMs } from '../../../src/core/time.ts';

export function notice(more: Partial<AlertNotice> = {}): AlertNotice {
  return {
    alertId: 'alert-1',
    tenant: 'default',
    ruleId: 'ar-1',
    ruleName: 'High Temperature',
    severity: 'warning',
    event: 'triggered',
    message: 'temperature of pump-101 is 85.2, above 80',
    dataSourceId: 'ds-1',
    assetId: 'pump-101',
    tagName: 'temperature',
    value: 85.2,
    threshold: 80,
    timeMs: Date.UTC(2026, 0, 6, 10) as UnixMs,
    ...more,
  };
}

export function letter(more: Partial<AlertNotice> = {}): Letter {
  return alertLetter(notice(more), 'box-1');
}
