/** Many things in few calls. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { batchSize, inBatches } from '../../../src/drivers/opcua/batches.ts';

describe('batches', () => {
  it('ask for every item once and in order, whatever limit the server keeps to itself', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(300), fc.integer({ min: 1, max: 100 }), fc.integer({ min: 1, max: 100 }), async (count, size, hidden) => {
        const items = Array.from({ length: count }, (_, index) => index);
        const asked: number[] = [];
        await inBatches(items, size, async (batch) => {
          expect(batch.length).toBeLessThanOrEqual(size);
          if (batch.length > hidden) throw new Error('ServiceResult is BadTooManyOperations (0x80100000)');
          asked.push(...batch);
        });
        expect(asked).toEqual(items);
      }),
    );
  });

  it('pass every other fault on', async () => {
    await expect(inBatches([1, 2], 2, () => Promise.reject(new Error('BadSessionIdInvalid')))).rejects.toThrow('BadSessionIdInvalid');
  });

  it('take the limit of the server, but never more than 1,000', () => {
    expect([0, undefined, null, Number.NaN, 100, 1e9].map(batchSize)).toEqual([1_000, 1_000, 1_000, 1_000, 100, 1_000]);
  });
});
