/** The audit log on its way to the disk: gathered for a second, then appended in one commit. */
import type { Clock } from '../core/clock.ts';
import { messageOf } from '../core/errors.ts';
import { type Log, ThrottledLog } from '../core/log.ts';
import type { AuditEntry, AuditFilter, AuditPage, AuditStore } from '../store/records.ts';
import { REPEATS_EVERY_MS, RepeatedRefusals, refusalKeyOf } from './repeated-refusals.ts';

const LINGER_MS = 1_000; // one commit a second at most: an SD card bears it, and a crash takes no more than this
const RETRY_MS = 5_000;
const FULL_BATCH = 500;
const MAX_WAITING = 10_000; // while the disk hangs
const MAX_REFUSED_WAITING = MAX_WAITING / 10; // anybody can be refused; that leaves the room to what was done

export interface AuditLogOptions {
  readonly records: AuditStore;
  readonly clock: Clock;
  /** While false, no row goes for its age. */
  readonly clockTrusted: () => boolean;
  readonly log: Log;
}

export class AuditLog {
  readonly #options: AuditLogOptions;
  readonly #throttled: ThrottledLog;
  readonly #closing = new AbortController();
  /** By what they have in common where they are counted, else each by itself. */
  #waiting = new Map<string, AuditEntry>();
  #flushing: Promise<void> | undefined;
  #inFlight = 0;
  /** Rows of refused calls that were recorded since the last commit. */
  #refused = 0;
  /** Then the timer alone tries again. */
  #failing = false;
  #lingering: Promise<void> | undefined;
  readonly #repeated = new RepeatedRefusals();
  #tellingRepeats = false;
  #lost = 0;

  constructor(options: AuditLogOptions) {
    this.#options = options;
    this.#throttled = new ThrottledLog(options.log, options.clock);
  }

  /** Readings over REST and refused calls come in floods: those alike within one commit, and refused ones within a minute, are one row with a count. */
  record(given: AuditEntry): void {
    if (given.kind !== 'refused') {
      this.#enqueue(given);
      return;
    }
    // What a stranger asks for is made up, and what is asked for too often was not looked at: rows of it would differ without end.
    const entry = given.tokenId === null || given.status === 429 ? { ...given, objectId: null } : given;
    if (this.#waiting.has(refusalKeyOf(entry)) || !this.#repeated.hold(entry)) this.#enqueue(entry);
    if (!this.#tellingRepeats) void this.#tellRepeats();
  }

  #enqueue(entry: AuditEntry): void {
    const key = countingKeyOf(entry);
    const known = key === undefined ? undefined : this.#waiting.get(key);
    if (!known && !this.#hasRoom(entry)) {
      this.#lost++;
      return;
    }
    if (!known && entry.kind === 'refused') this.#refused++;
    const next = known ? { ...known, count: known.count + entry.count } : entry;
    this.#waiting.set(key ?? `${this.#waiting.size} ${entry.requestId}`, next);
    if (this.#waiting.size >= FULL_BATCH && !this.#flushing && !this.#failing) void this.#attempt();
    else this.#lingering ??= this.#linger(LINGER_MS);
  }

  /** Runs for as long as refusals come again. */
  async #tellRepeats(): Promise<void> {
    const { signal } = this.#closing;
    this.#tellingRepeats = true;
    while (!this.#repeated.isEmpty && !signal.aborted) {
      await this.#options.clock.sleep(REPEATS_EVERY_MS, signal).catch(() => undefined); // closing ends the wait
      if (!signal.aborted) this.#release({ endOfMinute: true });
    }
    this.#tellingRepeats = false;
  }

  #release(when: { readonly endOfMinute: boolean }): void {
    for (const entry of this.#repeated.take(when)) this.#enqueue(entry);
  }

  #hasRoom({ kind }: AuditEntry): boolean {
    return this.#inFlight + this.#waiting.size < MAX_WAITING && (kind !== 'refused' || this.#refused < MAX_REFUSED_WAITING);
  }

  /** Newest first, with all that was recorded before the call. Rejects what the store rejects. */
  async page(filter: AuditFilter): Promise<AuditPage> {
    this.#release({ endOfMinute: false });
    await this.flush();
    return this.#options.records.audit(filter);
  }

  /** Resolves when all that was recorded before the call is on disk. Rejects what the store rejects; the rows wait on. */
  async flush(): Promise<void> {
    while (this.#flushing) await this.#flushing.catch(() => undefined); // its own caller hears of it; the rows are back among those that wait
    if (this.#waiting.size === 0) return;
    this.#flushing = this.#append().finally(() => {
      this.#flushing = undefined;
    });
    await this.#flushing;
  }

  /** Flushes, within `deadlineMs`. Never rejects. */
  async close(deadlineMs: number): Promise<void> {
    this.#release({ endOfMinute: false });
    const done = new AbortController();
    const late = this.#options.clock.sleep(deadlineMs, done.signal).catch(() => undefined);
    await Promise.race([this.#attempt(), late]);
    done.abort();
    this.#closing.abort();
    if (this.#waiting.size > 0) this.#options.log.error({ rows: this.#waiting.size }, 'audit rows could not be written before the stop');
  }

  async #append(): Promise<void> {
    const { records, clock, clockTrusted, log } = this.#options;
    const batch = this.#waiting;
    this.#waiting = new Map();
    this.#inFlight = batch.size;
    try {
      await records.appendAudit([...batch.values()], clockTrusted() ? clock.now() : null);
      this.#failing = false;
      this.#refused = [...this.#waiting.values()].filter(({ kind }) => kind === 'refused').length;
    } catch (error) {
      this.#failing = true;
      const meanwhile = [...this.#waiting.values()];
      this.#waiting = batch;
      for (const entry of meanwhile) this.#waiting.set(`${this.#waiting.size} ${entry.requestId}`, entry);
      throw error;
    } finally {
      this.#inFlight = 0;
    }
    if (this.#lost > 0) log.error({ rows: this.#lost }, 'audit rows were lost while the store did not take them');
    this.#lost = 0;
  }

  async #linger(durationMs: number): Promise<void> {
    await this.#options.clock.sleep(durationMs, this.#closing.signal).catch(() => undefined); // closing ends the wait
    this.#lingering = undefined;
    if (!this.#closing.signal.aborted) await this.#attempt();
  }

  async #attempt(): Promise<void> {
    try {
      await this.flush();
    } catch (error) {
      this.#throttled.warn('audit', { error: messageOf(error), rows: this.#waiting.size }, 'audit rows cannot be written and wait');
      this.#lingering ??= this.#linger(RETRY_MS);
    }
  }
}

/** Entries with the same one become one; undefined for those that stay apart. */
function countingKeyOf(entry: AuditEntry): string | undefined {
  if (entry.kind === 'refused') return refusalKeyOf(entry);
  if (entry.kind !== 'ingest') return undefined;
  return JSON.stringify([entry.tokenId, entry.method, entry.route, entry.objectId, entry.status, entry.code, entry.address]);
}
