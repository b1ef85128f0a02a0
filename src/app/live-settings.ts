/** What of the configuration may change while the daemon runs and is looked up each time: tenants, tokens, names of types, which sources are of battery packs. */
import type { LoadedConfig, TokenSpec } from '../config/loaded.ts';
import type { UnixMs } from '../core/time.ts';
import type { StoredToken } from '../store/records.ts';

export class LiveSettings {
  #tenants: ReadonlySet<string> = new Set();
  #packs: ReadonlySet<string> = new Set();
  #tokens: ReadonlyMap<string, StoredToken> = new Map();

  /** Of the file. */
  revision = '';
  twinTypes: readonly string[] = [];
  /** Null: samples are kept at any age. */
  rawMaxAgeMs: number | null = null;

  constructor(config: LoadedConfig) {
    this.take(config);
  }

  take({ revision, tenants, sources, tokens, twinTypes, retention }: LoadedConfig): void {
    this.revision = revision;
    this.twinTypes = twinTypes;
    this.rawMaxAgeMs = retention.maxAgeMs ?? null;
    this.#tenants = new Set(tenants.map(({ id }) => id));
    this.#packs = new Set(sources.flatMap(({ id, profile }) => (profile === undefined ? [] : [id])));
    this.#tokens = new Map(tokens.map((token) => [token.sha256, toStoredToken(token)]));
  }

  isTenant(id: string): boolean {
    return this.#tenants.has(id);
  }

  get tenants(): readonly string[] {
    return [...this.#tenants];
  }

  /** True for a source of the file whose assets are battery packs. */
  isPackSource(id: string): boolean {
    return this.#packs.has(id);
  }

  token(sha256: string): StoredToken | undefined {
    return this.#tokens.get(sha256);
  }
}

/** By its name, which is its own in the file: the audit log knows it over edits. */
function toStoredToken(token: TokenSpec): StoredToken {
  return { id: `config:${token.name}`, ...token, createdMs: 0 as UnixMs, expiresMs: token.expiresMs as UnixMs | null, revokedMs: null };
}
