/** What the live stream has sent and lost since the start, over all its clients. */
import type { EventName } from './event.ts';

/** `queue_full`: the client did not keep up. `ended`: what still waited when its stream ended. */
export type LossReason = 'queue_full' | 'ended';

export class LiveBook {
  readonly #sent: Record<EventName, number> = { telemetry: 0, source: 0, alert: 0, dropped: 0 };
  readonly #lost: Record<LossReason, number> = { queue_full: 0, ended: 0 };

  /** Events by name, once for each client that took them. */
  get sent(): Readonly<Record<EventName, number>> {
    return this.#sent;
  }

  /** Readings by reason, once for each client that did not get them. */
  get lost(): Readonly<Record<LossReason, number>> {
    return this.#lost;
  }

  countSent(name: EventName): void {
    this.#sent[name]++;
  }

  countLost(reason: LossReason, readings: number): void {
    this.#lost[reason] += readings;
  }
}
