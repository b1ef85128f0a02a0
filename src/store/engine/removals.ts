/** Carries out what retention decides: a day's samples by the removal of a file, rollups by rows. */
import type { RetentionPolicy } from '../telemetry.ts';
import type { Progress } from './catalogue.ts';
import { DAY_MS, dayOfWindow } from './grid.ts';
import type { MaintenanceParts } from './maintenance-parts.ts';
import type { Need, Removal, Retention } from './retention.ts';
import type { Settlement } from './settlement.ts';
import { sizesOf } from './sizes.ts';
import { leastFreeBytes } from './space.ts';
import type { SpareSegments } from './spare-segments.ts';

export interface RemovalHooks {
  /** Takes the files that are to go. */
  readonly settlement: Settlement;
  /** What goes before any data does. */
  readonly spare: SpareSegments;
  readonly progress: () => Progress;
  readonly setGone: (gone: Progress['gone']) => void;
  /** A day's samples are gone. */
  readonly dropped: (day: number) => void;
}

export class Removals {
  readonly #house: MaintenanceParts;
  readonly #retention: Retention;
  readonly #hooks: RemovalHooks;

  constructor(house: MaintenanceParts, retention: Retention, hooks: RemovalHooks) {
    this.#house = house;
    this.#retention = retention;
    this.#hooks = hooks;
  }

  /** Removes what is next for its age, or because the data takes up too much; true when it did. */
  expire(policy: RetentionPolicy): boolean {
    const old = this.#retention.tooOld(policy);
    const removal = old ?? this.#retention.tooMuch(policy, sizesOf(this.#house));
    if (!removal) return false;
    if (!old && this.#hooks.spare.giveBack()) return true;
    this.#remove(removal);
    return true;
  }

  /**
   * Removes spare segments of the log, or then the oldest day, when the file system has less room than the reserve, that of files that
   * wait to go included; true when it did. Below a quarter of it nothing is taken in, and only files give room.
   */
  makeRoom(policy: RetentionPolicy): boolean {
    const { reserveBytes: neededBytes = 0 } = policy;
    const freeBytes = this.#house.freeBytes();
    return this.#makeRoom(freeBytes, { neededBytes, takesPages: freeBytes >= leastFreeBytes(policy) });
  }

  /** The same for a file that is to be written, at the cost of days before `before`. */
  makeRoomForFile(neededBytes: number, before: number): boolean {
    return this.#makeRoom(this.#house.freeBytes(), { neededBytes, takesPages: false }, before);
  }

  #makeRoom(freeBytes: number, need: Need, before = Number.POSITIVE_INFINITY): boolean {
    if (freeBytes >= need.neededBytes || this.#hooks.settlement.isAwaited) return false;
    if (this.#hooks.spare.giveBack()) return true;
    const removal = this.#retention.tooTight(freeBytes, need, sizesOf(this.#house));
    if (!removal || removal.day >= before) return false;
    this.#remove(removal);
    return true;
  }

  #remove(removal: Removal): void {
    const { catalogue, rollupDays } = this.#house;
    const { settlement, progress } = this.#hooks;
    if (removal.kind === 'samples') this.#removeSamples(removal.day);
    else {
      let more = false;
      catalogue.commit('removing rollups', () => {
        more = catalogue.removeRollups(removal.day);
      });
      if (!more) rollupDays.drop(removal.day);
    }
    settlement.settle(progress().kept); // SQLite's log starts over in place with it, and the next removal needs no room
  }

  /** What it writes are the rows of the catalogue. */
  #removeSamples(day: number): void {
    const { catalogue, days, parts, open, latest, wal, rollupDays } = this.#house;
    const { kept, gone } = this.#hooks.progress();
    wal.sync(); // ends the frame: each one lies wholly before or wholly behind what is removed
    const sequence = wal.next;
    const logStart = wal.durable.start(kept) ?? kept;
    const endMs = (day + 1) * DAY_MS;
    catalogue.commit('removing a day', () => {
      catalogue.removeDay(day);
      catalogue.removeParts(day);
      catalogue.thinDay(day);
      catalogue.setGone(day, sequence, logStart);
      catalogue.latest.removeBefore(endMs);
    });
    latest.dropBefore(endMs);
    this.#hooks.setGone(new Map([...gone].filter(([, end]) => end > logStart)).set(day, sequence));
    for (const window of open.numbers()) if (dayOfWindow(window) === day) open.take(window);
    parts.dropDay(day);
    const file = days.drop(day);
    if (file !== undefined) this.#hooks.settlement.discard(file, 'an expired day file');
    const rollups = catalogue.rollupDay(day);
    if (rollups) rollupDays.put(rollups);
    this.#hooks.dropped(day);
  }
}
