/** Which watches hear which series: a chain of feeds for each series, its links in columns by the feeds' numbers. */
import type { SeriesId } from '../core/tag.ts';
import type { Feed } from './feed.ts';
import type { Watch } from './watch.ts';

const FIRST_CAPACITY = 1024;

export interface WatchFeed extends Feed {
  readonly watch: Watch;
}

type NewFeed = Pick<WatchFeed, 'watch' | 'series' | 'source' | 'valueType' | 'criterion'>;

export class Feeds {
  /** By series: the first feed of its chain; 0 where no rule asks for it. */
  #first = new Uint32Array(FIRST_CAPACITY);
  /** By feed: the next one of its chain; 0 behind the last. */
  #next = new Uint32Array(FIRST_CAPACITY);
  /** By feed: its line. */
  #line = new Uint32Array(FIRST_CAPACITY);
  readonly #feeds: (WatchFeed | undefined)[] = [undefined];
  readonly #free: number[] = [];

  first(series: SeriesId): number {
    return series < this.#first.length ? (this.#first[series] as number) : 0;
  }

  next(feed: number): number {
    return this.#next[feed] as number;
  }

  line(feed: number): number {
    return this.#line[feed] as number;
  }

  get(feed: number): WatchFeed {
    return this.#feeds[feed] as WatchFeed;
  }

  /** The newest one hears first. */
  attach({ watch, series, source, valueType, criterion }: NewFeed): WatchFeed {
    const number = this.#free.pop() ?? this.#feeds.length;
    const line = watch.voices.takeLine();
    const knownMs = Number.NEGATIVE_INFINITY;
    // Member by member: a copy by spread would have a shape of its own each time.
    const attached: WatchFeed = {
      number,
      watch,
      series,
      source,
      valueType,
      criterion,
      line,
      isPaused: false,
      knownMs,
      vouchedMs: Number.NaN,
    };
    this.#feeds[number] = attached;
    this.#first = holding(series, this.#first);
    this.#next = holding(number, this.#next);
    this.#line = holding(number, this.#line);
    this.#next[number] = this.#first[series] as number;
    this.#line[number] = line;
    this.#first[series] = number;
    watch.voices.join(attached);
    return attached;
  }

  /** Those of the series that `isGone` names hear it no more. */
  detach(series: SeriesId, isGone: (feed: WatchFeed) => boolean): void {
    let kept = 0;
    for (let number = this.first(series); number !== 0; ) {
      const next = this.next(number);
      if (!isGone(this.get(number))) kept = number;
      else {
        if (kept === 0) this.#first[series] = next;
        else this.#next[kept] = next;
        this.#feeds[number] = undefined;
        this.#free.push(number);
      }
      number = next;
    }
  }
}

/** The column, or a larger one, that has a place for this index. */
function holding(index: number, column: Uint32Array<ArrayBuffer>): Uint32Array<ArrayBuffer> {
  if (index < column.length) return column;
  const larger = new Uint32Array(2 ** Math.ceil(Math.log2(index + 1)));
  larger.set(column);
  return larger;
}
