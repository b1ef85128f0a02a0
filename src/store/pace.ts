/** When the store writes and flushes what nobody waits for; what somebody waits for is flushed at once, in every profile. */
import type { StoreProfile } from '../core/store-profile.ts';

export interface Pace {
  /** From the ring to the log: what kill -9 may take of polled readings. */
  readonly writeIntervalMs: number;
  /** From the log to the medium: what a power cut may take of them. */
  readonly syncIntervalMs: number;
  /** How long a commit that somebody waits for is held back for others to join. */
  readonly lingerMs: number;
}

/**
 * An SD card wears by the 4 KiB block: with a write a second and a flush every ten, a thousand readings a second fill their blocks
 * instead of padding them.
 */
export const PACES: Readonly<Record<StoreProfile, Pace>> = {
  balanced: { writeIntervalMs: 100, syncIntervalMs: 1_000, lingerMs: 0 },
  'sd-card': { writeIntervalMs: 1_000, syncIntervalMs: 10_000, lingerMs: 20 },
};
