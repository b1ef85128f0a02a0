/** Gathers runs that follow each other in time and cuts them into blocks of a bounded number of samples. */
import { mergeRuns, type Run, viewOf } from './run.ts';

export class BlockCutter {
  readonly #maxSamples: number;
  #runs: Run[] = [];
  #samples = 0;

  constructor(maxSamples: number) {
    this.#maxSamples = maxSamples;
  }

  /** A run behind those before. It must not change until it is cut. */
  add(run: Run): void {
    if (run.count === 0) return;
    this.#runs.push(run);
    this.#samples += run.count;
  }

  /** The next block when it is full. */
  full(): Run | undefined {
    return this.#samples >= this.#maxSamples ? this.#take(this.#maxSamples) : undefined;
  }

  /** The last block when there is anything left. */
  rest(): Run | undefined {
    return this.full() ?? (this.#samples > 0 ? this.#take(this.#samples) : undefined);
  }

  #take(samples: number): Run {
    const all = mergeRuns(this.#runs);
    const left = viewOf(all, samples, all.count);
    this.#runs = left.count > 0 ? [left] : [];
    this.#samples = left.count;
    return viewOf(all, 0, samples);
  }
}
