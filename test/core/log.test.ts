/** The throttle: a fault at 10 Hz leaves one line a minute, and the line says how many it stands for. */
import { describe, expect, it } from 'vitest';
import { type Log, type LogFields, silentLog, ThrottledLog } from '../../src/core/log.ts';
import { ManualClock } from '../support/manual-clock.ts';

function recorder(): { readonly log: Log; readonly lines: [LogFields, string][] } {
  const lines: [LogFields, string][] = [];
  return { lines, log: { ...silentLog, warn: (fields, message) => lines.push([fields, message]) } };
}

describe('ThrottledLog', () => {
  it('passes the first line of a kind, then one a minute with the number of those left out', async () => {
    const clock = new ManualClock();
    const { log, lines } = recorder();
    const throttled = new ThrottledLog(log, clock);
    for (let tenth = 0; tenth < 1_201; tenth++) {
      throttled.warn('refused', { tag: 'a' }, 'refused again');
      clock.busy(100);
    }
    expect(lines).toEqual([
      [{ tag: 'a' }, 'refused again'],
      [{ tag: 'a', swallowed: 599 }, 'refused again'],
      [{ tag: 'a', swallowed: 599 }, 'refused again'],
    ]);
  });

  it('throttles each kind for itself', () => {
    const { log, lines } = recorder();
    const throttled = new ThrottledLog(log, new ManualClock());
    for (const kind of ['a', 'b', 'a', 'b', 'c']) throttled.warn(kind, {}, kind);
    expect(lines.map(([, message]) => message)).toEqual(['a', 'b', 'c']);
  });

  it('says nothing of lines left out where there were none', () => {
    const clock = new ManualClock();
    const { log, lines } = recorder();
    const throttled = new ThrottledLog(log, clock);
    throttled.warn('a', {}, 'a');
    clock.busy(60_000);
    throttled.warn('a', {}, 'a');
    expect(lines).toEqual([
      [{}, 'a'],
      [{}, 'a'],
    ]);
  });
});

describe('silentLog', () => {
  it('stays silent through its children', () => {
    const child = silentLog.child({ source: 'a' });
    for (const level of ['debug', 'info', 'warn', 'error'] as const) expect(child[level]({}, 'x')).toBeUndefined();
  });
});
