/** Quality from StatusCodes. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import * as status from '../../src/core/status.ts';

const { isBad, qualityOf, statusOf } = status;

describe('qualityOf', () => {
  it('reads the two severity bits of any 32-bit code, 11 being bad too', () => {
    const names = ['good', 'uncertain', 'bad', 'bad'];
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 0x3fff_ffff }), (severity, rest) => {
        const code = severity * 0x4000_0000 + rest;
        expect(qualityOf(code)).toBe(names[severity]);
        expect(qualityOf(code | 0)).toBe(names[severity]); // as a signed view shows it
        expect(isBad(code)).toBe(names[severity] === 'bad');
      }),
    );
  });

  it('is not misled by limit and overflow bits', () => {
    expect(qualityOf(0x0000_0480)).toBe('good');
    expect(qualityOf(0x0000_03ff)).toBe('good');
    expect(qualityOf(0x4000_0300)).toBe('uncertain');
  });

  it('has a code for each name and knows it again', () => {
    for (const quality of ['good', 'uncertain', 'bad'] as const) expect(qualityOf(statusOf(quality))).toBe(quality);
  });

  it('fits the names of the constants', () => {
    for (const [name, code] of Object.entries(status)) {
      if (typeof code === 'number') expect(`${name} ${qualityOf(code)}`.toLowerCase()).toBe(`${name} ${name.split('_')[0]}`.toLowerCase());
    }
  });
});
