/** What is asked of a source from above: writes and reads on demand, one at a time for each tag, in bounded time and number. */
import type { Clock } from '../core/clock.ts';
import { type ErrorCode, GatewayError, isGatewayError, messageOf } from '../core/errors.ts';
import type { Scalar } from '../core/tag.ts';
import type { UnixMs } from '../core/time.ts';
import { type Driver, type Readback, type Reading, type TagRef, tagKey } from '../drivers/driver.ts';

/** Of one source, waiting and under way: what a device takes within the deadline, and far more than people and rules ask for. */
const MAX_PENDING = 64;
/** All of a write, its wait in line included. Longer than every driver's own bounds, so that these tell the reason. */
const WRITE_DEADLINE_MS = 30_000;
/** The longest sync that the API allows. */
const READ_DEADLINE_MS = 300_000;

/** How a write ended. */
export type WriteOutcome =
  /** The device shows what was written: `value` as it says it, at its own `timeMs` where it gives one. */
  | { readonly ok: true; readonly value: Scalar; readonly timeMs: UnixMs }
  /** `reported` is what the device shows instead, where it was seen. */
  | (CommandFailure & { readonly reported?: Reading });

export interface CommandsOptions {
  readonly sourceId: string;
  readonly driver: Driver;
  readonly clock: Clock;
}

/** The commands of one run of a driver: they end with it. */
export class Commands {
  readonly #options: CommandsOptions;
  /** Of the commands that wait or are under way. No signal for all: Node warns of more than ten listeners. */
  readonly #stops = new Set<AbortController>();
  #closed: GatewayError | undefined;
  /** By tag: settles, never rejecting, when the last command so far is over. */
  readonly #lines = new Map<string, Promise<void>>();

  constructor(options: CommandsOptions) {
    this.#options = options;
  }

  /** Rejects what is under way and what waits with this reason; later commands too. */
  close(reason: GatewayError): void {
    this.#closed = reason;
    for (const stop of this.#stops) stop.abort(reason);
  }

  /** Resolves however the write ends; rejects only with what nobody foresaw. A write that has not begun when the signal aborts is never sent. */
  async write(tag: TagRef, value: Scalar, signal: AbortSignal): Promise<WriteOutcome> {
    const { driver, sourceId, clock } = this.#options;
    try {
      if (!driver.write) throw new GatewayError('not_supported', `source "${sourceId}" is of a type that cannot write`);
      const { reading, confirmed } = await this.#inLine(tagKey(tag), (stop) => driver.write?.(tag, value, stop) as Promise<Readback>, {
        signal,
        deadlineMs: WRITE_DEADLINE_MS,
      });
      const { value: shown, timeMs } = reading;
      if (confirmed && shown !== null) return { ok: true, value: shown, timeMs: timeMs ?? clock.now() };
      const message = `the device took the write of ${value} to "${tag.tagName}", and shows ${shown ?? 'no value'}`;
      return { ok: false, code: 'write_not_confirmed', message, reported: reading };
    } catch (error) {
      return failureOf(error);
    }
  }

  /** A reading for each tag, in their order. Rejects where the source as a whole cannot be read. */
  async readNow(tags: readonly TagRef[], signal: AbortSignal): Promise<readonly Reading[]> {
    const { driver, sourceId } = this.#options;
    if (!driver.readNow) {
      throw new GatewayError('not_supported', `source "${sourceId}" cannot be asked for a value: its devices speak when they like`);
    }
    const ask = (stop: AbortSignal) => driver.readNow?.(tags, stop) as Promise<readonly Reading[]>;
    return this.#inLine(READS, ask, { signal, deadlineMs: READ_DEADLINE_MS });
  }

  /** Acts after all before it in the same line. Rejects with the reason of what stopped it, whether `act` heeds that or not. */
  async #inLine<T>(
    line: string,
    act: (stop: AbortSignal) => Promise<T>,
    { signal, deadlineMs }: { readonly signal: AbortSignal; readonly deadlineMs: number },
  ): Promise<T> {
    const { sourceId, clock } = this.#options;
    if (this.#stops.size >= MAX_PENDING) {
      throw new GatewayError('overloaded', `source "${sourceId}" has ${MAX_PENDING} commands waiting; try again shortly`);
    }
    const stop = new AbortController();
    const unlink = follow(signal, stop);
    if (this.#closed) stop.abort(this.#closed);
    this.#stops.add(stop);
    const timer = new AbortController();
    clock.sleep(deadlineMs, timer.signal).then(
      () => stop.abort(new GatewayError('timeout', `source "${sourceId}" did not carry out the command within ${deadlineMs / 1_000} s`)),
      () => undefined, // settled in time
    );
    const before = this.#lines.get(line) ?? Promise.resolve();
    const mine = before.then(() => bounded(act, stop.signal));
    const settled = mine.then(
      () => undefined,
      () => undefined, // the caller has the error
    );
    this.#lines.set(line, settled);
    try {
      return await bounded(() => mine, stop.signal);
    } finally {
      unlink();
      timer.abort();
      this.#stops.delete(stop);
      if (this.#lines.get(line) === settled) this.#lines.delete(line);
    }
  }
}

/** The line of reads; no tag has this key, for a tag's holds a NUL. */
const READS = 'reads';

/** What went wrong, for the caller. */
export interface CommandFailure {
  readonly ok: false;
  readonly code: ErrorCode;
  readonly message: string;
}

/** A reason that is not of ours is that of a caller who has gone. Throws what nobody foresaw. */
export function failureOf(error: unknown): CommandFailure {
  if (isGatewayError(error)) return { ok: false, code: error.code, message: error.message };
  const name = error instanceof Error ? error.name : undefined;
  if (name !== 'AbortError' && name !== 'TimeoutError') throw error;
  return { ok: false, code: name === 'TimeoutError' ? 'timeout' : 'cancelled', message: messageOf(error) };
}

/** Aborts `controller` with the reason of `cause`; what it gives ends that. */
function follow(cause: AbortSignal, controller: AbortController): () => void {
  const onAbort = () => controller.abort(cause.reason);
  cause.addEventListener('abort', onAbort, { once: true });
  if (cause.aborted) onAbort();
  return () => cause.removeEventListener('abort', onAbort);
}

/** Settles as `act` does, but rejects with the signal's reason as soon as it aborts; an aborted signal begins nothing. */
async function bounded<T>(act: (signal: AbortSignal) => Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = () => {};
  const stopped = new Promise<never>((_, reject) => {
    onAbort = () => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  try {
    return await Promise.race([act(signal), stopped]);
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}
