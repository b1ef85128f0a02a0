/** Clients that want the same: what is written for one of them is written for all. */
import type { SeriesDef, SeriesId } from '../../core/tag.ts';
import type { LiveEvent } from './event.ts';
import type { Subscriber } from './subscriber.ts';

export interface LiveFilter {
  readonly tenant: string;
  /** Absent: all. */
  readonly assets?: readonly string[];
  readonly tags?: readonly string[];
}

/** The same filter gives the same text, in whatever order its lists are. */
export function filterKey({ tenant, assets, tags }: LiveFilter): string {
  return JSON.stringify([tenant, assets?.toSorted() ?? null, tags?.toSorted() ?? null]);
}

const FIRST_CAPACITY = 1024;

export class Channel {
  readonly subscribers = new Set<Subscriber>();
  readonly #tenant: string;
  readonly #assets: ReadonlySet<string> | undefined;
  readonly #tags: ReadonlySet<string> | undefined;
  readonly #definition: (series: SeriesId) => SeriesDef;
  /** By series: 0 not asked yet, 1 wanted, 2 not. What a series belongs to never changes. */
  #known = new Uint8Array(FIRST_CAPACITY);

  constructor({ tenant, assets, tags }: LiveFilter, definition: (series: SeriesId) => SeriesDef) {
    this.#tenant = tenant;
    this.#assets = assets && new Set(assets);
    this.#tags = tags && new Set(tags);
    this.#definition = definition;
  }

  wants(series: SeriesId): boolean {
    const known = this.#known[series];
    return known === 1 || (known !== 2 && this.#judge(series));
  }

  offer(event: LiveEvent): void {
    for (const subscriber of this.subscribers) subscriber.offer(event);
  }

  #judge(series: SeriesId): boolean {
    const { tenant, asset, tag } = this.#definition(series);
    const wanted = tenant === this.#tenant && (this.#assets?.has(asset) ?? true) && (this.#tags?.has(tag) ?? true);
    this.#known = withRoom(this.#known, series);
    this.#known[series] = wanted ? 1 : 2;
    return wanted;
  }
}

/** The column, or a larger copy of it that has the place. */
export function withRoom(column: Uint8Array<ArrayBuffer>, index: number): Uint8Array<ArrayBuffer> {
  if (index < column.length) return column;
  const larger = new Uint8Array(2 ** Math.ceil(Math.log2(index + 1)));
  larger.set(column);
  return larger;
}
