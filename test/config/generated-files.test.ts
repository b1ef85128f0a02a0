/** The editors' schema and the reference are what the schema says now. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { generatedFiles } from '../../scripts/generate-docs.ts';

const files = [...generatedFiles()];

test.each(files)('%s is up to date; if not: npx tsx scripts/generate-docs.ts', (path, text) => {
  expect(readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8')).toBe(text);
});

test('all files are made, and every key that a user may write is in the reference', () => {
  const [schema = '', reference = ''] = files.map(([, text]) => text);
  const keys = new Set(propertyNames(JSON.parse(schema)));
  expect(keys.size).toBeGreaterThan(60);
  for (const key of keys) expect(reference).toContain(`| \`${key}\` |`);
});

function propertyNames(schema: unknown): string[] {
  if (typeof schema !== 'object' || schema === null) return [];
  return Object.entries(schema).flatMap(([key, value]: [string, unknown]) => [
    ...(key === 'properties' && typeof value === 'object' && value !== null ? Object.keys(value) : []),
    ...propertyNames(value),
  ]);
}
