/** Long work in turns: after some milliseconds the loop is given to whoever else waits, so that one poll or one large body delays nobody for long. */
import { setImmediate } from 'node:timers/promises';
import type { Clock } from './clock.ts';

const TURN_MS = 2; // a reading, a request or a heartbeat that came meanwhile waits no longer

export class Turns {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  #sinceMs: number;

  constructor(clock: Pick<Clock, 'monotonicMs'>) {
    this.#clock = clock;
    this.#sinceMs = clock.monotonicMs();
  }

  /** True when it is time to `yield`: to be asked every few dozen steps. */
  get isOver(): boolean {
    return this.#clock.monotonicMs() - this.#sinceMs >= TURN_MS;
  }

  async yield(): Promise<void> {
    await setImmediate();
    this.#sinceMs = this.#clock.monotonicMs();
  }
}
