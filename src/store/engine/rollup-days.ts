/** Which days have rollups in `store.db`, and of which of them nothing but rollups is left. */

export interface RollupDay {
  readonly day: number;
  /** Of all its rollups. */
  readonly bytes: number;
  /** Its samples were removed for their age or for want of room. What comes late for such a day stands beside its rollups, not in them. */
  readonly isThinned: boolean;
}

export class RollupDays {
  readonly #days = new Map<number, RollupDay>();
  #bytes = 0;

  constructor(days: readonly RollupDay[]) {
    for (const day of days) this.put(day);
  }

  get bytes(): number {
    return this.#bytes;
  }

  has(day: number): boolean {
    return this.#days.has(day);
  }

  isThinned(day: number): boolean {
    return this.#days.get(day)?.isThinned ?? false;
  }

  /** Days of which the samples are gone. */
  thinned(): number[] {
    return [...this.#days.values()].filter(({ isThinned }) => isThinned).map(({ day }) => day);
  }

  put(day: RollupDay): void {
    this.#bytes += day.bytes - (this.#days.get(day.day)?.bytes ?? 0);
    this.#days.set(day.day, day);
  }

  drop(day: number): void {
    this.#bytes -= this.#days.get(day)?.bytes ?? 0;
    this.#days.delete(day);
  }
}
