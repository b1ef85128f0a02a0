/** Query parameters as schemas: text in, values out. Unknown parameters are ignored. */
import { z } from 'zod';
import { parseTime } from '../core/time.ts';

/** A text that `parse` understands; `undefined` from it means it does not. */
export function parsed<Value>(parse: (text: string) => Value | undefined, message: string) {
  return z.string().transform((text, context): Value => {
    const value = parse(text);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message });
    return z.NEVER;
  });
}

/** Digits only: `Number` alone would take 0x10 and 1e1. */
function wholeNumber(min: number, max: number) {
  return parsed((text) => {
    const value = /^\d{1,9}$/.test(text) ? Number(text) : Number.NaN;
    return value >= min && value <= max ? value : undefined;
  }, `must be a whole number from ${min} to ${max}`);
}

const MAX_PAGE = 999_999_999;

/** `page` and `per_page`; out of range is an error, never clamped. */
export function pageParams(defaultPerPage: number, maxPerPage: number) {
  return {
    page: wholeNumber(1, MAX_PAGE).default(1),
    per_page: wholeNumber(1, maxPerPage).default(defaultPerPage),
  };
}

export const timeParam = parsed(parseTime, 'must be an RFC 3339 time, such as 2026-01-06T10:00:00Z');

/** `a,b,c`; absent when nothing stands between the commas. */
export const listParam = z
  .string()
  .transform((text) => {
    const items = [...new Set(text.split(',').filter((item) => item !== ''))];
    return items.length > 0 ? items : undefined;
  })
  .optional();
