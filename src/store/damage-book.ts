/** What the store's workers have found damaged, for who looks at the box and not at its log. */
import type { Damage } from './telemetry.ts';

export class DamageBook {
  #found = 0;
  #last: string | null = null;

  note(what: string, reason: string): void {
    this.#found++;
    this.#last = `${what}: ${reason}`;
  }

  get damage(): Damage {
    return { found: this.#found, last: this.#last };
  }
}
