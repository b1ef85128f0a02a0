/** For how long a condition has held. */
import { describe, expect, it } from 'vitest';
import { Hold } from '../../src/alerts/hold.ts';

describe('a hold', () => {
  it('that an older version saved goes on from the newest usable sample, not from the beginning of time', () => {
    const hold = new Hold();
    hold.restore({ sinceMs: 1_000, heldMs: 4_000 }, 5_000);
    expect(hold.spanOf(Number.NEGATIVE_INFINITY, 6_500, () => Number.POSITIVE_INFINITY)).toBe(1_500);
  });

  it('is after a restart what it was', () => {
    const hold = new Hold();
    hold.begin(1_000);
    hold.count(2_500, 4_000);
    const again = new Hold();
    again.restore(JSON.parse(JSON.stringify(hold.saved())), 0);
    expect(again).toEqual(hold);
  });
});
