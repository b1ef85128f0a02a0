/** Segments of the log that nothing needs: some are kept for what comes, the others give their room back. */
import type { Clock } from '../../core/clock.ts';
import type { Wal } from './wal/log.ts';

/** A quarter of an hour is sealed at once, and the next one fills as many again: an hour shows what is usual. */
const LOOK_BACK_MS = 3_600_000;
const SLOT_MS = LOOK_BACK_MS / 4;
/** The log goes on in them where the disk has no room for a new one. */
const LEAST = 2;

export class SpareSegments {
  readonly #wal: Wal;
  readonly #clock: Clock;
  /** By quarter of an hour: the most that were live in it. */
  readonly #most = new Map<number, number>();

  constructor(wal: Wal, clock: Clock) {
    this.#wal = wal;
    this.#clock = clock;
  }

  /** To be called often: notes how many are live. */
  watch(): void {
    const slot = Math.floor(this.#clock.monotonicMs() / SLOT_MS);
    this.#most.set(slot, Math.max(this.#most.get(slot) ?? 0, this.#wal.stats.liveSegments));
    for (const old of this.#most.keys()) if (old < slot - LOOK_BACK_MS / SLOT_MS) this.#most.delete(old);
  }

  /** Removes one when there are more than were live in the last hour; true when it did. Throws `store_failed`. */
  trim(): boolean {
    const { freeSegments } = this.#wal.stats;
    const kept = Math.max(LEAST, ...this.#most.values());
    return freeSegments > kept && this.#wal.removeFree(freeSegments - 1);
  }

  /** Removes all but the least, where room is short; true when there were more. Throws `store_failed`. */
  giveBack(): boolean {
    return this.#wal.removeFree(LEAST);
  }
}
