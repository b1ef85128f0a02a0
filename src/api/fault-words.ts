/** What a refusal says where a schema has no words of its own: one plain sentence for each kind of fault, never the schema library's. */
import type { z } from 'zod';

type Issue = z.core.$ZodRawIssue;

/** What a value should be, by the name that the schema library has for it; values come as JSON. */
const KINDS: Readonly<Record<string, string>> = {
  string: 'text',
  number: 'a finite number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  tuple: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

/** For zod's `error`: asked only where the schema says nothing itself. Never shows the value, which may be a secret. */
export function wordsOf(issue: Issue): string {
  switch (issue.code) {
    case 'invalid_type':
      return issue.input === undefined ? 'is required' : `must be ${KINDS[issue.expected] ?? 'of another kind'}`;
    case 'invalid_value':
      return issue.input === undefined ? 'is required' : oneOf(issue.values.map(String));
    case 'invalid_union':
      return unionWords(issue);
    case 'invalid_key':
      return issue.issues[0]?.message ?? 'has a name that is not allowed here';
    case 'too_small':
      return boundWords(issue.origin, issue.inclusive === false ? 'more than' : 'at least', issue.minimum);
    case 'too_big':
      return boundWords(issue.origin, issue.inclusive === false ? 'less than' : 'at most', issue.maximum);
    case 'not_multiple_of':
      return `must be a multiple of ${issue.divisor}`;
    default:
      return 'does not have the form that is asked for here';
  }
}

function oneOf(names: readonly string[]): string {
  if (names.length > 2) return `must be one of ${names.join(', ')}`;
  return `must be ${names.join(' or ')}`;
}

function boundWords(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return bound === 'at least' && limit === 1 ? 'must not be empty' : `must be ${bound} ${limit} characters`;
  if (origin === 'array') return `must hold ${bound} ${limit} ${limit === 1 ? 'entry' : 'entries'}`;
  return `must be ${bound} ${limit}`;
}

const MUST_BE = 'must be ';

/** Of alternatives that each say only what the value must be, all; of others nothing can be said that holds for every one. */
function unionWords({ input, discriminator, options, errors }: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string {
  const chosen = typeof discriminator === 'string' ? (input as Readonly<Record<string, unknown>>)[discriminator] : input;
  if (chosen === undefined) return 'is required';
  if (Array.isArray(options)) return oneOf(options.map(String));
  const plain = new Set(errors.map(([first, ...more]) => (more.length === 0 && first?.path.length === 0 ? first.message : '')));
  if ([...plain].some((words) => !words.startsWith(MUST_BE))) return 'has none of the forms that are allowed here';
  return `${MUST_BE}${[...plain].map((words) => words.slice(MUST_BE.length)).join(' or ')}`;
}
