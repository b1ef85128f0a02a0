/** The twins of the box: those of the file, and one for every asset that a tag or a reading names. Kept in memory, remembered in the records. */
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import { ID_PATTERN, type SeriesDef } from '../core/tag.ts';
import type { DocumentWrite, RecordStore } from '../store/records.ts';
import type { Actuator, Sensor, Twin } from './twin.ts';

/** A broker that invents assets must not fill the memory with twins. */
const MAX_AUTO_TWINS = 10_000;
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
  readonly records: RecordStore;
  readonly autoTwins: boolean;
  /** True for sources whose assets are battery packs. */
  readonly isPackSource: (source: string) => boolean;
}

/** What is kept of a twin: everything but its times and the sensors that follow from tags. */
type TwinBody = Omit<Twin, 'tenant' | 'id' | 'createdMs' | 'updatedMs'>;

export class TwinRegistry {
  readonly #options: TwinRegistryOptions;
  readonly #twins = new Map<string, Twin>();
  /** Tags of each asset in the order of their making. */
  readonly #tags = new Map<string, Map<string, SeriesDef>>();
  /** Changed since the last save, by key. */
  readonly #unsaved = new Map<string, Twin>();
  #autoCount = 0;
  #overflow = 0;
  readonly #throttled: ThrottledLog;

  constructor(options: TwinRegistryOptions) {
    this.#options = options;
    this.#throttled = new ThrottledLog(options.log, options.clock);
  }

  /** Takes up what the records remember, then what the file says; the file wins. Twins that left the file and have no tag go. */
  async load(specs: readonly TwinSpec[]): Promise<void> {
    const { clock, records } = this.#options;
    const wanted = new Set(specs.map((spec) => keyOf(spec.tenant, spec.id)));
    for (const document of await records.documents('twin')) {
      const { tenant, id, createdMs, updatedMs } = document;
      const body = document.body as TwinBody;
      const key = keyOf(tenant, id);
      const orphaned = body.managedBy === 'config' && !wanted.has(key);
      if (orphaned) await records.removeDocument({ kind: 'twin', tenant, id });
      else this.#set({ tenant, id, createdMs, updatedMs, ...body });
    }
    for (const spec of specs) {
      const known = this.#twins.get(keyOf(spec.tenant, spec.id));
      const body = bodyOf({ ...spec, status: known?.status ?? 'active', managedBy: 'config' });
      if (known && JSON.stringify(bodyOf(known)) === JSON.stringify(body)) continue;
      const nowMs = clock.now();
      this.#change({ tenant: spec.tenant, id: spec.id, ...body, createdMs: known?.createdMs ?? nowMs, updatedMs: nowMs });
    }
    await this.#save();
  }

  /** A series exists: its asset has a twin, and the twin a sensor. */
  define(def: SeriesDef): void {
    const key = keyOf(def.tenant, def.asset);
    const tags = this.#tags.get(key) ?? new Map<string, SeriesDef>();
    this.#tags.set(key, tags);
    tags.set(def.tag, def);
    if (this.#options.autoTwins && !this.#twins.has(key)) this.#addAuto(def);
  }

  list(tenant: string): readonly Twin[] {
    return [...this.#twins.values()].filter((twin) => twin.tenant === tenant).map((twin) => this.#withTags(twin));
  }

  get(tenant: string, id: string): Twin | undefined {
    const twin = this.#twins.get(keyOf(tenant, id));
    return twin && this.#withTags(twin);
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
    if (this.#autoCount >= MAX_AUTO_TWINS) {
      if (this.#overflow++ === 0) log.warn({ asset: def.asset, limit: MAX_AUTO_TWINS }, 'no more twins are made of assets');
      return;
    }
    const nowMs = clock.now();
    this.#change({
      tenant: def.tenant,
      id: def.asset,
      name: def.asset,
      type: isPackSource(def.source) ? 'battery_pack' : 'equipment',
      status: 'active',
      managedBy: 'api',
      metadata: {},
      createdMs: nowMs,
      updatedMs: nowMs,
      sensors: [],
      actuators: [],
    });
  }

  #change(twin: Twin): void {
    this.#set(twin);
    this.#unsaved.set(keyOf(twin.tenant, twin.id), twin);
  }

  #set(twin: Twin): void {
    const key = keyOf(twin.tenant, twin.id);
    if (this.#twins.get(key)?.managedBy === 'api') this.#autoCount--;
    if (twin.managedBy === 'api') this.#autoCount++;
    this.#twins.set(key, twin);
  }

  async #save(): Promise<void> {
    if (this.#unsaved.size === 0) return;
    const batch = [...this.#unsaved.entries()];
    const writes = batch.map(
      ([, twin]): DocumentWrite => ({ kind: 'twin', tenant: twin.tenant, id: twin.id, body: bodyOf(twin), atMs: twin.updatedMs }),
    );
    try {
      await this.#options.records.putDocuments(writes);
      for (const [key, twin] of batch) if (this.#unsaved.get(key) === twin) this.#unsaved.delete(key);
    } catch (error) {
      this.#throttled.warn('save', { twins: batch.length, reason: messageOf(error) }, 'twins could not be saved and will be tried again');
    }
  }

  /** Adds a sensor for each tag of the asset that no sensor shows already. */
  #withTags(twin: Twin): Twin {
    const tags = this.#tags.get(keyOf(twin.tenant, twin.id));
    if (!tags) return twin;
    const shown = new Set(twin.sensors.filter((sensor) => sensor.binding.asset === twin.id).map((sensor) => sensor.binding.tag));
    const ids = new Set(twin.sensors.map((sensor) => sensor.id));
    const sensors = [...twin.sensors];
    for (const [tag, def] of tags) {
      if (shown.has(tag)) continue;
      const id = sensorId(tag, ids);
      ids.add(id);
      sensors.push({ id, name: tag, unit: def.unit ?? '', binding: { asset: twin.id, tag }, bindingExplicit: id !== tag });
    }
    return { ...twin, sensors };
  }
}

/** The tag's name where it is an id, else with the other characters replaced by `_`; a clash gets `-2`, `-3`, … */
function sensorId(tag: string, taken: ReadonlySet<string>): string {
  const plain = tag
    .replaceAll(/[^A-Za-z0-9._:-]/gu, '_')
    .replace(/^[^A-Za-z0-9]/, '0')
    .slice(0, 128);
  const base = ID_PATTERN.test(tag) ? tag : plain;
  let id = base;
  for (let number = 2; taken.has(id); number++) id = `${base.slice(0, 120)}-${number}`;
  return id;
}

function bodyOf(twin: TwinBody): TwinBody {
  const { name, description, type, status, managedBy, metadata, sensors, actuators } = twin;
  return { name, ...(description === undefined ? {} : { description }), type, status, managedBy, metadata, sensors, actuators };
}

function keyOf(tenant: string, id: string): string {
  return `${tenant}\0${id}`;
}
