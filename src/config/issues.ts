/** Turns what a schema finds into faults: plain words, the place in the file, and the key that was probably meant. */
import { z } from 'zod';
import type { Fault, Outcome, Path } from './fault.ts';
import { suggest } from './suggest.ts';
import type { YamlFile } from './yaml-file.ts';

type Issue = z.core.$ZodIssue;
type KnownKeys = ReadonlyMap<string, readonly string[]>;

const MAX_UNKNOWN_KEYS = 100; // of one mapping; a file of another kind may have a hundred thousand
const MAX_LISTED_KEYS = 13; // more would hide the fault behind its help

/** Validates `value`, which came from `yaml`, and gives it with defaults filled in, or everything that is wrong with it. */
export function check<T>(schema: z.ZodType<T>, value: unknown, yaml: YamlFile): Outcome<T> {
  const knownKeys = new Map<string, readonly string[]>();
  const result = schema.safeParse(value, { error: describer(knownKeys) });
  if (result.success) return { ok: true, value: result.data };
  return { ok: false, faults: result.error.issues.flatMap((issue) => issueFaults(issue, [], yaml, knownKeys)) };
}

/**
 * What zod is to ask for the words of an issue; fills `knownKeys`. A function of its own, as zod remembers it until the schema's next use, and
 * with it whatever stands around it: a file's syntax tree takes 2.5 KB a tag.
 */
function describer(knownKeys: Map<string, readonly string[]>): (issue: z.core.$ZodRawIssue) => string | undefined {
  return (issue) => {
    // Only here the object's schema is at hand, which knows the keys that would have been right.
    if (issue.code === 'unrecognized_keys' && issue.inst instanceof z.ZodObject) {
      knownKeys.set((issue.path ?? []).join('.'), Object.keys(issue.inst.shape));
    }
    return describe(issue);
  };
}

function issueFaults(issue: Issue, parent: Path, yaml: YamlFile, knownKeys: KnownKeys): Fault[] {
  const path = [...parent, ...issue.path.map((part) => (typeof part === 'number' ? part : String(part)))];
  const fault = (at: Path, message: string, place = yaml.valueAt(at)): Fault => ({
    file: yaml.file,
    ...place,
    path: at.join('.'),
    message,
  });
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys.get(path.join('.')) ?? [];
    const told = issue.keys
      .slice(0, MAX_UNKNOWN_KEYS)
      .map((key) => fault([...path, key], unknownKey(key, known), yaml.keyAt([...path, key])));
    const rest = issue.keys.length - told.length;
    return rest > 0 ? [...told, fault(path, `and ${rest} more unknown keys`)] : told;
  }
  const branch = issue.code === 'invalid_union' ? likeliest(issue.errors) : undefined;
  if (branch) return branch.flatMap((inner) => issueFaults(inner, path, yaml, knownKeys));
  return [fault(path, issue.message)];
}

/** The alternative that the value comes nearest to: one that complains about something inside rather than about the value itself. */
function likeliest(alternatives: readonly (readonly Issue[])[]): readonly Issue[] | undefined {
  return alternatives.find((issues) => issues.every((issue) => issue.path.length > 0 || issue.code === 'unrecognized_keys'));
}

function unknownKey(key: string, known: readonly string[]): string {
  const meant = suggest(key, known);
  if (meant) return `unknown key "${key}", did you mean "${meant}"?`;
  return known.length > 0 && known.length <= MAX_LISTED_KEYS
    ? `unknown key "${key}"; known here: ${known.join(', ')}`
    : `unknown key "${key}"`;
}

/** Our words for an issue, or undefined to keep the schema's. Never shows the value, which may hold a secret. */
function describe(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.input === undefined && issue.code !== 'custom') return 'is missing';
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${EXPECTED[issue.expected] ?? issue.expected}, got ${kindOf(issue.input)}`;
    case 'invalid_value':
      return oneOf(issue.input, issue.values);
    case 'invalid_union':
      return unionMessage(issue);
    case 'invalid_key':
      return issue.issues[0]?.message;
    case 'too_small':
      return `must ${measure(issue.origin)} at least ${issue.minimum}${unitOf(issue.origin)}`;
    case 'too_big':
      return `must ${measure(issue.origin)} at most ${issue.maximum}${unitOf(issue.origin)}`;
    default:
      return undefined;
  }
}

function unionMessage(issue: z.core.$ZodRawIssue<z.core.$ZodIssueInvalidUnion>): string {
  const { discriminator, options } = issue;
  if (typeof discriminator !== 'string' || !Array.isArray(options)) return 'none of the forms that are allowed here';
  const chosen = (issue.input as Readonly<Record<string, unknown>>)[discriminator];
  return chosen === undefined ? `is missing; ${oneOf(undefined, options)}` : oneOf(chosen, options);
}

function oneOf(value: unknown, allowed: readonly unknown[]): string {
  const names = allowed.map(String);
  const rule = names.length === 1 ? `must be ${names[0]}` : `must be one of ${names.join(', ')}`;
  const meant = typeof value === 'string' ? suggest(value, names) : undefined;
  return meant && names.length > 1 ? `${rule}; did you mean ${meant}?` : rule;
}

const EXPECTED: Readonly<Record<string, string>> = { int: 'whole number', array: 'list', object: 'mapping', record: 'mapping' };

function kindOf(value: unknown): string {
  if (value === null) return 'nothing';
  if (Array.isArray(value)) return 'list';
  if (typeof value === 'number' && !Number.isInteger(value)) return Number.isFinite(value) ? 'fraction' : String(value);
  return typeof value === 'object' ? 'mapping' : typeof value;
}

function measure(origin: string): string {
  return origin === 'string' || origin === 'array' ? 'have' : 'be';
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return origin === 'array' ? ' entries' : '';
}
