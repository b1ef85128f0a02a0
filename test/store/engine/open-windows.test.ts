/** What waits in memory to be sealed: how much memory that is said to be, and is. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Sequence, SeriesId } from '../../../src/core/tag.ts';
import { OpenWindows } from '../../../src/store/engine/open-windows.ts';

const WINDOW_MS = 900_000;
const START = Date.UTC(2026, 0, 6);
const FIRST = 0 as Sequence;

function push(open: OpenWindows, series: number, timeMs: number, value: string | number, status = 0): void {
  open.enter(timeMs, FIRST);
  const [number, wide] = typeof value === 'string' ? [Number.NaN, value] : [value, undefined];
  open.push(series as SeriesId, timeMs, number, wide, status, 0);
}

/** What the columns of all heads take, and the copies of them that reading makes. */
function columnBytes(open: OpenWindows): number {
  let bytes = 0;
  for (const window of open.all()) {
    for (const series of window.series()) {
      const run = window.run(series);
      for (const column of [run?.timeMs, run?.numbers, run?.status, run?.order]) bytes += column?.buffer.byteLength ?? 0;
      bytes += 8 * (run?.wide?.length ?? 0);
    }
  }
  return bytes;
}

describe('the windows that are not sealed yet', () => {
  it('account for no less than their columns have, whatever comes', () => {
    const sample = fc.record({
      series: fc.nat(5),
      at: fc.nat(3 * WINDOW_MS),
      value: fc.oneof(fc.double({ noNaN: true }), fc.string({ maxLength: 8 })),
      status: fc.constantFrom(0, 0x8000_0000),
    });
    fc.assert(
      fc.property(fc.array(sample, { maxLength: 300, size: 'max' }), (samples) => {
        const open = new OpenWindows();
        for (const { series, at, value, status } of samples) push(open, series, START + at, value, status);
        expect(open.bytes).toBeGreaterThanOrEqual(columnBytes(open));
        expect(open.bytes).toBe(open.all().reduce((sum, { bytes }) => sum + bytes, 0));
        for (const window of open.numbers()) open.take(window);
        expect(open.bytes).toBe(0);
      }),
    );
  });

  it('take little for a series that had many samples and has become sparse', () => {
    const open = new OpenWindows();
    for (let at = 0; at < 900; at++) push(open, 1, START + at * 1_000, at);
    open.take(open.numbers()[0] as number);
    for (let window = 1; window <= 100; window++) push(open, 1, START + window * WINDOW_MS, window);
    expect(columnBytes(open)).toBeLessThan(100 * 100);
    expect(open.bytes).toBeLessThan(100 * 2_000);
  });

  it('give a series that goes on as before the room of its last window', () => {
    const open = new OpenWindows();
    for (let at = 0; at < 1_800; at++) {
      if (at === 900) open.take(open.numbers()[0] as number);
      push(open, 1, START + at * 1_000, at);
    }
    expect(columnBytes(open)).toBeLessThan(900 * 16 * 1.05);
  });
});
