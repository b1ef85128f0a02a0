import { HonoRequest } from 'hono/request';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { listParam } from '../../src/api/params.ts';
import { queryOf } from '../../src/api/query.ts';

const asking = (search: string) => new HonoRequest(new Request(`http://box.test/v1/things${search}`));

describe('the query of a request', () => {
  it('says the same when it comes again, and is not read again', () => {
    let read = 0;
    const schema = z.object({ tags: listParam, a: z.string().transform((text) => `${text}${++read}`) });
    expect(queryOf(schema, asking('?a=x&tags=t,u'))).toEqual({ a: 'x1', tags: ['t', 'u'] });
    expect(queryOf(schema, asking('?a=x&tags=t,u'))).toEqual({ a: 'x1', tags: ['t', 'u'] });
    expect(queryOf(schema, asking('?a=y&tags=t,u'))).toEqual({ a: 'y2', tags: ['t', 'u'] });
  });

  it("is each schema's own", () => {
    expect(queryOf(z.object({ a: z.string() }), asking('?a=1'))).toEqual({ a: '1' });
    expect(queryOf(z.object({ a: z.coerce.number() }), asking('?a=1'))).toEqual({ a: 1 });
  });

  it('is refused each time when it is wrong', () => {
    const schema = z.object({ a: z.string() });
    for (let times = 0; times < 2; times++) expect(() => queryOf(schema, asking(''))).toThrow('is required');
  });

  it('cannot be changed by one who reads it', () => {
    const query = queryOf(z.object({ tags: listParam }), asking('?tags=b,a'));
    expect(() => query.tags?.sort()).toThrow(TypeError);
    expect(() => Object.assign(query, { tags: [] })).toThrow(TypeError);
  });

  it('is forgotten when there are too many, and never kept when it is long', () => {
    let read = 0;
    const schema = z.object({ a: z.string().transform(() => ++read) });
    const first = queryOf(schema, asking('?a=first'));
    for (let other = 0; other < 300; other++) queryOf(schema, asking(`?a=${other}`));
    expect(queryOf(schema, asking('?a=first'))).not.toEqual(first);
    const long = `?a=${'x'.repeat(300)}`;
    expect(queryOf(schema, asking(long))).not.toEqual(queryOf(schema, asking(long)));
  });
});
