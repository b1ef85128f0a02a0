/** The devices behind tags: which source gives a tag its values, what is written to it, and what was asked of it last. */
import type { Command, TagOwner } from '../api/services.ts';
import type { Scalar } from '../core/tag.ts';
import type { WriteOutcome } from '../ingest/commands.ts';
import type { SourceSpec } from '../ingest/source.ts';
import type { Supervisor } from '../ingest/supervisor.ts';
import type { TagTable } from '../ingest/tag-table.ts';
import type { Binding } from '../twin/twin.ts';

export class Devices {
  readonly #tags: Pick<TagTable, 'find' | 'definition'>;
  readonly #supervisor: Pick<Supervisor, 'specs' | 'write' | 'lastWrite'>;
  /** A source's tags that have a name, and whether they may be written. A changed source is another spec. */
  readonly #named = new WeakMap<SourceSpec, ReadonlyMap<string, boolean>>();
  /** What is on its way to a tag, by source, asset and tag. */
  readonly #pending = new Map<string, { readonly value: Scalar }>();

  constructor(tags: Pick<TagTable, 'find' | 'definition'>, supervisor: Pick<Supervisor, 'specs' | 'write' | 'lastWrite'>) {
    this.#tags = tags;
    this.#supervisor = supervisor;
  }

  /** Undefined where no source gives the tag: its values come over REST, or from nowhere. */
  owner(tenant: string, { source, asset, tag }: Binding): TagOwner | undefined {
    const specs = this.#supervisor.specs().filter(({ id }) => source === undefined || id === source);
    for (const spec of specs) {
      const writable = spec.tenant === tenant ? this.#namedTags(spec).get(`${asset}\0${tag}`) : undefined;
      if (writable !== undefined) return { source: spec.id, writable };
    }
    return this.#ownerByTopic(specs, tenant, { asset, tag });
  }

  /** Resolves however the write ends. */
  async write(owner: TagOwner, { asset, tag }: Binding, value: Scalar, signal: AbortSignal): Promise<WriteOutcome> {
    const key = keyOf(owner, asset, tag);
    const mine = { value };
    this.#pending.set(key, mine);
    try {
      return await this.#supervisor.write(owner.source, { assetId: asset, tagName: tag }, value, signal);
    } finally {
      if (this.#pending.get(key) === mine) this.#pending.delete(key);
    }
  }

  /** The newest write of the tag that was meant for the device; undefined when there was none since the start. */
  lastCommand(owner: TagOwner, { asset, tag }: Binding): Command | undefined {
    const pending = this.#pending.get(keyOf(owner, asset, tag));
    if (pending) return { value: pending.value, failure: null, pending: true };
    const last = this.#supervisor.lastWrite(owner.source, { assetId: asset, tagName: tag });
    return last && { value: last.value, failure: last.outcome.ok ? null : last.outcome.code, pending: false };
  }

  /** Sources whose topics name assets and tags: what has a series came from one. The driver knows whether its topic takes commands. */
  #ownerByTopic(specs: readonly SourceSpec[], tenant: string, { asset, tag }: Binding): TagOwner | undefined {
    const fed = new Set(this.#tags.find({ tenant, assets: [asset], tags: [tag] }).map((series) => this.#tags.definition(series).source));
    const spec = specs.find(({ id }) => fed.has(id));
    // A topic of another tenant's source may name this one: that device is not this tenant's to move.
    const writable =
      spec?.tenant === tenant && spec.tags.some((each) => each.writable && (each.tag_name === undefined || each.asset_id === undefined));
    return spec && { source: spec.id, writable };
  }

  #namedTags(spec: SourceSpec): ReadonlyMap<string, boolean> {
    const known = this.#named.get(spec);
    if (known) return known;
    const named = new Map<string, boolean>();
    for (const tag of spec.tags) if (tag.tag_name !== undefined) named.set(`${tag.asset_id ?? spec.id}\0${tag.tag_name}`, tag.writable);
    this.#named.set(spec, named);
    return named;
  }
}

function keyOf({ source }: TagOwner, asset: string, tag: string): string {
  return `${source}\0${asset}\0${tag}`;
}
