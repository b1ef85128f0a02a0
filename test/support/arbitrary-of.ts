/** Values to try on a schema: such as it takes, and such as it takes but for one thing. Made from the JSON Schema of zod's. */
import fc from 'fast-check';
import { z } from 'zod';

type Schema = z.core.JSONSchema.BaseSchema;

/** What no schema expects. */
const oddity = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom<unknown>(
    null,
    '',
    0,
    -1,
    Number.POSITIVE_INFINITY,
    -0,
    2 ** 53 + 1,
    '1e309',
    'NaN',
    '\0',
    '../..',
    '%00',
    '<script>',
    '=cmd()',
    'x'.repeat(2_000),
  ),
  fc.constantFrom<unknown>(
    '0000-01-01',
    '9999-12-31T23:59:59Z',
    '2026-02-30',
    '1969-12-31T23:59:59.999Z',
    '999999999d',
    '+01:00',
    '__proto__',
  ),
);

/** Bodies: of the shape, with single places spoiled, with keys too many, or anything at all. */
export function arbitraryOf(schema: z.ZodType): fc.Arbitrary<unknown> {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
  return fc.oneof({ weight: 6, arbitrary: shaped(json, json) }, { weight: 1, arbitrary: fc.jsonValue() });
}

/** A query: known parameters with likely and unlikely values. */
export function arbitraryQuery(schema: z.ZodObject): fc.Arbitrary<string> {
  const json = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any' }) as Schema;
  const pairs = Object.entries(json.properties ?? {}).map(([name, inner]) =>
    fc.tuple(fc.constant(name), fc.oneof({ weight: 3, arbitrary: shaped(inner as Schema, json) }, { weight: 1, arbitrary: oddity })),
  );
  if (pairs.length === 0) return fc.constant('');
  return fc
    .subarray(pairs)
    .chain((chosen) =>
      fc.tuple(...chosen).map((known) => known.map(([name, value]) => `${name}=${encodeURIComponent(textOf(value))}`).join('&')),
    );
}

function textOf(value: unknown): string {
  return (typeof value === 'string' ? value : (JSON.stringify(value) ?? '')).replaceAll(/\p{Cs}/gu, '');
}

function shaped(schema: Schema, root: Schema): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 12, arbitrary: exact(schema, root) }, { weight: 1, arbitrary: oddity });
}

/** Texts that the box's own grammars know: ids, times, intervals, numbers. */
const text = fc.oneof(
  fc.constantFrom(
    'pump-101',
    'temperature',
    '2026-01-06T10:00:00Z',
    '2026-01-06',
    '5m',
    '1d',
    'UTC',
    'Europe/Berlin',
    '1',
    '20',
    'avg',
    'id',
    '-name',
  ),
  fc.string({ unit: 'binary', maxLength: 40 }).map((value) => value.replaceAll(/\p{Cs}/gu, '')),
);

function exact(schema: Schema, root: Schema): fc.Arbitrary<unknown> {
  if (schema.$ref) return exact((root.$defs?.[schema.$ref.split('/').at(-1) as string] ?? {}) as Schema, root);
  if (schema.const !== undefined) return fc.constant(schema.const);
  if (schema.enum) return fc.constantFrom(...schema.enum);
  const options = schema.anyOf ?? schema.oneOf;
  if (options) return fc.oneof(...options.map((option) => shaped(option as Schema, root)));
  switch (Array.isArray(schema.type) ? schema.type[0] : schema.type) {
    case 'object':
      return object(schema, root);
    case 'array':
      return fc.array(shaped((schema.items ?? {}) as Schema, root), { maxLength: 4 });
    case 'integer':
      return fc.integer({ min: Math.max(schema.minimum ?? -1, -1e9), max: Math.min(schema.maximum ?? 100, 1e9) });
    case 'number':
      return fc.double({ noNaN: true });
    case 'boolean':
      return fc.boolean();
    case 'null':
      return fc.constant(null);
    case 'string':
      return text;
    default:
      return fc.jsonValue();
  }
}

function object(schema: Schema, root: Schema): fc.Arbitrary<unknown> {
  const known = Object.fromEntries(Object.entries(schema.properties ?? {}).map(([key, inner]) => [key, shaped(inner as Schema, root)]));
  const record = fc.record(known, { requiredKeys: [] });
  const whole = fc.record(known, { requiredKeys: (schema.required ?? []) as string[] });
  const more = fc.dictionary(fc.constantFrom('id', 'tenant', 'status', 'created_at', '__proto__', 'constructor', 'x'), fc.jsonValue(), {
    maxKeys: 2,
  });
  return fc.oneof(
    { weight: 6, arbitrary: whole },
    { weight: 1, arbitrary: record },
    { weight: 1, arbitrary: fc.tuple(whole, more).map(([base, extra]) => ({ ...base, ...extra })) },
  );
}
