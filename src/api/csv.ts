/**
 * CSV as RFC 4180 has it: commas, CRLF, quotes doubled. Text always stands in quotes, numbers and booleans never, nothing for no value:
 * `"1"` is text, `1` a number, `""` text without characters.
 */

/**
 * What a spreadsheet takes for a formula when a cell begins with it, in quotes or not; the full-width signs are taken too (OWASP, CSV
 * Injection). The apostrophe is in the list so that taking one away gives back the text as it was.
 */
const FORMULA = /^[=+\-@\t\r\n'＝＋－＠]/;

/** Text as a cell. One that could be a formula, or begins with an apostrophe, gets an apostrophe before it. */
export function csvText(text: string): string {
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return `"${safe.replaceAll('"', '""')}"`;
}

export function csvLine(cells: readonly string[]): string {
  return `${cells.join(',')}\r\n`;
}
