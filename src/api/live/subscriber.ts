/** One client of the live stream: a queue of so many bytes, from which the oldest go when the client does not keep up. */
import type { StoredToken } from '../../store/records.ts';
import type { LiveBook, LossReason } from './book.ts';
import { HEARTBEAT, type LiveEvent, liveEvent, PRELUDE } from './event.ts';

export interface SubscriberOptions {
  readonly token: StoredToken;
  readonly maxQueueBytes: number;
  readonly heartbeatMs: number;
  readonly monotonicMs: () => number;
  readonly book: LiveBook;
  /** The client has gone, or was ended. */
  readonly onEnd: (subscriber: Subscriber) => void;
}

export class Subscriber {
  readonly stream: ReadableStream<Uint8Array>;
  readonly #options: SubscriberOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;
  /** Set while the client can take more: what is given to it. */
  #pulled: (() => void) | undefined;
  #isOpen = true;
  #prelude: Uint8Array | undefined = PRELUDE;
  readonly #queue: LiveEvent[] = [];
  #queuedBytes = 0;
  #dropped = 0;
  /** The newest state of each source that the client has not got yet: never dropped, as there is but one of each. */
  readonly #states = new Map<string, LiveEvent>();
  #heartbeatDue = false;
  #sentMs: number;

  constructor(options: SubscriberOptions) {
    this.#options = options;
    this.#sentMs = options.monotonicMs();
    this.stream = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        pull: () =>
          new Promise<void>((resolve) => {
            this.#pulled = resolve;
            this.#serve();
          }),
        cancel: () => this.#leave(),
      },
      { highWaterMark: 0 }, // our queue is the only one
    );
  }

  get token(): StoredToken {
    return this.#options.token;
  }

  /** What waits in memory for this client alone. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /** Never waits: when the queue is full its oldest events go, and the client is told how many readings went with them. */
  offer(event: LiveEvent): void {
    this.#queue.push(event);
    this.#queuedBytes += event.bytes.length;
    while (this.#queuedBytes > this.#options.maxQueueBytes) {
      const oldest = this.#queue.shift();
      if (!oldest) break;
      this.#queuedBytes -= oldest.bytes.length;
      this.#dropped += oldest.readings;
      this.#lose('queue_full', oldest);
    }
    this.#serve();
  }

  /** Takes the place of what the client has not got yet of the same source. */
  offerState(source: string, event: LiveEvent): void {
    this.#states.set(source, event);
    this.#serve();
  }

  /** A sign of life when nothing else has been said for long. */
  beat(): void {
    if (this.#options.monotonicMs() - this.#sentMs < this.#options.heartbeatMs) return;
    this.#heartbeatDue = true;
    this.#serve();
  }

  /** Ends the stream at once. */
  end(): void {
    if (!this.#isOpen) return;
    this.#leave();
    this.#controller?.close();
  }

  #leave(): void {
    this.#isOpen = false;
    for (const event of this.#queue) this.#lose('ended', event);
    this.#queue.length = 0;
    this.#queuedBytes = 0;
    this.#states.clear();
    this.#pulled?.();
    this.#pulled = undefined;
    this.#options.onEnd(this);
  }

  #serve(): void {
    if (!this.#pulled || !this.#isOpen) return;
    const bytes = this.#next();
    if (!bytes) return;
    const pulled = this.#pulled;
    this.#pulled = undefined;
    this.#heartbeatDue = false;
    this.#sentMs = this.#options.monotonicMs();
    this.#controller?.enqueue(bytes);
    pulled();
  }

  /** A loss is told where it happened: before what came after it. */
  #next(): Uint8Array | undefined {
    if (this.#prelude) {
      const prelude = this.#prelude;
      this.#prelude = undefined;
      return prelude;
    }
    if (this.#dropped > 0) {
      const loss = liveEvent('dropped', JSON.stringify({ data: { readings: this.#dropped } }));
      this.#dropped = 0;
      return this.#sending(loss);
    }
    for (const [source, state] of this.#states) {
      this.#states.delete(source);
      return this.#sending(state);
    }
    const event = this.#queue.shift();
    if (!event) return this.#heartbeatDue ? HEARTBEAT : undefined;
    this.#queuedBytes -= event.bytes.length;
    return this.#sending(event);
  }

  #sending({ name, bytes }: LiveEvent): Uint8Array {
    this.#options.book.countSent(name);
    return bytes;
  }

  #lose(reason: LossReason, { readings }: LiveEvent): void {
    this.#options.book.countLost(reason, readings);
  }
}
