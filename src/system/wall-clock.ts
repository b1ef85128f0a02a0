/** The box's time: the machine's, but never before what is known to have been, as on a board without a battery-backed clock. */
import { existsSync } from 'node:fs';
import type { Clock } from '../core/clock.ts';
import type { UnixMs } from '../core/time.ts';

/** systemd-timesyncd makes the folder when it starts and the file when it has heard a server. systemd-timesyncd(8) */
const TIMESYNC_DIR = '/run/systemd/timesync';
const RECHECK_MS = 10_000;

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

  now(): UnixMs {
    const { machine, builtMs, newestMs } = this.#options;
    const nowMs = machine.now();
    const passedMs = machine.monotonicMs() - this.#startMs;
    return this.trusted ? nowMs : (Math.max(nowMs, Math.floor(Math.max(builtMs, newestMs ?? 0) + passedMs)) as UnixMs);
  }

  /** False while times that look too far ahead may just as well mean that we are behind. */
  get trusted(): boolean {
    const { machine, builtMs } = this.#options;
    if (machine.now() < builtMs) return false;
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
