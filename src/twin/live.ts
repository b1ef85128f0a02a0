/** The present value of every tag, in columns by series: fed by apply, restored at start, read by the API without a question to the store. */
import { shortestF32 } from '../core/float32.ts';
import { isBad, qualityOf, type StatusCode } from '../core/status.ts';
import type { Scalar, SeriesDef, SeriesId } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import type { Binding, LiveReading } from './twin.ts';

const FIRST_CAPACITY = 1024;

export class LiveValues {
  readonly #definitions: (SeriesDef | undefined)[] = [];
  /** By (tenant, asset), then by tag: the series that feed it. */
  readonly #assets = new Map<string, Map<string, SeriesId[]>>();
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

  /** `seenMs`: time of a series' newest reading, those within its deadband, which do not come here, among them: they show that the tag is alive. */
  constructor(seenMs: (series: SeriesId) => number = () => Number.NEGATIVE_INFINITY) {
    this.#seenMs = seenMs;
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

  number(series: SeriesId, timeMs: UnixMs, value: number, status: StatusCode): void {
    this.#arrive(series, timeMs, status);
    if (!Number.isNaN(value) && this.#isUsable(series, timeMs, status)) this.#numbers[series] = value;
  }

  integer(series: SeriesId, timeMs: UnixMs, value: bigint, _signed: boolean, status: StatusCode): void {
    this.#arriveWide(series, timeMs, value, status);
  }

  text(series: SeriesId, timeMs: UnixMs, value: string, status: StatusCode): void {
    this.#arriveWide(series, timeMs, value, status);
  }

  /** The newest by time over all series of the tag; undefined when nothing was ever received. */
  reading(tenant: string, binding: Binding): LiveReading | undefined {
    const candidates = this.#assets.get(`${tenant}\0${binding.asset}`)?.get(binding.tag) ?? [];
    let newest: SeriesId | undefined;
    let usable: SeriesId | undefined;
    let seenMs = Number.NEGATIVE_INFINITY;
    for (const series of candidates) {
      if (binding.source !== undefined && this.#definitions[series]?.source !== binding.source) continue;
      seenMs = Math.max(seenMs, this.#seenMs(series));
      if (this.#newestMs[series] === Number.NEGATIVE_INFINITY) continue;
      if (newest === undefined || isLater(this.#newestMs, this.#newestArrival, series, newest)) newest = series;
      if (usable === undefined || isLater(this.#usableMs, this.#usableArrival, series, usable)) usable = series;
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
    return [...(this.#assets.get(`${tenant}\0${asset}`)?.keys() ?? [])];
  }

  /** The definition of the tag's newest series; undefined for an unknown tag. */
  definition(tenant: string, asset: string, tag: string): SeriesDef | undefined {
    const series = this.#assets.get(`${tenant}\0${asset}`)?.get(tag)?.at(-1);
    return series === undefined ? undefined : this.#definitions[series];
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

  #arriveWide(series: SeriesId, timeMs: UnixMs, value: string | bigint, status: StatusCode): void {
    this.#arrive(series, timeMs, status);
    if (this.#isUsable(series, timeMs, status)) this.#wide[series] = value;
  }

  #arrive(series: SeriesId, timeMs: UnixMs, status: StatusCode): void {
    this.#arrivals++;
    if (timeMs < this.#at(this.#newestMs, series)) return;
    this.#newestMs[series] = timeMs;
    this.#newestStatus[series] = status;
    this.#newestArrival[series] = this.#arrivals;
  }

  /** True (noted) when a value that has just arrived is the newest that is not bad. */
  #isUsable(series: SeriesId, timeMs: UnixMs, status: StatusCode): boolean {
    if (isBad(status) || timeMs < this.#at(this.#usableMs, series)) return false;
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

function isLater(timesMs: Float64Array, arrivals: Float64Array, series: SeriesId, other: SeriesId): boolean {
  const differenceMs = (timesMs[series] as number) - (timesMs[other] as number);
  return differenceMs > 0 || (differenceMs === 0 && (arrivals[series] as number) > (arrivals[other] as number));
}

function moved<Column extends Float64Array | Uint32Array>(column: Column, larger: Column): Column {
  larger.set(column);
  return larger;
}

function filled(capacity: number): Float64Array<ArrayBuffer> {
  return new Float64Array(capacity).fill(Number.NEGATIVE_INFINITY);
}
