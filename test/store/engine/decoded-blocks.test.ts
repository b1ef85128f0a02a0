/** Decoded blocks are kept, bounded, and forgotten with their day. */
import { expect, it } from 'vitest';
import type { SeriesId } from '../../../src/core/tag.ts';
import { DecodedBlocks } from '../../../src/store/engine/decoded-blocks.ts';
import type { Run } from '../../../src/store/engine/run.ts';

const SERIES = 0xff_ffff as SeriesId;

function runOf(count: number): Run {
  return { count, timeMs: new Float64Array(count), numbers: new Float64Array(count) };
}

it('gives back a block of its day, series and place, and of no other', () => {
  const blocks = new DecodedBlocks();
  const run = runOf(10);
  blocks.put(20_458, SERIES, 5, run);
  expect(blocks.get(20_458, SERIES, 5)).toBe(run);
  expect(blocks.get(20_458, SERIES, 4)).toBeUndefined();
  expect(blocks.get(20_459, SERIES, 5)).toBeUndefined();
  expect(blocks.get(20_459, 0 as SeriesId, 0)).toBeUndefined();
  expect(blocks.get(20_458, 1 as SeriesId, 5)).toBeUndefined();
});

it('forgets the day whose file was replaced, before 1970 too, and no other', () => {
  const blocks = new DecodedBlocks();
  for (const day of [-1, 0, 1]) for (const block of [0, 5]) blocks.put(day, SERIES, block, runOf(10));
  blocks.forget(-1);
  const left = (day: number) => [0, 5].map((block) => blocks.get(day, SERIES, block)?.count);
  expect([left(-1), left(0), left(1)]).toEqual([
    [undefined, undefined],
    [10, 10],
    [10, 10],
  ]);
});

it('lets go of what was not used for the longest time', () => {
  const blocks = new DecodedBlocks();
  const size = 2 ** 16;
  for (let block = 0; block < 4; block++) blocks.put(0, SERIES, block, runOf(size));
  expect(blocks.get(0, SERIES, 0)?.count).toBe(size);
  blocks.put(0, SERIES, 4, runOf(size));
  expect([0, 1, 2, 3, 4].map((block) => blocks.get(0, SERIES, block) !== undefined)).toEqual([true, false, true, true, true]);
});
