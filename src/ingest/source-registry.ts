/** The sources that were made over the API: kept in the records with their last revisions, and run by the supervisor beside those of the file. */
import assert from 'node:assert/strict';
import { randomInt } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import type { Log } from '../core/log.ts';
import type { UnixMs } from '../core/time.ts';
import type { DriverType } from '../drivers/registry.ts';
import type { DocumentKey, RecordStore, StoredDocument } from '../store/records.ts';
import type { SourceSpec, SourceTag } from './source.ts';
import type { Supervisor } from './supervisor.ts';

/** Of each tenant: every source has a connection, a plan and books. */
const MAX_SOURCES = 1_000;
/** The present one included. Enough for the way back from an evening's work. */
export const REVISIONS_KEPT = 20;

export interface SourceKey {
  readonly tenant: string;
  readonly id: string;
}

/** What a client says of a source, valid by the schemas of its type. */
export interface SourceDraft {
  readonly name: string;
  readonly type: DriverType;
  readonly enabled: boolean;
  /** Stands in place of tags. */
  readonly profile?: string;
  readonly config: unknown;
  readonly tags: readonly SourceTag[];
}

export interface StoredSource extends SourceKey, SourceDraft {
  readonly revision: number;
  readonly createdMs: UnixMs;
  readonly updatedMs: UnixMs;
}

export interface SourceRevision {
  readonly revision: number;
  readonly savedMs: UnixMs;
  readonly draft: SourceDraft;
}

/** The options to run a draft with, or why it cannot be run. */
export type Runnable = { readonly config: unknown; readonly tags: readonly SourceTag[] } | { readonly fault: string };

export interface SourceRegistryOptions {
  readonly records: Pick<RecordStore, 'document' | 'putDocuments' | 'removeDocuments'>;
  readonly clock: Clock;
  readonly log: Log;
  /** Looks at a draft again: the version that saved it may have been another, and a profile may be gone. */
  readonly resolve: (draft: SourceDraft, id: string) => Runnable;
}

type Runner = Pick<Supervisor, 'add' | 'change' | 'remove'>;

export class SourceRegistry {
  readonly #options: SourceRegistryOptions;
  readonly #sources = new Map<string, StoredSource>();
  #supervisor: Runner | undefined;
  /** One change at a time for each source. */
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(options: SourceRegistryOptions) {
    this.#options = options;
  }

  /** Takes up documents of the kind `data_source`. A source whose id the file uses stays in the records and is not run. */
  load(documents: readonly StoredDocument[], idsOfFile: ReadonlySet<string>): void {
    for (const document of documents) {
      if (idsOfFile.has(document.id)) {
        this.#options.log.warn({ source: document.id }, 'a source of the file has the id of one made over the API, which is not run');
      } else this.#sources.set(document.id, fromDocument(document));
    }
  }

  /** Starts them all. Before, nothing may be changed. */
  start(supervisor: Runner): void {
    this.#supervisor = supervisor;
    for (const source of this.#sources.values()) supervisor.add(this.#specOf(source), source.createdMs);
  }

  get(id: string): StoredSource | undefined {
    return this.#sources.get(id);
  }

  /** Saves it and starts it. Rejects `limit_reached` and as the records do. */
  async create(tenant: string, draft: SourceDraft): Promise<StoredSource> {
    const own = [...this.#sources.values()].filter((source) => source.tenant === tenant).length;
    if (own >= MAX_SOURCES) throw new GatewayError('limit_reached', `tenant ${tenant} has ${MAX_SOURCES} sources`);
    const nowMs = this.#options.clock.now();
    const made = { tenant, id: newId(), revision: 1, ...draft, createdMs: nowMs, updatedMs: nowMs };
    await this.#save(made);
    this.#runner().add(this.#specOf(made), made.createdMs);
    return made;
  }

  /**
   * Saves what `edit` makes of a source, then runs it so; `edit` may refuse by throwing. What equals the present is not
   * saved. Rejects `source_not_found` and as the records do; then nothing has changed.
   */
  change(at: SourceKey, edit: (present: StoredSource) => SourceDraft): Promise<StoredSource> {
    return this.#serially(at, async () => {
      const present = this.#require(at);
      const draft = edit(present);
      if (isDeepStrictEqual(draft, draftOf(present))) return present;
      const { createdMs } = present;
      const updatedMs = Math.max(this.#options.clock.now(), createdMs) as UnixMs;
      const changed = { ...at, ...draft, revision: present.revision + 1, createdMs, updatedMs };
      await this.#save(changed);
      await this.#runner().change(this.#specOf(changed));
      return changed;
    });
  }

  /** Forgets it with its revisions, secrets included; its history stays. Rejects `source_not_found`, what `allow` throws, and as the records do. */
  remove(at: SourceKey, allow: (present: StoredSource) => void): Promise<void> {
    return this.#serially(at, async () => {
      allow(this.#require(at));
      await this.#options.records.removeDocuments([documentKey(at), ...revisionKeys(at)]);
      this.#sources.delete(at.id);
      await this.#runner().remove(at.id);
    });
  }

  /** The newest first. Rejects `source_not_found`. */
  async revisions(at: SourceKey): Promise<readonly SourceRevision[]> {
    this.#require(at);
    const documents = await Promise.all(revisionKeys(at).map((key) => this.#options.records.document(key)));
    const found = documents.flatMap((document) => (document ? [document.body as SourceRevision] : []));
    return found.sort((left, right) => right.revision - left.revision);
  }

  #runner(): Runner {
    assert(this.#supervisor, 'the registry was not started');
    return this.#supervisor;
  }

  #require(at: SourceKey): StoredSource {
    const source = this.#sources.get(at.id);
    if (source?.tenant !== at.tenant) throw new GatewayError('source_not_found', `there is no data source ${at.id}`);
    return source;
  }

  /** The source and its revision in one commit, then in memory. */
  async #save(source: StoredSource): Promise<void> {
    const draft = draftOf(source);
    const revision: SourceRevision = { revision: source.revision, savedMs: source.updatedMs, draft };
    await this.#options.records.putDocuments([
      { ...documentKey(source), body: draft, atMs: source.updatedMs },
      { ...revisionKey(source, source.revision), body: revision, atMs: source.updatedMs },
    ]);
    this.#sources.set(source.id, source);
  }

  #specOf(source: StoredSource): SourceSpec {
    const { tenant, id, name, type, enabled, profile, config, tags } = source;
    const runnable = this.#options.resolve(draftOf(source), id);
    const base = { id, tenant, name, type, enabled, managedBy: 'api' as const, ...(profile !== undefined && { profile }), config };
    return 'fault' in runnable ? { ...base, tags, fault: runnable.fault } : { ...base, ...runnable };
  }

  async #serially<Result>({ id }: SourceKey, act: () => Promise<Result>): Promise<Result> {
    const before = this.#changes.get(id) ?? Promise.resolve();
    const mine = before.then(act);
    const settled = mine.then(
      () => undefined,
      () => undefined, // the caller has the error
    );
    this.#changes.set(id, settled);
    try {
      return await mine;
    } finally {
      if (this.#changes.get(id) === settled) this.#changes.delete(id);
    }
  }
}

/** Without what the house adds. */
export function draftOf({ name, type, enabled, profile, config, tags }: SourceDraft): SourceDraft {
  return { name, type, enabled, ...(profile !== undefined && { profile }), config, tags };
}

function fromDocument({ tenant, id, revision, createdMs, updatedMs, body }: StoredDocument): StoredSource {
  return { tenant, id, revision, createdMs, updatedMs, ...draftOf(body as SourceDraft) };
}

function documentKey({ tenant, id }: SourceKey): DocumentKey {
  return { kind: 'data_source', tenant, id };
}

/** A revision takes the place of the one that is `REVISIONS_KEPT` older. No id holds an `@`. */
function revisionKey({ tenant, id }: SourceKey, revision: number): DocumentKey {
  return { kind: 'data_source_revision', tenant, id: `${id}@${revision % REVISIONS_KEPT}` };
}

function revisionKeys(at: SourceKey): readonly DocumentKey[] {
  return Array.from({ length: REVISIONS_KEPT }, (_, slot) => revisionKey(at, slot));
}

const ALPHABET = 'abcdefghijklmnopqrstuvwxyz234567'; // RFC 4648 §6, in lower case
const ID_LENGTH = 12;

function newId(): string {
  return `ds-${Array.from({ length: ID_LENGTH }, () => ALPHABET.charAt(randomInt(ALPHABET.length))).join('')}`;
}
