/**
 * New samples on their way into the heads. They are gathered as they come and given out series by series: to go to another series' head
 * with every sample costs ten times as much, for each lies elsewhere in memory.
 */
import type { RingMemory } from '../../core/ring.ts';
import type { Sequence, SeriesId } from '../../core/tag.ts';
import type { LatestSamples } from './latest.ts';
import type { OpenWindows } from './open-windows.ts';
import type { SampleColumns } from './sample-columns.ts';
import type { Siblings } from './siblings.ts';

/** What a level-2 cache holds, gathered and sorted; dozens of samples a series for a thousand series. */
const CAPACITY = 1 << 15;
const KIND_SHIFT = 24;
/** Of a ring's word: 0 for a number, historical or not. */
const KIND_MASK = 0x0f;

interface GatheredColumns extends SampleColumns {
  readonly series: Uint32Array;
}

export class Intake {
  /** Time of the newest sample that ever came; −Infinity before the first. */
  newestMs = Number.NEGATIVE_INFINITY;
  readonly #open: OpenWindows;
  readonly #latest: LatestSamples;
  readonly #siblings: Siblings;
  readonly #gathered: GatheredColumns = { series: new Uint32Array(CAPACITY), ...newColumns() };
  readonly #sorted: SampleColumns = newColumns();
  #count = 0;
  /** Number of the first gathered sample among all that ever came. */
  #arrival = 1;
  /** By series id: how many were gathered, then where its next one goes. All 0 between two calls of `settle`. */
  #places = new Uint32Array(1024);
  readonly #touched = new Uint32Array(CAPACITY);
  /** The window that the last sample fell into. */
  #fromMs = 0;
  #toMs = 0;

  constructor(open: OpenWindows, latest: LatestSamples, siblings: Siblings) {
    this.#open = open;
    this.#latest = latest;
    this.#siblings = siblings;
    open.onRead = () => this.settle();
    open.waiting = () => this.#count;
    latest.onRead = open.onRead;
  }

  /**
   * Takes the numbers of a ring from `from` until `end` or the first record that is none; returns its sequence. `batch` is the first
   * sequence of the write that they belong to. The hot path.
   */
  numbers({ floats, words, mask }: RingMemory, from: number, end: number, batch: Sequence): number {
    const { series, timeMs, numbers, status } = this.#gathered;
    let position = from;
    while (position < end) {
      const first = this.#room();
      const most = Math.min(end, position + CAPACITY - first);
      let at = first;
      let newestMs = this.newestMs;
      for (; position < most; position++) {
        const slot = position & mask;
        const word = words[6 * slot + 4] as number;
        if (((word >>> KIND_SHIFT) & KIND_MASK) !== 0) break;
        const time = floats[3 * slot] as number;
        if (!(time >= this.#fromMs && time < this.#toMs)) this.#enter(time, batch);
        if (time > newestMs) newestMs = time;
        series[at] = word & 0xff_ffff;
        timeMs[at] = time;
        numbers[at] = floats[3 * slot + 1] as number;
        status[at] = words[6 * slot + 5] as number;
        at++;
      }
      this.newestMs = newestMs;
      this.#count = at;
      if (position < most) break;
    }
    return position;
  }

  /** Takes one sample. `batch` is the first sequence of the write or the frame that it belongs to. */
  take(series: SeriesId, timeMs: number, number: number, wide: string | bigint | undefined, status: number, batch: Sequence): void {
    if (!(timeMs >= this.#fromMs && timeMs < this.#toMs)) this.#enter(timeMs, batch);
    if (timeMs > this.newestMs) this.newestMs = timeMs;
    if (wide !== undefined) {
      this.settle(); // what came before stays before it
      const arrival = this.#siblings.isShared(series) ? this.#arrival++ : 0;
      this.#open.push(series, timeMs, number, wide, status, arrival);
      this.#latest.put(series, timeMs, number, wide, status);
      return;
    }
    const at = this.#room();
    const gathered = this.#gathered;
    gathered.series[at] = series;
    gathered.timeMs[at] = timeMs;
    gathered.numbers[at] = number;
    gathered.status[at] = status;
    this.#count = at + 1;
  }

  /** Brings everything to the heads and to the newest samples; to be called before these are looked at. */
  settle(): void {
    const count = this.#count;
    this.#fromMs = this.#toMs; // the window may be taken now
    if (count === 0) return;
    this.#count = 0;
    const touched = this.#sort(count);
    const columns = this.#sorted;
    let from = 0;
    for (let which = 0; which < touched; which++) {
      const series = this.#touched[which] as SeriesId;
      const to = this.#places[series] as number;
      this.#places[series] = 0;
      this.#open.append(series, columns, from, to, this.#siblings.isShared(series));
      this.#latest.append(series, columns, from, to);
      from = to;
    }
    this.#arrival += count;
  }

  /** Where the next sample goes. */
  #room(): number {
    if (this.#count === CAPACITY) this.settle();
    return this.#count;
  }

  /** The window of a sample's time is open from its first sample on: since then the log is needed. */
  #enter(timeMs: number, batch: Sequence): void {
    const { fromMs, toMs } = this.#open.enter(timeMs, batch);
    this.#fromMs = fromMs;
    this.#toMs = toMs;
  }

  /** A sort by counting, which keeps the order within a series. Returns how many series there are; `places` then hold their ends. */
  #sort(count: number): number {
    const { series, timeMs, numbers, status } = this.#gathered;
    let highest = 0;
    for (let index = 0; index < count; index++) if ((series[index] as number) > highest) highest = series[index] as number;
    if (highest >= this.#places.length) this.#places = new Uint32Array(highest + (highest >> 1) + 1);
    const places = this.#places;
    const touched = this.#touched;
    let kinds = 0;
    for (let index = 0; index < count; index++) {
      const id = series[index] as number;
      const before = places[id] as number;
      if (before === 0) touched[kinds++] = id;
      places[id] = before + 1;
    }
    let start = 0;
    for (let which = 0; which < kinds; which++) {
      const id = touched[which] as number;
      const own = places[id] as number;
      places[id] = start;
      start += own;
    }
    const sorted = this.#sorted;
    const { any: isShared } = this.#siblings;
    const arrival = this.#arrival;
    for (let index = 0; index < count; index++) {
      const id = series[index] as number;
      const place = places[id] as number;
      places[id] = place + 1;
      sorted.timeMs[place] = timeMs[index] as number;
      sorted.numbers[place] = numbers[index] as number;
      sorted.status[place] = status[index] as number;
      if (isShared) sorted.arrival[place] = arrival + index;
    }
    return kinds;
  }
}

function newColumns(): SampleColumns {
  return {
    timeMs: new Float64Array(CAPACITY),
    numbers: new Float64Array(CAPACITY),
    status: new Uint32Array(CAPACITY),
    arrival: new Float64Array(CAPACITY),
  };
}
