/** From a configuration file to a configuration, or to everything that is wrong with it. */
import type { UnixMs } from '../core/time.ts';
import { crossFaults } from './cross-checks.ts';
import { type Fault, fileFault, type Outcome } from './fault.ts';
import { check } from './issues.ts';
import type { LoadedConfig } from './loaded.ts';
import { profileTags } from './profiles.ts';
import { type ConfigDocument, configSchema } from './schema.ts';
import type { Environment } from './secrets.ts';
import { isTlsFault, readTlsPair, validityFault } from './tls-pair.ts';
import { tlsFilesOf, toLoaded } from './to-loaded.ts';
import { resolveValues } from './values.ts';
import { readYaml, type YamlFile } from './yaml-file.ts';

const MIN_HIDDEN_LENGTH = 4; // shorter secrets would blot out half of every message

/**
 * Reads, checks and translates a configuration file. Never throws for what is in it, or for a file that is not there.
 * `env` fills `${env:X}` and leads to systemd's credentials. With `nowMs` a certificate that does not hold then is a fault;
 * without, it is left to whoever serves it, as a box whose clock is wrong, or whose certificate ended, must still read its plant.
 * Faults come in the order of their place and show no secret.
 */
export function loadConfig(file: string, env: Environment, nowMs?: UnixMs): Outcome<LoadedConfig> {
  const yaml = readYaml(file);
  if (!yaml.ok) return { ok: false, faults: inOrder(yaml.faults) };
  const shape = shapeFault(yaml.value);
  if (shape) return { ok: false, faults: [shape] };
  const { value, faults, secrets } = resolveValues(yaml.value, env);
  const outcome = checkValues(yaml.value, value, { faults, nowMs });
  return outcome.ok ? outcome : { ok: false, faults: inOrder(outcome.faults.map((fault) => withoutSecrets(fault, secrets))) };
}

/** An empty file is more likely an accident than the wish for a box that reads nothing. */
function shapeFault({ file, value }: YamlFile): Fault | undefined {
  if (value === null || value === undefined) return fileFault(file, 'the file is empty; the shortest useful one has a source with a tag');
  if (typeof value !== 'object' || Array.isArray(value)) return fileFault(file, 'the file must hold a mapping: lines such as "sources:"');
  return undefined;
}

interface Known {
  /** Of secrets that are missing. */
  readonly faults: readonly Fault[];
  readonly nowMs: UnixMs | undefined;
}

function checkValues(yaml: YamlFile, value: unknown, { faults: valueFaults, nowMs }: Known): Outcome<LoadedConfig> {
  if (value === undefined) return { ok: false, faults: valueFaults };
  const checked = check(configSchema, value, yaml);
  const placed = new Set(valueFaults.map((fault) => fault.path));
  // What the schema says of a missing secret's place would only be noise.
  const schemaFaults = checked.ok ? [] : checked.faults.filter((fault) => !placed.has(fault.path));
  const faults = [
    ...valueFaults,
    ...schemaFaults,
    ...(checked.ok ? [...crossFaults(checked.value, yaml), ...tlsFaults(checked.value, yaml, nowMs)] : []),
  ];
  if (!checked.ok) return { ok: false, faults };
  const tags = profileTags(checked.value, yaml);
  if (!tags.ok) return { ok: false, faults: [...faults, ...tags.faults] };
  return faults.length > 0 ? { ok: false, faults } : { ok: true, value: toLoaded(checked.value, yaml, tags.value) };
}

function tlsFaults({ api }: ConfigDocument, yaml: YamlFile, nowMs: UnixMs | undefined): readonly Fault[] {
  if (!api.tls) return [];
  const pair = readTlsPair(tlsFilesOf(api.tls, yaml.file));
  const ended = isTlsFault(pair) || nowMs === undefined ? undefined : validityFault(pair, nowMs);
  const fault = isTlsFault(pair) ? pair : ended === undefined ? undefined : { part: 'cert', message: ended };
  if (!fault) return [];
  const path = ['api', 'tls', fault.part];
  return [{ file: yaml.file, ...yaml.valueAt(path), path: path.join('.'), message: fault.message }];
}

function withoutSecrets(fault: Fault, secrets: ReadonlySet<string>): Fault {
  let { message } = fault;
  for (const secret of secrets) if (secret.length >= MIN_HIDDEN_LENGTH) message = message.replaceAll(secret, '********');
  return message === fault.message ? fault : { ...fault, message };
}

function inOrder(faults: readonly Fault[]): readonly Fault[] {
  return faults.toSorted((a, b) => a.file.localeCompare(b.file) || a.line - b.line || a.column - b.column);
}
