/** The documents say what the code does: error tables in both directions. */
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { PROBLEMS } from '../src/api/problem.ts';
import { ERRORS } from '../src/core/errors.ts';

function tableRows(markdown: string, heading: string): string[][] {
  const section = markdown.split(`## ${heading}\n`)[1]?.split('\n## ')[0] ?? '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .map((line) =>
      line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim().replaceAll('`', '')),
    );
}

describe('docs/errors.md', () => {
  const page = readFileSync(new URL('../docs/errors.md', import.meta.url), 'utf8');

  it('lists every operating error with the meaning that the code gives it, and no other', () => {
    const documented = Object.fromEntries(tableRows(page, 'Operating errors').map(([code, meaning]) => [code, meaning]));
    expect(documented).toEqual(ERRORS);
  });

  it('lists every API error with its status, and no other', () => {
    const documented = tableRows(page, 'API errors').map(([code, status]) => [code, Number.parseInt(status ?? '', 10)]);
    expect(documented).toEqual(Object.entries(PROBLEMS).map(([code, { status }]) => [code, status]));
  });
});
