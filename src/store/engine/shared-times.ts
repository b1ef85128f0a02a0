/** Finds times that were stored before, by their content: series that are read together have the same ones, which are stored once. */
import type { Run } from './run.ts';

/** 16 MiB: those of 145 blocks of four hours at one a second. Who comes later than that stores them again. */
const MAX_TIMES = 1 << 21;

interface Known {
  readonly timeMs: Float64Array;
  readonly count: number;
  readonly row: number;
}

export class SharedTimes {
  /** By a hash of their content; least recently used first. */
  readonly #known = new Map<number, readonly Known[]>();
  #times = 0;

  /** The row that holds the times of a run; when there is none, `store` brings them to one. */
  rowOf(run: Run, store: () => number): number {
    const hash = hashTimes(run);
    const candidates = this.#known.get(hash) ?? [];
    const known = candidates.find((candidate) => sameTimes(candidate, run));
    const row = known ? known.row : store();
    this.#known.delete(hash); // the most recently used goes to the end
    this.#known.set(hash, known ? candidates : [...candidates, { timeMs: run.timeMs, count: run.count, row }]);
    if (!known) this.#add(run.count);
    return row;
  }

  #add(count: number): void {
    this.#times += count;
    for (const [hash, oldest] of this.#known) {
      if (this.#times <= MAX_TIMES || this.#known.size === 1) return;
      this.#known.delete(hash);
      for (const known of oldest) this.#times -= known.count;
    }
  }
}

/** FNV-like, over every seventh time: collisions are compared in full. */
function hashTimes({ timeMs, count }: Run): number {
  let hash = count;
  for (let index = 0; index < count; index += 7) hash = (Math.imul(hash, 31) + (timeMs[index] as number)) | 0;
  return hash;
}

function sameTimes(a: Known, b: Run): boolean {
  if (a.count !== b.count) return false;
  for (let index = 0; index < a.count; index++) if (a.timeMs[index] !== b.timeMs[index]) return false;
  return true;
}
