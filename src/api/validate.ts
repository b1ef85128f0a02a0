/** Schemas at the edge: zod's issues as the details of a validation error. */
import type { z } from 'zod';
import { wordsOf } from './fault-words.ts';
import { type Detail, invalid } from './problem.ts';

/** The value as the schema gives it. Synchronous. Throws `validation_error`. */
export function validate<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const result = parse(schema, value);
  if (result.success) return result.data;
  throw invalid(result.error.issues.flatMap((issue) => detailsOf(issue, [])));
}

/** What is wrong with the value that stands at `place` of the body; nothing when it is as the schema asks. */
export function faultsOf(schema: z.ZodType, value: unknown, place: readonly PropertyKey[]): readonly Detail[] {
  const result = parse(schema, value);
  return result.success ? [] : result.error.issues.flatMap((issue) => detailsOf(issue, place));
}

function parse<Schema extends z.ZodType>(schema: Schema, value: unknown): z.ZodSafeParseResult<z.output<Schema>> {
  return schema.safeParse(value, { error: wordsOf });
}

function detailsOf(issue: z.core.$ZodIssue, place: readonly PropertyKey[]): Detail[] {
  const path = [...place, ...issue.path].map(String);
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => ({ field: [...path, key].join('.'), message: 'is not a known field' }));
  }
  return [{ field: path.join('.') || 'body', message: issue.message }];
}
