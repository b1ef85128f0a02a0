/** A log with a ring before it, for the tests: pushes numbered records, appends, syncs, opens anew, and checks what a replay shows. */
import { isDeepStrictEqual } from 'node:util';
import { expect } from 'vitest';
import { Ring } from '../../../../src/core/ring.ts';
import type { Sequence } from '../../../../src/core/tag.ts';
import { openWal, type WalOptions } from '../../../../src/store/engine/wal/open-wal.ts';
import type { LostRange, ReplayReport } from '../../../../src/store/engine/wal/replay.ts';
import { collector, numbered, numberOf, pushInto, type Shown } from './shown.ts';

const RING_SLOTS = 1 << 14;

export interface Replayed {
  readonly records: readonly Shown[];
  readonly frames: readonly { readonly first: number; readonly end: number; readonly recordsBefore: number }[];
  readonly report: ReplayReport;
}

export class LogRig {
  readonly options: WalOptions;
  wal;
  ring = new Ring(RING_SLOTS);
  setAside: readonly string[];
  /** What the opening found. */
  replayed: Replayed;
  /** Number of the next record that is pushed. */
  pushed: number;
  synced: number;
  readonly #opened;

  constructor(options: WalOptions, from = 0, pushed?: number) {
    this.options = options;
    this.#opened = openWal(options);
    this.wal = this.#opened.wal;
    this.setAside = this.#opened.setAside;
    this.replayed = this.replay(from);
    this.ring.startAt(this.wal.next);
    const last = this.replayed.records.at(-1);
    this.pushed = pushed ?? (last ? numberOf(last) + 1 : 1);
    this.synced = this.pushed;
  }

  replay(from: number): Replayed {
    const records: Shown[] = [];
    const frames: { first: number; end: number; recordsBefore: number }[] = [];
    const frame = (first: Sequence, end: Sequence) => frames.push({ first, end, recordsBefore: records.length });
    const visitor = { ...collector(records), frame };
    return { records, frames, report: this.#opened.replay(visitor, from as Sequence) };
  }

  /** Pushes the next records and appends them; throws what the log throws, the records staying in the ring. */
  append(count: number): void {
    for (let left = count; left > 0; left--) {
      if (!pushInto(this.ring, numbered(this.pushed))) break;
      this.pushed++;
    }
    this.ring.publish();
    this.drain();
  }

  drain(): void {
    while (this.wal.next < this.ring.head) this.wal.append(this.ring, this.wal.next, this.ring.head);
    this.ring.setWritten(this.wal.next);
  }

  sync(): void {
    expect(this.wal.sync()).toBe(this.wal.next);
    this.synced = this.pushed;
  }

  close(): void {
    this.wal.close();
  }

  /** Closes and opens again. */
  reopened(from = 0): LogRig {
    this.close();
    return new LogRig(this.options, from, this.pushed);
  }
}

/** Each record is what was pushed under its number, none comes twice, and they are in order. Returns their numbers. */
export function numbersOf(records: readonly Shown[]): number[] {
  const numbers = records.map(numberOf);
  for (let i = 0; i < records.length; i++) {
    const number = numbers[i] as number;
    if (i > 0 && number <= (numbers[i - 1] as number)) throw new Error(`record ${number} comes after ${numbers[i - 1]}`);
    if (!isDeepStrictEqual(records[i], numbered(number))) expect(records[i]).toEqual(numbered(number));
  }
  return numbers;
}

/** The numbers from `from` up to, not including, `to`. */
export function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(to - from, 0) }, (_, i) => from + i);
}

export function isLost(lost: readonly LostRange[], sequence: number): boolean {
  return lost.some((range) => sequence >= range.from && sequence < range.to);
}
