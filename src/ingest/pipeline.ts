/** One ring between the doors and the store, and apply: what the main thread itself makes of each reading. */
import type { Clock } from '../core/clock.ts';
import { type RecordVisitor, Ring } from '../core/ring.ts';
import type { Sequence } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import { type Account, Flight } from './ledger.ts';
import type { TagTable } from './tag-table.ts';

/** Apply yields to polls and requests after this long. */
const APPLY_SLICE_MS = 4;
const APPLY_SLICE_SLOTS = 1024;
/** Values that reach twins and alerts but not the full ring; apply empties it whenever it fills. */
const LIVE_ONLY_SLOTS = 1024;
/** How often the books are settled and a forgotten publish is made good, when nobody waits. */
const HOUSEKEEPING_MS = 100;
/** The part of the ring that must be free before those who wait for room go on. */
const ROOM_FRACTION = 1 / 8;
const ROOM_POLL_MS = 20;

/** Hears of everything that passed the door, on the main thread, in batches. */
export type Consumer = Omit<RecordVisitor, 'define'>;

/** The store as the pipeline knows it. */
export interface Committer {
  /** Asks for what is published to be written soon, so that slots become free. */
  relieve(): void;
  durable(sequence: Sequence, signal?: AbortSignal): Promise<void>;
}

export interface PipelineOptions {
  readonly ring: Ring;
  readonly tags: TagTable;
  readonly clock: Clock;
  readonly committer: Committer;
  readonly consumer: Consumer;
  /** Called when the consumer has heard of all that was published. What it pushes is heard of in the next round. */
  readonly onApplied?: () => void;
}

export class Pipeline {
  readonly ring: Ring;
  readonly tags: TagTable;
  readonly clock: Clock;
  readonly #committer: Committer;
  readonly #visitor: RecordVisitor;
  readonly #onApplied: () => void;
  readonly #flight = new Flight();
  readonly #liveOnly = new Ring(LIVE_ONLY_SLOTS);
  #liveApplied = 0 as Sequence;
  #applied: Sequence;
  /** The consumer is being told; what it brings about itself waits until it has heard what came before. */
  #applying = false;
  #published: Sequence;
  #scheduled = false;
  #nowMs: UnixMs;

  /** The ring must stand at its start sequence already. */
  constructor(options: PipelineOptions) {
    this.ring = options.ring;
    this.tags = options.tags;
    this.clock = options.clock;
    this.#committer = options.committer;
    this.#onApplied = options.onApplied ?? (() => undefined);
    this.#visitor = { ...visitorOf(options.consumer), define: () => undefined };
    this.#applied = this.ring.head;
    this.#published = this.ring.head;
    this.#nowMs = this.clock.now();
  }

  /** Wall time as of the present burst of readings: asked once for each burst, so that all of one request have the same. */
  get nowMs(): UnixMs {
    if (!this.#scheduled) this.#nowMs = this.clock.now();
    return this.#nowMs;
  }

  /** Settles the books and publishes what a door forgot, until the signal aborts; then publishes and applies the rest. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.clock.sleep(HOUSEKEEPING_MS, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
      this.#housekeep();
    }
    this.publish();
    this.#apply(Number.POSITIVE_INFINITY);
  }

  /** Makes everything pushed so far visible to the store; asks for a write when a quarter of the ring waits. */
  publish(): void {
    this.#flight.close();
    this.ring.publish();
    this.#published = this.ring.head;
    if (this.ring.backlog > this.ring.slots / 4) this.#committer.relieve();
  }

  /** Brings the books up to what is durable now. */
  settle(): void {
    this.#flight.settle(this.ring.durable);
  }

  /** Books the records of [from, to) as lost: the store had written them, and then they were gone. Definitions may be among them. */
  lose(from: Sequence, to: Sequence): void {
    this.tags.defineAgain();
    this.#flight.close();
    this.#flight.lose(from, to);
  }

  durable(sequence: Sequence, signal: AbortSignal): Promise<void> {
    this.publish();
    return this.#committer.durable(sequence, signal).finally(() => {
      this.settle();
      // Who has heard that a reading is kept shall see it.
      if (this.#applied < sequence) this.#apply(Number.POSITIVE_INFINITY);
    });
  }

  /** Resolves when `wantedSlots` and at least an eighth of the ring are free; more than the ring has never are. */
  async room(signal: AbortSignal, wantedSlots = 0): Promise<void> {
    signal.throwIfAborted();
    this.publish();
    const slots = Math.max(wantedSlots, this.ring.slots * ROOM_FRACTION);
    while (!this.ring.hasRoom(slots)) {
      this.#committer.relieve();
      await this.clock.sleep(ROOM_POLL_MS, signal);
    }
  }

  /** Tells the consumer of all that has been pushed, and of what it pushes itself on hearing that; it never does so for ever. Not to be called by it. */
  drain(): void {
    do {
      this.publish();
      this.#apply(Number.POSITIVE_INFINITY);
    } while (this.#applied < this.ring.head);
  }

  /** To be called after each push into the ring. */
  pushed(account: Account): void {
    this.#flight.add(account, this.ring.head);
    if (this.#liveOnly.head > this.#liveApplied) this.#apply(Number.POSITIVE_INFINITY);
    else if (this.ring.head - this.#applied > this.ring.slots / 2) {
      this.publish();
      this.#apply(Number.POSITIVE_INFINITY);
    }
    this.#schedule();
  }

  /**
   * A reading that found the ring full goes to apply alone: a stuck disk never blinds twins and alerts. Apply hears
   * first what the ring has taken until now, and `pushed` lets nothing overtake.
   */
  liveOnly(push: (ring: Ring) => boolean): void {
    if (this.#published < this.ring.head) this.publish();
    if (!push(this.#liveOnly)) {
      this.#apply(Number.POSITIVE_INFINITY);
      push(this.#liveOnly);
    }
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.publish();
      if (this.#apply(this.clock.monotonicMs() + APPLY_SLICE_MS)) return;
      this.#nowMs = this.clock.now(); // another burst
      this.#schedule();
    });
  }

  #housekeep(): void {
    if (this.#published < this.ring.head) this.publish();
    this.settle();
  }

  /** Tells the consumer of what is published until `endMs` of the monotonic clock; false when that was not all. */
  #apply(endMs: number): boolean {
    if (this.#applying) return true;
    this.#applying = true;
    try {
      while (this.#applied < this.#published) {
        this.#applied = this.ring.visit(this.#applied, this.#published, this.#visitor, APPLY_SLICE_SLOTS);
        if (this.clock.monotonicMs() >= endMs) return false;
      }
      this.#applyLiveOnly();
      this.#onApplied();
      return true;
    } finally {
      this.#applying = false;
    }
  }

  #applyLiveOnly(): void {
    const { head } = this.#liveOnly;
    this.#liveApplied = this.#liveOnly.visit(this.#liveApplied, head, this.#visitor);
    this.#liveOnly.setWritten(head);
  }
}

/** The methods of a consumer that may be a class instance, bound. */
function visitorOf(consumer: Consumer): Consumer {
  return {
    number: consumer.number.bind(consumer),
    integer: consumer.integer.bind(consumer),
    text: consumer.text.bind(consumer),
  };
}
