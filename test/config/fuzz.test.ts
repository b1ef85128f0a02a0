/** Whatever stands in the file, the loader answers with a configuration or with faults that have a place. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { loadConfig } from '../../src/config/load.ts';
import { editDistance, suggest } from '../../src/config/suggest.ts';
import { configFolder } from './config-folder.ts';

const KEYS = [
  'data_dir',
  'api',
  'listen',
  'tokens',
  'sources',
  'type',
  'config',
  'tags',
  'name',
  'id',
  'tenant',
  'twins',
  'sensors',
  'metadata',
  'binding',
  'profile',
  'password',
  '__proto__',
  'constructor',
];
const WORDS = [
  'modbus',
  'mqtt',
  'opcua',
  'simulator',
  '127.0.0.1:3000',
  '0.0.0.0:1',
  'default',
  `\${env:X}`,
  `\${file:/}`,
  `\${`,
  '',
  '~',
  '.inf',
  '0x10',
  '1e309',
  '2026-01-01',
];
const PIECES = [
  ...KEYS.map((key) => `${key}: `),
  ...WORDS,
  '\n',
  '\n  ',
  '\n- ',
  '{',
  '}',
  '[',
  ']',
  ', ',
  '&a ',
  '*a',
  '!!set ',
  '!x ',
  '? ',
  '| \n',
  '"',
  "'",
  '#',
  '---\n',
  '...\n',
  '%YAML 1.1\n',
  '<<: *a\n',
  '\t',
  '\r',
  '\0',
  '\uFEFF',
  '\u2028',
];

const { value: tree } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 7 },
    fc.constantFrom<unknown>(...WORDS, null, true, 0, -1, 502, 1.5, Number.NaN, 2 ** 60),
    fc.array(tie('value'), { maxLength: 4 }),
    fc.dictionary(fc.oneof({ weight: 9, arbitrary: fc.constantFrom(...KEYS) }, fc.string()), tie('value'), { maxKeys: 6 }),
  ),
}));

function mustAnswer(write: (content: string | Uint8Array) => string, content: string | Uint8Array): void {
  const outcome = loadConfig(write(content), { X: 'hush-hush' });
  if (outcome.ok) return;
  expect(outcome.faults.length).toBeGreaterThan(0);
  const lines = Buffer.from(content)
    .toString('utf8')
    .split(/\r\n|\n/).length;
  for (const fault of outcome.faults) {
    expect(fault.line).toBeGreaterThanOrEqual(1);
    expect(fault.line).toBeLessThanOrEqual(lines + 1);
    expect(fault.column).toBeGreaterThanOrEqual(1);
    expect(fault.message).not.toBe('');
    expect(fault.message).not.toContain('hush-hush');
  }
}

describe('the loader answers', () => {
  test('random bytes', () => {
    const folder = configFolder();
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => mustAnswer((content) => folder.write('c.yaml', content), bytes)),
      { numRuns: 1_000 },
    );
  });

  test('random pieces of YAML', () => {
    const folder = configFolder();
    const text = fc
      .array(fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 5 })), { maxLength: 40 })
      .map((pieces) => pieces.join(''));
    fc.assert(
      fc.property(text, (yaml) => mustAnswer((content) => folder.write('c.yaml', content), yaml)),
      { numRuns: 3_000 },
    );
  });

  test('well-formed YAML of random shape', () => {
    const folder = configFolder();
    fc.assert(
      fc.property(tree, (value) => mustAnswer((content) => folder.write('c.yaml', content), stringify(value))),
      { numRuns: 2_000 },
    );
  });
});

describe('the suggestion', () => {
  const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c', '_'), maxLength: 8 });

  test('stands on a distance: zero only for itself, symmetric, with the triangle inequality', () => {
    fc.assert(
      fc.property(word, word, word, (a, b, c) => {
        expect(editDistance(a, b) === 0).toBe(a === b);
        expect(editDistance(a, b)).toBe(editDistance(b, a));
        expect(editDistance(a, c)).toBeLessThanOrEqual(editDistance(a, b) + editDistance(b, c));
        expect(editDistance(a, b)).toBeLessThanOrEqual(Math.max(a.length, b.length));
      }),
    );
  });

  test('takes the nearest, and nothing that is far', () => {
    expect(editDistance('kitten', 'sitting')).toBe(3);
    expect(suggest('adress', ['address', 'data_type'])).toBe('address');
    expect(suggest('Listen', ['listen'])).toBe('listen');
    expect(suggest('foo', ['bar', 'id'])).toBeUndefined();
    expect(suggest('ip', ['id', 'name'])).toBe('id');
  });
});
