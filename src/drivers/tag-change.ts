/** What a change of a source's tags leaves as it was. */

/** The tags after a change; each that is as it was is the very object that it was before. */
export function keptTags<Tag>(before: readonly Tag[], after: readonly Tag[]): readonly Tag[] {
  const known = new Map(before.map((tag) => [JSON.stringify(tag), tag])); // options, so JSON says all of them
  return after.map((tag) => known.get(JSON.stringify(tag)) ?? tag);
}
