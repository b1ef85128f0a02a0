/** All channels together: takes notices from the alert engine, keeps them in the outbox and lets each channel send at its own pace. */
import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { aborted, type Clock } from '../../core/clock.ts';
import { GatewayError, isGatewayError, messageOf } from '../../core/errors.ts';
import { type Log, ThrottledLog } from '../../core/log.ts';
import type { Delivery, DeliveryStore, NewDelivery } from '../../store/deliveries.ts';
import type { AlertNotice, Notifier } from '../notice.ts';
import { attempt } from './attempt.ts';
import type { Channel, ChannelSpec } from './channel.ts';
import { alertLetter, testLetter } from './compose.ts';
import { EmailChannel } from './email.ts';
import { MqttChannel } from './mqtt.ts';
import type { ChannelConfig } from './schema.ts';
import { secretsOf, shownError } from './secrets.ts';
import { MAX_WAITING, newState, Sender, type SenderState } from './sender.ts';
import { SlackChannel } from './slack.ts';
import { WebhookChannel } from './webhook.ts';

/** Notices that wait for the store; what comes while it hangs for longer is counted and lost. */
const MAX_UNSAVED = 5_000;
const SAVE_RETRY_MS = 1_000;
/** Whoever tries a channel looks at the screen meanwhile. */
const TEST_MS = 20_000;
/** What is on its way at a stop may still arrive; the daemon has five seconds in all. */
const GRACE_MS = 1_000;
const REMOVED = 'the channel is no longer in the configuration';

export interface NotificationsOptions {
  readonly channels: readonly ChannelSpec[];
  readonly store: DeliveryStore;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly log: Log;
  /** Host name of this machine. */
  readonly box: string;
}

export interface ChannelView extends Readonly<SenderState> {
  readonly name: string;
  readonly tenant: string;
  readonly type: ChannelConfig['type'];
  /** Where it leads, without secrets. */
  readonly target: string;
  /** Lost, by reason: `outbox_full`, `store_failed`. */
  readonly dropped: Readonly<Record<string, number>>;
}

export interface TestResult {
  readonly ok: boolean;
  readonly code: string | null;
  /** Why it failed, or for whom the receiver did not take it. */
  readonly message: string | null;
  readonly durationMs: number;
}

interface Book {
  readonly state: SenderState;
  readonly dropped: Record<'outbox_full' | 'store_failed', number>;
}

interface Held extends Pick<Book, 'dropped'> {
  readonly name: string;
  readonly config: ChannelConfig;
  readonly channel: Channel;
  readonly sender: Sender;
  /** Aborted when the file has it no more, or says something else of it. */
  readonly leaving: AbortController;
  /** Aborted when it has had its time to leave. */
  readonly givenUp: AbortController;
  started: boolean;
  /** Settles when its sender has ended; at once where it was never started. */
  ended: Promise<void>;
  testing: boolean;
}

export class Notifications implements Notifier {
  readonly #options: NotificationsOptions;
  readonly #log: ThrottledLog;
  #channels: ReadonlyMap<string, Held>;
  readonly #stopping = new AbortController();
  /** What is on its way at a stop is given up. */
  readonly #hard = new AbortController();
  /** The senders run. */
  #sending = false;
  /** One change of the channels after the other. */
  #changes: Promise<void> = Promise.resolve();
  /** Of every channel since the start: what was counted outlives its settings. */
  readonly #books = new Map<string, Book>();
  #unsaved: NewDelivery[] = [];
  #saving: Promise<void> | undefined;

  constructor(options: NotificationsOptions) {
    this.#options = options;
    this.#log = new ThrottledLog(options.log, options.clock);
    this.#channels = new Map(options.channels.map((spec) => [keyOf(spec.config.tenant, spec.name), this.#hold(spec)]));
  }

  /**
   * The channels that the file has now: notices go to them at once, and behind it their senders change places. A channel that is
   * as it was goes on; what waits for one that has changed is sent by its new settings, and for one that has gone it is given up.
   */
  take(specs: readonly ChannelSpec[]): void {
    const before = this.#channels;
    const next = new Map<string, Held>();
    for (const spec of specs) {
      const key = keyOf(spec.config.tenant, spec.name);
      const known = before.get(key);
      next.set(key, known && isDeepStrictEqual(known.config, spec.config) ? known : this.#hold(spec));
    }
    this.#channels = next;
    const left = [...before].filter(([key, held]) => next.get(key) !== held);
    this.#changes = this.#changes.then(async () => {
      await Promise.all(left.map(([, held]) => this.#end(held)));
      for (const [key, held] of left) if (!this.#channels.has(key)) await this.#persist(() => this.#abandon(held));
      for (const held of next.values()) this.#start(held);
    });
  }

  /** True when rules of the tenant may name the channel. */
  has(tenant: string, channel: string): boolean {
    return this.#channels.has(keyOf(tenant, channel));
  }

  /** Channels that the tenant does not have are passed over: the rule's answer has named them. */
  notify(notice: AlertNotice, channels: readonly string[]): void {
    const { box, clock } = this.#options;
    const held = [...new Set(channels)].flatMap((name) => this.#channels.get(keyOf(notice.tenant, name)) ?? []);
    if (held.length === 0) return;
    const { tenant, alertId, event } = notice;
    const body = JSON.stringify(alertLetter(notice, box));
    for (const { name, dropped } of held) {
      if (this.#unsaved.length < MAX_UNSAVED) this.#unsaved.push({ tenant, channel: name, alertId, event, body, createdMs: clock.now() });
      else dropped.store_failed++;
    }
    this.#saving ??= Promise.resolve().then(() => this.#save()); // as soon as the caller has told all that it has to tell
  }

  /** Sends until the signal aborts; what was told before is in the outbox then, unless the store fails. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const begun = this.#send();
    await aborted(signal);
    this.#stopping.abort();
    const working = begun.then(() => this.#changes).then(() => Promise.all([...this.#channels.values()].map(({ ended }) => ended)));
    await this.#withGrace(working);
    this.#hard.abort();
    await Promise.all([working, this.#saving]);
    await this.#saveBatch().catch((error) => {
      const fields = { reason: messageOf(error), count: this.#unsaved.length };
      this.#options.log.error(fields, 'notifications could not be saved before the stop');
    });
  }

  async #send(): Promise<void> {
    await this.#persist(() => this.#takeUp());
    this.#sending = true;
    for (const held of this.#channels.values()) this.#start(held);
  }

  /** Once; a channel that has left already is not started. */
  #start(held: Held): void {
    const { sender, leaving } = held;
    if (!this.#sending || held.started || leaving.signal.aborted) return;
    held.started = true;
    held.ended = sender.run(
      AbortSignal.any([this.#stopping.signal, leaving.signal]),
      AbortSignal.any([this.#hard.signal, held.givenUp.signal]),
    );
  }

  /** What is on its way may still arrive. */
  async #end(held: Held): Promise<void> {
    held.leaving.abort();
    await this.#withGrace(held.ended);
    held.givenUp.abort();
    await held.ended;
  }

  async #withGrace(working: Promise<unknown>): Promise<void> {
    const timer = new AbortController();
    const grace = this.#options.clock.sleep(GRACE_MS, timer.signal).catch(() => undefined); // all ended before
    await Promise.race([working, grace]);
    timer.abort();
  }

  async #abandon({ name, config, sender }: Held): Promise<void> {
    const count = await this.#options.store.abandonDeliveries({ tenant: config.tenant, channel: name }, REMOVED);
    sender.state.waiting = 0;
    if (count > 0) this.#options.log.warn({ channel: name, count }, `notifications were given up: ${REMOVED}`);
  }

  /** The tenant's channels, in the order of the file. */
  list(tenant: string): readonly ChannelView[] {
    return this.views().filter((view) => view.tenant === tenant);
  }

  views(): readonly ChannelView[] {
    return [...this.#channels.values()].map(({ name, config, channel, sender, dropped }) => ({
      name,
      tenant: config.tenant,
      type: config.type,
      target: channel.target,
      ...sender.state,
      dropped,
    }));
  }

  /** Sends a letter that says that it is a test, past the outbox; undefined when there is no such channel. Rejects `conflict` while another test runs. */
  async test(tenant: string, name: string, signal: AbortSignal): Promise<TestResult | undefined> {
    const { clock, box } = this.#options;
    const held = this.#channels.get(keyOf(tenant, name));
    if (!held) return undefined;
    if (held.testing) throw new GatewayError('conflict', `the channel "${name}" is being tested`);
    held.testing = true;
    const startMs = clock.monotonicMs();
    const result = (ok: boolean, code: string | null, message: string | null): TestResult => {
      const shown = message === null ? null : shownError(message, secretsOf(held.config));
      return { ok, code, message: shown, durationMs: Math.round(clock.monotonicMs() - startMs) };
    };
    try {
      const letter = testLetter(name, { box, tenant }, { id: randomUUID(), nowMs: clock.now() });
      return result(true, null, await attempt(held.channel, letter, { clock, timeoutMs: TEST_MS, signal }));
    } catch (error) {
      if (!isGatewayError(error)) throw error;
      return result(false, error.code, messageOf(error));
    } finally {
      held.testing = false;
    }
  }

  /** What became of the notices of these alerts, oldest first. */
  deliveries(tenant: string, alertIds: readonly string[]): Promise<readonly Delivery[]> {
    return this.#options.store.deliveriesOf(tenant, alertIds);
  }

  #hold({ name, config }: ChannelSpec): Held {
    const { store, clock, random, log, box } = this.#options;
    const channel = channelOf(config, clock, box);
    const key = { tenant: config.tenant, channel: name };
    const secrets = secretsOf(config);
    const book = this.#bookOf(config.tenant, name);
    const sender = new Sender({ key, channel, stormLimit: config.storm_limit, secrets, box, store, clock, random, log, state: book.state });
    const [leaving, givenUp] = [new AbortController(), new AbortController()];
    return {
      name,
      config,
      channel,
      sender,
      dropped: book.dropped,
      testing: false,
      leaving,
      givenUp,
      started: false,
      ended: Promise.resolve(),
    };
  }

  #bookOf(tenant: string, name: string): Book {
    const key = keyOf(tenant, name);
    const book = this.#books.get(key) ?? { state: newState(), dropped: { outbox_full: 0, store_failed: 0 } };
    this.#books.set(key, book);
    return book;
  }

  /** What an earlier run has left. */
  async #takeUp(): Promise<void> {
    const { store, log } = this.#options;
    for (const { tenant, channel, count } of await store.pendingCounts()) {
      const held = this.#channels.get(keyOf(tenant, channel));
      if (held) held.sender.state.waiting = count;
      else
        log.warn(
          { channel, count: await store.abandonDeliveries({ tenant, channel }, REMOVED) },
          `notifications were given up: ${REMOVED}`,
        );
    }
  }

  /** What is told meanwhile goes with the next commit: a flood costs the disk no more than a few. */
  async #save(): Promise<void> {
    while (this.#unsaved.length > 0 && !this.#stopping.signal.aborted) await this.#persist(() => this.#saveBatch());
    this.#saving = undefined;
  }

  async #saveBatch(): Promise<void> {
    const batch = [...this.#unsaved];
    if (batch.length === 0) return;
    const added = await this.#options.store.addDeliveries(batch, MAX_WAITING);
    this.#unsaved = this.#unsaved.slice(batch.length);
    for (const each of added) {
      const book = this.#bookOf(each.tenant, each.channel);
      book.state.waiting += each.added - each.dropped;
      book.dropped.outbox_full += each.dropped;
      if (each.added > 0) this.#channels.get(keyOf(each.tenant, each.channel))?.sender.wake();
    }
  }

  /** Tries until the store does it, or the stop. */
  async #persist(act: () => Promise<void>): Promise<void> {
    const stop = this.#stopping.signal;
    while (!stop.aborted) {
      try {
        await act();
        return;
      } catch (error) {
        this.#log.warn('store', { reason: messageOf(error), count: this.#unsaved.length }, 'the outbox cannot be used; trying again');
        await this.#options.clock.sleep(SAVE_RETRY_MS, stop).catch(() => undefined); // the loop looks at the signal itself
      }
    }
  }
}

function channelOf(config: ChannelConfig, clock: Clock, box: string): Channel {
  switch (config.type) {
    case 'email':
      return new EmailChannel(config, box);
    case 'slack':
      return new SlackChannel(config);
    case 'webhook':
      return new WebhookChannel(config, clock);
    case 'mqtt':
      return new MqttChannel(config);
  }
}

/** Neither name can hold a NUL. */
function keyOf(tenant: string, channel: string): string {
  return `${tenant}\0${channel}`;
}
