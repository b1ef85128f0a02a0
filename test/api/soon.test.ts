import { describe, expect, it } from 'vitest';
import { mended, whenThere } from '../../src/api/soon.ts';

const fails = (): never => {
  throw new Error('no');
};

describe('what may be there already', () => {
  it('goes on at once where it is, and later where it is not', async () => {
    const twice = (value: number) => value * 2;
    expect(whenThere(21, twice)).toBe(42);
    const later = whenThere(Promise.resolve(21), twice);
    expect(later).toBeInstanceOf(Promise);
    expect(await later).toBe(42);
  });

  it('is mended whether it throws or rejects', async () => {
    const mend = (thrown: unknown) => (thrown as Error).message;
    expect(mended(fails, mend)).toBe('no');
    expect(await mended(async () => fails(), mend)).toBe('no');
    expect(await mended(() => whenThere(Promise.resolve(1), fails), mend)).toBe('no');
    expect(mended(() => 'yes', mend)).toBe('yes');
  });
});
