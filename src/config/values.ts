/** Copies the values of a YAML file with the secrets put in, and refuses plaintext ones that others on the box can read. */
import { dirname } from 'node:path';
import { SECRET_KEY } from '../core/secret-key.ts';
import { type Fault, fileFault, type Path } from './fault.ts';
import { type Environment, hasReference, interpolate, REFERENCE_FORMS, type SecretSources } from './secrets.ts';
import { ownMessage } from './text-file.ts';
import { MAX_DEPTH, type YamlFile } from './yaml-file.ts';

export interface ResolvedValues {
  readonly value: unknown;
  readonly faults: readonly Fault[];
  /** Every secret in the values, named or plaintext; no message may show one. */
  readonly secrets: ReadonlySet<string>;
}

const MAX_VALUES = 2_000_000; // 50,000 tags with all their keys are 1,000,000; aliases must not multiply beyond that
const READABLE_BY_OTHERS = 0o044;
/** Whoever knows such an address can post as we do. */
const SECRET_URL = /^https:\/\/hooks\.slack\.com\/./i;
const PASSWORD_IN_URL = /^[a-z][a-z0-9+.-]*:\/\/[^/@]*:([^/@]+)@/i;

/** `faults` may be there with a `value`: a secret that is missing leaves an empty text at its path. */
export function resolveValues(yaml: YamlFile, env: Environment): ResolvedValues {
  const walk = new Walk(yaml, { env, baseDir: dirname(yaml.file) });
  const value = walk.copy(yaml.value, []);
  return { value: walk.exhausted ? undefined : value, faults: walk.faults, secrets: walk.secrets };
}

class Walk {
  readonly faults: Fault[] = [];
  readonly secrets = new Set<string>();
  /** True when the values are too many or too deep; then the copy is not whole. */
  exhausted = false;
  readonly #yaml: YamlFile;
  readonly #sources: SecretSources;
  #values = 0;

  constructor(yaml: YamlFile, sources: SecretSources) {
    this.#yaml = yaml;
    this.#sources = sources;
  }

  copy(value: unknown, path: Path): unknown {
    if (this.exhausted) return undefined;
    if (++this.#values > MAX_VALUES) return this.#exhaust(`the file has more than ${MAX_VALUES} values, counting aliases`);
    if (path.length > MAX_DEPTH) return this.#exhaust(`values are nested deeper than ${MAX_DEPTH} levels`);
    if (typeof value === 'string') return this.#text(value, path);
    if (Array.isArray(value)) return value.map((item: unknown, index) => this.copy(item, [...path, index]));
    if (typeof value !== 'object' || value === null) return value;
    const entries = Object.entries(value).map(([key, item]: [string, unknown]) => [key, this.copy(item, [...path, key])] as const);
    return Object.fromEntries(entries);
  }

  #exhaust(message: string): undefined {
    this.exhausted = true;
    this.faults.push(fileFault(this.#yaml.file, message));
  }

  #text(text: string, path: Path): string {
    if (!hasReference(text)) {
      const secret = plaintextSecret(text, path);
      if (secret) this.secrets.add(secret);
      if (secret && this.#yaml.mode & READABLE_BY_OTHERS) this.#fault(path, PLAINTEXT_MESSAGE);
    }
    try {
      const filled = interpolate(text, this.#sources);
      for (const secret of filled.secrets) this.secrets.add(secret);
      return filled.text;
    } catch (error) {
      this.#fault(path, ownMessage(error));
      return '';
    }
  }

  #fault(path: Path, message: string): void {
    this.faults.push({ file: this.#yaml.file, ...this.#yaml.valueAt(path), path: path.join('.'), message });
  }
}

const PLAINTEXT_MESSAGE = `a plaintext secret in a file that others on this machine can read; chmod 600 the file, or name the secret: ${REFERENCE_FORMS}`;

/** The part of the text that is a secret by its key, or by its place in a URL. Twins' `metadata` is the user's own. */
function plaintextSecret(text: string, path: Path): string | undefined {
  if (path[0] === 'twins' && path[2] === 'metadata') return undefined;
  const key = path.findLast((part) => typeof part === 'string') ?? '';
  return SECRET_KEY.test(String(key)) || SECRET_URL.test(text) ? text : PASSWORD_IN_URL.exec(text)?.[1];
}
