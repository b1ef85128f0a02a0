/** Decides which day goes next: for its age, because the data has its bytes, or because the file system runs out of room. */
import type { Clock } from '../../core/clock.ts';
import type { RetentionPolicy } from '../telemetry.ts';
import { DAY_MS, dayOf, dayOfWindow, WINDOW_MS } from './grid.ts';
import type { Layout } from './reader.ts';

/** The clock was set when it moved by this much more or less than time has passed. */
const CLOCK_STEP_MS = 60_000;
/** Data that jumps ahead by more came after a long rest, or by a clock that is wrong. */
const DATA_STEP_MS = DAY_MS;
/**
 * So long nothing goes for its age after such a step, and after a start, before which one may have been: a clock that is wrong is usually
 * set right, or noticed, within it.
 */
const REST_MS = 3_600_000;

/** What is to go. A day's rollups stay behind its samples until they are too old themselves. */
export interface Removal {
  readonly kind: 'samples' | 'rollups';
  readonly day: number;
}

export interface Sizes {
  /** All files together. */
  readonly totalBytes: number;
  /** Pages of `store.db` that wait for use. */
  readonly storeFreeBytes: number;
}

/** Room that is wanted of the file system. */
export interface Need {
  readonly neededBytes: number;
  /** Pages of `store.db` do as well. */
  readonly takesPages: boolean;
}

export class Retention {
  readonly #layout: Layout;
  readonly #clock: Clock;
  readonly #isClockTrusted: () => boolean;
  #offsetMs: number | undefined;
  #edgeMs: number | undefined;
  #restUntilMs: number;

  constructor(layout: Layout, clock: Clock, isClockTrusted: () => boolean) {
    this.#layout = layout;
    this.#isClockTrusted = isClockTrusted;
    this.#clock = clock;
    this.#restUntilMs = clock.monotonicMs() + REST_MS;
  }

  /** The next thing that is too old; none by a clock that is not trusted. The policy's ages are measured from the newest sample that is not from the future. */
  tooOld({ maxAgeMs, rollupMaxAgeMs }: RetentionPolicy): Removal | undefined {
    const edgeMs = this.#edge();
    this.#watch(edgeMs);
    if (edgeMs === undefined || this.#clock.monotonicMs() < this.#restUntilMs || !this.#isClockTrusted()) return undefined;
    const firstKept = (ageMs: number | undefined) => (ageMs === undefined ? Number.NEGATIVE_INFINITY : dayOf(edgeMs - ageMs));
    const oldest = this.#samples()[0];
    if (oldest !== undefined && oldest < firstKept(maxAgeMs)) return { kind: 'samples', day: oldest };
    const rollups = Math.min(...this.#layout.rollupDays.thinned());
    return rollups < firstKept(rollupMaxAgeMs) ? { kind: 'rollups', day: rollups } : undefined;
  }

  /** The next day to go because the data takes up more than it may. Where no file is left that could go, rollups do. */
  tooMuch(policy: RetentionPolicy, { totalBytes, storeFreeBytes }: Sizes): Removal | undefined {
    const { maxBytes = Number.POSITIVE_INFINITY } = policy;
    if (totalBytes <= maxBytes) return undefined;
    const oldest = this.#droppable()[0];
    if (oldest !== undefined) return { kind: 'samples', day: oldest };
    if (totalBytes - storeFreeBytes <= maxBytes) return undefined; // pages of removed rows are used again: nothing is won by more of them
    const rollups = Math.min(...this.#layout.rollupDays.thinned());
    return Number.isFinite(rollups) ? { kind: 'rollups', day: rollups } : undefined;
  }

  /**
   * The next day to go because the file system has less room than is needed. Days without a file free pages in `store.db` alone: where
   * no day has one they go only when new samples may use those (`takesPages`), while they are few, and never for what is in memory.
   */
  tooTight(freeBytes: number, { neededBytes, takesPages }: Need, { storeFreeBytes }: Sizes): Removal | undefined {
    if (freeBytes >= neededBytes) return undefined;
    const { days, parts } = this.#layout;
    const droppable = this.#droppable();
    const oldest = droppable[0];
    if (oldest === undefined) return undefined;
    const pagesHelp = takesPages && storeFreeBytes < neededBytes / 4 && parts.rowsOf(oldest) > 0;
    return pagesHelp || droppable.some((day) => days.has(day)) ? { kind: 'samples', day: oldest } : undefined;
  }

  /** Days that hold samples, ascending; none of them while the oldest is being sealed. */
  #samples(): number[] {
    const { days, parts, open, frozen } = this.#layout;
    const known = new Set([...days.days(), ...parts.days(), ...open.numbers().map(dayOfWindow)]);
    const sorted = [...known].sort((a, b) => a - b);
    for (const window of frozen.keys()) if (dayOfWindow(window) <= (sorted[0] ?? 0)) return [];
    return sorted;
  }

  /** Days that may go for want of room, ascending: neither the present one nor the newest, whatever the clock says. */
  #droppable(): number[] {
    const edgeMs = this.#edge();
    const present = edgeMs === undefined ? undefined : dayOf(edgeMs);
    return this.#samples()
      .slice(0, -1)
      .filter((day) => day !== present);
  }

  /**
   * The newest time that has samples and is not in the future, by the start of its window: a sample from the future must not sweep
   * out the present, nor a clock from the future what nothing has followed yet.
   */
  #edge(): number | undefined {
    const { days, parts, open } = this.#layout;
    const nowMs = this.#clock.now();
    let edgeMs = Number.NEGATIVE_INFINITY;
    const see = (startMs: number) => {
      if (startMs <= nowMs && startMs > edgeMs) edgeMs = startMs;
    };
    for (const day of days.days()) see(day * DAY_MS);
    for (const day of parts.days()) {
      if ((day + 1) * DAY_MS > edgeMs) for (const window of parts.windowsOf(day)) see(window * WINDOW_MS);
    }
    for (const window of open.numbers()) see(window * WINDOW_MS);
    return Number.isFinite(edgeMs) ? edgeMs : undefined;
  }

  /** Rests after a step of the clock, or of the data. What was before the start nobody knows. */
  #watch(edgeMs: number | undefined): void {
    const offsetMs = this.#clock.now() - this.#clock.monotonicMs();
    const clockStepMs = Math.abs(offsetMs - (this.#offsetMs ?? offsetMs));
    const dataStepMs = edgeMs === undefined ? 0 : edgeMs - (this.#edgeMs ?? edgeMs);
    if (clockStepMs > CLOCK_STEP_MS || dataStepMs > DATA_STEP_MS) this.#restUntilMs = this.#clock.monotonicMs() + REST_MS;
    this.#offsetMs = offsetMs; // what a time server corrects bit by bit adds up to no step
    this.#edgeMs = edgeMs ?? this.#edgeMs;
  }
}
