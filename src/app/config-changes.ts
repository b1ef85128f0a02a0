/** What differs between two readings of the configuration, part by part, and its names for the log. */
import { isDeepStrictEqual } from 'node:util';
import { DEFAULT_TENANT } from '../core/tag.ts';

/** A line of the log is for people. */
const MAX_NAMED = 50;

export interface Changes<Part> {
  readonly added: readonly Part[];
  /** As they are now. */
  readonly changed: readonly Part[];
  /** As they were. */
  readonly removed: readonly Part[];
}

/** `keyOf` tells what a part is called, which no other of its list is. */
export function changesBetween<Part>(before: readonly Part[], next: readonly Part[], keyOf: (part: Part) => string): Changes<Part> {
  const known = new Map(before.map((part) => [keyOf(part), part]));
  const wanted = new Set(next.map(keyOf));
  return {
    added: next.filter((part) => !known.has(keyOf(part))),
    changed: next.filter((part) => known.has(keyOf(part)) && !isDeepStrictEqual(known.get(keyOf(part)), part)),
    removed: before.filter((part) => !wanted.has(keyOf(part))),
  };
}

export type ChangeNames = Readonly<Partial<Record<keyof Changes<unknown>, readonly string[]>>>;

/** The first of each kind by name, and how many more there are; a kind of which there are none is left out. */
export function namesOf<Part>(changes: Changes<Part>, keyOf: (part: Part) => string): ChangeNames {
  const kinds = (['added', 'changed', 'removed'] as const).filter((kind) => changes[kind].length > 0);
  return Object.fromEntries(kinds.map((kind) => [kind, listed(changes[kind].map(keyOf))]));
}

/** Of what ids are unique in a tenant: the id alone in the usual one. */
export function nameOf({ tenant, id }: { readonly tenant: string; readonly id: string }): string {
  return tenant === DEFAULT_TENANT ? id : `${tenant}/${id}`;
}

function listed(names: readonly string[]): readonly string[] {
  return names.length > MAX_NAMED ? [...names.slice(0, MAX_NAMED), `and ${names.length - MAX_NAMED} more`] : names;
}
