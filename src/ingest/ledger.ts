/** The books: where every reading of every source went, and which of those in flight the store has committed. */
import type { DropReason, RejectReason } from '../core/emit.ts';
import type { Sequence } from '../core/tag.ts';
import type { LedgerCounts } from './source-state.ts';

/** The account of one source. Plain counters: the door adds to them for each reading. */
export class Account {
  received = 0;
  committed = 0;
  deadbanded = 0;
  deduplicated = 0;
  inFlight = 0;
  clockAhead = 0;
  readonly #rejected = new Map<RejectReason, number>();
  readonly #dropped = new Map<DropReason, number>();

  reject(reason: RejectReason): void {
    this.#rejected.set(reason, (this.#rejected.get(reason) ?? 0) + 1);
  }

  drop(reason: DropReason, readings = 1): void {
    this.#dropped.set(reason, (this.#dropped.get(reason) ?? 0) + readings);
  }

  counts(): LedgerCounts {
    const { received, committed, deadbanded, deduplicated, inFlight, clockAhead } = this;
    const rejected = Object.fromEntries(this.#rejected);
    const dropped = Object.fromEntries(this.#dropped);
    return { received, committed, deadbanded, deduplicated, rejected, dropped, inFlight, clockAhead };
  }
}

const FIRST_CAPACITY = 1024;

/**
 * Readings on their way to the disk as runs of one source, in ring order. A run is committed when the store's durable
 * position has passed its end. There may be more runs than the ring has slots: written slots are used again before
 * they are durable.
 */
export class Flight {
  #capacity: number;
  #ends: Float64Array;
  #counts: Uint32Array;
  #accounts: (Account | undefined)[];
  #first = 0;
  #next = 0;
  #open: Account | undefined;

  constructor(capacity: number = FIRST_CAPACITY) {
    this.#capacity = capacity;
    this.#ends = new Float64Array(capacity);
    this.#counts = new Uint32Array(capacity);
    this.#accounts = new Array<Account | undefined>(capacity);
  }

  /** A reading of `account` was pushed and the ring's head is now `head`. */
  add(account: Account, head: Sequence): void {
    account.inFlight++;
    if (this.#open !== account) {
      if (this.#next - this.#first === this.#capacity) this.#grow();
      this.#open = account;
      const at = this.#next++ % this.#capacity;
      this.#accounts[at] = account;
      this.#counts[at] = 0;
    }
    const at = (this.#next - 1) % this.#capacity;
    this.#counts[at] = (this.#counts[at] as number) + 1;
    this.#ends[at] = head;
  }

  /** Ends the open run, so that it can be committed while its source goes on. */
  close(): void {
    this.#open = undefined;
  }

  /** Books what lies below `durable` as committed. */
  settle(durable: Sequence): void {
    const closed = this.#open ? this.#next - 1 : this.#next;
    while (this.#first < closed) {
      const at = this.#first % this.#capacity;
      if ((this.#ends[at] as number) > durable) return;
      const account = this.#accounts[at] as Account;
      const count = this.#counts[at] as number;
      account.committed += count;
      account.inFlight -= count;
      this.#accounts[at] = undefined;
      this.#first++;
    }
  }

  /** Books runs that end in (from, to] as lost: the store had written them, and then they were gone. One lost in part counts whole. */
  lose(from: Sequence, to: Sequence): void {
    for (let run = this.#first; run < this.#next; run++) {
      const at = run % this.#capacity;
      const end = this.#ends[at] as number;
      if (end <= from || end > to) continue;
      const account = this.#accounts[at] as Account;
      const count = this.#counts[at] as number;
      account.drop('store_lost', count);
      account.inFlight -= count;
      this.#counts[at] = 0;
    }
  }

  #grow(): void {
    const capacity = this.#capacity * 2;
    const ends = new Float64Array(capacity);
    const counts = new Uint32Array(capacity);
    const accounts = new Array<Account | undefined>(capacity);
    for (let run = this.#first; run < this.#next; run++) {
      const from = run % this.#capacity;
      const to = run % capacity;
      ends[to] = this.#ends[from] as number;
      counts[to] = this.#counts[from] as number;
      accounts[to] = this.#accounts[from];
    }
    this.#capacity = capacity;
    this.#ends = ends;
    this.#counts = counts;
    this.#accounts = accounts;
  }
}
