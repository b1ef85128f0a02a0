/** Where the value that a tag shows came from, as far as the parts of the house know it. */
import type { Provenance } from '../api/services.ts';
import type { UnixMs } from '../core/time.ts';
import { DRIVERS } from '../drivers/registry.ts';
import type { Pipeline } from '../ingest/pipeline.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { SourceRegistry } from '../ingest/source-registry.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import type { Binding, LiveReading } from '../twin/twin.ts';
import type { LiveSettings } from './live-settings.ts';

export interface ProvenanceParts {
  readonly pipeline: Pipeline;
  readonly supervisor: Supervisor;
  /** Of the sources that were made over the API. */
  readonly registry: Pick<SourceRegistry, 'get'>;
  /** Of the file. */
  readonly settings: Pick<LiveSettings, 'revision'>;
}

export function provenanceOf(
  { pipeline, supervisor, registry, settings }: ProvenanceParts,
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
    configRevision: owner ? revisionOf(owner, { registry, settings }) : null,
    raw: (owner && supervisor.rawOf(owner.id, { assetId: asset, tagName: tag })) ?? null,
    receivedMs: (newest?.arrivedMs as UnixMs | undefined) ?? null,
  };
}

/** By which the source runs now; null for one that was removed this moment. */
function revisionOf({ managedBy, id }: SourceSpec, { registry, settings }: Pick<ProvenanceParts, 'registry' | 'settings'>) {
  if (managedBy === 'config') return settings.revision;
  const revision = registry.get(id)?.revision;
  return revision === undefined ? null : String(revision);
}
