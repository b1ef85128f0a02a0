/** The books of a source's writes: how many, how they ended, and how the last one of each tag did. */
import type { ErrorCode } from '../core/errors.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import { type TagRef, tagKey } from '../drivers/driver.ts';
import type { WriteOutcome } from './commands.ts';

/** At every instant requested = confirmed + Σ failed + pending. */
export interface WriteCounts {
  readonly requested: number;
  readonly confirmed: number;
  readonly failed: Readonly<Partial<Record<ErrorCode, number>>>;
  readonly pending: number;
}

/** The newest write of a tag that was meant for the device. */
export interface LastWrite {
  /** What was asked for. */
  readonly value: Scalar;
  /** When the outcome was known. */
  readonly atMs: UnixMs;
  readonly outcome: WriteOutcome;
}

/** Turned down at our own door: they say nothing of the actuator. */
const NOT_TRIED: readonly ErrorCode[] = ['invalid_value', 'unknown_tag', 'not_writable', 'not_supported', 'overloaded'];
/** A source whose topics name its tags could bring any number of names; the tags of one source end here too. */
const MAX_TAGS = 50_000;

export class WriteBook {
  #requested = 0;
  #confirmed = 0;
  #pending = 0;
  readonly #failed = new Map<ErrorCode, number>();
  /** By `tagKey`, the one written longest ago first. */
  readonly #last = new Map<string, LastWrite>();

  begin(): void {
    this.#requested++;
    this.#pending++;
  }

  end(tag: TagRef, write: LastWrite): void {
    const { outcome } = write;
    this.#pending--;
    if (outcome.ok) this.#confirmed++;
    else this.#failed.set(outcome.code, (this.#failed.get(outcome.code) ?? 0) + 1);
    if (!outcome.ok && NOT_TRIED.includes(outcome.code)) return;
    const key = tagKey(tag);
    this.#last.delete(key);
    this.#last.set(key, write);
    const [oldest] = this.#last.keys();
    if (this.#last.size > MAX_TAGS && oldest !== undefined) this.#last.delete(oldest);
  }

  last(tag: TagRef): LastWrite | undefined {
    return this.#last.get(tagKey(tag));
  }

  counts(): WriteCounts {
    return { requested: this.#requested, confirmed: this.#confirmed, failed: Object.fromEntries(this.#failed), pending: this.#pending };
  }
}
