/** Sends what waits for one channel: in order, one at a time, again and again with longer pauses until it is taken, refused or too old. */
import { randomUUID } from 'node:crypto';
import type { Clock } from '../../core/clock.ts';
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import { type Log, ThrottledLog } from '../../core/log.ts';
import { retryDelaysMs } from '../../core/retry.ts';
import type { UnixMs } from '../../core/time.ts';
import type { ChannelKey, Delivery, DeliveryChange, DeliveryStore } from '../../store/deliveries.ts';
import { attempt } from './attempt.ts';
import type { Channel } from './channel.ts';
import { summaryLetter } from './compose.ts';
import type { Letter } from './letter.ts';
import { shownError } from './secrets.ts';
import { StormLimit } from './storm-limit.ts';

/** What waits for a channel at most; with a storm limit of 20 a minute, 50 minutes of a flood. */
export const MAX_WAITING = 1_000;
/** A mail server may hold back its greeting and think over each address; a channel that hangs hurts only itself. */
const SEND_MS = 60_000;
/** Five seconds ride out a server's restart; a quarter of an hour does not wake anybody who mends it. */
const BACK_OFF = { firstMs: 5_000, maxMs: 900_000, jitter: 0.2 } as const;
/** What nobody could be told for a day is history: it is in the list of alerts. */
const MAX_AGE_MS = 86_400_000;
/** After so many failures of the first one, every other try is for the next: it may be the one message that the receiver cannot take. */
const STEP_ASIDE_AFTER = 6;
const STORE_RETRY_MS = 1_000;

export interface SenderOptions {
  readonly key: ChannelKey;
  readonly channel: Channel;
  /** Messages a minute. */
  readonly stormLimit: number;
  /** What no message may show. */
  readonly secrets: readonly string[];
  readonly box: string;
  readonly store: DeliveryStore;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Goes on from there: of the sender whose place this one takes. */
  readonly state: SenderState;
}

/** Since the daemon's start, but for `waiting`. */
export interface SenderState {
  /** Messages in the outbox. */
  waiting: number;
  delivered: number;
  /** Refused for good, or not taken for a day. */
  failed: number;
  /** Told by a summary instead. */
  suppressed: number;
  /** Tries that came to nothing. */
  failedAttempts: number;
  lastDeliveredMs: UnixMs | null;
  /** Of the last try that came to nothing; null after one that did not. */
  lastError: { readonly code: string; readonly message: string; readonly timeMs: UnixMs } | null;
}

export function newState(): SenderState {
  return { waiting: 0, delivered: 0, failed: 0, suppressed: 0, failedAttempts: 0, lastDeliveredMs: null, lastError: null };
}

export class Sender {
  readonly state: SenderState;
  readonly #options: SenderOptions;
  readonly #storm: StormLimit;
  readonly #log: ThrottledLog;
  #delays: Iterator<number, never>;
  #tries = 0;
  /** Of the first message, once a later one was taken: the receiver is there, so it has one more try. */
  #doubted: Delivery['id'] | undefined;
  #woken = false;
  #wake: () => void = () => {};

  constructor(options: SenderOptions) {
    this.#options = options;
    this.state = options.state;
    this.#storm = new StormLimit(options.stormLimit);
    this.#log = new ThrottledLog(options.log, options.clock);
    this.#delays = this.#newDelays();
  }

  /** Something was added to the outbox. */
  wake(): void {
    this.#woken = true;
    this.#wake();
  }

  /** Ends soon after `stop`: a letter that is on its way may arrive until `hard` aborts. Never rejects. */
  async run(stop: AbortSignal, hard: AbortSignal): Promise<void> {
    while (!stop.aborted) {
      try {
        await this.#step(stop, hard);
      } catch (error) {
        if (stop.aborted) return;
        this.#log.warn('store', { reason: messageOf(error) }, 'the outbox of a channel cannot be used; trying again');
        await this.#pause(STORE_RETRY_MS, stop);
      }
    }
  }

  async #step(stop: AbortSignal, hard: AbortSignal): Promise<void> {
    const { clock, store, key } = this.#options;
    const waitMs = this.#storm.waitMs(clock.monotonicMs());
    if (waitMs > 0) {
      await this.#pause(waitMs, stop);
      if (!stop.aborted) await this.#gather();
      return;
    }
    this.#woken = false;
    const [first, second] = await store.pendingDeliveries(key, 2);
    if (!first) {
      this.#delays = this.#newDelays();
      if (!this.#woken) await this.#woke(stop);
      return;
    }
    const mayStepAside = first.attempts >= STEP_ASIDE_AFTER && first.id !== this.#doubted;
    const aside = second !== undefined && mayStepAside && this.#tries++ % 2 === 1;
    if (!aside) await this.#deliver(first, stop, hard);
    else if (await this.#deliver(second, stop, hard)) this.#doubted = first.id;
  }

  /** True when the receiver took it. */
  async #deliver(delivery: Delivery, stop: AbortSignal, hard: AbortSignal): Promise<boolean> {
    const { channel, clock, secrets } = this.#options;
    const attempts = delivery.attempts + 1;
    try {
      const remark = await attempt(channel, letterOf(delivery), { clock, timeoutMs: SEND_MS, signal: hard });
      this.#storm.count(clock.monotonicMs());
      this.#delays = this.#newDelays();
      this.state.lastDeliveredMs = clock.now();
      this.state.lastError = null;
      const lastError = remark === null ? null : shownError(remark, secrets);
      await this.#settle(delivery, { status: 'delivered', attempts, lastError, deliveredMs: clock.now() }, hard);
      return true;
    } catch (error) {
      if (hard.aborted || !isGatewayError(error)) throw error;
      await this.#failed(delivery, error, attempts, hard);
      if (this.#isOver(delivery, error)) return false;
      await this.#pause(this.#delays.next().value, stop);
      return false;
    }
  }

  async #failed(delivery: Delivery, error: GatewayError, attempts: number, hard: AbortSignal): Promise<void> {
    const { clock, secrets, key, channel } = this.#options;
    const reason = shownError(messageOf(error), secrets);
    if (error.code === 'not_connected') this.#doubted = undefined; // that says nothing of the message
    const message = delivery.id === this.#doubted ? `${reason}; a later message was taken` : reason;
    this.state.failedAttempts++;
    this.state.lastError = { code: error.code, message, timeMs: clock.now() };
    const over = this.#isOver(delivery, error);
    const fields = { channel: key.channel, target: channel.target, code: error.code, reason: message, attempts };
    this.#log.warn(`${error.code} ${over}`, fields, over ? 'a notification was given up' : 'a notification was not taken; trying again');
    await this.#settle(delivery, { status: over ? 'failed' : 'pending', attempts, lastError: message }, hard);
  }

  #isOver(delivery: Delivery, error: GatewayError): boolean {
    if (error.code === 'delivery_refused' || delivery.id === this.#doubted) return true;
    return this.#options.clock.now() - delivery.createdMs >= MAX_AGE_MS;
  }

  /** What could not be said within the minute becomes one message. A single one is said as it is. */
  async #gather(): Promise<void> {
    const { store, key, clock, box } = this.#options;
    const waiting = (await store.pendingDeliveries(key, MAX_WAITING)).filter(({ event }) => event !== 'summary');
    const last = waiting.at(-1);
    if (!last || waiting.length < 2) return;
    const letters = waiting.map(letterOf);
    const letter = summaryLetter(letters, { box, tenant: key.tenant }, { id: randomUUID(), nowMs: clock.now() });
    const summary = { ...key, alertId: null, event: 'summary' as const, body: JSON.stringify(letter), createdMs: clock.now() };
    await store.summarizeDeliveries(last.id, summary);
    this.state.suppressed += waiting.length;
    this.state.waiting += 1 - waiting.length;
  }

  /** Kept at until the store takes it: what was delivered must not be sent again because a disk was busy. */
  async #settle(delivery: Delivery, change: Partial<DeliveryChange>, hard: AbortSignal): Promise<void> {
    const { clock, store } = this.#options;
    const { status, attempts, lastError, deliveredMs } = { ...delivery, ...change };
    let waited: boolean | undefined;
    while (waited === undefined) {
      try {
        waited = await store.changeDelivery(delivery.id, { status, attempts, lastError, deliveredMs });
      } catch (error) {
        this.#log.warn('store', { reason: messageOf(error) }, 'what became of a notification could not be saved; trying again');
        await clock.sleep(STORE_RETRY_MS, hard);
      }
    }
    if (status === 'pending') return;
    if (waited) this.state.waiting--;
    if (status === 'delivered') this.state.delivered++;
    else this.state.failed++;
  }

  #newDelays(): Iterator<number, never> {
    return retryDelaysMs({ ...BACK_OFF, random: this.#options.random });
  }

  /** Until the time is over or the signal aborts. */
  async #pause(durationMs: number, stop: AbortSignal): Promise<void> {
    await this.#options.clock.sleep(durationMs, stop).catch(() => undefined); // the loop looks at the signal itself
  }

  #woke(stop: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        stop.removeEventListener('abort', done);
        resolve();
      };
      this.#wake = done;
      stop.addEventListener('abort', done, { once: true });
      if (stop.aborted) done();
    });
  }
}

/** Throws `delivery_refused` for what another version may have left. */
function letterOf({ body }: Delivery): Letter {
  try {
    return JSON.parse(body) as Letter;
  } catch (cause) {
    throw new GatewayError('delivery_refused', 'the message in the outbox cannot be read', { cause });
  }
}
