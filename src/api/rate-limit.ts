/** How often a token may call: a bucket for each, refilled by the monotonic clock. */
import type { Clock } from '../core/clock.ts';
import { ApiError } from './problem.ts';

export interface RatePolicy {
  readonly perMinute: number;
  /** How many may come at once. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

const MAX_BUCKETS = 1_000; // as many tokens as are cached; a full bucket needs no place

export type RateHeaders = Readonly<Record<'X-RateLimit-Limit' | 'X-RateLimit-Remaining' | 'X-RateLimit-Reset', string>>;

export class RateLimiter {
  readonly #policy: RatePolicy | null;
  readonly #clock: Clock;
  /** Of token ids, the longest unused first. */
  readonly #buckets = new Map<string, Bucket>();
  #lastUsed: string | undefined;

  /** Null means no limit. */
  constructor(policy: RatePolicy | null, clock: Clock) {
    this.#policy = policy;
    this.#clock = clock;
  }

  /**
   * Counts one call. Returns what the answer says of the limit: how many may come at once, how many are left, and the
   * seconds until the bucket is full again. Undefined without a limit. Throws `rate_limited`.
   */
  take(tokenId: string): RateHeaders | undefined {
    if (!this.#policy) return undefined;
    const { perMinute, burst } = this.#policy;
    const perMs = perMinute / 60_000;
    const bucket = this.#bucket(tokenId, burst, perMs);
    const granted = bucket.tokens >= 1;
    if (granted) bucket.tokens -= 1;
    const headers = {
      'X-RateLimit-Limit': String(burst),
      'X-RateLimit-Remaining': String(Math.floor(bucket.tokens)),
      'X-RateLimit-Reset': String(Math.ceil((burst - bucket.tokens) / perMs / 1_000)),
    };
    if (granted) return headers;
    const waitS = Math.max(1, Math.ceil((1 - bucket.tokens) / perMs / 1_000));
    throw new ApiError('rate_limited', `This token may call ${perMinute} times a minute; try again in ${waitS} s.`, {
      headers,
      retryAfterS: waitS,
    });
  }

  #bucket(tokenId: string, burst: number, perMs: number): Bucket {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#buckets.get(tokenId);
    const bucket = known ?? { tokens: burst, atMs: nowMs };
    bucket.tokens = Math.min(burst, bucket.tokens + (nowMs - bucket.atMs) * perMs);
    bucket.atMs = nowMs;
    if (tokenId === this.#lastUsed) return bucket; // it stands at the end already
    this.#lastUsed = tokenId;
    this.#buckets.delete(tokenId);
    if (this.#buckets.size >= MAX_BUCKETS) this.#forgetOldest();
    this.#buckets.set(tokenId, bucket);
    return bucket;
  }

  #forgetOldest(): void {
    for (const oldest of this.#buckets.keys()) {
      this.#buckets.delete(oldest);
      return;
    }
  }
}
