/** CSV that is read back as it was written, and that no spreadsheet takes for a formula. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { csvLine, csvText } from '../../src/api/csv.ts';
import { parseCsv } from '../support/parse-csv.ts';

/** What a reader does who knows the rule. */
const unescaped = (text: string) => text.replace(/^'/, '');

describe('text in CSV', () => {
  it.each(['=cmd()', '=1+1', '+1', '-1', '@SUM(A1)', '\t=1', '\r=1', '\n=1', "'=1", '＝1', '＋1', '－1', '＠x'])(
    'is no formula where it is %j',
    (text) => {
      const cell = csvText(text);
      expect(cell.slice(0, 2)).toBe(`"'`);
      expect(parseCsv(csvLine([cell]))).toEqual([[`'${text}`]]);
    },
  );

  it.each(['', 'running', 'a,b', 'say "hi"', 'two\r\nlines', ' =1', '1', 'a=b', 'é 👩‍🔧'])('is as it was where it is %j', (text) => {
    expect(parseCsv(csvLine([csvText(text), '1']))).toEqual([[text, '1']]);
  });

  it('comes back whatever it is', () => {
    fc.assert(
      fc.property(fc.array(fc.array(fc.string({ unit: 'binary' }), { minLength: 1 })), (rows) => {
        const text = rows.map((row) => csvLine(row.map(csvText))).join('');
        expect(parseCsv(text).map((row) => row.map(unescaped))).toEqual(rows);
      }),
    );
  });
});
