/** Merges sorted runs of one series piece by piece: what is done at once is bounded, however long they are. */
import { EMPTY_RUN, lowerBound, mergeRuns, type Run, viewOf } from './run.ts';

/** A piece that nothing overlaps is handed on as it is when it has so many samples, or is all that is left of its run. */
const WORTH_A_VIEW = 256;

/** What is not handed on of a stream: at least one sample of `run` from `at` on. */
interface Place {
  readonly stream: Iterator<Run, void>;
  run: Run;
  at: number;
}

export class RunMerge {
  readonly #maxSamples: number;
  /** Streams that are not read yet, in their order; then those that have something left. */
  readonly #unread: Iterator<Run, void>[];
  #places: Place[] = [];

  /** Of each stream the runs follow each other in time; at equal time a later stream wins. Pieces have `maxSamples` or as many as a run at most. */
  constructor(streams: readonly Iterable<Run, void>[], maxSamples: number) {
    this.#unread = streams.map((stream) => stream[Symbol.iterator]());
    this.#maxSamples = maxSamples;
  }

  /**
   * The samples that come next, behind all before; an empty run when a stream had to be read first; undefined at the end. Reads
   * one run of a stream or merges one piece.
   */
  next(): Run | undefined {
    const unread = this.#unread.shift();
    if (unread) {
      const place: Place = { stream: unread, run: EMPTY_RUN, at: 0 };
      if (readOn(place)) this.#places.push(place);
      return EMPTY_RUN;
    }
    const spent = this.#places.findIndex(({ run, at }) => at === run.count);
    if (spent >= 0) {
      if (!readOn(this.#places[spent] as Place)) this.#places.splice(spent, 1);
      return EMPTY_RUN;
    }
    if (this.#places.length === 0) return undefined;
    return this.#alone() ?? this.#merged();
  }

  /** What the earliest stream has before all others; undefined when that is little. */
  #alone(): Run | undefined {
    const first = this.#places.reduce((best, place) => (timeOf(place) < timeOf(best) ? place : best));
    const others = this.#places.filter((place) => place !== first);
    const untilMs = others.reduce((least, place) => Math.min(least, timeOf(place)), Number.POSITIVE_INFINITY);
    const { run, at } = first;
    const end = untilMs === Number.POSITIVE_INFINITY ? run.count : Math.max(at, lowerBound(run.timeMs, run.count, untilMs));
    if (end < run.count && end - at < WORTH_A_VIEW) return undefined;
    first.at = end;
    return viewOf(run, at, end);
  }

  #merged(): Run {
    const each = Math.max(1, Math.floor(this.#maxSamples / this.#places.length));
    const lastOf = ({ run, at }: Place) => run.timeMs[Math.min(at + each, run.count) - 1] as number;
    const endMs = this.#places.reduce((least, place) => Math.min(least, lastOf(place)), Number.POSITIVE_INFINITY) + 1;
    const pieces = this.#places.map((place) => {
      const { run, at } = place;
      place.at = lowerBound(run.timeMs, run.count, endMs);
      return viewOf(run, at, place.at);
    });
    return mergeRuns(pieces);
  }
}

function timeOf({ run, at }: Place): number {
  return run.timeMs[at] as number;
}

/** False at the stream's end. */
function readOn(place: Place): boolean {
  const next = place.stream.next();
  if (next.done) return false;
  place.run = next.value;
  place.at = 0;
  return true;
}
