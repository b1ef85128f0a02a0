/** Samples of one series in one window that are not sealed yet, in order of arrival; a fast series has several heads, one after the other. */
import type { Run } from './run.ts';
import type { SampleColumns } from './sample-columns.ts';
import { HEAD_BYTES } from './unsealed-limit.ts';

/** What a sparse series needs: a backfill may bring a sample for each of thousands of windows. */
const MIN_CAPACITY = 4;
/** 4 to 1,024 in four steps: the first window of a series is the only one whose length is not known. */
const GROWTH = 4;
/** The usual length is believed when so much of it has come: else a series that has become sparse would take 200 times what it needs. */
const BELIEVED = 1 / 16;
/** The windows of a series differ by a few samples; a head that must grow takes more memory. */
const MARGIN = 1 / 64;

/** More than a head ever holds. A time within a window and a place are one number below 2^53, to be sorted as such. */
const PLACE_SPAN = 2 ** 21;

export class Head {
  readonly #usual: number;
  readonly #maxSamples: number;
  #timeMs = new Float64Array(MIN_CAPACITY);
  #numbers = new Float64Array(MIN_CAPACITY);
  #status: Uint32Array | undefined;
  #wide: (string | bigint | undefined)[] | undefined;
  #order: Float64Array | undefined;
  #count = 0;
  /** True while times only ever rose. */
  #isSorted = true;
  /** The last sorted copy, until the next sample. */
  #copy: Run | undefined;

  /** It takes `maxSamples` at most. `usual`: about how many samples there will be; 0 for unknown. */
  constructor(maxSamples: number, usual: number) {
    this.#maxSamples = maxSamples;
    this.#usual = Math.min(maxSamples, Math.ceil(usual * (1 + MARGIN)));
  }

  /** How many more it takes. */
  get room(): number {
    return this.#maxSamples - this.#count;
  }

  /** Memory, but for what stands outside its columns. A head whose samples came in disorder is copied when it is read. */
  get bytes(): number {
    const rowBytes = 16 + (this.#status ? 4 : 0) + (this.#wide ? 8 : 0) + (this.#order ? 8 : 0);
    return HEAD_BYTES + this.#timeMs.length * rowBytes * (this.#isSorted ? 1 : 2);
  }

  /** Samples, a time that came twice counts twice. */
  get count(): number {
    return this.#count;
  }

  /** Takes columns[from…to). Their order of arrival is kept for a series that shares its tag. */
  append(columns: SampleColumns, from: number, to: number, isShared: boolean): void {
    const start = this.#count;
    this.#reserve(start + to - from);
    this.#copy = undefined;
    const [timeMs, numbers] = [this.#timeMs, this.#numbers];
    let lastMs = start > 0 ? (timeMs[start - 1] as number) : Number.NEGATIVE_INFINITY;
    let isSorted = this.#isSorted;
    let anyStatus = 0;
    for (let index = from, at = start; index < to; index++, at++) {
      const time = columns.timeMs[index] as number;
      if (time <= lastMs) isSorted = false;
      lastMs = time;
      timeMs[at] = time;
      numbers[at] = columns.numbers[index] as number;
      anyStatus |= columns.status[index] as number;
    }
    this.#isSorted = isSorted;
    if (anyStatus !== 0) this.#status ??= new Uint32Array(timeMs.length);
    if (isShared) this.#order ??= new Float64Array(timeMs.length); // earlier ones came before any sibling was known
    this.#status?.set(columns.status.subarray(from, to), start);
    if (isShared) this.#order?.set(columns.arrival.subarray(from, to), start);
    for (let more = to - from; this.#wide && more > 0; more--) this.#wide.push(undefined);
    this.#count = start + to - from;
  }

  /** `arrival` is 0 for a series that is alone in its tag, else it rises with every sample of the engine. */
  push(timeMs: number, number: number, wide: string | bigint | undefined, status: number, arrival: number): void {
    const at = this.#count;
    this.#reserve(at + 1);
    if (at > 0 && timeMs <= (this.#timeMs[at - 1] as number)) this.#isSorted = false;
    this.#copy = undefined;
    this.#timeMs[at] = timeMs;
    this.#numbers[at] = number;
    if (status !== 0) this.#status ??= new Uint32Array(this.#timeMs.length);
    if (this.#status) this.#status[at] = status;
    if (wide !== undefined) this.#wide ??= new Array<string | bigint | undefined>(at).fill(undefined);
    if (this.#wide) this.#wide[at] = wide;
    if (arrival !== 0) this.#order ??= new Float64Array(this.#timeMs.length); // earlier ones came before any sibling was known
    if (this.#order) this.#order[at] = arrival;
    this.#count = at + 1;
  }

  /** Sorted, the later arrival winning at equal time. A view while samples came in order: valid until the next push. */
  run(): Run {
    if (!this.#isSorted) {
      this.#copy ??= this.#sortedCopy();
      return this.#copy;
    }
    return {
      count: this.#count,
      timeMs: this.#timeMs,
      numbers: this.#numbers,
      ...(this.#status ? { status: this.#status } : {}),
      ...(this.#wide ? { wide: this.#wide } : {}),
      ...(this.#order ? { order: this.#order } : {}),
    };
  }

  #sortedCopy(): Run {
    const kept = placesByTime(this.#timeMs.subarray(0, this.#count));
    const pick = <Column extends Float64Array | Uint32Array>(column: Column, into: Column) => {
      for (let at = 0; at < kept.length; at++) into[at] = column[kept[at] as number] as number;
      return into;
    };
    return {
      count: kept.length,
      timeMs: pick(this.#timeMs, new Float64Array(kept.length)),
      numbers: pick(this.#numbers, new Float64Array(kept.length)),
      ...(this.#status ? { status: pick(this.#status, new Uint32Array(kept.length)) } : {}),
      ...(this.#wide ? { wide: Array.from(kept, (place) => this.#wide?.[place]) } : {}),
      ...(this.#order ? { order: pick(this.#order, new Float64Array(kept.length)) } : {}),
    };
  }

  #reserve(count: number): void {
    if (count <= this.#timeMs.length) return;
    const isUsual = count <= this.#usual && count >= this.#usual * BELIEVED;
    const capacity = isUsual ? this.#usual : Math.min(this.#maxSamples, Math.max(count, this.#timeMs.length * GROWTH));
    const grown = (column: Float64Array) => {
      const larger = new Float64Array(capacity);
      larger.set(column);
      return larger;
    };
    this.#timeMs = grown(this.#timeMs);
    this.#numbers = grown(this.#numbers);
    if (this.#order) this.#order = grown(this.#order);
    if (!this.#status) return;
    const status = new Uint32Array(capacity);
    status.set(this.#status);
    this.#status = status;
  }
}

/** Where the samples of times within one window lie in order of time, of those of one time the last. */
function placesByTime(timesMs: Float64Array): Uint32Array {
  const first = timesMs.reduce((least, timeMs) => Math.min(least, timeMs), Number.POSITIVE_INFINITY);
  const keys = timesMs.map((timeMs, place) => (timeMs - first) * PLACE_SPAN + place).sort();
  const places = new Uint32Array(keys.length);
  let kept = 0;
  for (let at = 0; at < keys.length; at++) {
    const place = (keys[at] as number) % PLACE_SPAN;
    const next = at + 1 < keys.length ? (keys[at + 1] as number) % PLACE_SPAN : undefined;
    if (next === undefined || timesMs[next] !== timesMs[place]) places[kept++] = place;
  }
  return places.subarray(0, kept);
}
