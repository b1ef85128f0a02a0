/** Compiled JSON paths against the engine they are compiled by. */
import fc from 'fast-check';
import { query } from 'json-p3';
import { expect, test } from 'vitest';
import { compileJsonPath } from '../../../src/drivers/mqtt/json-path.ts';

const keys = fc.constantFrom('a', 'b', 'constructor', '__proto__', '0', 'é');
const paths = fc
  .array(
    fc.oneof(
      keys.map((key) => `['${key}']`),
      fc.integer({ min: -3, max: 3 }).map((index) => `[${index}]`),
    ),
    { maxLength: 4 },
  )
  .map((steps) => `$${steps.join('')}`);
const { document: documents } = fc.letrec((tie) => ({
  document: fc.oneof(
    { maxDepth: 3 },
    fc.constantFrom<unknown>(null, 1, 'text', true),
    fc.array(tie('document'), { maxLength: 3 }),
    fc.dictionary(keys, tie('document'), { maxKeys: 4 }),
  ),
}));

test('a plain path finds what the query engine finds', () => {
  fc.assert(
    fc.property(paths, documents, (path, document) => {
      const json = JSON.parse(JSON.stringify(document));
      expect(compileJsonPath(path)(json)).toEqual(query(path, json).values()[0]);
    }),
    { numRuns: 5_000 },
  );
});

test('a path that selects several nodes gives the first', () => {
  expect(
    compileJsonPath("$.sensors[?@.name == 'b'].value")({
      sensors: [
        { name: 'a', value: 1 },
        { name: 'b', value: 2 },
      ],
    }),
  ).toBe(2);
  expect(compileJsonPath('$.list[*]')({ list: [7, 8] })).toBe(7);
  expect(compileJsonPath('$..deep')({ x: [{ deep: 'yes' }] })).toBe('yes');
});

test.each([
  ['value', "expected '$'"],
  ['$.a[', 'unclosed'],
  ['$..a..b', '".." only once'],
  ["$[?match(@.a, '(a+)+$')]", 'no such function'],
  [`$.${'a'.repeat(512)}`, '512 characters'],
])('the path %s is refused', (path, message) => {
  expect(() => compileJsonPath(path)).toThrow(message);
});
