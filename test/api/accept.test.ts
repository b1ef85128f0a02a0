/** The form that an Accept header asks for. */
import { describe, expect, it } from 'vitest';
import { preferred } from '../../src/api/accept.ts';

const JSON_TYPE = 'application/json';
const CSV = 'text/csv';
const LINES = 'application/x-ndjson';
const of = (accept: string | undefined) => preferred(accept, [JSON_TYPE, CSV, LINES]);

describe('the preferred form', () => {
  it.each([
    [undefined, JSON_TYPE],
    ['', JSON_TYPE],
    ['*/*', JSON_TYPE],
    ['application/json, text/plain, */*', JSON_TYPE],
    ['text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8', JSON_TYPE],
    ['text/csv', CSV],
    ['TEXT/CSV; header=present', CSV],
    ['text/*', CSV],
    ['application/*', JSON_TYPE],
    ['text/csv, */*', CSV],
    ['*/*, application/x-ndjson', LINES],
    ['text/csv;q=0.5, application/x-ndjson;q=0.8', LINES],
    ['text/csv; q=0.5 , application/json ; q=0.4', CSV],
    ['text/csv, application/json', CSV],
    ['application/json, text/csv', JSON_TYPE],
    ['application/json;q=0, */*;q=0.1', CSV],
    ['text/csv;q=0.001, application/json;q=0', CSV],
    ['text/csv;q=nonsense, application/x-ndjson;q=0.1', LINES],
    ['garbage, text/csv', CSV],
    [',,text/csv,,', CSV],
  ])('for %j is %s', (accept, type) => {
    expect(of(accept)).toBe(type);
  });

  it.each(['text/html', 'application/xml;q=0.9, image/*', 'text/csv;q=0', '*/*;q=0', 'text/csv;q=2', 'garbage'])(
    'for %j is none, and the refusal lists what there is',
    (accept) => {
      expect(() => of(accept)).toThrow(expect.objectContaining({ code: 'not_acceptable', message: expect.stringContaining('text/csv') }));
    },
  );

  it('of a header as long as a server takes is found at once', () => {
    expect(of(`${'a/b;q=0.1;x="y",'.repeat(1_000)}text/csv`)).toBe(CSV);
    expect(of(`text/csv${' ;'.repeat(8_000)}`)).toBe(CSV);
    expect(() => of(';'.repeat(16_000))).toThrow('no such form');
  });
});
