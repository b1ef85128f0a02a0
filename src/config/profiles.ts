/** Finds the battery profile that a source names and makes the source's tags of it. */
import { existsSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expandProfile } from '../drivers/bms/expand.ts';
import { type BmsProfile, profileSchema } from '../drivers/bms/schema.ts';
import type { MqttConfig } from '../drivers/mqtt/options.ts';
import type { Fault, Outcome } from './fault.ts';
import { check } from './issues.ts';
import type { TagSpec } from './loaded.ts';
import type { ConfigDocument } from './schema.ts';
import { readYaml, type YamlFile } from './yaml-file.ts';

/** The profiles that come with twinbox: `config/` stands beside `src/` and beside the built `dist/`. */
const PACKAGED_URL = new URL(import.meta.url.endsWith('.ts') ? '../../config/profiles/' : '../config/profiles/', import.meta.url);

/** Tags of each source that names a profile, by the source's index in the file. */
export function profileTags(document: ConfigDocument, yaml: YamlFile): Outcome<ReadonlyMap<number, readonly TagSpec[]>> {
  const loaded = new Map<string, Outcome<BmsProfile>>();
  const tags = new Map<number, readonly TagSpec[]>();
  const faults: Fault[] = [];
  for (const [index, source] of document.sources.entries()) {
    if (!('profile' in source) || typeof source.profile !== 'string') continue;
    const name = source.profile;
    const config = source.config as MqttConfig; // only the schema of type mqtt has `profile`
    const fault = (key: readonly string[], message: string): void => {
      const path = ['sources', index, ...key];
      faults.push({ file: yaml.file, ...yaml.valueAt(path), path: path.join('.'), message });
    };
    if (!config.topics?.length) {
      fault(['config', 'topics'], 'is missing: a profile needs the topics where its packs report');
      continue;
    }
    const dir = profilesDirOf(yaml.file);
    const file = findProfile(name, dir);
    if (file === undefined) {
      fault(['profile'], `there is no profile "${name}": neither ${join(dir, `${name}.yaml`)} nor one that comes with twinbox`);
      continue;
    }
    const known = loaded.get(file);
    const profile = known ?? readProfile(file);
    loaded.set(file, profile);
    if (profile.ok) tags.set(index, expandProfile(profile.value, config));
    else if (!known) faults.push(...profile.faults);
  }
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: tags };
}

/** Beside the configuration file. */
export function profilesDirOf(configFile: string): string {
  return resolve(dirname(configFile), 'profiles');
}

/** The tags of a source that was made over the API, or what is wrong, in words that tell nothing of the box's files. */
export function tagsOfProfile(name: string, config: MqttConfig, profilesDir: string): readonly TagSpec[] | string {
  if (!config.topics?.length) return 'needs config.topics, where its packs report';
  const file = findProfile(name, profilesDir);
  if (file === undefined) return `there is no profile "${name}"`;
  const profile = readProfile(file);
  return profile.ok
    ? expandProfile(profile.value, config)
    : `the profile "${name}" has faults; "twinbox check" shows those of a file that uses it`;
}

function findProfile(name: string, profilesDir: string): string | undefined {
  const own = join(profilesDir, `${name}.yaml`);
  return [own, fileURLToPath(new URL(`${name}.yaml`, PACKAGED_URL))].find((file) => existsSync(file));
}

function readProfile(file: string): Outcome<BmsProfile> {
  const yaml = readYaml(file);
  return yaml.ok ? check(profileSchema, yaml.value.value, yaml.value) : yaml;
}
