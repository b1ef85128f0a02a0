/** Back-off as an iterable of delays, so that the loop that retries owns the loop. */

export interface RetryOptions {
  readonly firstMs: number;
  readonly maxMs: number;
  /** 0.5 spreads each delay over ± 50 %, so that a hundred boxes do not knock at one broker in step. */
  readonly jitter: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

/**
 * Endless delays in milliseconds: first, doubled up to max, each drawn evenly from the span of its jitter as far as that is not over max: were it
 * cut off there instead, half of the long ones would be max to the millisecond, and a hundred boxes in step again. Takes a new start with each
 * iteration.
 */
export function* retryDelaysMs(options: RetryOptions): Generator<number, never, undefined> {
  for (let delayMs = options.firstMs; ; delayMs = Math.min(delayMs * 2, options.maxMs)) {
    const shortestMs = delayMs * (1 - options.jitter);
    const longestMs = Math.min(delayMs * (1 + options.jitter), options.maxMs);
    yield shortestMs + (longestMs - shortestMs) * options.random();
  }
}
