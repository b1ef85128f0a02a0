/** The style of the house as far as a test can see it. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const src = new URL('../src/', import.meta.url);
const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => ({ file, text: readFileSync(new URL(file, src), 'utf8') }));

/** Files whose text matches, for an assertion that names them. */
function offenders(test: (text: string, file: string) => boolean): string[] {
  return files.filter(({ file, text }) => test(text, file)).map(({ file }) => file);
}

describe('every source file', () => {
  it('is there to be looked at', () => {
    expect(files.length).toBeGreaterThan(90);
  });

  it('opens with a sentence that says what it is for', () => {
    expect(offenders((text) => !/^(#!.*\n)?\/\*\*/.test(text))).toEqual([]);
  });

  it('is named in kebab-case and is no barrel', () => {
    expect(
      offenders((_, file) => !/^([a-z0-9]+(-[a-z0-9]+)*\/)*[a-z0-9]+(-[a-z0-9]+)*\.ts$/.test(file) || /(^|\/)index\.ts$/.test(file)),
    ).toEqual([]);
  });

  it('has at most 350 lines', () => {
    expect(offenders((text) => text.split('\n').length > 350)).toEqual([]);
  });

  it('asks the clock for the time, never the machine', () => {
    const machine = /\bDate\.now\(|\bnew Date\(\)|\bperformance\.now\(|\bprocess\.hrtime/;
    expect(offenders((text, file) => file !== 'core/clock.ts' && machine.test(text))).toEqual([]);
  });

  it('swallows nothing in an empty catch and leaves no work for later', () => {
    expect(offenders((text) => /catch\s*(\([^)]*\))?\s*\{\s*\}/.test(text) || /\b(TODO|FIXME|XXX|HACK)\b/.test(text))).toEqual([]);
  });

  it('throws errors, not texts', () => {
    expect(offenders((text) => /\bthrow\s+['"`]/.test(text))).toEqual([]);
  });

  it('has no default export', () => {
    expect(offenders((text) => /^export default /m.test(text))).toEqual([]);
  });
});
