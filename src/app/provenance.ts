/** Where the value that a tag shows came from, as far as the parts of the house know it. */
import type { Provenance } from '../api/services.ts';
import type { UnixMs } from '../core/time.ts';
import { DRIVERS } from '../drivers/registry.ts';
import type { Pipeline } from '../ingest/pipeline.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import type { Binding, LiveReading } from '../twin/twin.ts';

export function provenanceOf(
  { pipeline, supervisor }: { readonly pipeline: Pipeline; readonly supervisor: Supervisor },
  tenant: string,
  { asset, tag }: Binding,
  { source }: LiveReading,
): Provenance {
  const spec = supervisor.specOf(source);
  const owner = spec?.tenant === tenant ? spec : undefined;
  const own = owner?.tags.find((each) => each.tag_name === tag && (each.asset_id ?? owner.id) === asset);
  const series = pipeline.tags.find({ tenant, sources: [source], assets: [asset], tags: [tag] });
  const newest = series.map((id) => pipeline.tags.entry(id)).sort((left, right) => (right?.lastMs ?? 0) - (left?.lastMs ?? 0))[0];
  return {
    source: owner ? { type: owner.type, endpoint: supervisor.view(owner.id)?.endpoint ?? '' } : null,
    origin: owner && own && owner.fault === undefined ? DRIVERS[owner.type].describe(owner.config, own) : null,
    receivedMs: (newest?.arrivedMs as UnixMs | undefined) ?? null,
  };
}
