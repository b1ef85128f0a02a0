/** How many messages a channel may send in a minute, so that a flood of alarms does not bury the person who must act. */

const MINUTE_MS = 60_000;

export class StormLimit {
  readonly #limit: number;
  #sent = 0;
  #endMs = Number.NEGATIVE_INFINITY;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Milliseconds until the next message may go; 0: now. Takes monotonic time. */
  waitMs(nowMs: number): number {
    if (nowMs >= this.#endMs) this.#sent = 0;
    return this.#sent < this.#limit ? 0 : this.#endMs - nowMs;
  }

  /** A message was delivered; the first one begins a minute. */
  count(nowMs: number): void {
    if (nowMs >= this.#endMs) {
      this.#sent = 0;
      this.#endMs = nowMs + MINUTE_MS;
    }
    this.#sent++;
  }
}
