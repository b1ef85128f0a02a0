/** Slows down an address that keeps presenting tokens which the box does not know. (IEC 62443-4-2 CR 1.11) */
import { isIPv6 } from 'node:net';
import type { Clock } from '../core/clock.ts';
import { ApiError } from './problem.ts';

const FREE_FAILURES = 5; // a person with a stale clipboard
const FIRST_WAIT_MS = 1_000;
const MAX_WAIT_MS = 60_000;
const FORGET_AFTER_MS = 600_000;
const MAX_ADDRESSES = 10_000;

interface Failures {
  failures: number;
  lastMs: number;
  untilMs: number;
}

export class BackOff {
  readonly #clock: Clock;
  /** The address that failed longest ago first. */
  readonly #addresses = new Map<string, Failures>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Throws `rate_limited` while the address has to wait. */
  check(address: string | null): void {
    const record = address === null ? undefined : this.#addresses.get(networkOf(address));
    const waitMs = record ? record.untilMs - this.#clock.monotonicMs() : 0;
    if (waitMs <= 0) return;
    const waitS = Math.ceil(waitMs / 1_000);
    throw new ApiError('rate_limited', `Too many unknown tokens came from this address; try again in ${waitS} s.`, { retryAfterS: waitS });
  }

  /** Counts a token that was refused. */
  failed(address: string | null): void {
    if (address === null) return;
    const key = networkOf(address);
    const nowMs = this.#clock.monotonicMs();
    const known = this.#addresses.get(key);
    const failures = known && nowMs - known.lastMs < FORGET_AFTER_MS ? known.failures + 1 : 1;
    const waitMs = failures < FREE_FAILURES ? 0 : Math.min(MAX_WAIT_MS, FIRST_WAIT_MS * 2 ** Math.min(failures - FREE_FAILURES, 16));
    this.#addresses.delete(key);
    if (this.#addresses.size >= MAX_ADDRESSES) this.#forgetOldest();
    this.#addresses.set(key, { failures, lastMs: nowMs, untilMs: nowMs + waitMs });
  }

  #forgetOldest(): void {
    for (const oldest of this.#addresses.keys()) {
      this.#addresses.delete(oldest);
      return;
    }
  }
}

/** One IPv6 customer has 2^64 addresses, so they count as one. */
export function networkOf(address: string): string {
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.split('::');
  const groups = head.split(':').filter((group) => group !== '');
  if (tail !== undefined) {
    const after = tail.split(':').filter((group) => group !== '').length;
    while (groups.length + after < 8) groups.push('0');
  }
  return `${groups.slice(0, 4).join(':')}::/64`;
}
