/** The dashboards of the box. Their heads are in memory, for lists and bounds; what is on them stays on disk until somebody looks. */
import type { Clock } from '../core/clock.ts';
import { GatewayError } from '../core/errors.ts';
import { randomId } from '../core/short-id.ts';
import type { RecordStore, StoredDocument } from '../store/records.ts';
import { type Dashboard, type DashboardDraft, type DashboardHead, type DashboardKey, withIds, withNewIds } from './dashboard.ts';

/** Of each tenant: nobody looks through more, and a client in a loop must not fill the disk. */
const MAX_DASHBOARDS = 500;
const MAX_TOTAL_BYTES = 16 * 1024 * 1024; // as JSON: 64 of the largest, or 500 of 32 KiB
const MAX_NAME_LENGTH = 256;
const COPY = ' (copy)';

export interface DashboardRegistryOptions {
  readonly clock: Clock;
  readonly records: Pick<RecordStore, 'documents' | 'document' | 'putDocument' | 'removeDocument'>;
}

interface Known {
  readonly head: DashboardHead;
  readonly sizeBytes: number;
}

type Heads = Map<string, Known>;

export class DashboardRegistry {
  readonly #options: DashboardRegistryOptions;
  /** By key, from the first question on. */
  #heads: Promise<Heads> | undefined;
  /** One change at a time: settles when the last one so far is over. */
  #changes: Promise<unknown> = Promise.resolve();

  constructor(options: DashboardRegistryOptions) {
    this.#options = options;
  }

  /** Of the tenant, oldest first. This and all else rejects as the records do. */
  async list(tenant: string): Promise<readonly DashboardHead[]> {
    const own = [...(await this.#load()).values()].map(({ head }) => head).filter((head) => head.tenant === tenant);
    return own.sort((left, right) => left.createdMs - right.createdMs || (left.id < right.id ? -1 : 1));
  }

  async get(at: DashboardKey): Promise<Dashboard | undefined> {
    if (!(await this.#load()).has(keyOf(at))) return undefined;
    const document = await this.#options.records.document({ kind: 'dashboard', ...idsOf(at) });
    return document && toDashboard(document);
  }

  /** Rejects `limit_reached`; then nothing has changed. */
  create(tenant: string, draft: DashboardDraft): Promise<Dashboard> {
    const { layout } = draft;
    const named = { ...draft, layout: { ...layout, widgets: withIds(layout.widgets) } };
    return this.#serially((heads) => this.#save(heads, { tenant, id: randomId('dash-') }, named));
  }

  /** Undefined when there is none. `allow` may refuse by throwing. Rejects `limit_reached`. */
  replace(at: DashboardKey, draft: DashboardDraft, allow: (head: DashboardHead) => void): Promise<Dashboard | undefined> {
    return this.#serially(async (heads) => {
      const present = heads.get(keyOf(at));
      if (!present) return undefined;
      allow(present.head);
      return this.#save(heads, at, { ...draft, layout: { ...draft.layout, widgets: withIds(draft.layout.widgets) } });
    });
  }

  /** False when there is none. `allow` may refuse by throwing. */
  remove(at: DashboardKey, allow: (head: DashboardHead) => void): Promise<boolean> {
    return this.#serially(async (heads) => {
      const present = heads.get(keyOf(at));
      if (!present) return false;
      allow(present.head);
      await this.#written(this.#options.records.removeDocument({ kind: 'dashboard', ...idsOf(at) }));
      return heads.delete(keyOf(at));
    });
  }

  /** One more of the same, with ids of its own. Undefined when there is none. Rejects `limit_reached`. */
  duplicate(at: DashboardKey): Promise<Dashboard | undefined> {
    return this.#serially(async (heads) => {
      const original = await this.get(at);
      if (!original) return undefined;
      const { name, description, layout } = original;
      const copied = { name: copyName(name), ...(description !== undefined && { description }) };
      const widgets = withNewIds(layout.widgets);
      return this.#save(heads, { tenant: at.tenant, id: randomId('dash-') }, { ...copied, layout: { ...layout, widgets } });
    });
  }

  async #save(heads: Heads, at: DashboardKey, draft: DashboardDraft): Promise<Dashboard> {
    const { name, description, layout } = draft;
    const body: DashboardDraft = { name, ...(description !== undefined && { description }), layout };
    requireRoom(heads, at, sizeOf(body));
    const { clock, records } = this.#options;
    const document = await this.#written(records.putDocument({ kind: 'dashboard', ...idsOf(at) }, body, clock.now()));
    const known = toKnown(document);
    heads.set(keyOf(at), known);
    return { ...known.head, layout };
  }

  /** A write that failed may have reached the disk all the same: then the heads are read again. */
  async #written<Result>(write: Promise<Result>): Promise<Result> {
    try {
      return await write;
    } catch (error) {
      this.#heads = undefined;
      throw error;
    }
  }

  /** Once; after a failure again at the next question. */
  #load(): Promise<Heads> {
    this.#heads ??= this.#options.records.documents('dashboard').then(
      (documents) => new Map(documents.map((document) => [keyOf(document), toKnown(document)])),
      (error: unknown) => {
        this.#heads = undefined;
        throw error;
      },
    );
    return this.#heads;
  }

  /** Acts when every earlier change is over, however it ended. */
  #serially<Result>(act: (heads: Heads) => Promise<Result>): Promise<Result> {
    const mine = this.#changes.then(async () => act(await this.#load()));
    this.#changes = mine.catch(() => undefined); // the caller has the error
    return mine;
  }
}

/** Throws `limit_reached` where the tenant has as many, or as much, as it may. */
function requireRoom(heads: Heads, at: DashboardKey, sizeBytes: number): void {
  let count = 1;
  let totalBytes = sizeBytes;
  for (const [key, known] of heads) {
    if (known.head.tenant !== at.tenant || key === keyOf(at)) continue;
    count++;
    totalBytes += known.sizeBytes;
  }
  if (count <= MAX_DASHBOARDS && totalBytes <= MAX_TOTAL_BYTES) return;
  throw new GatewayError('limit_reached', `tenant ${at.tenant} has ${MAX_DASHBOARDS} dashboards or ${MAX_TOTAL_BYTES} bytes of them`);
}

function toKnown(document: StoredDocument): Known {
  const { layout, ...head } = toDashboard(document);
  return { head, sizeBytes: sizeOf(document.body) };
}

function toDashboard({ tenant, id, revision, createdMs, updatedMs, body }: StoredDocument): Dashboard {
  const { name, description, layout } = body as DashboardDraft;
  const named = { name, ...(description !== undefined && { description }), widgetCount: layout.widgets.length };
  return { tenant, id, ...named, layout, revision, createdMs, updatedMs };
}

function sizeOf(body: unknown): number {
  return Buffer.byteLength(JSON.stringify(body));
}

/** Cut where it would be longer than a name may be, but not within a character. */
function copyName(name: string): string {
  let stem = name;
  while (stem.length + COPY.length > MAX_NAME_LENGTH) stem = [...stem].slice(0, -1).join('');
  return stem + COPY;
}

function idsOf({ tenant, id }: DashboardKey): DashboardKey {
  return { tenant, id };
}

function keyOf({ tenant, id }: DashboardKey): string {
  return `${tenant}\0${id}`;
}
