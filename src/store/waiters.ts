/** Who waits for a sequence to be durable, in order of arrival. */
import type { Sequence } from '../core/tag.ts';

interface Waiter {
  readonly sequence: Sequence;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

export class Waiters {
  readonly #waiting = new Set<Waiter>();

  get any(): boolean {
    return this.#waiting.size > 0;
  }

  /** Settled by `settle` or `rejectAll`; rejects with the signal's reason when that aborts first. */
  add(sequence: Sequence, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const leave = (act: () => void) => {
        this.#waiting.delete(waiter);
        signal?.removeEventListener('abort', onAbort);
        act();
      };
      const onAbort = () => leave(() => reject(signal?.reason));
      const waiter: Waiter = { sequence, resolve: () => leave(resolve), reject: (error) => leave(() => reject(error)) };
      this.#waiting.add(waiter);
      if (signal?.aborted) onAbort();
      else signal?.addEventListener('abort', onAbort);
    });
  }

  /** Lets everyone go whose records are durable. */
  settle(durable: Sequence): void {
    for (const waiter of this.#waiting) if (waiter.sequence <= durable) waiter.resolve();
  }

  /** Tells those who wait for a record above `from`, up to `to`. */
  rejectBetween(from: Sequence, to: Sequence, error: unknown): void {
    for (const waiter of this.#waiting) if (waiter.sequence > from && waiter.sequence <= to) waiter.reject(error);
  }

  rejectAll(error: unknown): void {
    for (const waiter of this.#waiting) waiter.reject(error);
  }
}
