/**
 * Gives back what `store.db` has taken over: segments of the log, and day files that it no longer names. Not before all that is committed lies in
 * the file itself, so that it can lose SQLite's own log and nothing else: it never names what is gone.
 */
import { isGatewayError, messageOf } from '../../core/errors.ts';
import type { Sequence } from '../../core/tag.ts';
import type { MaintenanceParts } from './maintenance-parts.ts';

type House = Pick<MaintenanceParts, 'catalogue' | 'wal' | 'days' | 'hook' | 'report'>;

export class Settlement {
  readonly #house: House;
  /** Not all that is committed has come into the file: a reader was in the way, or the disk is full. */
  #isDue = false;
  /** Files that go when it has, and what they are. */
  readonly #files: (readonly [path: string, what: string])[] = [];

  constructor(house: House) {
    this.#house = house;
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  /** The room of some files is still to come. */
  get isAwaited(): boolean {
    return this.#files.length > 0;
  }

  /** A file that the catalogue names no longer. */
  discard(path: string, what: string): void {
    this.#isDue = true;
    this.#files.push([path, what]);
  }

  /** Something was committed. */
  request(): void {
    this.#isDue = true;
  }

  /** The log is needed from `kept` on. True when all is done. Throws `store_failed` or `disk_full`. */
  settle(kept: Sequence): boolean {
    const { catalogue, wal, hook } = this.#house;
    this.#isDue = true;
    try {
      if (!catalogue.checkpoint()) return false;
    } catch (error) {
      if (isGatewayError(error, 'disk_full')) this.#removeFiles(); // else a full disk would stay full; they are missed only if SQLite's log is lost too
      throw error;
    }
    this.#isDue = false;
    hook?.('release', 'segments');
    wal.release(kept);
    hook?.('released', 'segments');
    this.#removeFiles();
    return true;
  }

  #removeFiles(): void {
    const { hook } = this.#house;
    for (let file = this.#files[0]; file; file = this.#files[0]) {
      const [path, what] = file;
      hook?.('discard', what);
      this.#remove(path);
      hook?.('discarded', what);
      this.#files.shift();
    }
  }

  /** One that cannot be removed must not keep all other work waiting. */
  #remove(path: string): void {
    const { days, report } = this.#house;
    try {
      days.discard(path);
    } catch (error) {
      report(
        path,
        new Error(`it counts no longer and cannot be removed, what the next start tries again: ${messageOf(error)}`, { cause: error }),
      );
    }
  }
}
