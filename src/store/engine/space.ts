/** How much room the file system of the data directory has left, and the ballast that is thrown when there is none. */

import { randomFillSync } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { RetentionPolicy } from '../telemetry.ts';

/** Enough for SQLite's logs to open and to take the rows of a removal, and for one segment of our own log. */
const MAX_BALLAST_BYTES = 16 << 20;
/** What is written at once while the ballast is made: commits of new data wait for it. */
const PIECE_BYTES = 1 << 20;
/** With less, nothing can be opened that writes: SQLite alone needs 32 KiB for the index of its log. */
const MIN_OPENING_BYTES = 1 << 20;

/** Below the reserve the oldest day goes, below a quarter of it nothing more is taken in: the rest keeps the records writable. */
export function leastFreeBytes({ reserveBytes = 0 }: RetentionPolicy): number {
  return reserveBytes / 4;
}

/**
 * A file that does nothing but take up room. Where another program has filled the disk to its last byte, SQLite cannot even delete
 * rows; then this goes first, and what it gives is enough to remove days and to open the store at all.
 */
export class Ballast {
  readonly #file: string;
  /** While it is being made: the open file and the bytes it has. */
  #unfinished: { readonly descriptor: number; bytes: number } | undefined;

  constructor(dir: string) {
    this.#file = join(dir, 'ballast');
  }

  get bytes(): number {
    return statSync(this.#file, { throwIfNoEntry: false })?.size ?? 0;
  }

  /** To be called before anything is opened. */
  prepare(freeBytes: number): void {
    rmSync(`${this.#file}.tmp`, { force: true });
    if (freeBytes < MIN_OPENING_BYTES) this.release();
  }

  /** Gives its room back; false when it has none. */
  release(): boolean {
    this.abandon();
    if (!existsSync(this.#file)) return false;
    rmSync(this.#file, { force: true });
    return true;
  }

  /** Makes a piece of it when there is room enough; true when there is more to make. Throws what the file system does. */
  restore(policy: RetentionPolicy, freeBytes: number): boolean {
    const { reserveBytes = 0 } = policy;
    const sizeBytes = Math.min(MAX_BALLAST_BYTES, Math.floor(reserveBytes / 8)); // less than what must be free for new samples
    if (sizeBytes === 0 || (!this.#unfinished && existsSync(this.#file))) return false;
    if (freeBytes < reserveBytes + 2 * sizeBytes) {
      this.abandon();
      return false;
    }
    this.#unfinished ??= { descriptor: openSync(`${this.#file}.tmp`, 'w', 0o600), bytes: 0 };
    const piece = Buffer.alloc(Math.min(PIECE_BYTES, sizeBytes - this.#unfinished.bytes));
    randomFillSync(piece); // a file system that compresses would keep nothing for zeros
    this.#unfinished.bytes += writeSync(this.#unfinished.descriptor, piece);
    if (this.#unfinished.bytes < sizeBytes) return true;
    fsyncSync(this.#unfinished.descriptor);
    closeSync(this.#unfinished.descriptor);
    this.#unfinished = undefined;
    renameSync(`${this.#file}.tmp`, this.#file);
    return false;
  }

  /** Ends the making of it. */
  abandon(): void {
    if (this.#unfinished) closeSync(this.#unfinished.descriptor);
    this.#unfinished = undefined;
    rmSync(`${this.#file}.tmp`, { force: true });
  }
}
