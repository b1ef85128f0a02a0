/** Entity tags: who has it already, and who would overwrite what they have not seen. */
import { describe, expect, it } from 'vitest';
import { requireMatch, tagged, unlessKnown } from '../../src/api/conditional.ts';
import { ok } from '../../src/api/route.ts';

const answer = tagged(ok({ data: 1 }), 3, true);

describe('If-None-Match', () => {
  it.each(['"3"', 'W/"3"', '"1", "3"', '*'])('%s answers 304 without a body', (header) => {
    expect(unlessKnown(answer, header)).toEqual({ status: 304, body: undefined, headers: { ETag: '"3"' } });
  });

  it.each([undefined, '"4"', '3', '"33"', ''])('%j answers with the object', (header) => {
    expect(unlessKnown(answer, header)).toBe(answer);
  });

  it('never hides live values, another status, or what has no tag', () => {
    const live = tagged(ok({ data: 1 }), 3, false);
    expect(live.headers).toEqual({ ETag: '"3"' });
    expect(unlessKnown(live, '"3"')).toBe(live);
    const created = { ...answer, status: 201 };
    expect(unlessKnown(created, '"3"')).toBe(created);
    const bare = ok(1);
    expect(unlessKnown(bare, '*')).toBe(bare);
  });
});

describe('If-Match', () => {
  it.each([undefined, '"3"', '*', '"1", "3"'])('%j lets a write of revision 3 through', (header) => {
    expect(() => requireMatch(header, 3)).not.toThrow();
  });

  it.each(['"4"', 'W/"3"', '3', ''])('%j does not', (header) => {
    expect(() => requireMatch(header, 3)).toThrow(expect.objectContaining({ code: 'precondition_failed' }));
  });
});
