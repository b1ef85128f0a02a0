/** What the house asks of a logger, and a throttle so that a fault at 10 Hz does not fill a disk. */
import type { Clock } from './clock.ts';

export type LogFields = Readonly<Record<string, unknown>>;

/** Structured, message last. Fields never hold secrets. */
export interface Log {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  child(fields: LogFields): Log;
}

/** For tests and tools that have nothing to say. */
export const silentLog: Log = {
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
  child: () => silentLog,
};

const THROTTLE_MS = 60_000; // one line a minute for each kind of fault: a shift sees it, a journal survives it
const MAX_KINDS = 1_000; // kinds come from error texts, which a device may invent

/** Passes the first line of a kind, then one a minute with `swallowed`, the number of those left out between. */
export class ThrottledLog {
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #kinds = new Map<string, { nextMs: number; swallowed: number }>();

  constructor(log: Log, clock: Clock) {
    this.#log = log;
    this.#clock = clock;
  }

  warn(kind: string, fields: LogFields, message: string): void {
    const nowMs = this.#clock.monotonicMs();
    const known = this.#kinds.get(kind);
    if (known && nowMs < known.nextMs) {
      known.swallowed++;
      return;
    }
    if (!known && this.#kinds.size >= MAX_KINDS) this.#kinds.clear();
    this.#kinds.set(kind, { nextMs: nowMs + THROTTLE_MS, swallowed: 0 });
    this.#log.warn(known?.swallowed ? { ...fields, swallowed: known.swallowed } : fields, message);
  }
}
