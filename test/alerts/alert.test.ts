/** An alert is kept as it was, and told in the words of its channels. */
import { describe, expect, it } from 'vitest';
import { type Alert, fromStoredAlert, storedAlert } from '../../src/alerts/alert.ts';
import { type AlertNotice, type Notifier, noticeOf } from '../../src/alerts/notice.ts';
import { alertOf, at } from './sample-alert.ts';

describe('an alert', () => {
  const resolved: Alert = { ...alertOf('1'), status: 'resolved', resolvedMs: at(9_000), resolvedBy: null, resolution: 'cleared' };

  it('comes back from the records as it was', () => {
    for (const alert of [alertOf('1'), resolved, { ...resolved, untold: ['resolved'] as const }]) {
      const kept = JSON.parse(JSON.stringify(storedAlert(alert)));
      expect(fromStoredAlert(kept)).toEqual(alert);
    }
  });

  it('is pending while it is open, and while its channels do not know that it is over', () => {
    expect(storedAlert(alertOf('1')).pending).toBe(true);
    expect(storedAlert(resolved).pending).toBe(false);
    expect(storedAlert({ ...resolved, untold: ['resolved'] }).pending).toBe(true);
  });

  it('is told with the time of what happened', () => {
    const told: { readonly notice: AlertNotice; readonly channels: readonly string[] }[] = [];
    const notifier: Notifier = { notify: (notice, channels) => told.push({ notice, channels }) };
    notifier.notify(noticeOf(resolved, 'triggered'), resolved.channels);
    notifier.notify(noticeOf(resolved, 'resolved'), resolved.channels);
    expect(told.map(({ notice, channels }) => [notice.alertId, notice.event, notice.timeMs, channels])).toEqual([
      ['alert-1', 'triggered', 2_000, ['email']],
      ['alert-1', 'resolved', 9_000, ['email']],
    ]);
  });
});
