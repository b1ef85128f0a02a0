/** Derived tags of a source that is made over the API, beside the tenant's other sources: who computes them, from what, and from whom. */
import { suggest } from '../config/suggest.ts';
import { derivationFaults } from '../core/derivation.ts';
import { API_SOURCE } from '../core/tag.ts';
import { type DerivedTag, derivationsOf } from '../drivers/derived/options.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { SourceDraft, SourceKey } from '../ingest/source-registry.ts';
import type { SourceFault } from './source-check.ts';

/**
 * Tags that another source computes, circles that the draft would close, and inputs of sources that are not there; all of them. Of
 * `sources`, those that are stopped count too: they may be started at any time.
 */
export function derivedConflicts(draft: SourceDraft, at: SourceKey, sources: readonly SourceSpec[]): readonly SourceFault[] {
  if (draft.type !== 'derived') return [];
  const ofTenant = sources.filter(({ tenant }) => tenant === at.tenant);
  const known = ofTenant.flatMap((spec) =>
    spec.type === 'derived' && spec.id !== at.id && spec.fault === undefined ? derivationsOf(spec.tenant, spec.id, tagsOf(spec)) : [],
  );
  const own = derivationsOf(at.tenant, at.id, tagsOf(draft));
  const faults = derivationFaults([...known, ...own]).flatMap(({ index, message }) =>
    index < known.length ? [] : [{ field: `tags.${index - known.length}.expression`, message }],
  );
  return [...faults, ...strangers(tagsOf(draft), [API_SOURCE, ...ofTenant.map(({ id }) => id)])];
}

function strangers(tags: readonly DerivedTag[], sources: readonly string[]): readonly SourceFault[] {
  const known = new Set(sources);
  return tags.flatMap(({ inputs }, index) =>
    Object.entries(inputs).flatMap(([name, { data_source_id: id }]) => {
      if (id === undefined || known.has(id)) return [];
      const meant = suggest(id, sources);
      const message = `there is no data source of this id${meant === undefined ? '' : `; did you mean "${meant}"?`}`;
      return [{ field: `tags.${index}.inputs.${name}.data_source_id`, message }];
    }),
  );
}

/** The common type of all drivers' tags does not show what the schema of this one gives. */
function tagsOf({ tags }: Pick<SourceDraft, 'tags'>): readonly DerivedTag[] {
  return tags as unknown as readonly DerivedTag[];
}
