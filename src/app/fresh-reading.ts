/** The live reading of a tag with the time at which it was last heard of. */
import type { UnixMs } from '../core/time.ts';
import type { Pipeline } from '../ingest/pipeline.ts';
import type { LiveValues } from '../twin/live.ts';
import type { Binding, LiveReading } from '../twin/twin.ts';

/** A reading within the deadband is not stored, but it shows that the tag is alive. */
export function freshReading(
  { live, pipeline: { tags } }: { readonly live: LiveValues; readonly pipeline: Pipeline },
  tenant: string,
  binding: Binding,
): LiveReading | undefined {
  const reading = live.reading(tenant, binding);
  if (!reading) return undefined;
  const { asset, tag, source } = binding;
  const seen = tags.find({ tenant, assets: [asset], tags: [tag], ...(source === undefined ? {} : { sources: [source] }) });
  const newestMs = seen.reduce((newest, series) => Math.max(newest, tags.entry(series)?.seenMs ?? newest), reading.newestMs as number);
  return newestMs > reading.newestMs ? { ...reading, newestMs: newestMs as UnixMs } : reading;
}
