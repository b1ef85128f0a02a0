/** The query of a request as its schema gives it. Panels ask the same again and again, so what a query says is remembered. */
import type { Context } from 'hono';
import type { z } from 'zod';
import { validate } from './validate.ts';

/** For each schema: the queries of some dozens of panels, in some 100 KiB at most. */
const MAX_REMEMBERED = 256;
const MAX_LENGTH = 256;

const remembered = new WeakMap<z.ZodObject, Map<string, unknown>>();

/** Shared with other requests, so frozen. The schema must see nothing but its input. Throws `validation_error`. */
export function queryOf<Schema extends z.ZodObject>(schema: Schema, request: Context['req']): z.output<Schema> {
  const start = request.url.indexOf('?');
  const text = start < 0 ? '' : request.url.slice(start);
  const known = remembered.get(schema) ?? new Map<string, unknown>();
  const found = known.get(text);
  if (found !== undefined) return found as z.output<Schema>;
  const query = frozen(validate(schema, request.query()));
  if (text.length > MAX_LENGTH) return query;
  if (known.size >= MAX_REMEMBERED) known.clear();
  known.set(text, query);
  remembered.set(schema, known);
  return query;
}

function frozen<Query extends object>(query: Query): Query {
  for (const value of Object.values(query)) Object.freeze(value);
  return Object.freeze(query);
}
