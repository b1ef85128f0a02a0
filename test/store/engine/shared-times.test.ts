/** Times are stored once for all series that have them, and not all that ever came are kept. */
import { expect, it } from 'vitest';
import type { Run } from '../../../src/store/engine/run.ts';
import { SharedTimes } from '../../../src/store/engine/shared-times.ts';

function runOf(startMs: number, count: number): Run {
  const timeMs = Float64Array.from({ length: count }, (_, index) => startMs + index * 1_000);
  return { count, timeMs, numbers: new Float64Array(count) };
}

/** A store of rows that counts them. */
function storage() {
  let rows = 0;
  return { store: () => ++rows, rows: () => rows };
}

it('gives the row of equal times, and a new one to times that differ in one place', () => {
  const times = new SharedTimes();
  const { store } = storage();
  const run = runOf(5_000, 20);
  expect(times.rowOf(run, store)).toBe(1);
  expect(times.rowOf(runOf(5_000, 20), store)).toBe(1);
  expect(times.rowOf(runOf(5_000, 19), store)).toBe(2);
  const other = runOf(5_000, 20);
  other.timeMs[3] = 8_001; // a place that the hash does not look at
  expect(times.rowOf(other, store)).toBe(3);
  expect([run, other].map((each) => times.rowOf(each, store))).toEqual([1, 3]);
});

it('forgets what was not used for the longest time: 2^21 times are kept', () => {
  const times = new SharedTimes();
  const { store, rows } = storage();
  const quarter = 2 ** 19;
  const runs = [0, 1, 2, 3, 4].map((index) => runOf(index, quarter));
  for (const run of runs.slice(0, 4)) times.rowOf(run, store);
  times.rowOf(runs[0] as Run, store);
  times.rowOf(runs[4] as Run, store);
  expect(rows()).toBe(5);
  expect([0, 2, 3, 4].map((index) => times.rowOf(runs[index] as Run, store))).toEqual([1, 3, 4, 5]);
  expect(times.rowOf(runs[1] as Run, store)).toBe(6);
});
