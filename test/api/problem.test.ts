/** The one table of problems and its two spellings. */
import { describe, expect, it } from 'vitest';
import { ApiError, familyOf, invalid, PROBLEMS, type ProblemCode, problemOf } from '../../src/api/problem.ts';

const codes = Object.keys(PROBLEMS) as ProblemCode[];

function codeIn(family: 'desktop' | 'edge', code: ProblemCode) {
  const { status, body } = problemOf(new ApiError(code, 'why'), family, 'r-1');
  return { status, ...(body as { error: { code: string } }).error };
}

describe('problems', () => {
  it.each(codes)('%s has a status of its kind and both spellings', (code) => {
    const edge = codeIn('edge', code);
    const desktop = codeIn('desktop', code);
    expect(edge).toMatchObject({ code, message: 'why', request_id: 'r-1' });
    expect(desktop.code).toMatch(/^[A-Z_]+$/);
    for (const { status } of [edge, desktop]) expect(status >= 400 && status < 600).toBe(true);
  });

  it('differ between the families where the documents do', () => {
    expect([codeIn('edge', 'validation_error').status, codeIn('desktop', 'validation_error').status]).toEqual([400, 422]);
    expect(codeIn('desktop', 'malformed_json').code).toBe('INVALID_JSON');
    expect(codeIn('desktop', 'twin_not_found').code).toBe('TWIN_NOT_FOUND');
  });

  it('belong to the family of the path', () => {
    expect(['/api', '/api/twins', '/apis', '/v1/status', '/', '/v1/api/x'].map(familyOf)).toEqual([
      'desktop',
      'desktop',
      'edge',
      'edge',
      'edge',
      'edge',
    ]);
  });

  it('name the one field that is wrong, or count them', () => {
    expect(invalid([{ field: 'page', message: 'must be 1' }]).message).toBe('page: must be 1');
    const many = invalid(Array.from({ length: 101 }, () => ({ field: 'x', message: 'y' })));
    expect(many.message).toBe('101 fields are invalid (the first 100 are listed)');
    expect(many.details).toHaveLength(100);
  });
});
