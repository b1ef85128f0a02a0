/** The catalogue of series on the main thread: gives SeriesIds at once, never twice, and holds what the door needs of each. */
import type { Deadband } from '../core/emit.ts';
import { MAX_SERIES_ID, type SeriesDef, type SeriesId, type SeriesKey, type ValueType } from '../core/tag.ts';
import type { SeriesLimits } from './series-limits.ts';

const UNLIMITED: SeriesLimits = { box: MAX_SERIES_ID, tenant: MAX_SERIES_ID };

/** Equal to the status of no reading. */
const UNKNOWN_STATUS = -1;

/** How a producer describes a series; a type left out is settled by the first value. */
export interface SeriesWish extends SeriesKey {
  readonly valueType?: ValueType;
  readonly unit?: string;
  readonly scale?: number;
  readonly offset?: number;
  readonly deadband?: Deadband;
}

/** One generation of a series, with the last sample that passed the door. */
export interface Entry {
  readonly id: SeriesId;
  def: SeriesDef;
  /** False until a definition record of the present `def` is in the ring. */
  defined: boolean;
  /** False until the first value has settled the type. */
  typed: boolean;
  scale: number;
  offset: number;
  scaled: boolean;
  deadband: Deadband | undefined;
  lastMs: number;
  /** The box's time when that came in; undefined for one of an earlier run. */
  arrivedMs: number | undefined;
  /** Time of the newest reading that was seen, whether stored or within the deadband. */
  seenMs: number;
  lastNumber: number;
  lastWide: string | bigint | undefined;
  lastStatus: number;
  /** Whether the newest sample is "no value, link down" already. */
  lost: boolean;
}

export class TagTable {
  readonly #entries: (Entry | undefined)[] = [];
  /** By key: the generations, oldest first. */
  readonly #byKey = new Map<string, Entry[]>();
  readonly #bySource = new Map<string, Entry[]>();
  /** By (tenant, asset), then by tag. */
  readonly #byAsset = new Map<string, Map<string, Entry[]>>();
  readonly #onNew: (series: SeriesId, def: SeriesDef) => void;
  readonly #limits: SeriesLimits;
  readonly #countOf = new Map<string, number>();
  #count = 0;
  #nextId = 1;

  /**
   * `onNew` hears of each series that is made or restored, before its first sample. Beyond `limits` no new ones are made;
   * those that there were at the start are restored however many they are.
   */
  constructor(onNew: (series: SeriesId, def: SeriesDef) => void, limits: SeriesLimits = UNLIMITED) {
    this.#onNew = onNew;
    this.#limits = limits;
  }

  restore(catalogue: readonly { readonly id: SeriesId; readonly def: SeriesDef }[], nextId: SeriesId): void {
    for (const { id, def } of catalogue) this.#insert(id, def, { defined: true, typed: true });
    this.#nextId = Math.max(this.#nextId, nextId);
  }

  /** The store may have lost definitions and newest samples: a definition goes before each series' next sample, and that one is no repeat. */
  defineAgain(): void {
    for (const entry of this.#entries) {
      if (!entry) continue;
      entry.defined = false;
      entry.lastStatus = UNKNOWN_STATUS;
      entry.lost = false;
    }
  }

  /** The series of a wish; undefined when no more series may be made. */
  resolve(wish: SeriesWish): Entry | undefined {
    const generations = this.#byKey.get(keyOf(wish));
    const wanted = wish.valueType;
    const known = wanted ? generations?.find((entry) => entry.def.valueType === wanted || !entry.typed) : generations?.at(-1);
    const entry = known ?? this.#create(wish, wanted ?? 'f64', wanted !== undefined, generations?.length ?? 0);
    if (!entry) return undefined;
    if (wanted && !entry.typed) this.#settle(entry, wanted);
    this.#refresh(entry, wish, wish.deadband);
    return entry;
  }

  /** The generation of the same key that holds values of `valueType`; made when there is none. */
  generation(entry: Entry, valueType: ValueType): Entry | undefined {
    if (!entry.typed) {
      this.#settle(entry, valueType);
      return entry;
    }
    const generations = this.#byKey.get(keyOf(entry.def)) ?? [];
    const known = generations.find((other) => other.def.valueType === valueType);
    const other = known ?? this.#create(entry.def, valueType, true, generations.length);
    if (other) this.#refresh(other, entry.def, entry.deadband);
    return other;
  }

  entry(series: SeriesId): Entry | undefined {
    return this.#entries[series];
  }

  /** Throws RangeError for an id that was never given. */
  definition(series: SeriesId): SeriesDef {
    const entry = this.#entries[series];
    if (!entry) throw new RangeError(`no series ${series}`);
    return entry.def;
  }

  /** Series of a tenant that match all lists given, by id. */
  find(filter: {
    readonly tenant: string;
    readonly sources?: readonly string[];
    readonly assets?: readonly string[];
    readonly tags?: readonly string[];
  }): SeriesId[] {
    const { tenant, sources, assets } = filter;
    const tags = filter.tags && new Set(filter.tags);
    const named = sources && new Set(sources);
    const candidates = assets
      ? assets.flatMap((asset) => this.#ofAsset(tenant, asset, tags))
      : sources
        ? sources.flatMap((source) => this.ofSource(source))
        : this.#entries;
    const found = new Set<SeriesId>();
    for (const entry of candidates) {
      if (!entry || entry.def.tenant !== tenant) continue;
      if (named && !named.has(entry.def.source)) continue;
      if (tags && !tags.has(entry.def.tag)) continue;
      found.add(entry.id);
    }
    return [...found].sort((a, b) => a - b);
  }

  #ofAsset(tenant: string, asset: string, tags: ReadonlySet<string> | undefined): readonly Entry[] {
    const byTag = this.#byAsset.get(`${tenant}\0${asset}`);
    if (!byTag) return [];
    if (tags && tags.size < byTag.size) return [...tags].flatMap((tag) => byTag.get(tag) ?? []);
    return [...byTag.values()].flat(); // `find` leaves out other tags
  }

  /** Every series that a source ever fed, of whatever tenant. */
  ofSource(source: string): readonly Entry[] {
    return this.#bySource.get(source) ?? [];
  }

  #create(key: SeriesKey & Partial<SeriesDef>, valueType: ValueType, typed: boolean, generation: number): Entry | undefined {
    if (this.#isFull(key.tenant)) return undefined;
    const { tenant, source, asset, tag, unit, scale, offset } = key;
    const def: SeriesDef = {
      tenant,
      source,
      asset,
      tag,
      valueType,
      generation,
      ...(unit === undefined ? {} : { unit }),
      ...(scale === undefined ? {} : { scale }),
      ...(offset === undefined ? {} : { offset }),
    };
    return this.#insert(this.#nextId++ as SeriesId, def, { defined: false, typed });
  }

  #isFull(tenant: string): boolean {
    const { box, tenant: share } = this.#limits;
    return this.#count >= box || (this.#countOf.get(tenant) ?? 0) >= share || this.#nextId > MAX_SERIES_ID;
  }

  #insert(id: SeriesId, def: SeriesDef, known: { readonly defined: boolean; readonly typed: boolean }): Entry {
    const entry: Entry = {
      id,
      def,
      ...known,
      scale: 1,
      offset: 0,
      scaled: false,
      deadband: undefined,
      lastMs: Number.NEGATIVE_INFINITY,
      arrivedMs: undefined,
      seenMs: Number.NEGATIVE_INFINITY,
      lastNumber: Number.NaN,
      lastWide: undefined,
      lastStatus: 0,
      lost: false,
    };
    this.#entries[id] = entry;
    this.#count++;
    this.#countOf.set(def.tenant, (this.#countOf.get(def.tenant) ?? 0) + 1);
    append(this.#byKey, keyOf(def), entry);
    append(this.#bySource, def.source, entry);
    const asset = `${def.tenant}\0${def.asset}`;
    const byTag = this.#byAsset.get(asset) ?? new Map<string, Entry[]>();
    this.#byAsset.set(asset, byTag);
    append(byTag, def.tag, entry);
    if (entry.typed) this.#onNew(id, def);
    return entry;
  }

  #settle(entry: Entry, valueType: ValueType): void {
    entry.def = { ...entry.def, valueType };
    entry.typed = true;
    this.#onNew(entry.id, entry.def);
  }

  /** Takes over what the producer says now; a changed unit or scale is told to the store by a new definition. */
  #refresh(entry: Entry, wish: Pick<SeriesWish, 'unit' | 'scale' | 'offset'>, deadband: Deadband | undefined): void {
    entry.scale = wish.scale ?? 1;
    entry.offset = wish.offset ?? 0;
    entry.scaled = entry.scale !== 1 || entry.offset !== 0;
    entry.deadband = deadband;
    const { unit, scale, offset } = wish;
    if (entry.def.unit === unit && entry.def.scale === scale && entry.def.offset === offset) return;
    const { unit: _unit, scale: _scale, offset: _offset, ...rest } = entry.def;
    entry.def = {
      ...rest,
      ...(unit === undefined ? {} : { unit }),
      ...(scale === undefined ? {} : { scale }),
      ...(offset === undefined ? {} : { offset }),
    };
    entry.defined = false;
    if (entry.typed) this.#onNew(entry.id, entry.def);
  }
}

function keyOf(key: SeriesKey): string {
  return `${key.tenant}\0${key.source}\0${key.asset}\0${key.tag}`;
}

function append<Key, Value>(map: Map<Key, Value[]>, key: Key, value: Value): void {
  const list = map.get(key);
  if (list) list.push(value);
  else map.set(key, [value]);
}
