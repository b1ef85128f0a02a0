/** The present value of every tag, in columns by series: fed by apply, restored at start, read by the API without a question to the store. */
import { shortestF32 } from '../core/float32.ts';
import { isBad, qualityOf, type StatusCode } from '../core/status.ts';
import type { Scalar, SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Binding, LiveReading } from './twin.ts';

const FIRST_CAPACITY = 1024;
const NONE: readonly SeriesId[] = [];
const NOTHING_ASKED = { tenant: '', asset: '', tags: undefined };

export class LiveValues {
  readonly #definitions: (SeriesDef | undefined)[] = [];
  /** By (tenant, asset), then by tag: the series that feed it. */
  readonly #assets = new Map<string, Map<string, SeriesId[]>>();
  /** The asset that was asked for last. */
  #asked: { readonly tenant: string; readonly asset: string; readonly tags: Map<string, SeriesId[]> | undefined } = NOTHING_ASKED;
  #newestMs = filled(FIRST_CAPACITY);
  #newestStatus = new Uint32Array(FIRST_CAPACITY);
  #usableMs = filled(FIRST_CAPACITY);
  #numbers = new Float64Array(FIRST_CAPACITY);
  /** When those two samples came in, counted in arrivals: it decides between series at equal time. */
  #newestArrival = new Float64Array(FIRST_CAPACITY);
  #usableArrival = new Float64Array(FIRST_CAPACITY);
  #arrivals = 0;
  /** Text and 64-bit integers. */
  readonly #wide: (string | bigint | undefined)[] = [];
  readonly #seenMs: (series: SeriesId) => number;
  readonly #latestMs: () => number;

  /**
   * `seenMs`: time of a series' newest reading, those within its deadband, which do not come here, among them: they show that the tag is alive.
   * `latestMs`: no later time is believed; what lies beyond it since the clock was set back hides no other series.
   */
  constructor(
    seenMs: (series: SeriesId) => number = () => Number.NEGATIVE_INFINITY,
    latestMs: () => number = () => Number.POSITIVE_INFINITY,
  ) {
    this.#seenMs = seenMs;
    this.#latestMs = latestMs;
  }

  /** A series exists; must come before its first sample. */
  define(series: SeriesId, def: SeriesDef): void {
    const known = this.#definitions[series] !== undefined;
    this.#definitions[series] = def;
    if (series >= this.#newestMs.length) this.#grow(series + 1);
    if (known) return;
    const key = `${def.tenant}\0${def.asset}`;
    const tags = this.#assets.get(key) ?? new Map<string, SeriesId[]>();
    this.#assets.set(key, tags);
    tags.set(def.tag, [...(tags.get(def.tag) ?? []), series]);
  }

  // A late one never replaces a newer. One that is not late does, even where its time is the earlier: a clock was set back.

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode, late: boolean): void {
    this.#arrive(series, timeMs, status, late);
    if (!Number.isNaN(value) && this.#isUsable(series, timeMs, status, late)) this.#numbers[series] = value;
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, _signed: boolean, status: StatusCode, late: boolean): void {
    this.#arriveWide(series, timeMs, value, status, late);
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode, late: boolean): void {
    this.#arriveWide(series, timeMs, value, status, late);
  }

  /** The newest by time over all series of the tag; undefined when nothing was ever received. */
  reading(tenant: string, binding: Binding): LiveReading | undefined {
    const candidates = this.#tagsOf(tenant, binding.asset)?.get(binding.tag) ?? NONE;
    let newest: SeriesId | undefined;
    let usable: SeriesId | undefined;
    let seenMs = Number.NEGATIVE_INFINITY;
    const latestMs = candidates.length > 1 ? this.#latestMs() : Number.POSITIVE_INFINITY;
    for (const series of candidates) {
      if (binding.source !== undefined && this.#definitions[series]?.source !== binding.source) continue;
      const seriesSeenMs = this.#seenMs(series);
      if (seriesSeenMs <= latestMs) seenMs = Math.max(seenMs, seriesSeenMs);
      if (this.#newestMs[series] === Number.NEGATIVE_INFINITY) continue;
      if (newest === undefined || isLater({ timesMs: this.#newestMs, arrivals: this.#newestArrival, latestMs }, series, newest))
        newest = series;
      if (usable === undefined || isLater({ timesMs: this.#usableMs, arrivals: this.#usableArrival, latestMs }, series, usable))
        usable = series;
    }
    if (newest === undefined || usable === undefined) return undefined;
    const valueMs = this.#at(this.#usableMs, usable);
    const known = valueMs !== Number.NEGATIVE_INFINITY;
    const status = this.#newestStatus[newest] as number;
    return {
      value: known ? this.#value(usable) : null,
      valueMs: known ? (valueMs as UnixMs) : null,
      quality: qualityOf(status),
      status,
      newestMs: Math.max(this.#at(this.#newestMs, newest), seenMs) as UnixMs,
      source: this.#definitions[newest]?.source ?? '',
    };
  }

  /** Names of the asset's tags, in the order of their making. */
  tagNames(tenant: string, asset: string): readonly string[] {
    return [...(this.#tagsOf(tenant, asset)?.keys() ?? [])];
  }

  /** The definition of the tag's newest series; undefined for an unknown tag. */
  definition(tenant: string, asset: string, tag: string): SeriesDef | undefined {
    const series = this.#tagsOf(tenant, asset)?.get(tag)?.at(-1);
    return series === undefined ? undefined : this.#definitions[series];
  }

  /** Who asks for one tag of an asset asks for the others too. */
  #tagsOf(tenant: string, asset: string): Map<string, SeriesId[]> | undefined {
    const { tenant: lastTenant, asset: lastAsset, tags } = this.#asked;
    if (tags && tenant === lastTenant && asset === lastAsset) return tags;
    const found = this.#assets.get(`${tenant}\0${asset}`);
    this.#asked = { tenant, asset, tags: found };
    return found;
  }

  #value(series: SeriesId): Scalar {
    const number = this.#numbers[series] as number;
    switch (this.#definitions[series]?.valueType) {
      case 'bool':
        return number !== 0;
      case 'f32':
        return shortestF32(number);
      case 'f64':
      case undefined:
        return number;
      case 'i64':
      case 'u64':
      case 'string':
        return this.#wide[series] ?? number;
    }
  }

  #arriveWide(series: SeriesId, timeMs: UnixMs, value: string | bigint, status: StatusCode, late: boolean): void {
    this.#arrive(series, timeMs, status, late);
    if (this.#isUsable(series, timeMs, status, late)) this.#wide[series] = value;
  }

  #arrive(series: SeriesId, timeMs: UnixMs, status: StatusCode, late: boolean): void {
    this.#arrivals++;
    if (late && timeMs < this.#at(this.#newestMs, series)) return;
    this.#newestMs[series] = timeMs;
    this.#newestStatus[series] = status;
    this.#newestArrival[series] = this.#arrivals;
  }

  /** True (noted) when a value that has just arrived is the newest that is not bad. */
  #isUsable(series: SeriesId, timeMs: UnixMs, status: StatusCode, late: boolean): boolean {
    if (isBad(status) || (late && timeMs < this.#at(this.#usableMs, series))) return false;
    this.#usableMs[series] = timeMs;
    this.#usableArrival[series] = this.#arrivals;
    return true;
  }

  #at(column: Float64Array, series: SeriesId): number {
    return column[series] as number;
  }

  #grow(needed: number): void {
    const capacity = 2 ** Math.ceil(Math.log2(needed + 1));
    this.#newestMs = moved(this.#newestMs, filled(capacity));
    this.#usableMs = moved(this.#usableMs, filled(capacity));
    this.#newestStatus = moved(this.#newestStatus, new Uint32Array(capacity));
    this.#numbers = moved(this.#numbers, new Float64Array(capacity));
    this.#newestArrival = moved(this.#newestArrival, new Float64Array(capacity));
    this.#usableArrival = moved(this.#usableArrival, new Float64Array(capacity));
  }
}

interface Order {
  readonly timesMs: Float64Array;
  readonly arrivals: Float64Array;
  readonly latestMs: number;
}

function isLater({ timesMs, arrivals, latestMs }: Order, series: SeriesId, other: SeriesId): boolean {
  const believed = (timeMs: number) => (timeMs > latestMs ? Number.NEGATIVE_INFINITY : timeMs);
  const mineMs = believed(timesMs[series] as number);
  const otherMs = believed(timesMs[other] as number);
  return mineMs > otherMs || (mineMs === otherMs && (arrivals[series] as number) > (arrivals[other] as number));
}

function moved<Column extends Float64Array | Uint32Array>(column: Column, larger: Column): Column {
  larger.set(column);
  return larger;
}

function filled(capacity: number): Float64Array<ArrayBuffer> {
  return new Float64Array(capacity).fill(Number.NEGATIVE_INFINITY);
}
