/** The box's time: the machine's, but never before what is known to have been, as on a board without a battery-backed clock. */
import { existsSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import { MAX_AHEAD_MS, MAX_AHEAD_UNSET_MS, type UnixMs } from '../core/time.ts';

/** systemd-timesyncd makes the folder when it starts and the file when it has heard a server. systemd-timesyncd(8) */
const TIMESYNC_DIR = '/run/systemd/timesync';
const RECHECK_MS = 10_000;
/** No build runs longer than this: what is stored of a later time is a mistake. */
const LIFE_MS = 20 * 365.25 * 86_400_000;

export interface WallClockOptions {
  readonly machine: Clock;
  /** When this was built: a machine that shows less has not been set. */
  readonly builtMs: UnixMs;
  /** Newest stored sample: the best guess of the present while the machine has not been set. */
  readonly newestMs: UnixMs | null;
  /** False while a time service runs that has not set the clock yet. */
  readonly isSynchronized?: () => boolean;
}

/** A clock that says whether it is to be trusted. */
export class WallClock implements Clock {
  readonly #options: WallClockOptions;
  readonly #isSynchronized: () => boolean;
  readonly #startMs: number;
  #synchronized = false;
  #recheckMs = Number.NEGATIVE_INFINITY;

  constructor(options: WallClockOptions) {
    this.#options = options;
    this.#startMs = options.machine.monotonicMs();
    this.#isSynchronized = options.isSynchronized ?? timeServiceIsDone;
  }

  /** A machine that shows more than the build date has been set, by somebody or by its battery: then a stored sample is not believed against it. */
  now(): UnixMs {
    const nowMs = this.#options.machine.now();
    if (this.trusted) return nowMs;
    const heldMs = this.#heldMs;
    return this.#isSet && heldMs > nowMs + MAX_AHEAD_MS ? nowMs : (Math.max(nowMs, heldMs) as UnixMs);
  }

  /** The latest time that is believed of a sample. */
  get latestMs(): UnixMs {
    const { builtMs } = this.#options;
    if (this.trusted) return (this.now() + MAX_AHEAD_MS) as UnixMs;
    const knowsNothing = !this.#isSet && this.#newestMs === undefined;
    return (knowsNothing ? builtMs + LIFE_MS : this.now() + MAX_AHEAD_UNSET_MS) as UnixMs;
  }

  get #isSet(): boolean {
    return this.#options.machine.now() >= this.#options.builtMs;
  }

  /** What is stored, unless it is beyond belief. */
  get #newestMs(): UnixMs | undefined {
    const { builtMs, newestMs } = this.#options;
    return newestMs === null || (!this.#isSet && newestMs > builtMs + LIFE_MS) ? undefined : newestMs;
  }

  /** What it would be by the newest sample and the build date, and what has passed since the start. */
  get #heldMs(): number {
    const { machine, builtMs } = this.#options;
    return Math.floor(Math.max(builtMs, this.#newestMs ?? builtMs) + machine.monotonicMs() - this.#startMs);
  }

  /** False while times that look too far ahead may just as well mean that we are behind. */
  get trusted(): boolean {
    const { machine } = this.#options;
    if (!this.#isSet) return false;
    if (!this.#synchronized && machine.monotonicMs() >= this.#recheckMs) {
      this.#recheckMs = machine.monotonicMs() + RECHECK_MS;
      this.#synchronized = this.#isSynchronized();
    }
    return this.#synchronized;
  }

  monotonicMs(): number {
    return this.#options.machine.monotonicMs();
  }

  sleep(durationMs: number, signal?: AbortSignal): Promise<void> {
    return this.#options.machine.sleep(durationMs, signal);
  }
}

function timeServiceIsDone(): boolean {
  return !existsSync(TIMESYNC_DIR) || existsSync(`${TIMESYNC_DIR}/synchronized`);
}
