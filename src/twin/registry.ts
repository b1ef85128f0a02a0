/** The twins of the box: those of the file, those made over the API, and one for every asset that a tag or a reading names. Kept in memory, remembered in the records. */
import { isDeepStrictEqual } from 'node:util';
import type { Clock } from '../core/clock.ts';
import { GatewayError, messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import type { SeriesDef } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { DocumentWrite, RecordStore } from '../store/records.ts';
import { bodyOf, fromDocument, gravestone } from './document.ts';
import { requireOwn } from './edit.ts';
import { withTagSensors } from './tag-sensors.ts';
import type { Actuator, Sensor, Twin } from './twin.ts';

/** Of each tenant: a broker that invents assets, or a client that posts them, must not fill the memory with twins. */
const MAX_TWINS = 10_000;
/** Of the whole box; beyond it those deleted longest ago are forgotten, and would come back with a reading. */
const MAX_GRAVES = 50_000;
const SAVE_INTERVAL_MS = 1_000;

/** A twin as the file gives it. */
export interface TwinSpec {
  readonly tenant: string;
  readonly id: string;
  readonly name: string;
  readonly description?: string;
  readonly type: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly sensors: readonly Sensor[];
  readonly actuators: readonly Actuator[];
}

export interface TwinRegistryOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly records: Pick<RecordStore, 'documents' | 'putDocument' | 'putDocuments' | 'removeDocument'>;
  readonly autoTwins: boolean;
  /** True for sources whose assets are battery packs. */
  readonly isPackSource: (source: string) => boolean;
}

/** What some dozens of panels show: some hundreds of KiB with ten tags each. */
const MAX_SHOWN = 256;

/** A twin that a client makes. */
export type NewTwin = Pick<Twin, 'tenant' | 'id' | 'name' | 'description' | 'type' | 'metadata'>;

export interface TwinKey {
  readonly tenant: string;
  readonly id: string;
}

export class TwinRegistry {
  readonly #options: TwinRegistryOptions;
  readonly #twins = new Map<string, Twin>();
  /** Tags of each asset in the order of their making. */
  readonly #tags = new Map<string, Map<string, SeriesDef>>();
  /** Twins with the sensors of their tags, by key, for as long as neither changes: panels ask for the same again and again. */
  readonly #shown = new Map<string, { readonly twin: Twin; readonly shown: Twin }>();
  /** Changed since the last save, by key. */
  readonly #unsaved = new Map<string, Twin>();
  /** Deleted twins by key, with their last revision: no reading brings them back. */
  readonly #graves = new Map<string, number>();
  /** One change at a time for each twin: what settles when the last one so far is over. */
  readonly #changes = new Map<string, Promise<unknown>>();
  /** Twins that are not of the file, by tenant. */
  readonly #counts = new Map<string, number>();
  readonly #full = new Set<string>();
  readonly #throttled: ThrottledLog;

  constructor(options: TwinRegistryOptions) {
    this.#options = options;
    this.#throttled = new ThrottledLog(options.log, options.clock);
  }

  /** Takes up what the records remember, then what the file says; the file wins. Twins that left the file and have no tag go. */
  async load(specs: readonly TwinSpec[]): Promise<void> {
    const { records } = this.#options;
    const wanted = new Set(specs.map(keyOf));
    for (const document of await records.documents('twin')) {
      const twin = fromDocument(document);
      if (twin === undefined) this.#graves.set(keyOf(document), document.revision);
      else if (twin.managedBy === 'config' && !wanted.has(keyOf(twin))) await records.removeDocument({ kind: 'twin', ...idsOf(twin) });
      else this.#set(twin);
    }
    for (const spec of specs) this.#take(spec);
    await this.#save();
  }

  /** What the file says now. A twin that left it goes, or is again what its tags make of it. Rejects as the records do; then twins that left it may still be there. */
  async takeFile(specs: readonly TwinSpec[]): Promise<void> {
    await this.#save(); // a first revision must be on disk before there is a second
    const wanted = new Set(specs.map(keyOf));
    const gone = [...this.#twins.values()].filter((twin) => twin.managedBy === 'config' && !wanted.has(keyOf(twin)));
    await Promise.all(specs.map((spec) => this.#serially(spec, async () => this.#take(spec))));
    await Promise.all(gone.map((twin) => this.#serially(twin, (key) => this.#leave(key, twin))));
    await this.#save();
  }

  /** The file wins over whatever had the id. */
  #take(spec: TwinSpec): void {
    const key = keyOf(spec);
    const known = this.#twins.get(key);
    const body = bodyOf({ ...spec, status: 'active', managedBy: 'config', hiddenTags: [] });
    if (known && JSON.stringify(bodyOf(known)) === JSON.stringify(body)) return;
    const nowMs = this.#options.clock.now();
    const revision = (known?.revision ?? this.#graves.get(key) ?? 0) + 1;
    this.#graves.delete(key);
    this.#change({ ...idsOf(spec), revision, ...body, createdMs: known?.createdMs ?? nowMs, updatedMs: nowMs });
  }

  /** Of a twin of the file. */
  async #leave(key: string, twin: Twin): Promise<void> {
    await this.#options.records.removeDocument({ kind: 'twin', ...idsOf(twin) });
    this.#unsaved.delete(key);
    this.#twins.delete(key);
    const [first] = this.#tags.get(key)?.values() ?? [];
    if (first && this.#options.autoTwins) this.#addAuto(first);
  }

  /** A series exists: its asset has a twin, and the twin a sensor. */
  define(def: SeriesDef): void {
    const key = keyOf({ tenant: def.tenant, id: def.asset });
    const tags = this.#tags.get(key) ?? new Map<string, SeriesDef>();
    this.#tags.set(key, tags);
    tags.set(def.tag, def);
    this.#shown.delete(key);
    if (this.#options.autoTwins && !this.#twins.has(key) && !this.#graves.has(key)) this.#addAuto(def);
  }

  /** Without the sensors of tags, which `get` adds: there may be more of them than a list can take. */
  list(tenant: string): readonly Twin[] {
    return [...this.#twins.values()].filter((twin) => twin.tenant === tenant);
  }

  get(tenant: string, id: string): Twin | undefined {
    const twin = this.#twins.get(keyOf({ tenant, id }));
    return twin && this.#withTags(twin);
  }

  /** Makes a twin, a deleted one too. Rejects `twin_exists`, `limit_reached` and as the records do; then nothing has changed. */
  create(made: NewTwin): Promise<Twin> {
    return this.#serially(made, async (key) => {
      if (this.#twins.has(key)) throw new GatewayError('twin_exists', `there is a twin ${made.id} already`);
      if (this.#isFull(made.tenant)) throw new GatewayError('limit_reached', `tenant ${made.tenant} has ${MAX_TWINS} twins`);
      const nowMs = this.#options.clock.now();
      const body = bodyOf({ ...made, status: 'active', managedBy: 'api', sensors: [], actuators: [], hiddenTags: [] });
      return this.#store({ ...idsOf(made), revision: 0, ...body, createdMs: nowMs, updatedMs: nowMs });
    });
  }

  /**
   * Makes of a twin what `edit` makes of it, once that is saved; `edit` sees the sensors of tags as well, and may refuse by
   * throwing. Rejects `twin_not_found` and as the records do; then nothing has changed. What equals the present is not saved.
   */
  change(at: TwinKey, edit: (twin: Twin) => Twin): Promise<Twin> {
    return this.#serially(at, async (key) => {
      const present = this.#require(key, at);
      const edited = edit(this.#withTags(present));
      const body = bodyOf({ ...edited, sensors: edited.sensors.filter(({ fromTag }) => !fromTag) });
      if (isDeepStrictEqual(body, bodyOf(present))) return this.#withTags(present);
      const { createdMs } = await this.#saved(key, present);
      const updatedMs = Math.max(this.#options.clock.now(), createdMs) as UnixMs;
      return this.#store({ ...idsOf(at), revision: present.revision, ...body, createdMs, updatedMs });
    });
  }

  /** Its tags do not bring it back. Rejects `twin_not_found`, `managed_by_config`, what `allow` throws, and as the records do. */
  remove(at: TwinKey, allow: (twin: Twin) => void): Promise<void> {
    return this.#serially(at, async (key) => {
      const present = this.#require(key, at);
      allow(present);
      requireOwn(present);
      const { tenant, id } = at;
      const { revision } = await this.#options.records.putDocument({ kind: 'twin', tenant, id }, gravestone(), this.#options.clock.now());
      this.#unsaved.delete(key);
      this.#twins.delete(key);
      this.#count(present, -1);
      this.#graves.set(key, revision);
      await this.#forgetGraves();
    });
  }

  /** Saves new twins in batches until the signal aborts, then what is left. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#options.clock.sleep(SAVE_INTERVAL_MS, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      await this.#save();
    }
  }

  #addAuto(def: SeriesDef): void {
    const { clock, isPackSource, log } = this.#options;
    if (this.#isFull(def.tenant)) {
      if (!this.#full.has(def.tenant)) log.warn({ asset: def.asset, limit: MAX_TWINS }, 'no more twins are made of assets');
      this.#full.add(def.tenant);
      return;
    }
    const nowMs = clock.now();
    this.#change({
      tenant: def.tenant,
      id: def.asset,
      revision: 1,
      name: def.asset,
      type: isPackSource(def.source) ? 'battery_pack' : 'equipment',
      status: 'active',
      managedBy: 'api',
      metadata: {},
      createdMs: nowMs,
      updatedMs: nowMs,
      sensors: [],
      actuators: [],
      hiddenTags: [],
    });
  }

  #change(twin: Twin): void {
    this.#set(twin);
    this.#unsaved.set(keyOf(twin), twin);
  }

  #set(twin: Twin): void {
    const key = keyOf(twin);
    const before = this.#twins.get(key);
    if (before) this.#count(before, -1);
    this.#count(twin, 1);
    this.#twins.set(key, twin);
  }

  #count({ managedBy, tenant }: Twin, change: number): void {
    if (managedBy === 'api') this.#counts.set(tenant, (this.#counts.get(tenant) ?? 0) + change);
  }

  #isFull(tenant: string): boolean {
    return (this.#counts.get(tenant) ?? 0) >= MAX_TWINS;
  }

  #require(key: string, at: TwinKey): Twin {
    const twin = this.#twins.get(key);
    if (!twin) throw new GatewayError('twin_not_found', `there is no twin ${at.id}`);
    return twin;
  }

  /** The twin once the records have it: its first revision must be on disk before it gets a second. */
  async #saved(key: string, twin: Twin): Promise<Twin> {
    return this.#unsaved.has(key) ? this.#store(twin) : twin;
  }

  /** Saves the twin, then shows it. */
  async #store(twin: Twin): Promise<Twin> {
    const key = keyOf(twin);
    const { revision } = await this.#options.records.putDocument(
      { kind: 'twin', ...idsOf(twin) },
      bodyOf(twin, twin.createdMs),
      twin.updatedMs,
    );
    const stored = { ...twin, revision };
    this.#unsaved.delete(key);
    this.#graves.delete(key);
    this.#set(stored);
    return this.#withTags(stored);
  }

  /** Acts when every earlier change of the twin is over. */
  async #serially<Result>(at: TwinKey, act: (key: string) => Promise<Result>): Promise<Result> {
    const key = keyOf(at);
    const before = this.#changes.get(key) ?? Promise.resolve();
    const mine = before.then(() => act(key));
    const settled = mine.then(
      () => undefined,
      () => undefined, // the caller has the error
    );
    this.#changes.set(key, settled);
    try {
      return await mine;
    } finally {
      if (this.#changes.get(key) === settled) this.#changes.delete(key);
    }
  }

  /** A twin that is being changed is saved by its change. */
  async #save(): Promise<void> {
    const batch = [...this.#unsaved.entries()].filter(([key]) => !this.#changes.has(key));
    if (batch.length === 0) return;
    const writes = batch.map(
      ([, twin]): DocumentWrite => ({ kind: 'twin', ...idsOf(twin), body: bodyOf(twin, twin.createdMs), atMs: twin.updatedMs }),
    );
    try {
      await this.#options.records.putDocuments(writes);
      for (const [key, twin] of batch) if (this.#unsaved.get(key) === twin) this.#unsaved.delete(key);
    } catch (error) {
      this.#throttled.warn('save', { twins: batch.length, reason: messageOf(error) }, 'twins could not be saved and will be tried again');
    }
  }

  async #forgetGraves(): Promise<void> {
    for (const key of this.#graves.keys()) {
      if (this.#graves.size <= MAX_GRAVES) return;
      const [tenant, id] = key.split('\0') as [string, string];
      try {
        await this.#options.records.removeDocument({ kind: 'twin', tenant, id });
        this.#graves.delete(key);
      } catch (error) {
        this.#throttled.warn('graves', { reason: messageOf(error) }, 'twins deleted long ago could not be forgotten');
        return;
      }
    }
  }

  #withTags(twin: Twin): Twin {
    const key = keyOf(twin);
    const known = this.#shown.get(key);
    if (known?.twin === twin) return known.shown;
    const shown = withTagSensors(twin, this.#tags.get(key));
    if (this.#shown.size >= MAX_SHOWN) this.#shown.clear();
    this.#shown.set(key, { twin, shown });
    return shown;
  }
}

function idsOf({ tenant, id }: TwinKey): TwinKey {
  return { tenant, id };
}

function keyOf({ tenant, id }: TwinKey): string {
  return `${tenant}\0${id}`;
}
