/** The sentences of refusals that no schema words itself. */
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { wordsOf } from '../../src/api/fault-words.ts';
import { parsed } from '../../src/api/params.ts';
import { faultsOf } from '../../src/api/validate.ts';
import { parseTime } from '../../src/core/time.ts';

const only = (schema: z.ZodType, value: unknown) => {
  const faults = faultsOf(schema, value, []);
  expect(faults).toHaveLength(1);
  return `${faults[0]?.field}: ${faults[0]?.message}`;
};

const discriminated = z.discriminatedUnion('type', [
  z.object({ type: z.literal('a') }),
  z.object({ type: z.literal('b') }),
  z.object({ type: z.literal('c') }),
]);

describe('what is wrong with a value', () => {
  it.each([
    [z.string(), 1, 'body: must be text'],
    [z.number(), '1', 'body: must be a finite number'],
    [z.number(), Number.POSITIVE_INFINITY, 'body: must be a finite number'],
    [z.int(), 1.5, 'body: must be a whole number'],
    [z.int(), 2 ** 60, 'body: must be at most 9007199254740991'],
    [z.boolean(), 0, 'body: must be true or false'],
    [z.array(z.string()), {}, 'body: must be a list'],
    [z.object({}), [], 'body: must be an object'],
    [z.object({}), null, 'body: must be an object'],
    [z.record(z.string(), z.number()), 'x', 'body: must be an object'],
    [z.object({ a: z.string() }), {}, 'a: is required'],
    [z.object({ a: z.enum(['x', 'y']) }), {}, 'a: is required'],
    [z.object({ a: z.union([z.string(), z.number()]) }), {}, 'a: is required'],
    [z.literal('x'), 'y', 'body: must be x'],
    [z.enum(['x', 'y']), 'z', 'body: must be x or y'],
    [z.enum(['x', 'y', 'z']), 'a', 'body: must be one of x, y, z'],
    [z.union([z.literal(0), z.literal(1)]), 2, 'body: must be 0 or 1'],
    [z.union([z.number(), z.string()]), true, 'body: must be a finite number or text'],
    [z.union([z.object({ a: z.int() }), z.object({ b: z.int() })]), {}, 'body: has none of the forms that are allowed here'],
    [discriminated, { type: 'd' }, 'type: must be one of a, b, c'],
    [discriminated, {}, 'type: is required'],
    [discriminated, 'a', 'body: must be an object'],
    [z.string().min(1), '', 'body: must not be empty'],
    [z.string().min(3), 'ab', 'body: must be at least 3 characters'],
    [z.string().max(2), 'abc', 'body: must be at most 2 characters'],
    [z.array(z.int()).min(1), [], 'body: must hold at least 1 entry'],
    [z.array(z.int()).max(2), [1, 2, 3], 'body: must hold at most 2 entries'],
    [z.number().min(0), -1, 'body: must be at least 0'],
    [z.number().positive(), 0, 'body: must be more than 0'],
    [z.number().lt(5), 5, 'body: must be less than 5'],
    [z.number().multipleOf(5), 6, 'body: must be a multiple of 5'],
    [z.record(z.string().regex(/^[a-z]+$/, 'must be a plain word'), z.int()), { 'a b': 1 }, 'a b: must be a plain word'],
    [z.string().regex(/^x$/), 'y', 'body: does not have the form that is asked for here'],
    [z.strictObject({}), { a: 1 }, 'a: is not a known field'],
  ])('%# is said plainly', (schema, value, expected) => {
    expect(only(schema, value)).toBe(expected);
  });

  it('is said in the words of the schema where it has some', () => {
    expect(only(z.string('must be a name'), 1)).toBe('body: must be a name');
  });

  it('tells what a time looks like also to whoever sends a number', () => {
    const time = parsed(parseTime, 'must be an RFC 3339 time, such as 2026-01-06T10:00:00Z');
    for (const value of [1_767_693_600_000, null, true, 'yesterday']) {
      expect(only(time, value)).toBe('body: must be an RFC 3339 time, such as 2026-01-06T10:00:00Z');
    }
    expect(only(z.object({ at: time }), {})).toBe('at: is required');
  });

  it('never shows the value, which may be a secret', () => {
    const secret = 'hunter2';
    const schemas = [z.int(), z.enum(['a']), z.boolean(), z.string().max(2), z.union([z.int(), z.boolean()])];
    for (const schema of schemas) expect(JSON.stringify(schema.safeParse(secret, { error: wordsOf }).error?.issues)).not.toContain(secret);
  });
});
