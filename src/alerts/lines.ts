/**
 * What every sample reads and writes of the watch that it is for: a line of nine numbers for each series, all lines in one array, so that the usual sample touches one or two
 * lines of the processor's cache and allocates nothing. Numbers in fields of objects would lie all over the heap.
 */
import type { UnixMs } from '../core/time.ts';

/** Numbers in a line. */
const WIDTH = 9;
const FIRST_LINES = 1024;

/** Time of the newest sample, bad ones too. */
export const LAST_MS = 0;
/** Time and value of the newest usable sample. */
export const USABLE_MS = 1;
export const VALUE = 2;
/** The engine's own time when it came. */
export const HEARD_MS = 3;
/** The feed of which samples may change nothing, 0 for none; below 0 where the rule judges their rate of change. */
export const STEADY_FEED = 4;
/** They change nothing while what is judged lies between these, the ends among them. */
export const STEADY_LOW = 5;
const STEADY_HIGH = 6;
/** Of a rate: time and value of the usable sample before the newest, without a pause between them. */
export const PREVIOUS_MS = 7;
export const PREVIOUS_VALUE = 8;

/** A usable sample; the engine has one of these, and fills it anew for each. */
export interface Sample {
  readonly timeMs: UnixMs;
  /** NaN where there is a text instead. */
  readonly value: number;
  readonly text: string | undefined;
  /** The engine's own time. */
  readonly engineMs: number;
}

export class Lines {
  /** Another array once there are more of them. */
  numbers: Float64Array<ArrayBuffer>;
  readonly #free: number[] = [];
  #end = 0;

  constructor(capacity = FIRST_LINES) {
    this.numbers = new Float64Array(capacity * WIDTH);
  }

  /** Where a line begins that knows of no sample yet. */
  take(): number {
    const at = this.#free.pop() ?? this.#end;
    if (at === this.#end) this.#end += WIDTH;
    if (this.#end > this.numbers.length) {
      const larger = new Float64Array(this.numbers.length * 2);
      larger.set(this.numbers);
      this.numbers = larger;
    }
    this.numbers.fill(0, at, at + WIDTH);
    for (const column of [LAST_MS, USABLE_MS, HEARD_MS, PREVIOUS_MS]) this.numbers[at + column] = Number.NEGATIVE_INFINITY;
    for (const column of [VALUE, PREVIOUS_VALUE]) this.numbers[at + column] = Number.NaN;
    return at;
  }

  /** Takes a sample of the feed that changes nothing but its time and value; false leaves it to the watch. */
  keep(at: number, feed: number, sample: Sample): boolean {
    const { numbers } = this;
    const { timeMs, value } = sample;
    const steady = numbers[at + STEADY_FEED] as number;
    if (steady !== feed) return steady === -feed && this.#keepRate(at, sample);
    if (timeMs < (numbers[at + LAST_MS] as number)) return false;
    if (!(value >= (numbers[at + STEADY_LOW] as number) && value <= (numbers[at + STEADY_HIGH] as number))) return false;
    this.put(at, sample);
    return true;
  }

  put(at: number, { timeMs, value, engineMs }: Sample): void {
    const { numbers } = this;
    numbers[at + LAST_MS] = timeMs;
    numbers[at + USABLE_MS] = timeMs;
    numbers[at + VALUE] = value;
    numbers[at + HEARD_MS] = engineMs;
  }

  #keepRate(at: number, sample: Sample): boolean {
    const { numbers } = this;
    const previousMs = numbers[at + USABLE_MS] as number;
    const previous = numbers[at + VALUE] as number;
    if (sample.timeMs <= previousMs) return false;
    const rate = rateOf(sample.value - previous, sample.timeMs - previousMs);
    if (!(rate >= (numbers[at + STEADY_LOW] as number) && rate <= (numbers[at + STEADY_HIGH] as number))) return false;
    numbers[at + PREVIOUS_MS] = previousMs;
    numbers[at + PREVIOUS_VALUE] = previous;
    this.put(at, sample);
    return true;
  }

  /** The next one may have it. Gives what it held, alone. */
  giveBack(at: number): Lines {
    this.#free.push(at);
    const alone = new Lines(1);
    alone.numbers.set(this.numbers.subarray(at, at + WIDTH));
    return alone;
  }
}

/** A change in one second. */
export function rateOf(change: number, spanMs: number): number {
  return (change * 1_000) / spanMs;
}
