/** Derived tags over all sources of the file: who owns a tag, and that none is computed from itself. */
import { derivationFaults } from '../core/derivation.ts';
import { type DerivedTag, derivationsOf } from '../drivers/derived/options.ts';
import type { Path } from './fault.ts';
import type { ConfigDocument } from './schema.ts';
import { sourceIdOf } from './source-id.ts';

interface PlacedFault {
  readonly path: Path;
  readonly message: string;
}

/** Circles and second owners, each at the tag that it was found at. */
export function derivedFaults({ sources }: ConfigDocument): readonly PlacedFault[] {
  const placed = sources.flatMap((source, index) =>
    source.type !== 'derived'
      ? []
      : derivationsOf(source.tenant, sourceIdOf(source), tagsOf(source)).map((derivation, tag) => ({
          derivation,
          path: ['sources', index, 'tags', tag, 'expression'] as const,
        })),
  );
  const faults = derivationFaults(placed.map(({ derivation }) => derivation));
  return faults.flatMap(({ index, message }) => {
    const at = placed[index];
    return at ? [{ path: at.path, message }] : [];
  });
}

/** The sources that inputs of derived tags name, each with its place and the tenant that it must be of. */
export function* namedSources({
  sources,
}: ConfigDocument): Generator<{ readonly id: string; readonly tenant: string; readonly path: Path }> {
  for (const [index, source] of sources.entries()) {
    if (source.type !== 'derived') continue;
    for (const [at, { inputs }] of tagsOf(source).entries()) {
      for (const [name, { data_source_id: id }] of Object.entries(inputs)) {
        const path = ['sources', index, 'tags', at, 'inputs', name, 'data_source_id'];
        if (id !== undefined) yield { id, tenant: source.tenant, path };
      }
    }
  }
}

/** The registry's common type does not show what each driver's schema gives. */
function tagsOf(source: ConfigDocument['sources'][number]): readonly DerivedTag[] {
  return source.tags as unknown as readonly DerivedTag[];
}
