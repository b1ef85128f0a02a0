/** The part of a source that its type decides, the same for the configuration file and the API: `config`, `tags` and `profile`. */
import { z } from 'zod';
import { DRIVERS, type DriverType } from './registry.ts';

/** A profile is looked up as a file name, so it must not be able to leave the folder. */
const PROFILE_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/;

/** Checked by the schemas of `optionFields`. */
export interface SourceOptions {
  readonly config: unknown;
  readonly tags: readonly unknown[];
  /** Stands in place of tags. */
  readonly profile?: string | undefined;
}

/** Something wrong between keys that are right by themselves. */
export interface OptionFault {
  readonly path: readonly (string | number)[];
  readonly message: string;
  /** Where the same thing stands already. */
  readonly first?: readonly (string | number)[];
}

/** The fields of a strict object; a source of which every setting has a default needs no `config`. */
export function optionFields(type: DriverType, maxTags: number) {
  const { configSchema, tagSchema } = DRIVERS[type];
  const fields = {
    config: configSchema.safeParse({}).success ? configSchema.prefault({}) : configSchema,
    tags: z.array(tagSchema).max(maxTags).default([]).describe('what to read'),
  };
  return type === 'mqtt' ? { ...fields, profile: profileField } : fields;
}

/** What one request to the API may bring. */
export const MAX_TAGS_OF_REQUEST = 5_000;

/** The options of a source that was made over the API. */
export function optionsSchema(type: DriverType) {
  return z.strictObject(optionFields(type, MAX_TAGS_OF_REQUEST));
}

const profileField = z
  .string()
  .regex(PROFILE_PATTERN, 'must be the name of a profile: letters, digits, "_" and "-"')
  .optional()
  .describe('a battery profile instead of tags: profiles/NAME.yaml beside the configuration file, or one that comes with twinbox');

/** All of them; `sourceId` is the asset of tags that name none. */
export function optionFaults(type: DriverType, options: SourceOptions, sourceId: string): readonly OptionFault[] {
  return [...(type === 'mqtt' ? profileFaults(options) : []), ...duplicateTags(options.tags, sourceId)];
}

function profileFaults({ config, tags, profile }: SourceOptions): OptionFault[] {
  const { topics } = config as { readonly topics?: unknown };
  const faults: OptionFault[] = [];
  if (profile === undefined && tags.length === 0)
    faults.push({ path: [], message: 'has neither tags nor a profile, so nothing would be read' });
  if (profile !== undefined && tags.length > 0)
    faults.push({ path: ['profile'], message: 'stands instead of tags; leave one of them out' });
  if (profile === undefined && topics !== undefined) {
    faults.push({ path: ['config', 'topics'], message: 'is only for a profile; without one the topics stand at the tags' });
  }
  return faults;
}

interface NamedTag {
  readonly tag_name?: string;
  readonly asset_id?: string;
  readonly topic?: string;
}

function duplicateTags(tags: readonly unknown[], sourceId: string): OptionFault[] {
  const seen = new Map<string, OptionFault['path']>();
  const faults: OptionFault[] = [];
  for (const [index, tag] of tags.entries()) {
    const { tag_name: name, asset_id: asset, topic } = tag as NamedTag;
    if (name === undefined) continue;
    // A topic that captures the asset feeds many assets; two such topics may well use one tag name.
    const whose = asset ?? (topic?.includes('{asset}') ? `topic ${topic}` : sourceId);
    const path = ['tags', index, 'tag_name'];
    const key = JSON.stringify([name, whose]);
    const first = seen.get(key);
    if (first) faults.push({ path, message: `duplicate tag of one asset "${name}"`, first });
    else seen.set(key, path);
  }
  return faults;
}
