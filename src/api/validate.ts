/** Schemas at the edge: zod's issues as the details of a validation error. */
import type { z } from 'zod';
import { type Detail, invalid } from './problem.ts';

/** The value as the schema gives it. Synchronous. Throws `validation_error`. */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = schema.safeParse(value, {
    error: (issue) => (issue.code === 'invalid_type' && issue.input === undefined ? 'is required' : undefined),
  });
  if (result.success) return result.data;
  throw invalid(result.error.issues.flatMap(detailsOf));
}

function detailsOf(issue: z.core.$ZodIssue): Detail[] {
  const path = issue.path.map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: [...path, key].join('.'), message: 'is not a known field' }));
  }
  return [{ field: path.join('.') || 'body', message: issue.message }];
}
