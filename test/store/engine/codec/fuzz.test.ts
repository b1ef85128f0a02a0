/** A million values of all kinds through the codec and back; `scripts/fuzz-codec.ts` does the same for longer. */
import { describe, expect, it } from 'vitest';
import { fuzzNumbers } from './fuzz-blocks.ts';

describe('a million fuzzed values', () => {
  it.each([1, 2, 3, 4])('come back bit by bit, with their statuses and times (seed %i)', (seed) => {
    const { mismatches, values } = fuzzNumbers(seed, 250_000);
    expect(mismatches).toEqual([]);
    expect(values).toBeGreaterThanOrEqual(250_000);
  });
});
