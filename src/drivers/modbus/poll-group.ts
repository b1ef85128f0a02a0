/** The tags of one polling interval: reads them all at a tick, emits what came, and remembers what the device refuses. */
import type { Clock } from '../../core/clock.ts';
import type { Emit } from '../../core/emit.ts';
import type { GatewayError } from '../../core/errors.ts';
import { BAD_OUT_OF_RANGE, GOOD, type StatusCode } from '../../core/status.ts';
import type { SeriesId } from '../../core/tag.ts';
import type { UnixMs } from '../../core/time.ts';
import type { ModbusLink } from './link.ts';
import { type Block, planBlocks, type ReadLimits } from './plan.ts';
import { type Point, positionIn } from './point.ts';
import type { LastAnswer } from './raw.ts';
import { type Answer, isRefused, readBlocks, statusOfFailure } from './reader.ts';

/** A point whose series is open. `status` is bad from the first failed read to the next good one. */
export interface PolledPoint extends Point {
  readonly series: SeriesId;
  status: StatusCode;
  failure: GatewayError | undefined;
  /** Undefined before the first. */
  last: LastAnswer | undefined;
  /** Its tag is gone or has been changed: what still comes for it goes nowhere. */
  left: boolean;
}

interface PollContext {
  readonly link: ModbusLink;
  readonly limits: ReadLimits;
  readonly emit: Emit;
  readonly clock: Clock;
}

/** Refused registers are tried again after a minute (a program may be loading), then ever less often, down to hourly. */
const FIRST_RETRY_MS = 60_000;
const MAX_RETRY_MS = 3_600_000;

/** Answers of one tick share a time as long as it is no older than this: rows that belong together, at no cost in truth. */
const SHARED_TIME_MS = 100;

export class PollGroup {
  readonly intervalMs: number;
  readonly #context: PollContext;
  readonly #end = new AbortController();
  #planned: readonly Block<PolledPoint>[];
  /** The planned blocks less what the device refused, in the parts in which it answered. */
  #blocks: readonly Block<PolledPoint>[];
  /** Monotonic; undefined while nothing was refused. */
  #retryAtMs: number | undefined;
  #retryAfterMs = FIRST_RETRY_MS;

  constructor(intervalMs: number, points: readonly PolledPoint[], context: PollContext) {
    this.intervalMs = intervalMs;
    this.#context = context;
    this.#planned = planBlocks(points, context.limits);
    this.#blocks = this.#planned;
  }

  /** Aborts when there is nothing more to poll. */
  get ended(): AbortSignal {
    return this.#end.signal;
  }

  end(): void {
    this.#end.abort();
  }

  /** From the next round on. What was refused is asked for again: the blocks are others now. */
  replace(points: readonly PolledPoint[]): void {
    this.#planned = planBlocks(points, this.#context.limits);
    this.#blocks = this.#planned;
    this.#forget();
  }

  /**
   * One round. Resolves true when a tag began or ceased to fail. Rejects `not_connected` when the device is silent,
   * and with the signal's reason on abort.
   */
  async poll(signal: AbortSignal): Promise<boolean> {
    const { link, emit, clock } = this.#context;
    const startMs = clock.monotonicMs();
    const whole = this.#retryAtMs === undefined || startMs >= this.#retryAtMs;
    if (whole) this.#blocks = this.#planned;
    const planned = this.#planned;
    const answered: Block<PolledPoint>[] = [];
    let timeMs = Number.NEGATIVE_INFINITY as UnixMs;
    let refused = false;
    let changed = false;
    for await (const answer of readBlocks(link, this.#blocks, signal)) {
      const nowMs = clock.now();
      if (nowMs < timeMs || nowMs - timeMs > SHARED_TIME_MS) timeMs = nowMs;
      if (!emit.reserve(answer.block.items.length)) await this.#room(startMs + this.intervalMs, signal);
      changed = deliver(emit, answer, timeMs) || changed;
      if (answer.failure && isRefused(answer.failure)) refused = true;
      else answered.push(answer.block);
    }
    if (planned !== this.#planned) return changed; // replaced meanwhile
    if (refused || answered.length !== this.#blocks.length) this.#learn(answered, startMs);
    else if (whole) this.#forget();
    return changed;
  }

  #learn(answered: readonly Block<PolledPoint>[], nowMs: number): void {
    this.#blocks = answered;
    this.#retryAtMs = nowMs + this.#retryAfterMs;
    this.#retryAfterMs = Math.min(this.#retryAfterMs * 2, MAX_RETRY_MS);
  }

  #forget(): void {
    this.#retryAtMs = undefined;
    this.#retryAfterMs = FIRST_RETRY_MS;
  }

  /** Waits for room in the ring, but not beyond the next tick: then the door counts what it must drop. */
  async #room(untilMs: number, signal: AbortSignal): Promise<void> {
    const { emit, clock } = this.#context;
    const waiting = new AbortController();
    const stop = (): void => waiting.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      await Promise.race([emit.room(waiting.signal), clock.sleep(Math.max(0, untilMs - clock.monotonicMs()), waiting.signal)]);
    } finally {
      signal.removeEventListener('abort', stop);
      waiting.abort();
    }
  }
}

/** Emits a value, or once per trouble a bad status, for each point; true when one began or ceased to fail. */
export function deliver(emit: Emit, answer: Answer<PolledPoint>, timeMs: UnixMs): boolean {
  const { block, bytes, failure } = answer;
  const last = { answer, timeMs };
  const status = failure ? statusOfFailure(failure) : GOOD;
  let changed = false;
  for (const point of block.items) {
    if (point.left) continue;
    const known = point.status === status;
    changed ||= !known;
    point.status = status;
    point.failure = failure;
    point.last = last;
    if (bytes) emitValue(emit, point, bytes, positionIn(block, point), timeMs);
    else if (!known) emit.missing(point.series, timeMs, status);
  }
  return changed;
}

function emitValue(emit: Emit, point: PolledPoint, bytes: Buffer, at: number, timeMs: UnixMs): void {
  const { decoder, series } = point;
  switch (decoder.kind) {
    case 'number': {
      const value = decoder.read(bytes, at);
      if (Number.isFinite(value)) emit.number(series, timeMs, value, GOOD);
      else emit.missing(series, timeMs, BAD_OUT_OF_RANGE); // how devices say "no measurement"
      return;
    }
    case 'boolean':
      emit.boolean(series, timeMs, decoder.read(bytes, at), GOOD);
      return;
    case 'integer':
      emit.integer(series, timeMs, decoder.read(bytes, at), decoder.signed, GOOD);
  }
}
