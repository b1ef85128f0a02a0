/** Query parameters as schemas: text in, values out. Unknown parameters are ignored. */
import { z } from 'zod';
import { parseTime } from '../core/time.ts';

type JsonSchema = Readonly<Record<string, unknown>>;

/** A text that `parse` understands; `undefined` from it means it does not. `described` is how the API's description shows it. */
export function parsed<Value>(parse: (text: string) => Value | undefined, message: string, described: JsonSchema = {}) {
  return z
    .string({ error: ({ input }) => (input === undefined ? undefined : message) })
    .meta(described)
    .transform((text, context): Value => {
      const value = parse(text);
      if (value !== undefined) return value;
      context.addIssue({ code: 'custom', message });
      return z.NEVER;
    });
}

/** Digits only: `Number` alone would take 0x10 and 1e1. */
function wholeNumber(min: number, max: number, usual: number) {
  const parse = (text: string) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  };
  const described = { type: 'integer', minimum: min, maximum: max, default: usual };
  return parsed(parse, `must be a whole number from ${min} to ${max}`, described).default(usual);
}

const MAX_PAGE = 999_999_999;

/** `page` and `per_page`; out of range is an error, never clamped. */
export function pageParams(defaultPerPage: number, maxPerPage: number) {
  return {
    page: wholeNumber(1, MAX_PAGE, 1),
    per_page: wholeNumber(1, maxPerPage, defaultPerPage),
  };
}

export const timeParam = parsed(parseTime, 'must be an RFC 3339 time, such as 2026-01-06T10:00:00Z', {
  description: 'RFC 3339 with any offset; a date alone, or a time without a zone, is UTC',
});

/** `a,b,c`; absent when nothing stands between the commas. */
export const listParam = z
  .string()
  .meta({ description: 'several, with commas between them' })
  .transform((text) => {
    const items = [...new Set(text.split(',').filter((item) => item !== ''))];
    return items.length > 0 ? items : undefined;
  })
  .optional();
