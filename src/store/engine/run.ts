/** Samples of one series in columns, sorted by time with no time twice: what every part of the engine hands to the next. */

export interface Run {
  readonly count: number;
  /** At least `count` long, as the other columns. */
  readonly timeMs: Float64Array;
  /** f64, f32 and bool; NaN where there is no number. */
  readonly numbers: Float64Array;
  /** Absent: all Good. */
  readonly status?: Uint32Array;
  /** Text and 64-bit integers; absent for series of numbers. */
  readonly wide?: readonly (string | bigint | undefined)[];
  /**
   * Which of several series of one tag spoke last at the same time: the one with the highest number here, and among equal ones the
   * one with the highest id. Absent: all 0.
   */
  readonly order?: Float64Array;
}

export const EMPTY_RUN: Run = { count: 0, timeMs: new Float64Array(0), numbers: new Float64Array(0) };

/** Index of the first time at or after `timeMs`. */
export function lowerBound(timesMs: Float64Array, count: number, timeMs: number): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((timesMs[middle] as number) < timeMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The part in [fromMs, toMs); columns are views, not copies. */
export function sliceRun(run: Run, fromMs: number, toMs: number): Run {
  const start = lowerBound(run.timeMs, run.count, fromMs);
  const end = lowerBound(run.timeMs, run.count, toMs);
  return viewOf(run, start, Math.max(start, end));
}

/** Samples [start, end); columns are views, not copies. */
export function viewOf(run: Run, start: number, end: number): Run {
  if (start === 0 && end === run.count) return run;
  return {
    count: end - start,
    timeMs: run.timeMs.subarray(start, end),
    numbers: run.numbers.subarray(start, end),
    ...(run.status ? { status: run.status.subarray(start, end) } : {}),
    ...(run.wide ? { wide: run.wide.slice(start, end) } : {}),
    ...(run.order ? { order: run.order.subarray(start, end) } : {}),
  };
}

/** One run of several of the same series; at equal time the later run in the list wins. */
export function mergeRuns(runs: readonly Run[]): Run {
  const filled = runs.filter((run) => run.count > 0);
  const [only] = filled;
  if (only === undefined) return EMPTY_RUN;
  if (filled.length === 1) return only;
  return inSequence(filled) ? concatenate(filled) : weave(filled);
}

/** True when each run ends before the next begins: the usual case of parts of one window. */
function inSequence(runs: readonly Run[]): boolean {
  return runs.every((run, index) => {
    const next = runs[index + 1];
    return !next || (run.timeMs[run.count - 1] as number) < (next.timeMs[0] as number);
  });
}

function concatenate(runs: readonly Run[]): Run {
  const count = runs.reduce((sum, run) => sum + run.count, 0);
  const timeMs = new Float64Array(count);
  const numbers = new Float64Array(count);
  const status = runs.some((run) => run.status) ? new Uint32Array(count) : undefined;
  const order = runs.some((run) => run.order) ? new Float64Array(count) : undefined;
  const wide = runs.some((run) => run.wide) ? new Array<string | bigint | undefined>(count).fill(undefined) : undefined;
  let at = 0;
  for (const run of runs) {
    timeMs.set(run.timeMs.subarray(0, run.count), at);
    numbers.set(run.numbers.subarray(0, run.count), at);
    if (run.status) status?.set(run.status.subarray(0, run.count), at);
    if (run.order) order?.set(run.order.subarray(0, run.count), at);
    for (let index = 0; wide && run.wide && index < run.count; index++) wide[at + index] = run.wide[index];
    at += run.count;
  }
  return { count, timeMs, numbers, ...(status ? { status } : {}), ...(wide ? { wide } : {}), ...(order ? { order } : {}) };
}

function weave(runs: readonly Run[]): Run {
  const at = new Uint32Array(runs.length);
  const merged = new RunBuilder(runs.reduce((sum, run) => sum + run.count, 0));
  for (;;) {
    let winner = -1;
    let earliestMs = Number.POSITIVE_INFINITY;
    for (let index = 0; index < runs.length; index++) {
      const run = runs[index] as Run;
      const position = at[index] as number;
      if (position < run.count && (run.timeMs[position] as number) <= earliestMs) {
        earliestMs = run.timeMs[position] as number;
        winner = index; // `<=`: the later run wins a tie
      }
    }
    if (winner < 0) return merged.build();
    merged.copy(runs[winner] as Run, at[winner] as number);
    for (let index = 0; index < runs.length; index++) {
      const run = runs[index] as Run;
      const position = at[index] as number;
      if (position < run.count && run.timeMs[position] === earliestMs) at[index] = position + 1;
    }
  }
}

/** Fills a run of at most `capacity` samples, in order. */
export class RunBuilder {
  readonly #timeMs: Float64Array;
  readonly #numbers: Float64Array;
  readonly #capacity: number;
  #status: Uint32Array | undefined;
  #wide: (string | bigint | undefined)[] | undefined;
  #order: Float64Array | undefined;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#timeMs = new Float64Array(capacity);
    this.#numbers = new Float64Array(capacity);
  }

  copy(run: Run, index: number): void {
    const at = this.#count++;
    this.#timeMs[at] = run.timeMs[index] as number;
    this.#numbers[at] = run.numbers[index] as number;
    const status = run.status?.[index] ?? 0;
    if (status !== 0) this.#status ??= new Uint32Array(this.#capacity);
    if (this.#status) this.#status[at] = status;
    if (run.wide) {
      this.#wide ??= new Array<string | bigint | undefined>(at).fill(undefined);
      this.#wide.push(run.wide[index]);
    } else this.#wide?.push(undefined);
    if (run.order) this.#order ??= new Float64Array(this.#capacity);
    if (this.#order) this.#order[at] = run.order?.[index] ?? 0;
  }

  build(): Run {
    return {
      count: this.#count,
      timeMs: this.#timeMs,
      numbers: this.#numbers,
      ...(this.#status ? { status: this.#status } : {}),
      ...(this.#wide ? { wide: this.#wide } : {}),
      ...(this.#order ? { order: this.#order } : {}),
    };
  }
}
