/** Serial lines of a source that is made over the API, beside all other sources: a line has the same settings for all who are on it. */
import { DRIVERS } from '../drivers/registry.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { SourceDraft, SourceKey } from '../ingest/source-registry.ts';
import type { SourceFault } from './source-check.ts';

/** Of `sources`, those that are stopped count too: they may be started at any time. Says nothing of whose they are. */
export function lineConflicts({ type, config }: SourceDraft, at: SourceKey, sources: readonly SourceSpec[]): readonly SourceFault[] {
  const own = DRIVERS[type].devices?.(config) ?? [];
  if (own.length === 0) return [];
  const others = sources.filter((spec) => spec.id !== at.id && spec.fault === undefined);
  const used = others.flatMap((spec) => DRIVERS[spec.type].devices?.(spec.config) ?? []);
  return own.flatMap(({ key, file, settings }) => {
    const other = used.find((each) => each.file === file && each.settings !== settings);
    return other ? [{ field: `config.${key}`, message: `is in use with ${other.settings}, and cannot be with ${settings} too` }] : [];
  });
}
