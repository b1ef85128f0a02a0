/** Refused calls that come again and again: the first is written at once, those that follow are counted and written once a minute. */
import type { AuditEntry } from '../store/records.ts';
import { networkOf } from './back-off.ts';

/** A panel with an expired token polls for weeks; a row for each second of that would wear an SD card and push out all other refusals. */
export const REPEATS_EVERY_MS = 60_000;
/** About 500 bytes each. Beyond them, refusals are written as they come, within the bounds of the log. */
const MAX_KINDS = 1_000;

export class RepeatedRefusals {
  /** Of each kind that was written of late, what came since. */
  readonly #kinds = new Map<string, AuditEntry | null>();

  get isEmpty(): boolean {
    return this.#kinds.size === 0;
  }

  /** Whether the entry was counted here; false for the first of its kind, which is to be written now. */
  hold(entry: AuditEntry): boolean {
    const key = refusalKeyOf(entry);
    const held = this.#kinds.get(key);
    if (held === undefined) {
      if (this.#kinds.size < MAX_KINDS) this.#kinds.set(key, null);
      return false;
    }
    this.#kinds.set(key, held ? { ...held, count: held.count + 1 } : entry);
    return true;
  }

  /** What is to be written by now, one entry of a kind; at the end of a minute, kinds that did not come again are forgotten. */
  take({ endOfMinute }: { readonly endOfMinute: boolean }): AuditEntry[] {
    const taken: AuditEntry[] = [];
    for (const [key, held] of this.#kinds) {
      if (held) taken.push(held);
      if (held) this.#kinds.set(key, null);
      else if (endOfMinute) this.#kinds.delete(key);
    }
    return taken;
  }
}

/** What refusals have in common to be told as one: who, what, why and from where; all of one IPv6 customer's addresses are one place. */
export function refusalKeyOf(entry: AuditEntry): string {
  const { tokenId, method, route, objectId, status, code, address } = entry;
  return JSON.stringify([tokenId, method, route, objectId, status, code, address === null ? null : networkOf(address)]);
}
