/** The answers that never end by themselves: at the stop, those whose clients take nothing any more are cut off. */
import type { Context } from 'hono';
import type { Clock } from '../core/clock.ts';

/** What a client that still reads needs for the last event and the end. */
const DRAIN_MS = 150;

/** Of node:http's ServerResponse what is needed here. */
interface Outgoing {
  destroy(): unknown;
  once(event: 'close', listener: () => void): unknown;
}

export class OpenStreams {
  readonly #open = new Set<Outgoing>();

  /** The answer to this request is a stream. Without a connection, as in tests, there is nothing to cut off. */
  add(c: Context): void {
    const { outgoing } = (c.env ?? {}) as { readonly outgoing?: Outgoing };
    if (!outgoing) return;
    this.#open.add(outgoing);
    outgoing.once('close', () => this.#open.delete(outgoing));
  }

  /** To be called once the streams are ended: closes those whose end cannot be sent. */
  async cutOff(clock: Pick<Clock, 'sleep'>): Promise<void> {
    await clock.sleep(DRAIN_MS);
    for (const outgoing of this.#open) outgoing.destroy();
  }
}
